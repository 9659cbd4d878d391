// The keys of the issuer of tokens and how it describes itself: fetched when they are first needed, kept, and fetched
// again when they get old or a token names a key that is not among them. However many tokens do so, the issuer is asked
// at most once each kMinInterval.
//
// Thread-safe. Fetches on a thread of its own.
#ifndef CHARTLY_CONTROL_AUTH_ISSUER_KEYS_H_
#define CHARTLY_CONTROL_AUTH_ISSUER_KEYS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/jwt/issuer_description.h"
#include "common/jwt/json_web_key.h"
#include "common/net/http_client.h"

namespace chartly::auth {

// What an issuer publishes.
struct IssuerDocuments {
  jwt::JsonWebKeys keys;
  jwt::IssuerDescription description = {};
};

class IssuerKeys {
 public:
  static constexpr absl::Duration kFresh = absl::Minutes(10);  // then they are fetched again, while they still serve
  static constexpr absl::Duration kStale = absl::Hours(24);    // then they serve no more
  static constexpr absl::Duration kMinInterval = absl::Seconds(5);
  static constexpr absl::Duration kWait = absl::Seconds(4);  // of a caller for a fetch
  static constexpr int kMaxWaiting = 16;

  using Keys = std::shared_ptr<const jwt::JsonWebKeys>;
  using Fetch = std::function<absl::StatusOr<IssuerDocuments>()>;

  // What `fetch` uses and the clock must outlive it.
  IssuerKeys(Fetch fetch, Clock& clock);
  ~IssuerKeys();

  // The keys, with that of `key_id` if the issuer has it and may be asked. Waits for a fetch under way. Unavailable
  // (ISSUER_UNREACHABLE) if there are none.
  absl::StatusOr<Keys> For(absl::string_view key_id);
  // How the issuer describes itself. As For.
  absl::StatusOr<jwt::IssuerDescription> Description();

 private:
  using Documents = std::shared_ptr<const IssuerDocuments>;

  void Run();
  // What there is, after a fetch if that lacks the key of `key_id` (null: whatever key).
  absl::StatusOr<Documents> Get(const absl::string_view* key_id);
  bool MayAsk(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AwaitFetch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Fetch fetch_;
  Clock& clock_;
  absl::Mutex mu_;
  Documents documents_ ABSL_GUARDED_BY(mu_);
  absl::Time fetched_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time tried_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int64_t tries_ ABSL_GUARDED_BY(mu_) = 0;  // that have ended
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool wanted_ ABSL_GUARDED_BY(mu_) = false;
  bool fetching_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

// Asks the issuer where its keys lie (OpenID Connect Discovery) and gets them. The address of the keys has to be https
// if that of the issuer is; another address that is not is left out. Unavailable (ISSUER_UNREACHABLE),
// FailedPrecondition (ISSUER_WRONG) if what answers is not this issuer, InvalidArgument (KEYS_MALFORMED). `http` and
// `cancel` must outlive the function.
IssuerKeys::Fetch FetchFrom(std::string issuer, net::HttpClient& http, const std::atomic<bool>& cancel);

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_ISSUER_KEYS_H_
