// A PostgreSQL source: the rows of one query, in NDJSON. One read-only transaction with one snapshot; the rows come
// over a cursor, each fetch from it is a page of about kPageBytes. See source.h for the contract; further reasons are
// SOURCE_AUTH and SOURCE_QUERY (with the server's message, line and column).
//
// limits.timeout is that of each fetch from the cursor, kept by the server. limits.max_bytes cuts off after a whole
// row. A connection is tried again as the profile says as long as no row was handed on; a query that fails or takes too
// long is not.
#ifndef CHARTLY_DRONE_FETCH_POSTGRES_SOURCE_H_
#define CHARTLY_DRONE_FETCH_POSTGRES_SOURCE_H_

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "absl/synchronization/notification.h"
#include "drone/fetch/source.h"
#include "drone/postgres/connection.h"
#include "drone/postgres/interrupt.h"
#include "drone/postgres/row_json.h"

namespace chartly::drone {

class PostgresSource final : public Source {
 public:
  // Reads the secret; connects with the first page. SECRET_NOT_FOUND, SECRET_EXPOSED, WATERMARK_INVALID, EGRESS_DENIED.
  static absl::StatusOr<std::unique_ptr<Source>> Open(const Profile& profile, const SourceDeps& deps);

  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override;

 private:
  class RowsBody;

  PostgresSource(const Profile& profile, const SourceDeps& deps, std::string password,
                 std::optional<std::string> since);
  absl::Status Begin();
  absl::Status TryBegin();
  absl::Status BeginFetch();
  absl::StatusOr<bool> NextRow();
  absl::Status FinishFetch();
  absl::StatusOr<bool> AppendRow(std::string& out);
  void End(const char* truncated_by);

  const SourceConfig source_;
  const LimitsConfig limits_;
  const RetryConfig retry_;
  const net::HttpClient& http_;
  Clock& clock_;
  Clock& steady_;
  const absl::Time deadline_;
  const std::string password_;
  const std::optional<std::string> since_;
  const std::string uri_;
  std::mt19937_64 random_{std::random_device{}()};
  std::string truncated_by_;
  Interrupt interrupt_;
  absl::Notification stop_;  // ends the wait between tries

  std::unique_ptr<PostgresConnection> connection_;  // null before the first page and after the end
  std::optional<RowJson> json_;
  bool row_waits_ = false;  // NextRow found one that is not in a body yet
  bool fetching_ = false;   // rows of the current fetch are left
  bool done_ = false;
  int64_t fetch_rows_ = 0;  // asked for by the current fetch
  int64_t page_rows_ = 0;   // that came
  int64_t page_bytes_ = 0;
  int64_t bytes_ = 0;
  int pages_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_POSTGRES_SOURCE_H_
