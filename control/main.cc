#include "control/control.h"

int main(int argc, char** argv) { return chartly::control::RunControl(argc, argv); }
