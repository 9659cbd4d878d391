#include "common/http/connection.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/http/error_body.h"
#include "common/http/exchange.h"
#include "common/http/target.h"
#include "common/telemetry/metrics.h"

namespace chartly::http {
namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
namespace {

constexpr size_t kReadBytes = 16 << 10;
// What the kernel takes of an answer before the network does: else megabytes wait there for each client that reads
// nothing, and all that copying comes before what others ask for.
constexpr int kUnsentBytes = 128 << 10;
constexpr absl::Duration kLingerTime = absl::Seconds(2);
constexpr absl::Duration kHandshakeTime = absl::Seconds(10);
constexpr unsigned char kHandshakeRecord = 0x16;  // what TLS begins with
constexpr char kStrictTransport[] = "max-age=31536000";

std::string Text(boost::beast::string_view text) { return std::string(text.data(), text.size()); }

// Copies the request out of Beast's types. Repeated headers are joined by a comma.
std::optional<Request> ToRequest(beast_http::request<beast_http::string_body>&& message) {
  std::optional<Target> target = ParseTarget(Text(message.target()));
  if (!target) return std::nullopt;
  Request request;
  request.method = Text(message.method_string());
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  for (const auto& field : message) {
    std::string& value = request.headers[absl::AsciiStrToLower(Text(field.name_string()))];
    if (!value.empty()) value += ", ";
    value += Text(field.value());
  }
  request.body = std::move(message.body());
  return request;
}

// How an answer is sent.
struct Framing {
  bool keep_alive = false;
  bool chunked = false;
  bool secure = false;
  std::optional<size_t> length;
};

std::string HeadBytes(const Response& response, const Framing& framing) {
  std::string out = absl::StrCat("HTTP/1.1 ", response.status, " ");
  boost::beast::string_view reason = beast_http::obsolete_reason(static_cast<beast_http::status>(response.status));
  out.append(reason.data(), reason.size());
  absl::StrAppend(&out, "\r\nDate: ", absl::FormatTime(absl::RFC1123_full, absl::Now(), absl::UTCTimeZone()));
  // The zone is printed as +0000; HTTP wants GMT.
  out.replace(out.size() - 5, 5, "GMT");
  for (const auto& [name, value] : response.headers) {
    if (value.find_first_of("\r\n") != std::string::npos) continue;  // would start another header
    absl::StrAppend(&out, "\r\n", name, ": ", value);
  }
  if (framing.secure) absl::StrAppend(&out, "\r\nStrict-Transport-Security: ", kStrictTransport);
  if (framing.chunked) out += "\r\nTransfer-Encoding: chunked";
  if (framing.length) absl::StrAppend(&out, "\r\nContent-Length: ", *framing.length);
  absl::StrAppend(&out, "\r\nConnection: ", framing.keep_alive ? "keep-alive" : "close", "\r\n\r\n");
  return out;
}

constexpr char kOverdrawn[] =
    "too many requests of this address made no sense; look at how the earlier ones were answered, and come back later";

// All of it, for who is not read any more.
std::string OverdrawnAnswer() {
  const Response answer = ErrorResponse(429, "RESOURCE_EXHAUSTED", "ADDRESS_OVERDRAWN", kOverdrawn);
  return absl::StrCat("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 5\r\n",
                      "Connection: close\r\nContent-Length: ", answer.body.size(), "\r\n\r\n", answer.body);
}

// Empty if that is not known.
std::string AddressOf(const asio::ip::tcp::socket& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "" : peer.address().to_string();
}

// Who connects for others pays nothing itself.
std::string PayerOf(const std::string& address, const ServerOptions& options) {
  return options.connects_for_others && options.connects_for_others(address) ? "" : address;
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<ServerCore> core)
    : core_(std::move(core)),
      stream_(std::move(socket)),
      timer_(stream_.get_executor()),
      remote_address_(AddressOf(stream_.socket())),
      pace_(core_->options.budgets, PayerOf(remote_address_, core_->options)),
      buffer_(core_->options.max_header_bytes + kReadBytes) {
  ErrorCode ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  ::setsockopt(stream_.socket().native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof(kUnsentBytes));
}

Connection::~Connection() { Forget(); }

void Connection::Forget() {
  absl::MutexLock lock(&core_->mu);
  if (core_->connections.erase(this) > 0) SetGauge("chartly_http_connections", core_->connections.size());
}

template <typename Task>
void Connection::Post(Task task) {
  core_->Post(stream_.get_executor(), [self = shared_from_this(), task = std::move(task)]() mutable { task(); });
}

void Connection::Run() {
  Post([this] { Begin(); });
}

void Connection::Drain() {
  Post([this] {
    keep_alive_ = false;
    if (!busy_ && !parser_) Close();
  });
}

void Connection::Abort() {
  Post([this] { Close(); });
}

void Connection::PostHead(Response head, bool streamed) {
  Post([this, head = std::move(head), streamed]() mutable { WriteHead(std::move(head), streamed); });
}

void Connection::PostPiece(std::string piece, std::shared_ptr<std::atomic<size_t>> waiting) {
  Post([this, piece = std::move(piece), waiting = std::move(waiting)]() mutable {
    if (!streaming_ || head_only_) return;
    size_t counted = piece.size();
    if (chunked_) piece = absl::StrCat(absl::Hex(counted), "\r\n", piece, "\r\n");
    waiting->fetch_add(piece.size() - counted);  // OnWritten takes the whole piece off
    Enqueue(std::move(piece), std::move(waiting));
  });
}

void Connection::PostEnd() {
  Post([this] {
    if (!streaming_) return;
    answered_ = true;
    Enqueue(chunked_ && !head_only_ ? "0\r\n\r\n" : "", nullptr);
  });
}

void Connection::PostClose() {
  Post([this] { Close(); });
}

// --- pace ---

bool Connection::Waits(void (Connection::*then)()) {
  const absl::Duration wait = pace_.Wait(SteadyNow());
  waits_ = wait > absl::ZeroDuration();
  if (!waits_) return false;
  if (wait == absl::InfiniteDuration()) {
    Count("chartly_http_pauses_total", 1, "refused");
    RefuseUnread();
  } else {
    Count("chartly_http_pauses_total", 1, "read_later");
    Deadline(std::max(wait, absl::Milliseconds(1)), then);
  }
  return true;
}

// At no more cost than that of closing: who does not wait for the answer misses it.
void Connection::RefuseUnread() {
  static const std::string& answer = *new std::string(OverdrawnAnswer());
  ErrorCode ignored;
  if (core_->tls == nullptr) {
    stream_.socket().non_blocking(true, ignored);
    stream_.socket().write_some(asio::buffer(answer), ignored);
  }
  Close();
}

// --- TLS ---

void Connection::Begin() {
  if (Waits(&Connection::Begin)) return;
  if (core_->tls == nullptr) return WaitForRequest();
  Deadline(kHandshakeTime, &Connection::OnHandshakeTimeout);
  WaitForGreeting();
}

void Connection::WaitForGreeting() {
  stream_.socket().async_wait(asio::socket_base::wait_read, [this, self = shared_from_this()](ErrorCode error) {
    if (closed_) return;
    if (error) return Close();
    Greet();
  });
}

// The first byte tells who does not speak TLS.
void Connection::Greet() {
  unsigned char first = 0;
  ErrorCode error;
  stream_.socket().non_blocking(true, error);
  if (!error) stream_.socket().receive(asio::buffer(&first, 1), asio::socket_base::message_peek, error);
  // A socket may be said to have bytes that are not there yet, as when the one before of its number had them.
  if (error == asio::error::would_block || error == asio::error::interrupted) return WaitForGreeting();
  if (error) return Close();
  if (first != kHandshakeRecord) return RefusePlaintext();
  stream_.AsyncHandshake(core_->tls->Current(), [this, self = shared_from_this()](ErrorCode handshake_error) {
    if (closed_) return;
    if (handshake_error) {
      Count("chartly_tls_refusals_total", 1, "gateway");
      pace_.Refused(SteadyNow());
      return Close();
    }
    NoDeadline();
    WaitForRequest();
  });
}

void Connection::RefusePlaintext() {
  Count("chartly_tls_refusals_total", 1, "plaintext");
  NoDeadline();
  SendError(400, "FAILED_PRECONDITION", "TLS_REQUIRED", "this port speaks TLS only; use https://");
}

// --- reading ---

void Connection::WaitForRequest() {
  if (closed_) return;
  parser_.reset();
  client_.clear();
  if (buffer_.size() == 0 && (core_->draining || input_ended_)) return Close();
  if (Waits(&Connection::WaitForRequest)) return;
  if (buffer_.size() > 0) return ReadHead();
  Deadline(core_->options.idle_timeout, &Connection::Close);
  ReadBytes();
}

// Waits for the first bytes of a request, and while one is being answered, for the client to leave.
void Connection::ReadBytes() {
  if (reading_ || closed_ || input_ended_ || buffer_.size() > 0) return;
  reading_ = true;
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [this, self = shared_from_this()](ErrorCode error, size_t count) { OnBytes(error, count); });
}

void Connection::OnBytes(ErrorCode error, size_t count) {
  reading_ = false;
  if (closed_) return;
  buffer_.commit(count);
  if (!error) {
    if (!busy_ && !waits_) ReadHead();
    return;
  }
  input_ended_ = true;
  // A client may close its half after a plain request and still wait for the answer; nobody does so with a stream.
  if (error == asio::error::eof && busy_ && !streaming_) return;
  Close();
}

void Connection::ReadHead() {
  if (closed_) return;
  timed_out_ = false;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->options.max_header_bytes));
  parser_->body_limit(core_->options.max_body_bytes);
  Deadline(core_->options.request_timeout, &Connection::OnRequestTimeout);
  beast_http::async_read_header(stream_, buffer_, *parser_,
                                [this, self = shared_from_this()](ErrorCode error, size_t count) {
                                  pace_.Took(count);
                                  OnHead(error);
                                });
}

void Connection::OnHead(ErrorCode error) {
  if (closed_) return;
  if (error) return OnReadError(error);
  if (!absl::EqualsIgnoreCase(Text(parser_->get()[beast_http::field::expect]), "100-continue")) return ReadBody();
  static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [this, self = shared_from_this()](ErrorCode write_error, size_t) {
                      if (write_error) return Close();
                      ReadBody();
                    });
}

void Connection::ReadBody() {
  beast_http::async_read(stream_, buffer_, *parser_, [this, self = shared_from_this()](ErrorCode error, size_t count) {
    pace_.Took(count);
    OnBody(error);
  });
}

void Connection::OnBody(ErrorCode error) {
  if (closed_) return;
  if (error) return OnReadError(error);
  NoDeadline();
  Dispatch();
}

void Connection::Dispatch() {
  busy_ = true;
  streaming_ = answered_ = linger_ = false;
  keep_alive_ = parser_->keep_alive() && !core_->draining;
  chunked_ = parser_->get().version() >= 11;
  head_only_ = parser_->get().method() == beast_http::verb::head;
  std::optional<Request> request = ToRequest(parser_->release());
  parser_.reset();
  if (!request) {
    return SendError(400, "INVALID_ARGUMENT", "TARGET_MALFORMED", "the request target is not a valid path and query");
  }
  request->remote_address = remote_address_;
  request->secure = stream_.secure();
  if (core_->options.client_of) request->remote_address = core_->options.client_of(*request);
  client_ = request->remote_address;
  if (!pace_.Admits(client_, SteadyNow())) return SendOverdrawn();
  auto exchange = std::make_shared<Exchange>(shared_from_this());
  exchange_ = exchange;
  ReadBytes();
  core_->handler(*std::move(request), std::move(exchange));
}

void Connection::OnReadError(ErrorCode error) {
  const ServerOptions& options = core_->options;
  bool malformed = error.category() == beast_http::make_error_code(beast_http::error::bad_method).category();
  bool client_left = error == beast_http::error::end_of_stream || error == beast_http::error::partial_message;
  if (timed_out_) {
    SendError(408, "DEADLINE_EXCEEDED", "REQUEST_TIMEOUT",
              absl::StrCat("the request did not arrive within ", absl::FormatDuration(options.request_timeout)));
  } else if (error == beast_http::error::body_limit) {
    SendError(413, "INVALID_ARGUMENT", "BODY_TOO_LARGE",
              absl::StrCat("the body is larger than ", options.max_body_bytes, " bytes; send less at a time"));
  } else if (error == beast_http::error::header_limit || error == beast_http::error::buffer_overflow) {
    SendError(431, "INVALID_ARGUMENT", "HEADERS_TOO_LARGE",
              absl::StrCat("the headers are larger than ", options.max_header_bytes, " bytes"));
  } else if (client_left || !malformed) {
    Close();
  } else {
    SendError(400, "INVALID_ARGUMENT", "HTTP_MALFORMED",
              absl::StrCat("the request is not valid HTTP/1.1: ", error.message()));
  }
}

// To who connects for others, and goes on with what those ask for.
void Connection::SendOverdrawn() {
  Count("chartly_http_pauses_total", 1, "refused");
  Response answer = ErrorResponse(429, "RESOURCE_EXHAUSTED", "ADDRESS_OVERDRAWN", kOverdrawn);
  answer.headers.emplace_back("Retry-After", "5");
  WriteHead(std::move(answer), false);
}

void Connection::SendError(int status, const char* code, const char* reason, const std::string& message) {
  busy_ = true;
  keep_alive_ = false;
  linger_ = true;
  Response answer = ErrorResponse(status, code, reason, message);
  answer.for_nothing = true;
  WriteHead(std::move(answer), false);
}

// --- writing ---

void Connection::WriteHead(Response head, bool streamed) {
  if (closed_ || !busy_ || streaming_ || answered_) return;
  Count("chartly_http_requests_total", 1, absl::StrCat(head.status / 100, "xx"));
  pace_.Answered(head.for_nothing, client_, SteadyNow());
  if (core_->draining) keep_alive_ = false;
  bool bodiless = head.status == 204 || head.status == 304;
  if (streamed) {
    if (input_ended_) return Close();
    streaming_ = true;
    if (!chunked_) keep_alive_ = false;
    Enqueue(HeadBytes(head, {keep_alive_, chunked_, stream_.secure(), std::nullopt}), nullptr);
    return;
  }
  answered_ = true;
  const std::optional<size_t> length = bodiless ? std::nullopt : std::optional<size_t>(head.body.size());
  std::string bytes = HeadBytes(head, {keep_alive_, false, stream_.secure(), length});
  bool with_body = !head_only_ && !bodiless && !head.body.empty();
  if (with_body && head.body.size() <= kReadBytes) {
    bytes += head.body;
  } else if (with_body) {
    queue_.push_back({std::move(bytes), nullptr});
    bytes = std::move(head.body);
  }
  Enqueue(std::move(bytes), nullptr);
}

void Connection::Enqueue(std::string bytes, std::shared_ptr<std::atomic<size_t>> waiting) {
  if (closed_) return;
  if (!bytes.empty()) queue_.push_back({std::move(bytes), std::move(waiting)});
  if (!writing_) WriteSome();
}

void Connection::WriteSome() {
  if (queue_.empty()) {
    NoDeadline();
    if (answered_) OnAnswered();
    return;
  }
  writing_ = true;
  Deadline(core_->options.idle_timeout, &Connection::Close);
  const std::string& bytes = queue_.front().bytes;
  stream_.async_write_some(
      asio::buffer(bytes.data() + sent_, bytes.size() - sent_),
      [this, self = shared_from_this()](ErrorCode error, size_t count) { OnWritten(error, count); });
}

void Connection::OnWritten(ErrorCode error, size_t count) {
  writing_ = false;
  if (closed_) return;
  if (error) return Close();
  sent_ += count;
  if (sent_ == queue_.front().bytes.size()) {
    bool counted = queue_.front().waiting != nullptr;
    if (counted) queue_.front().waiting->fetch_sub(sent_);
    queue_.pop_front();
    sent_ = 0;
    auto exchange = counted ? exchange_.lock() : nullptr;
    if (exchange != nullptr) exchange->Sent();
  }
  WriteSome();
}

void Connection::OnAnswered() {
  busy_ = streaming_ = answered_ = false;
  exchange_.reset();
  if (keep_alive_ && !input_ended_) return WaitForRequest();
  // Over TLS the end is said, so that nobody can cut an answer short unnoticed.
  const bool has_unread = linger_ && !input_ended_ && pace_.HasWork(SteadyNow());
  if (stream_.secure() || has_unread) return Linger();
  Close();
}

// Closing a socket with unread input resets the connection, and the client might never see the answer.
void Connection::Linger() {
  Deadline(kLingerTime, &Connection::Close);
  if (!stream_.secure()) return EndOutput();
  stream_.AsyncShutdown([this, self = shared_from_this()](ErrorCode) {
    if (!closed_) EndOutput();
  });
}

void Connection::EndOutput() {
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  DiscardInput();
}

void Connection::DiscardInput() {
  buffer_.clear();
  stream_.socket().async_read_some(buffer_.prepare(kReadBytes),
                                   [this, self = shared_from_this()](ErrorCode error, size_t count) {
                                     if (closed_) return;
                                     pace_.Took(count);
                                     if (error) return Close();
                                     DiscardInput();
                                   });
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  pace_.End(SteadyNow());
  NoDeadline();
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.socket().close(ignored);
  Forget();
  if (!writing_) queue_.clear();  // else the operation under way still reads from it
  if (auto exchange = exchange_.lock()) exchange->Gone();
  exchange_.reset();
}

// --- time ---

void Connection::Deadline(absl::Duration limit, void (Connection::*on_expiry)()) {
  int deadline = ++deadline_;
  timer_.expires_after(absl::ToChronoMilliseconds(limit));
  timer_.async_wait([this, self = shared_from_this(), deadline, on_expiry](ErrorCode error) {
    if (!error && deadline == deadline_ && !closed_) (this->*on_expiry)();
  });
}

void Connection::NoDeadline() {
  ++deadline_;
  timer_.cancel();
}

void Connection::OnHandshakeTimeout() {
  Count("chartly_tls_refusals_total", 1, "timeout");
  Close();
}

void Connection::OnRequestTimeout() {
  timed_out_ = true;
  // Should the read be just between two steps, the cancel misses it; then this closes the connection.
  Deadline(kLingerTime, &Connection::Close);
  ErrorCode ignored;
  stream_.socket().cancel(ignored);
}

}  // namespace chartly::http
