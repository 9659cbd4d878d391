// The only file that sees libpq.
#include "drone/postgres/connection.h"

#include <libpq-fe.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/postgres/authorities.h"
#include "drone/postgres/connection_options.h"
#include "drone/postgres/server_error.h"

namespace chartly::drone {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
// The server's own clock ends a statement first, with a better message.
constexpr absl::Duration kGrace = absl::Seconds(5);

using ConnectionHandle = std::unique_ptr<PGconn, FreedBy<PQfinish>>;
using ResultHandle = std::unique_ptr<PGresult, FreedBy<PQclear>>;
using CancelHandle = std::unique_ptr<PGcancel, FreedBy<PQfreeCancel>>;
using DefaultsHandle = std::unique_ptr<PQconninfoOption, FreedBy<PQconninfoFree>>;

absl::Status CancelledError() {
  return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while fetching");
}

enum class Event { kReady, kTimeout, kInterrupted };

Event WaitFor(int fd, short events, SteadyClock::time_point end, const Interrupt& interrupt) {
  while (true) {
    if (interrupt.raised()) return Event::kInterrupted;
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - SteadyClock::now()).count();
    if (left <= 0) return Event::kTimeout;
    pollfd waits[] = {{fd, events, 0}, {interrupt.fd(), POLLIN, 0}};
    ::poll(waits, 2, static_cast<int>(std::min<int64_t>(left + 1, 60'000)));
    if (waits[1].revents == 0 && waits[0].revents != 0) return Event::kReady;
  }
}

std::string FirstLine(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  return std::string(text.substr(0, text.find('\n')));
}

// A server that turns a connection down tells its SQLSTATE only inside a message such as
// "... failed: FATAL:  28P01: password authentication failed".
ServerError ErrorOfConnecting(absl::string_view message) {
  constexpr absl::string_view kSeverityEnd = ":  ";
  constexpr size_t kStateSize = 5;
  ServerError error;
  error.message = FirstLine(message);
  size_t found = message.find(kSeverityEnd);
  if (found == absl::string_view::npos) return error;
  absl::string_view rest = message.substr(found + kSeverityEnd.size());
  absl::string_view state = rest.substr(0, kStateSize);
  bool is_state = std::all_of(state.begin(), state.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || absl::ascii_isupper(static_cast<unsigned char>(c));
  });
  if (!is_state || rest.substr(state.size(), 2) != ": ") return error;
  error.sqlstate = std::string(state);
  error.message = FirstLine(rest.substr(kStateSize + 2));
  return error;
}

std::string ResultField(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

ServerError ErrorOfResult(const PGresult* result, const PostgresStatement& statement) {
  ServerError error;
  error.sqlstate = ResultField(result, PG_DIAG_SQLSTATE);
  error.message = ResultField(result, PG_DIAG_MESSAGE_PRIMARY);
  error.detail = ResultField(result, PG_DIAG_MESSAGE_DETAIL);
  error.hint = ResultField(result, PG_DIAG_MESSAGE_HINT);
  if (error.message.empty()) error.message = FirstLine(PQresultErrorMessage(result));
  size_t position = 0;
  size_t lead = CountCharacters(statement.lead);
  bool inside = absl::SimpleAtoi(ResultField(result, PG_DIAG_STATEMENT_POSITION), &position) && position > lead;
  if (inside) error.position = position - lead;
  return error;
}

// Bytes of the connection that libpq has taken from the kernel so far.
int64_t BytesTaken(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  int waiting = 0;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || ::ioctl(fd, FIONREAD, &waiting) != 0) return 0;
  return static_cast<int64_t>(info.tcpi_bytes_received) - waiting;
}

ConnectionHandle StartConnecting(const ConnectionOptions& options) {
  std::set<std::string> known;
  DefaultsHandle defaults(PQconndefaults());
  for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
    known.insert(option->keyword);
  }
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : options) {
    if (known.count(keyword) == 0) continue;
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return ConnectionHandle(PQconnectStartParams(keywords.data(), values.data(), 0));
}

bool IsTlsTrust(absl::string_view message) {
  return absl::StrContains(message, "certificate") || absl::StrContains(message, "SSL");
}

absl::Status ConnectError(PGconn* connection, const std::string& server) {
  ServerError error = ErrorOfConnecting(PQerrorMessage(connection));
  if (error.sqlstate.empty() && IsTlsTrust(error.message)) {
    return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_UNREACHABLE",
                 absl::StrCat("no protected connection to ", server, ": ", error.message,
                              "; check source.postgres.host and tls, and the certificate authorities of this machine"),
                 {{"address", server}});
  }
  return StatusOfServerError(error, server, "");
}

absl::Status Connect(PGconn* connection, const std::string& server, absl::Duration timeout,
                     const Interrupt& interrupt) {
  if (connection == nullptr) return Error(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY", "no memory for libpq");
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // tells the SQLSTATE
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  auto end = SteadyClock::now() + absl::ToChronoMilliseconds(std::min(timeout, kConnectTimeout));
  PostgresPollingStatusType next =
      PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
    short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    Event event = WaitFor(PQsocket(connection), events, end, interrupt);
    if (event == Event::kInterrupted) return CancelledError();
    if (event == Event::kTimeout) {
      return Error(
          absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
          absl::StrCat("no answer from ", server, " within ", absl::FormatDuration(std::min(timeout, kConnectTimeout)),
                       "; check source.postgres.host and port, and the firewall between"),
          {{"address", server}});
    }
    next = PQconnectPoll(connection);
  }
  if (next != PGRES_POLLING_OK) return ConnectError(connection, server);
  PQsetnonblocking(connection, 1);
  return absl::OkStatus();
}

class PqConnection final : public PostgresConnection {
 public:
  PqConnection(ConnectionHandle connection, std::string server, absl::Duration timeout, const Interrupt& interrupt)
      : connection_(std::move(connection)), server_(std::move(server)), timeout_(timeout), interrupt_(interrupt) {}

  ~PqConnection() override {
    if (!running_ || PQstatus(connection_.get()) != CONNECTION_OK) return;
    CancelHandle cancel(PQgetCancel(connection_.get()));
    char ignored[256];
    if (cancel) PQcancel(cancel.get(), ignored, sizeof(ignored));
  }

  absl::Status Execute(const PostgresStatement& statement) override {
    RETURN_IF_ERROR(Begin(statement));
    while (true) {
      ASSIGN_OR_RETURN(bool more, NextRow());
      if (!more) return absl::OkStatus();
    }
  }

  absl::Status Begin(const PostgresStatement& statement) override {
    statement_ = statement;
    columns_.clear();
    row_.reset();
    std::vector<const char*> values;
    for (const std::optional<std::string>& value : statement.parameters) {
      values.push_back(value ? value->c_str() : nullptr);
    }
    began_ = SteadyClock::now();
    running_ = PQsendQueryParams(connection_.get(), absl::StrCat(statement.lead, statement.written).c_str(),
                                 static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0) == 1;
    if (!running_) return LostError();
    PQsetSingleRowMode(connection_.get());
    return Flush();
  }

  absl::StatusOr<bool> NextRow() override {
    if (interrupt_.raised()) return CancelledError();
    while (true) {
      RETURN_IF_ERROR(AwaitResult());
      row_.reset(PQgetResult(connection_.get()));
      if (!row_) break;
      ExecStatusType status = PQresultStatus(row_.get());
      if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) return Failed();
      if (columns_.empty()) ReadColumns();
      if (status == PGRES_SINGLE_TUPLE) return true;
    }
    running_ = false;
    return false;
  }

  const std::vector<PostgresColumn>& columns() const override { return columns_; }

  std::optional<absl::string_view> Cell(int column) const override {
    if (PQgetisnull(row_.get(), 0, column) != 0) return std::nullopt;
    return absl::string_view(PQgetvalue(row_.get(), 0, column),
                             static_cast<size_t>(PQgetlength(row_.get(), 0, column)));
  }

 private:
  SteadyClock::time_point End() const {
    return SteadyClock::now() + absl::ToChronoMilliseconds(std::min(timeout_, absl::Hours(24)) + kGrace);
  }

  absl::Status Wait(short events) {
    switch (WaitFor(PQsocket(connection_.get()), events, End(), interrupt_)) {
      case Event::kInterrupted:
        return CancelledError();
      case Event::kTimeout:
        return TimeoutError();
      case Event::kReady:
        break;
    }
    // What the server has to say may be what keeps it from listening.
    return PQconsumeInput(connection_.get()) == 1 ? absl::OkStatus() : LostError();
  }

  absl::Status Flush() {
    while (true) {
      int left = PQflush(connection_.get());
      if (left == 0) return absl::OkStatus();
      if (left < 0) return LostError();
      RETURN_IF_ERROR(Wait(POLLIN | POLLOUT));
    }
  }

  absl::Status AwaitResult() {
    if (PQisBusy(connection_.get()) == 0) return absl::OkStatus();
    int64_t before = BytesTaken(PQsocket(connection_.get()));
    do {
      RETURN_IF_ERROR(Wait(POLLIN));
      if (BytesTaken(PQsocket(connection_.get())) - before > kMaxRowBytes) return RowTooLargeError();
    } while (PQisBusy(connection_.get()) != 0);
    return absl::OkStatus();
  }

  void ReadColumns() {
    for (int i = 0; i < PQnfields(row_.get()); ++i) {
      columns_.push_back({PQfname(row_.get(), i), static_cast<uint32_t>(PQftype(row_.get(), i))});
    }
  }

  absl::Status Failed() {
    running_ = false;
    ServerError error = ErrorOfResult(row_.get(), statement_);
    row_.reset();
    if (!IsQueryCancelled(error)) return StatusOfServerError(error, server_, statement_.written);
    if (interrupt_.raised()) return CancelledError();
    bool by_clock = absl::FromChrono(SteadyClock::now() - began_) >= timeout_;
    return by_clock ? TimeoutError() : StatusOfServerError(error, server_, statement_.written);
  }

  absl::Status LostError() {
    running_ = false;
    return StatusOfServerError({.sqlstate = "",
                                .message = FirstLine(PQerrorMessage(connection_.get())),
                                .detail = "",
                                .hint = "",
                                .position = 0},
                               server_, "");
  }

  absl::Status TimeoutError() const {
    return Error(absl::StatusCode::kDeadlineExceeded, "SOURCE_TIMEOUT",
                 absl::StrCat(server_, " did not answer the query in time (limit ", absl::FormatDuration(timeout_),
                              "); ask for less, let an index help it, or raise limits.timeout"),
                 {{"address", server_}});
  }

  absl::Status RowTooLargeError() const {
    return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                 absl::StrCat("a row of source.postgres.query is larger than ", kMaxRowBytes >> 20,
                              " MiB; leave large columns out of the query"),
                 {{"address", server_}});
  }

  ConnectionHandle connection_;
  const std::string server_;  // host:port
  const absl::Duration timeout_;
  const Interrupt& interrupt_;
  PostgresStatement statement_;
  SteadyClock::time_point began_;
  bool running_ = false;
  ResultHandle row_;
  std::vector<PostgresColumn> columns_;
};

absl::Status CheckEnvironment() {
  const char* service = std::getenv("PGSERVICE");
  if (service == nullptr || *service == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "ENVIRONMENT_UNUSABLE",
               "PGSERVICE is set where the drone runs, and libpq would follow it; start the drone without it");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(const PostgresTarget& target,
                                                                             absl::Duration timeout,
                                                                             const Interrupt& interrupt) {
  RETURN_IF_ERROR(CheckEnvironment());
  ASSIGN_OR_RETURN(AuthoritiesFile authorities, AuthoritiesFile::Create(target.authorities));
  std::string server = absl::StrCat(target.host, ":", target.port);
  absl::Status failure = Error(absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
                               absl::StrCat("no address of ", server, " was given"), {{"address", server}});
  for (const std::string& address : target.addresses) {
    ConnectionHandle connection = StartConnecting(OptionsOf(target, address, authorities.path()));
    failure = Connect(connection.get(), server, timeout, interrupt);
    if (failure.ok()) return std::make_unique<PqConnection>(std::move(connection), server, timeout, interrupt);
    if (!absl::IsUnavailable(failure)) break;
  }
  return failure;
}

}  // namespace chartly::drone
