// What every unit test includes: Catch2 in either version, checks for absl::Status, a temporary folder, Eventually.
#ifndef CHARTLY_TEST_SUPPORT_TEST_H_
#define CHARTLY_TEST_SUPPORT_TEST_H_

#ifdef CHARTLY_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "test/support/temp_dir.h"

namespace chartly::testing {

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Whether `text` is in the message.
inline bool Says(const absl::Status& status, const std::string& text) {
  UNSCOPED_INFO(status.ToString());
  return std::string(status.message()).find(text) != std::string::npos;
}

// Waits until `condition` holds, at most `limit`; says whether it did.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace chartly::testing

#define CHECK_OK(expression)                                                 \
  do {                                                                       \
    absl::Status check_ok_status = ::chartly::testing::StatusOf(expression); \
    INFO(check_ok_status.ToString());                                        \
    CHECK(check_ok_status.ok());                                             \
  } while (false)
#define REQUIRE_OK(expression)                                                 \
  do {                                                                         \
    absl::Status require_ok_status = ::chartly::testing::StatusOf(expression); \
    INFO(require_ok_status.ToString());                                        \
    REQUIRE(require_ok_status.ok());                                           \
  } while (false)

#endif  // CHARTLY_TEST_SUPPORT_TEST_H_
