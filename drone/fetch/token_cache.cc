#include "drone/fetch/token_cache.h"

namespace chartly::drone {
namespace {

// A request with it must still arrive in time.
constexpr absl::Duration kMargin = absl::Seconds(30);
constexpr size_t kMaxEntries = 1000;

}  // namespace

std::optional<std::string> TokenCache::Get(const std::string& key, absl::Time now) {
  absl::MutexLock lock(&mu_);
  auto found = entries_.find(key);
  if (found == entries_.end() || now + kMargin >= found->second.expires) return std::nullopt;
  return found->second.token;
}

void TokenCache::Put(const std::string& key, const std::string& token, absl::Time expires) {
  absl::MutexLock lock(&mu_);
  if (entries_.size() >= kMaxEntries) entries_.clear();
  entries_[key] = {token, expires};
}

void TokenCache::Forget(const std::string& key) {
  absl::MutexLock lock(&mu_);
  entries_.erase(key);
}

}  // namespace chartly::drone
