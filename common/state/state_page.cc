#include "common/state/state_page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr size_t kChunk = 32;  // entries read at once, so that a page of large values is not read far past its end

// FNV-1a, 64 bit: the same on every machine and in every version.
uint64_t Fingerprint(absl::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char byte : text) hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

// Ties a token to its list, so that a token of another list is refused instead of giving odd pages.
std::string Scope(const StatePageQuery& query) {
  std::string scope;
  AppendBigEndian64(scope, Fingerprint(absl::StrCat(query.reverse ? "-" : "+", query.prefix)));
  return scope;
}

std::string MakeToken(const StatePageQuery& query, absl::string_view last_key) {
  return absl::WebSafeBase64Escape(absl::StrCat(Scope(query), last_key.substr(query.prefix.size())));
}

absl::StatusOr<std::string> LastKey(const StatePageQuery& query) {
  std::string token;
  if (absl::WebSafeBase64Unescape(query.page_token, &token) && absl::StartsWith(token, Scope(query))) {
    return absl::StrCat(query.prefix, absl::string_view(token).substr(8));
  }
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not from an earlier page of this list; leave it out to begin at the first page");
}

// The `start` of a Range that goes on after `key`.
std::string After(const std::string& key, bool reverse) { return reverse ? key : key + std::string(1, '\0'); }

}  // namespace

absl::StatusOr<StatePage> ReadPage(const StateStore& store, const StatePageQuery& query) {
  if (query.page_size < 0) {
    return Error(absl::StatusCode::kInvalidArgument, "PAGE_SIZE_INVALID",
                 absl::StrCat("page_size is ", query.page_size, "; it must be 0 (for ", kDefaultPageSize, ") to ",
                              kMaxPageSize));
  }
  const size_t size = query.page_size == 0 ? kDefaultPageSize : std::min(query.page_size, kMaxPageSize);
  std::string start;
  if (!query.page_token.empty()) {
    ASSIGN_OR_RETURN(std::string last, LastKey(query));
    start = After(last, query.reverse);
  }
  StatePage page;
  size_t bytes = 0;
  while (true) {
    // One more tells whether there is a next.
    const size_t limit = query.takes ? kChunk : std::min(kChunk, size + 1 - page.entries.size());
    ASSIGN_OR_RETURN(std::vector<StateEntry> chunk, store.Range(query.prefix, start, limit, query.reverse));
    const bool at_end = chunk.size() < limit;
    if (!chunk.empty()) start = After(chunk.back().key, query.reverse);
    for (StateEntry& entry : chunk) {
      if (query.takes && !query.takes(entry)) continue;
      bytes += entry.value.size();
      if (page.entries.size() == size || (bytes > kMaxPageBytes && !page.entries.empty())) {
        page.next_page_token = MakeToken(query, page.entries.back().key);
        return page;
      }
      page.entries.push_back(std::move(entry));
    }
    if (at_end) return page;
  }
}

}  // namespace chartly
