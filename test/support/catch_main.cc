// The main of every unit test program. Catch2 3 brings its own; Catch2 2 makes one here.
#ifndef CHARTLY_CATCH2_V3
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
