// The main of every unit test program. Catch2 3 brings its own; Catch2 2 makes one here.
//
// Both keep what a test asserts in places that no lock guards, so two threads that assert at the same time write over
// each other's memory, once in some hundred runs. A test that asserts on a thread of its own ends here, each time:
// threads bring home what they saw, and the test looks at it.
#ifdef CHARTLY_CATCH2_V3
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

#ifdef CHARTLY_CATCH2_V3
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

const std::thread::id kThreadOfTests = std::this_thread::get_id();

class OneThreadAsserts final : public Listener {
 public:
  using Listener::Listener;
  void assertionStarting(const Catch::AssertionInfo& info) override {
    if (std::this_thread::get_id() == kThreadOfTests) return;
    std::fprintf(stderr, "%s:%zu: an assertion on another thread than that of the test\n", info.lineInfo.file,
                 static_cast<size_t>(info.lineInfo.line));
    std::_Exit(1);
  }
#ifndef CHARTLY_CATCH2_V3
  bool assertionEnded(const Catch::AssertionStats& /*stats*/) override { return true; }
#endif
};

CATCH_REGISTER_LISTENER(OneThreadAsserts)

}  // namespace
