// Pages of a list that is kept under one prefix of a state store, with opaque keyset tokens: a page goes on after the
// last key of the page before, so entries made or deleted meanwhile neither shift nor repeat others.
//
// Thread-safe and stateless.
#ifndef CHARTLY_COMMON_STATE_STATE_PAGE_H_
#define CHARTLY_COMMON_STATE_STATE_PAGE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/state/state_store.h"

namespace chartly {

inline constexpr int32_t kDefaultPageSize = 100;
inline constexpr int32_t kMaxPageSize = 1000;
// A page ends early when its values pass this, so that it fits one message.
inline constexpr size_t kMaxPageBytes = size_t{4} << 20;

struct StatePageQuery {
  std::string prefix;
  int32_t page_size = 0;   // 0: the default; more than the maximum: the maximum
  std::string page_token;  // of the page before; empty for the first
  bool reverse = false;    // last key first
  // Leaves out those that it says no to; no page or token tells of them. All if empty.
  std::function<bool(const StateEntry& entry)> takes = {};
};

struct StatePage {
  std::vector<StateEntry> entries;
  std::string next_page_token;  // empty at the end
};

// InvalidArgument: PAGE_SIZE_INVALID if it is negative, PAGE_TOKEN_INVALID if the token is not one of this list.
absl::StatusOr<StatePage> ReadPage(const StateStore& store, const StatePageQuery& query);

}  // namespace chartly

#endif  // CHARTLY_COMMON_STATE_STATE_PAGE_H_
