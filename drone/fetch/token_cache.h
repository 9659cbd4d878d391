// Tokens of OAuth2 that are still good, for all runs of a drone, so that not every run asks for a new one. In memory
// only. Thread-safe.
#ifndef CHARTLY_DRONE_FETCH_TOKEN_CACHE_H_
#define CHARTLY_DRONE_FETCH_TOKEN_CACHE_H_

#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace chartly::drone {

class TokenCache {
 public:
  // The token, if it is good for some time after `now`.
  std::optional<std::string> Get(const std::string& key, absl::Time now);
  void Put(const std::string& key, const std::string& token, absl::Time expires);
  void Forget(const std::string& key);

 private:
  struct Entry {
    std::string token;
    absl::Time expires;
  };
  absl::Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_TOKEN_CACHE_H_
