// One fuzz target a file: FUZZ_TARGET(csv) { ... } with `input`, any bytes. `./dev fuzz` links each file to a program
// of libFuzzer; the unit tests run them all over the files of test/fuzz/corpus/<name>/.
//
// A target must neither crash nor hang, whatever the input is, and states what holds for every input with FUZZ_CHECK.
#ifndef CHARTLY_TEST_FUZZ_FUZZ_TARGET_H_
#define CHARTLY_TEST_FUZZ_FUZZ_TARGET_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace chartly::fuzz {

using Target = void (*)(absl::string_view input);

// The targets that are linked in, by name.
inline std::map<std::string, Target>& Targets() {
  static std::map<std::string, Target> targets;
  return targets;
}

inline bool Register(const char* name, Target target) { return Targets().emplace(name, target).second; }

[[noreturn]] inline void Fail(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

}  // namespace chartly::fuzz

#define FUZZ_CHECK(condition) \
  if (!(condition)) ::chartly::fuzz::Fail(#condition, __FILE__, __LINE__)

#ifdef CHARTLY_FUZZ
#define FUZZ_ENTRY(name)                                                       \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {    \
    Fuzz_##name(absl::string_view(reinterpret_cast<const char*>(data), size)); \
    return 0;                                                                  \
  }
#else
#define FUZZ_ENTRY(name) static const bool fuzz_registered_##name = ::chartly::fuzz::Register(#name, &Fuzz_##name);
#endif

#define FUZZ_TARGET(name)                           \
  static void Fuzz_##name(absl::string_view input); \
  FUZZ_ENTRY(name)                                  \
  static void Fuzz_##name(absl::string_view input)

#endif  // CHARTLY_TEST_FUZZ_FUZZ_TARGET_H_
