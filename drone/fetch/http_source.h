// The pages of an http_rest source. See source.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_HTTP_SOURCE_H_
#define CHARTLY_DRONE_FETCH_HTTP_SOURCE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "absl/synchronization/notification.h"
#include "drone/fetch/credentials.h"
#include "drone/fetch/paginator.h"
#include "drone/fetch/source.h"

namespace chartly::drone {

class HttpSource final : public Source {
 public:
  // URL_INVALID if source.url is no http address; WATERMARK_INVALID as in SinceText().
  static absl::StatusOr<std::unique_ptr<Source>> Open(const Profile& profile, const SourceDeps& deps);

  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  bool unmodified() const override { return unmodified_; }
  void Learn(Cursor& cursor) const override;
  void Cancel() override;

 private:
  class PageBody;
  // An answer whose first bytes are here, so that a failure before them could still be tried again.
  struct Answer {
    std::unique_ptr<net::HttpStream> stream;
    std::string head;
    absl::Status end;  // why the body ends after the head; OK if it goes on, or is whole
  };
  // One try: the answer, or why not, and how long the server asks to wait.
  struct Attempt {
    absl::StatusOr<Answer> answer;
    absl::Duration retry_after = absl::ZeroDuration();
    bool host_failed = false;
  };

  HttpSource(const Profile& profile, const SourceConfig& source, const SourceDeps& deps);

  absl::Status Begin(const SourceDeps& deps);
  absl::StatusOr<std::optional<Page>> Fetch();
  absl::StatusOr<Answer> FetchWithRetries();
  // Waits until the host may be asked, by this drone and by all of them. Each OK needs a Leave of the gate.
  absl::Status AwaitTurn(const std::string& host);
  // The same for a further request to the host: a redirect, or one for a token.
  absl::Status AwaitAnotherTurn(const std::string& host);
  absl::Status AwaitQuota(const std::string& host);
  const std::string& QuotaOf(const std::string& host) const;
  Attempt Try(const std::string& host);
  absl::StatusOr<Answer> Take(std::unique_ptr<net::HttpStream> stream) const;
  absl::Status StatusError(net::HttpStream& stream, const std::string& retry_after) const;
  absl::Status Shown(const absl::Status& status) const;
  absl::Status BodyError(const absl::Status& status);
  absl::Status CheckDeadline();

  const SourceConfig source_;
  const LimitsConfig limits_;
  const RetryConfig retry_;
  net::HttpClient& http_;
  Clock& clock_;
  Clock& steady_;
  const absl::Time deadline_;
  HostGate own_gate_;
  HostGate& gate_;
  FleetQuota* const quota_;
  TokenCache own_tokens_;
  Credentials credentials_;
  Paginator paginator_;
  net::HttpRequest request_;  // of the page, without credentials
  std::string current_url_;   // of the last page, after redirects
  std::string link_;          // of the last page
  std::string sha256_;        // of the last page, if pagination needs it
  std::string etag_;          // of the first page
  std::string last_modified_;
  bool conditional_ = false;  // the first request asks only for what is new
  bool unmodified_ = false;
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
