// The only file that sees libcurl.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/handle/handle.h"
#include "common/net/http_client.h"
#include "common/net/http_rules.h"
#include "common/net/transfer_errors.h"
#include "common/net/unpacker.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

constexpr long kConnectTimeoutMs = 5000;
constexpr int64_t kStallBytesPerSecond = 1024;
constexpr int kPollMs = 50;  // how soon a cancel is seen
constexpr size_t kMaxIdleHandles = 16;
constexpr size_t kMaxUrlBytes = 8 << 10;
// What waits for the reader at most, packed: one more piece than this may have come before libcurl is paused.
constexpr size_t kPieceBytes = 256 << 10;
constexpr size_t kUnpackedBytes = 128 << 10;

using EasyHandle = std::unique_ptr<CURL, FreedBy<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, FreedBy<curl_multi_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, FreedBy<curl_url_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, FreedBy<curl_slist_free_all>>;

// One transfer at a time goes over a handle; the connections stay with the multi handle for the next one.
struct Handle {
  MultiHandle multi{curl_multi_init()};
  EasyHandle easy{curl_easy_init()};
};

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

// The address as libcurl will use it, parsed once, and what messages call it.
struct Target {
  UrlHandle url{curl_url()};
  std::string host;  // lower case, no brackets, no final dot
  std::string host_port;
};

absl::StatusOr<Target> ParseTarget(const std::string& text) {
  if (text.size() > kMaxUrlBytes) return UrlError("the address is longer than 8 KiB");
  ASSIGN_OR_RETURN(UrlParts parts, SplitUrl(text));
  Target target;
  CURLUcode code = curl_url_set(target.url.get(), CURLUPART_URL, JoinUrl(parts).c_str(), CURLU_DISALLOW_USER);
  if (code != CURLUE_OK) {
    return UrlError(absl::StrCat("the address of host \"", HostOf(parts),
                                 "\" is not accepted: ", curl_url_strerror(code),
                                 code == CURLUE_USER_NOT_ALLOWED ? "; put credentials into a header" : ""));
  }
  target.host = UrlPart(target.url.get(), CURLUPART_HOST);
  bool plain = std::all_of(target.host.begin(), target.host.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (!plain) return UrlError("the host holds characters beyond ASCII; write it in its xn-- form");
  target.host_port = absl::StrCat(target.host, ":", UrlPart(target.url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
  absl::AsciiStrToLower(&target.host);
  if (absl::StartsWith(target.host, "[")) target.host = target.host.substr(1, target.host.size() - 2);
  if (absl::EndsWith(target.host, ".")) target.host.pop_back();
  return target;
}

absl::Status CheckAllowedHost(const Target& target, const std::vector<std::string>& allowed) {
  bool found = std::any_of(allowed.begin(), allowed.end(),
                           [&](const std::string& host) { return absl::EqualsIgnoreCase(host, target.host); });
  return allowed.empty() || found ? absl::OkStatus() : HostDeniedError(target.host);
}

// What the callbacks of one transfer see. Stays in one place while the transfer lives.
struct Transfer {
  explicit Transfer(const EgressPolicy& egress) : policy(egress) {}
  const EgressPolicy& policy;
  CURL* easy = nullptr;
  HeaderBlock header;
  HeaderBlock trailer;  // after a chunked body; only its size matters
  bool header_complete = false;
  std::string wire;            // of the body, as it came, not yet taken by the reader
  int64_t wire_bytes = 0;      // of the body, ever
  bool paused = false;         // until the reader has taken what waits
  std::string denied_address;  // set if the policy refused one
  bool header_too_large = false;

  int Status() const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
  }
};

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof(text));
  }
  return text;
}

// The gate: sees the very address that is about to be connected, however it was spelled or resolved.
curl_socket_t OnOpenSocket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string text = AddressText(address->addr);
  if (!transfer.policy.Allows(text)) {
    transfer.denied_address = text.empty() ? "of an unknown kind" : text;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Runs on reused connections as well, where no socket is opened.
int OnBeforeRequest(void* user, char* remote, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.policy.Allows(remote)) return CURL_PREREQFUNC_OK;
  transfer.denied_address = remote;
  return CURL_PREREQFUNC_ABORT;
}

// A line that never ends does not get as far as OnHeader.
bool IsHeaderTooLarge(CURLcode code) {
#if LIBCURL_VERSION_NUM >= 0x080600
  if (code == CURLE_TOO_LARGE) return true;
#endif
  return code == CURLE_OUT_OF_MEMORY;
}

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  absl::string_view line(data, size);
  HeaderBlock& block = transfer.header_complete ? transfer.trailer : transfer.header;
  if (!block.AddLine(line)) {
    transfer.header_too_large = true;
    return 0;
  }
  bool is_end = absl::StripAsciiWhitespace(line).empty();
  if (is_end && transfer.Status() >= 200) transfer.header_complete = true;  // interim answers are not the end
  return size;
}

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (!transfer.wire.empty() && transfer.wire.size() + size > kPieceBytes) {
    transfer.paused = true;
    return CURL_WRITEFUNC_PAUSE;  // the same bytes come again
  }
  transfer.wire.append(data, size);
  transfer.wire_bytes += static_cast<int64_t>(size);
  return size;
}

bool IsCancelled(const HttpRequest& request) { return request.cancel != nullptr && request.cancel->load(); }

HeaderList MakeHeaders(const HttpRequest& request) {
  HeaderList list;
  auto add = [&](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
  bool has_agent = false;
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    has_agent |= absl::EqualsIgnoreCase(name, "user-agent");
    has_type |= absl::EqualsIgnoreCase(name, "content-type");
    add(value.empty() ? absl::StrCat(name, ";") : absl::StrCat(name, ": ", value));
  }
  add("Expect:");  // no round trip before a body
  add(absl::StrCat("Accept-Encoding: ", kAcceptEncoding));
  if (!has_agent) add("User-Agent: chartly");
  if (!has_type) add("Content-Type:");  // libcurl would claim a form
  return list;
}

void SetMethod(CURL* easy, const HttpRequest& request) {
  if (!request.body.empty() || request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (request.method != "GET" || !request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// Nothing of the environment or of an earlier answer may steer a request.
void SetIsolation(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);  // its decoder takes half a stream for a whole one
  // With HTTP/2 up to 32 MiB a stream would wait inside libcurl, out of reach of our bounds.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
}

curl_blob BlobOf(const std::string& text) { return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY}; }

void SetTls(CURL* easy, const HttpRequest& request, const std::string& authorities) {
  if (!authorities.empty()) {
    curl_blob blob = BlobOf(authorities);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  }
  if (request.client_certificate.empty()) return;
  curl_blob certificate = BlobOf(request.client_certificate);
  curl_blob key = BlobOf(request.client_key);
  curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
  curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
  curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
  curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
}

void SetCallbacks(CURL* easy, Transfer& transfer) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OnOpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, OnBeforeRequest);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
}

bool IsTlsTrust(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

absl::Status TransferError(CURLcode code, const Transfer& transfer, const Target& target, absl::Duration timeout,
                           absl::string_view detail) {
  std::string said(detail.empty() ? absl::string_view(curl_easy_strerror(code)) : detail);
  bool never_asked = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;
  if (never_asked && !transfer.denied_address.empty()) {
    return AddressDeniedError(target.host, target.host_port, transfer.denied_address, transfer.policy);
  }
  bool endless_line = !transfer.header_complete && IsHeaderTooLarge(code);
  if (transfer.header_too_large || endless_line) return HeaderTooLargeError(target.host_port);
  if (code == CURLE_OPERATION_TIMEDOUT) return TimeoutError(target.host_port, timeout, said);
  bool broken = code == CURLE_PARTIAL_FILE || (code == CURLE_RECV_ERROR && transfer.wire_bytes > 0);
  if (broken) return CutOffError(target.host_port, transfer.wire_bytes, said);
  return IsTlsTrust(code) ? UntrustedError(target.host_port, said) : UnreachableError(target.host_port, said);
}

// Handles that are not at work, with the connections they keep. Thread-safe.
class HandlePool {
 public:
  std::unique_ptr<Handle> Take() {
    std::lock_guard<std::mutex> lock(mu_);
    if (idle_.empty()) return std::make_unique<Handle>();
    std::unique_ptr<Handle> handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }

  void Return(std::unique_ptr<Handle> handle) {
    std::lock_guard<std::mutex> lock(mu_);
    if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mu_;
  std::vector<std::unique_ptr<Handle>> idle_;  // guarded by mu_
};

// One request without its redirects. Everything moves only while the reader waits in Start or Read.
class CurlStream final : public HttpStream {
 public:
  CurlStream(HandlePool& pool, const EgressPolicy& policy, const std::string& authorities, HttpRequest request,
             Target target)
      : pool_(pool), request_(std::move(request)), target_(std::move(target)), transfer_(policy) {
    // A connection that showed a certificate belongs to the profile that has it.
    shared_ = request_.client_certificate.empty();
    handle_ = shared_ ? pool_.Take() : std::make_unique<Handle>();
    CURL* easy = handle_->easy.get();
    transfer_.easy = easy;
    headers_ = MakeHeaders(request_);
    SetIsolation(easy);
    SetTls(easy, request_, authorities);
    SetMethod(easy, request_);
    SetCallbacks(easy, transfer_);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(kPieceBytes));
    curl_easy_setopt(easy, CURLOPT_CURLU, target_.url.get());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
    curl_multi_add_handle(handle_->multi.get(), easy);
  }
  ~CurlStream() override { Release(); }
  CurlStream(const CurlStream&) = delete;
  CurlStream& operator=(const CurlStream&) = delete;

  // Comes back when the header is whole.
  absl::Status Start() {
    while (!transfer_.header_complete && !done_) RETURN_IF_ERROR(Pump());
    if (done_ && code_ != CURLE_OK && !transfer_.header_complete) return EndError();
    status_ = transfer_.Status();
    if (IsRedirect(status_, headers())) return absl::OkStatus();
    auto found = headers().find("content-encoding");
    if (found == headers().end() || request_.method == "HEAD") return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<Unpacker>> unpacker = Unpacker::Create(found->second);
    if (!unpacker.ok()) return Annotate(unpacker.status(), target_.host_port);
    unpacker_ = *std::move(unpacker);
    return absl::OkStatus();
  }

  int status() const override { return status_; }
  const std::map<std::string, std::string>& headers() const override { return transfer_.header.headers(); }
  const std::string& url() const override { return request_.url; }
  absl::Duration waited() const { return waited_; }

  absl::StatusOr<absl::string_view> Read() override {
    if (!failed_.ok()) return failed_;
    absl::StatusOr<absl::string_view> piece = NextPiece();
    if (piece.ok()) return piece;
    failed_ = piece.status();
    Release();
    return failed_;
  }

 private:
  absl::StatusOr<absl::string_view> NextPiece() {
    while (true) {
      if (IsCancelled(request_)) return CancelledError();
      if (over_limit_) return TooLargeError(target_.host_port, request_.max_bytes);
      if (input_.empty() && !transfer_.wire.empty()) {
        std::swap(taken_, transfer_.wire);
        transfer_.wire.clear();
        input_ = taken_;
      }
      ASSIGN_OR_RETURN(absl::string_view piece, Unpacked());
      if (!piece.empty()) return Admit(piece);
      if (!input_.empty() || !transfer_.wire.empty()) continue;
      if (done_) return End();
      RETURN_IF_ERROR(Pump());
    }
  }

  absl::StatusOr<absl::string_view> Unpacked() {
    if (!unpacker_) {
      absl::string_view piece = input_.substr(0, kPieceBytes);
      input_.remove_prefix(piece.size());
      return piece;
    }
    output_.resize(kUnpackedBytes);
    absl::StatusOr<size_t> size = unpacker_->Unpack(input_, output_.data(), output_.size());
    if (!size.ok()) return Annotate(size.status(), target_.host_port);
    return absl::string_view(output_).substr(0, *size);
  }

  // Cuts the body at its limit, to the byte, so that a run gives the same rows however the pieces came.
  absl::StatusOr<absl::string_view> Admit(absl::string_view piece) {
    auto room = static_cast<size_t>(request_.max_bytes - received_);
    over_limit_ = piece.size() > room;
    piece = piece.substr(0, room);
    if (piece.empty()) return TooLargeError(target_.host_port, request_.max_bytes);
    received_ += static_cast<int64_t>(piece.size());
    if (!unpacker_) return piece;
    auto waiting = static_cast<int64_t>(transfer_.wire.size() + input_.size());
    absl::Status ratio = CheckRatio(transfer_.wire_bytes - waiting, received_);
    if (!ratio.ok()) return Annotate(ratio, target_.host_port);
    return piece;
  }

  absl::StatusOr<absl::string_view> End() {
    if (code_ != CURLE_OK) return EndError();
    bool whole = !unpacker_ || unpacker_->complete() || transfer_.wire_bytes == 0;
    if (!whole) return CutOffError(target_.host_port, received_, "the compressed body stops in the middle");
    Release();
    return absl::string_view();
  }

  absl::Status EndError() const { return TransferError(code_, transfer_, target_, request_.timeout, detail_); }

  // Lets the transfer go on for a moment, at most kPollMs if nothing comes.
  absl::Status Pump() {
    if (IsCancelled(request_)) return CancelledError();
    const auto start = std::chrono::steady_clock::now();
    if (std::exchange(transfer_.paused, false)) curl_easy_pause(transfer_.easy, CURLPAUSE_CONT);
    int running = 1;
    CURLMcode code = curl_multi_perform(handle_->multi.get(), &running);
    bool idle = running > 0 && transfer_.wire.empty() && !transfer_.paused;
    if (code == CURLM_OK && idle) code = curl_multi_poll(handle_->multi.get(), nullptr, 0, kPollMs, nullptr);
    if (code != CURLM_OK) return UnreachableError(target_.host_port, curl_multi_strerror(code));
    if (running == 0) {
      int left = 0;
      CURLMsg* message = curl_multi_info_read(handle_->multi.get(), &left);
      code_ = message == nullptr ? CURLE_RECV_ERROR : message->data.result;
      done_ = true;
      return absl::OkStatus();
    }
    return CountWait(absl::FromChrono(std::chrono::steady_clock::now() - start));
  }

  // A first byte that is long in coming (some agencies compute an answer for twenty seconds) is no stall.
  absl::Status CountWait(absl::Duration wait) {
    waited_ += wait;
    if (waited_ > request_.timeout) return TimeoutError(target_.host_port, request_.timeout, "time is up");
    if (transfer_.wire_bytes == 0) return absl::OkStatus();
    window_ += wait;
    if (window_ < request_.stall) return absl::OkStatus();
    double bytes = static_cast<double>(transfer_.wire_bytes - window_began_at_);
    if (bytes < absl::ToDoubleSeconds(window_) * kStallBytesPerSecond)
      return TooSlowError(target_.host_port, request_.stall);
    window_ = absl::ZeroDuration();
    window_began_at_ = transfer_.wire_bytes;
    return absl::OkStatus();
  }

  void Release() {
    if (!handle_) return;
    curl_multi_remove_handle(handle_->multi.get(), transfer_.easy);
    curl_easy_reset(transfer_.easy);  // forgets pointers to this object; connections stay
    if (shared_) pool_.Return(std::move(handle_));
    handle_.reset();
  }

  HandlePool& pool_;
  const HttpRequest request_;
  const Target target_;
  Transfer transfer_;
  bool shared_ = true;
  std::unique_ptr<Handle> handle_;
  HeaderList headers_;
  char detail_[CURL_ERROR_SIZE] = "";
  int status_ = 0;
  std::unique_ptr<Unpacker> unpacker_;
  std::string taken_;        // from transfer_.wire
  absl::string_view input_;  // what is left of it
  std::string output_;
  int64_t received_ = 0;  // handed on
  bool over_limit_ = false;
  bool done_ = false;
  CURLcode code_ = CURLE_OK;
  absl::Status failed_;
  absl::Duration waited_ = absl::ZeroDuration();
  absl::Duration window_ = absl::ZeroDuration();  // of the stall that is perhaps going on
  int64_t window_began_at_ = 0;
};

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient(EgressPolicy policy, std::string authorities)
      : policy_(std::move(policy)), authorities_(std::move(authorities)) {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(initialized);
  }

  absl::StatusOr<std::unique_ptr<HttpStream>> Open(const HttpRequest& request) override {
    RETURN_IF_ERROR(CheckRequest(request));
    HttpRequest hop = request;
    for (int redirects = 0;; ++redirects) {
      ASSIGN_OR_RETURN(Target target, ParseTarget(hop.url));
      RETURN_IF_ERROR(CheckAllowedHost(target, hop.allowed_hosts));
      auto stream = std::make_unique<CurlStream>(pool_, policy_, authorities_, hop, std::move(target));
      RETURN_IF_ERROR(stream->Start());
      if (!IsRedirect(stream->status(), stream->headers())) return stream;
      if (redirects >= request.max_redirects) return TooManyRedirectsError(hop.url, request.max_redirects);
      hop.timeout -= stream->waited();
      ASSIGN_OR_RETURN(hop, FollowRedirect(hop, stream->status(), stream->headers().at("location")));
      stream.reset();
      if (hop.before_redirect) RETURN_IF_ERROR(hop.before_redirect(hop.url));
    }
  }

  const EgressPolicy& egress() const override { return policy_; }

 private:
  const EgressPolicy policy_;
  const std::string authorities_;
  HandlePool pool_;
};

}  // namespace

std::unique_ptr<HttpClient> MakeHttpClient(EgressPolicy policy, std::string authorities) {
  return std::make_unique<CurlHttpClient>(std::move(policy), std::move(authorities));
}

}  // namespace chartly::net
