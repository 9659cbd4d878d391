#include "drone/fetch/postgres_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/net/resolve.h"
#include "common/status/status.h"
#include "drone/fetch/retry.h"
#include "drone/fetch/since.h"

namespace chartly::drone {
namespace {

constexpr int64_t kPageBytes = int64_t{1} << 20;
// Few, since their size is not known yet: a page larger than what the pipeline reads ahead may have to wait for the
// spool, and the server's clock runs meanwhile.
constexpr int64_t kFirstFetchRows = 100;
constexpr int64_t kMaxFetchRows = 50'000;
constexpr size_t kRowsPieceBytes = size_t{128} << 10;

absl::Status CheckAllowedHost(const SourceConfig& source) {
  const std::string& host = source.postgres.host;
  bool named = std::any_of(source.egress_allow.begin(), source.egress_allow.end(),
                           [&](const std::string& allowed) { return absl::EqualsIgnoreCase(allowed, host); });
  if (source.egress_allow.empty() || named) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat("the host ", host, " is not in source.egress.allow of the profile"), {{"host", host}});
}

absl::Status DeniedError(const std::string& host, const std::string& address, absl::string_view why) {
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat(host, " leads to the address ", address, ", ", why),
               {{"host", host}, {"address", address}});
}

// Every address must be allowed: which one answers is not for the name server to choose.
absl::StatusOr<std::vector<std::string>> AllowedAddresses(const PostgresConfig& config,
                                                          const net::EgressPolicy& egress) {
  ASSIGN_OR_RETURN(std::vector<std::string> addresses, net::Resolve(config.host));
  for (const std::string& address : addresses) {
    if (!egress.Allows(address)) return DeniedError(config.host, address, egress.Refusal(address));
    if (config.tls == "disable" && !egress.Opens(address)) {
      return DeniedError(
          config.host, address,
          "to which nothing goes unprotected (source.postgres.tls: disable); use another tls, or start the drone with "
          "--egress-allow for it");
    }
  }
  return addresses;
}

absl::StatusOr<std::string> SecretOf(const SecretRef& ref, const Secrets* secrets) {
  if (secrets != nullptr) return secrets->Get(ref);
  return Error(absl::StatusCode::kNotFound, "SECRET_NOT_FOUND",
               absl::StrCat("there are no secrets here to look for ", ref.name, "/", ref.key, " in"),
               {{"name", ref.name}, {"key", ref.key}});
}

// What the texts of the cells depend on, and the server's own clock. Rows are read to the last, so plans that give the
// first rows early are of no use.
std::vector<std::string> SetUpStatements(absl::Duration timeout) {
  int64_t timeout_ms = std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 1, INT32_MAX);
  return {
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
      absl::StrCat("SET LOCAL statement_timeout = ", timeout_ms),
      "SET LOCAL TimeZone = 'UTC'",
      "SET LOCAL DateStyle = 'ISO, YMD'",
      "SET LOCAL IntervalStyle = 'iso_8601'",
      "SET LOCAL extra_float_digits = 1",
      "SET LOCAL cursor_tuple_fraction = 1",
  };
}

}  // namespace

// The rows that are left of the current fetch.
class PostgresSource::RowsBody final : public Body {
 public:
  explicit RowsBody(PostgresSource& source) : source_(source), page_(source.pages_) {}

  absl::StatusOr<absl::string_view> Read() override {
    RETURN_IF_ERROR(status_);
    piece_.clear();
    // A body that outlived its page has no rows.
    while (page_ == source_.pages_ && piece_.size() < kRowsPieceBytes) {
      absl::StatusOr<bool> more = source_.AppendRow(piece_);
      if (!more.ok()) status_ = more.status();
      if (!more.ok() || !*more) break;
    }
    // What came before an error goes on first.
    if (piece_.empty()) RETURN_IF_ERROR(status_);
    return absl::string_view(piece_);
  }

 private:
  PostgresSource& source_;
  const int page_;
  std::string piece_;
  absl::Status status_;
};

absl::StatusOr<std::unique_ptr<Source>> PostgresSource::Open(const Profile& profile, const SourceDeps& deps) {
  RETURN_IF_ERROR(CheckAllowedHost(profile.source));
  ASSIGN_OR_RETURN(std::optional<std::string> since, SinceText(profile.source.incremental, deps.cursor));
  std::string password;
  if (const SecretRef& ref = profile.source.postgres.password; !ref.empty()) {
    ASSIGN_OR_RETURN(password, SecretOf(ref, deps.secrets));
  }
  return std::unique_ptr<Source>(new PostgresSource(profile, deps, std::move(password), std::move(since)));
}

PostgresSource::PostgresSource(const Profile& profile, const SourceDeps& deps, std::string password,
                               std::optional<std::string> since)
    : source_(profile.source),
      limits_(profile.limits),
      retry_(profile.retry),
      http_(deps.http),
      clock_(deps.clock),
      steady_(deps.steady_clock()),
      deadline_(deps.deadline),
      password_(std::move(password)),
      since_(std::move(since)),
      uri_(absl::StrCat("postgres://", source_.postgres.host, ":", source_.postgres.port, "/",
                        source_.postgres.database)) {}

void PostgresSource::Cancel() {
  if (interrupt_.raised()) return;
  interrupt_.Raise();
  stop_.Notify();
}

absl::StatusOr<std::optional<Page>> PostgresSource::Next(const DecodeResult*) {
  if (interrupt_.raised()) return CancelledError();
  if (done_) return std::nullopt;
  if (pages_ == 0) {
    RETURN_IF_ERROR(Begin());
  } else {
    RETURN_IF_ERROR(FinishFetch());
    if (!done_) RETURN_IF_ERROR(BeginFetch());
  }
  if (!done_ && !row_waits_) End("");
  if (!done_ && steady_.Now() >= deadline_) End(kRunTimeoutLimit);
  if (!done_ && pages_ >= limits_.max_pages) End(kMaxPagesLimit);
  if (!done_ && bytes_ >= limits_.max_bytes) End(kMaxBytesLimit);
  if (done_) return std::nullopt;
  ++pages_;
  return Page{static_cast<uint32_t>(pages_), uri_, "application/x-ndjson", std::make_unique<RowsBody>(*this),
              clock_.Now()};
}

absl::Status PostgresSource::Begin() {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = TryBegin();
    bool again = absl::IsUnavailable(status) && attempt < retry_.max_attempts;
    if (!again) return attempt == 1 ? status : Annotate(status, absl::StrCat("after ", attempt, " attempts"));
    connection_.reset();
    if (steady_.WaitFor(Backoff(retry_, attempt, random_), stop_)) return CancelledError();
  }
}

absl::Status PostgresSource::TryBegin() {
  const PostgresConfig& config = source_.postgres;
  done_ = false;
  ASSIGN_OR_RETURN(std::vector<std::string> addresses, AllowedAddresses(config, http_.egress()));
  PostgresTarget target{config.host, config.port, std::move(addresses), config.database,
                        config.user, password_,   config.tls,           ""};
  ASSIGN_OR_RETURN(connection_, PostgresConnection::Open(target, limits_.timeout, interrupt_));
  for (const std::string& statement : SetUpStatements(limits_.timeout)) {
    RETURN_IF_ERROR(connection_->Execute({statement, "", {}}));
  }
  // A cursor is declared for one statement that only reads; the server refuses everything else.
  PostgresStatement declare{"DECLARE chartly NO SCROLL CURSOR FOR ", config.query, {}};
  if (!source_.incremental.field.empty()) declare.parameters.push_back(since_);
  RETURN_IF_ERROR(connection_->Execute(declare));
  return BeginFetch();
}

// Asks for as many rows as make a page, going by those of the page before, and waits for the first.
absl::Status PostgresSource::BeginFetch() {
  fetch_rows_ = kFirstFetchRows;
  if (page_bytes_ > 0) fetch_rows_ = std::clamp<int64_t>(kPageBytes * page_rows_ / page_bytes_, 1, kMaxFetchRows);
  page_rows_ = 0;
  page_bytes_ = 0;
  RETURN_IF_ERROR(connection_->Begin({absl::StrCat("FETCH ", fetch_rows_, " FROM chartly"), "", {}}));
  fetching_ = true;
  ASSIGN_OR_RETURN(row_waits_, NextRow());
  if (!json_) {
    ASSIGN_OR_RETURN(json_, RowJson::Create(connection_->columns()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PostgresSource::NextRow() {
  absl::StatusOr<bool> more = connection_->NextRow();
  if (more.ok()) {
    fetching_ = *more;
    page_rows_ += *more ? 1 : 0;
    return more;
  }
  fetching_ = false;
  done_ = true;
  connection_.reset();
  if (!absl::IsUnavailable(more.status()) || bytes_ == 0) return more;
  return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED",
               absl::StrCat("the connection was lost after ", bytes_, " bytes of rows: ", more.status().message()),
               {{"address", uri_}});
}

// Drops what was given up of the current fetch.
absl::Status PostgresSource::FinishFetch() {
  row_waits_ = false;
  while (fetching_) RETURN_IF_ERROR(NextRow().status());
  if (!done_ && page_rows_ < fetch_rows_) End("");
  return absl::OkStatus();
}

// Appends a row to the body of the current page; false at its end.
absl::StatusOr<bool> PostgresSource::AppendRow(std::string& out) {
  if (interrupt_.raised()) return CancelledError();
  if (!done_ && steady_.Now() >= deadline_) End(kRunTimeoutLimit);
  if (!row_waits_ && fetching_) {
    ASSIGN_OR_RETURN(row_waits_, NextRow());
  }
  if (!row_waits_) return false;
  size_t before = out.size();
  json_->AppendLine(*connection_, out);
  auto size = static_cast<int64_t>(out.size() - before);
  row_waits_ = false;
  if (bytes_ + size > limits_.max_bytes) {
    out.resize(before);
    End(kMaxBytesLimit);
    return false;
  }
  bytes_ += size;
  page_bytes_ += size;
  return true;
}

void PostgresSource::End(const char* truncated_by) {
  truncated_by_ = truncated_by;
  done_ = true;
  fetching_ = false;
  row_waits_ = false;
  connection_.reset();
}

}  // namespace chartly::drone
