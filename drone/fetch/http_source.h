// The pages of an http_rest source. See source.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_HTTP_SOURCE_H_
#define CHARTLY_DRONE_FETCH_HTTP_SOURCE_H_

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "absl/synchronization/notification.h"
#include "drone/fetch/source.h"

namespace chartly::drone {

class HttpSource final : public Source {
 public:
  // URL_INVALID if source.url is no http address.
  static absl::StatusOr<std::unique_ptr<Source>> Open(const Profile& profile, const SourceDeps& deps);

  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override;

 private:
  // One try: the answer, or why not, and how long the server asks to wait.
  struct Attempt {
    absl::StatusOr<net::HttpResponse> response;
    absl::Duration retry_after = absl::ZeroDuration();
  };

  HttpSource(const Profile& profile, const SourceDeps& deps, net::HttpRequest first);

  // Moves request_ to the page after `previous`; false if there is none.
  absl::StatusOr<bool> Advance(const DecodeResult& previous);
  absl::StatusOr<bool> AdvanceToNextUrl(const DecodeResult& previous);
  absl::StatusOr<std::optional<Page>> Fetch();
  absl::StatusOr<net::HttpResponse> FetchWithRetries();
  Attempt Try();
  absl::Status StatusError(const net::HttpResponse& response) const;

  const SourceConfig source_;
  const LimitsConfig limits_;
  const RetryConfig retry_;
  net::HttpClient& http_;
  Clock& clock_;
  net::HttpRequest request_;
  std::string current_url_;     // of the last page, after redirects
  std::set<std::string> seen_;  // next_url: what was asked for already
  uint32_t pages_ = 0;
  int64_t bytes_ = 0;
  bool done_ = false;
  std::string truncated_by_;
  std::mt19937_64 random_{std::random_device{}()};
  std::atomic<bool> cancelled_{false};
  absl::Notification stop_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_HTTP_SOURCE_H_
