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
#include "common/net/gunzip.h"
#include "common/net/http_client.h"
#include "common/net/http_rules.h"
#include "common/net/url.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

constexpr long kConnectTimeoutMs = 5000;
// A server that sends less than this for so long has stalled. A first byte that is long in coming (some agencies
// compute an answer for twenty seconds) must not count as a stall, so it is not shorter.
constexpr long kLowSpeedBytesPerSecond = 1024;
constexpr long kLowSpeedSeconds = 30;
constexpr int kPollMs = 50;  // how soon a cancel is seen
constexpr size_t kMaxIdleHandles = 16;
constexpr size_t kMaxUrlBytes = 8 << 10;
// A body may be 100 times what came over the wire; small ones that compress well are let through.
constexpr int64_t kMaxRatio = 100;
constexpr int64_t kRatioSlackBytes = 64 << 10;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using EasyHandle = std::unique_ptr<CURL, Deleter<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, Deleter<curl_multi_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, Deleter<curl_url_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Deleter<curl_slist_free_all>>;

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

absl::Status UrlError(absl::string_view why) { return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID", why); }

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
  if (allowed.empty() || found) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat("host ", target.host, " is not one this profile may reach; add it to source.egress.allow"),
               {{"host", target.host}});
}

// What the callbacks of one transfer see.
struct Transfer {
  const EgressPolicy& policy;
  const HttpRequest& request;
  CURL* easy = nullptr;
  HeaderBlock header;
  std::string body;
  int64_t wire = 0;                // bytes of the body as they came
  int64_t received = 0;            // bytes of the body, unpacked
  std::unique_ptr<Gunzip> gunzip;  // if the body is packed
  std::string denied_address;      // set if the policy refused one
  absl::Status stopped;            // why a callback ended the transfer

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

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.header.AddLine(absl::string_view(data, size))) return size;
  transfer.stopped = Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                           "the answer has more than 64 KiB or 200 lines of header");
  return 0;
}

absl::Status CheckSize(const Transfer& transfer) {
  if (transfer.received > transfer.request.max_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                 absl::StrCat("the body is larger than the limit of ", transfer.request.max_bytes, " bytes"),
                 {{"limit", "max_bytes"}});
  }
  if (transfer.received > kMaxRatio * (transfer.wire + kRatioSlackBytes)) {
    return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
                 absl::StrCat("the body unpacks to more than ", kMaxRatio, " times its size"));
  }
  return absl::OkStatus();
}

absl::Status TakeBody(Transfer& transfer, absl::string_view data) {
  transfer.received += static_cast<int64_t>(data.size());
  RETURN_IF_ERROR(CheckSize(transfer));
  if (IsRedirect(transfer.Status(), transfer.header.headers())) return absl::OkStatus();
  if (!transfer.request.on_data) {
    transfer.body.append(data.data(), data.size());
  } else if (!transfer.request.on_data(data)) {
    return Error(absl::StatusCode::kCancelled, "CANCELLED", "the reader of the body stopped");
  }
  return absl::OkStatus();
}

absl::Status TakePackedBody(Transfer& transfer, absl::string_view data) {
  absl::Status status;
  Gunzip::Result result = transfer.gunzip->Feed(data, [&](absl::string_view part) {
    status = TakeBody(transfer, part);
    return status.ok();
  });
  if (result != Gunzip::Result::kCorrupt) return status;
  return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED", "the compressed body is damaged");
}

// Only gzip was asked for; what cannot be unpacked must not pass for data.
absl::Status BeginBody(Transfer& transfer) {
  const auto& headers = transfer.header.headers();
  auto found = headers.find("content-encoding");
  std::string encoding = found == headers.end() ? "" : absl::AsciiStrToLower(found->second);
  if (encoding.empty() || encoding == "identity") return absl::OkStatus();
  if (encoding != "gzip" && encoding != "x-gzip") {
    return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_UNREACHABLE",
                 absl::StrCat("the body is compressed as \"", absl::CHexEscape(encoding),
                              "\", which was not asked for; only gzip is read"));
  }
  transfer.gunzip = std::make_unique<Gunzip>();
  return absl::OkStatus();
}

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.wire == 0) transfer.stopped = BeginBody(transfer);
  transfer.wire += static_cast<int64_t>(size);
  absl::string_view piece(data, size);
  if (transfer.stopped.ok()) {
    transfer.stopped = transfer.gunzip ? TakePackedBody(transfer, piece) : TakeBody(transfer, piece);
  }
  return transfer.stopped.ok() ? size : size + 1;  // any other number than size ends it
}

bool IsCancelled(const HttpRequest& request) { return request.cancel != nullptr && request.cancel->load(); }

absl::Status CancelledError() { return Error(absl::StatusCode::kCancelled, "CANCELLED", "the request was cancelled"); }

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
  add("Accept-Encoding: gzip");
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
  curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);  // see gunzip.h
}

void SetLimits(CURL* easy, const HttpRequest& request) {
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  if (request.timeout == absl::InfiniteDuration()) return;
  int64_t timeout_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(request.timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kLowSpeedBytesPerSecond);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, kLowSpeedSeconds);
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

// Runs the transfer to its end, looking at `cancel` in between: curl_easy_perform looks only once a second.
absl::StatusOr<CURLcode> Perform(const Handle& handle, const HttpRequest& request) {
  int running = 1;
  while (running > 0) {
    if (IsCancelled(request)) return CancelledError();
    CURLMcode code = curl_multi_perform(handle.multi.get(), &running);
    if (code == CURLM_OK && running > 0) code = curl_multi_poll(handle.multi.get(), nullptr, 0, kPollMs, nullptr);
    if (code != CURLM_OK) {
      return Error(absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE", curl_multi_strerror(code));
    }
  }
  int left = 0;
  CURLMsg* message = curl_multi_info_read(handle.multi.get(), &left);
  return message == nullptr ? CURLE_RECV_ERROR : message->data.result;
}

absl::Status DeniedError(const Target& target, const std::string& address) {
  return Error(absl::StatusCode::kPermissionDenied, "EGRESS_DENIED",
               absl::StrCat(target.host_port, " leads to the address ", address,
                            ", which is not public; if it may be reached, start the drone with --egress-allow ",
                            address, absl::StrContains(address, ":") ? "/128" : "/32"),
               {{"host", target.host}, {"address", address}});
}

bool IsTlsTrust(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

absl::Status TransferError(CURLcode code, const Transfer& transfer, const Target& target, absl::string_view detail) {
  std::string said(detail.empty() ? absl::string_view(curl_easy_strerror(code)) : detail);
  bool never_asked = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;
  if (never_asked && !transfer.denied_address.empty()) return DeniedError(target, transfer.denied_address);
  if (!transfer.stopped.ok()) return Annotate(transfer.stopped, target.host_port);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Error(absl::StatusCode::kDeadlineExceeded, "SOURCE_TIMEOUT",
                 absl::StrCat(target.host_port, " did not answer in time (limit ",
                              absl::FormatDuration(transfer.request.timeout), "): ", said,
                              "; raise limits.timeout if it needs longer"),
                 {{"address", target.host_port}});
  }
  bool broken = code == CURLE_OK || code == CURLE_PARTIAL_FILE || (code == CURLE_RECV_ERROR && transfer.wire > 0);
  if (broken) {
    return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED",
                 absl::StrCat(target.host_port, " ended the answer before it was complete, after ", transfer.received,
                              " bytes of body: ", code == CURLE_OK ? "the compressed body stops in the middle" : said),
                 {{"address", target.host_port}});
  }
  if (IsTlsTrust(code)) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "SOURCE_UNREACHABLE",
        absl::StrCat(target.host_port, " did not prove who it is: ", said,
                     "; check the host name and the CA certificates of this machine (package ca-certificates)"),
        {{"address", target.host_port}});
  }
  return Error(
      absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
      absl::StrCat("no answer from ", target.host_port, ": ", said, "; check the address and that the server runs"),
      {{"address", target.host_port}});
}

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(EgressPolicy policy) : policy_(std::move(policy)) {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(initialized);
  }

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    RETURN_IF_ERROR(CheckRequest(request));
    const auto start = std::chrono::steady_clock::now();
    HttpRequest hop = request;
    for (int redirects = 0;; ++redirects) {
      ASSIGN_OR_RETURN(HttpResponse response, SendOnce(hop));
      if (!IsRedirect(response.status, response.headers)) return response;
      if (redirects >= request.max_redirects) return TooManyRedirects(hop, request.max_redirects);
      ASSIGN_OR_RETURN(hop, FollowRedirect(hop, response.status, response.headers.at("location")));
      hop.timeout = request.timeout - absl::FromChrono(std::chrono::steady_clock::now() - start);
    }
  }

  const EgressPolicy& egress() const override { return policy_; }

 private:
  static absl::Status TooManyRedirects(const HttpRequest& hop, int limit) {
    absl::StatusOr<UrlParts> parts = SplitUrl(hop.url);
    return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_REDIRECT",
                 absl::StrCat(parts.ok() ? HostOf(*parts) : "the server", " redirects more than ", limit,
                              " times; use the address it leads to in the end"));
  }

  absl::StatusOr<HttpResponse> SendOnce(const HttpRequest& request) {
    ASSIGN_OR_RETURN(Target target, ParseTarget(request.url));
    RETURN_IF_ERROR(CheckAllowedHost(target, request.allowed_hosts));
    std::unique_ptr<Handle> handle = Take();
    CURL* easy = handle->easy.get();
    Transfer transfer{policy_, request};
    transfer.easy = easy;
    char detail[CURL_ERROR_SIZE] = "";
    HeaderList headers = MakeHeaders(request);
    SetIsolation(easy);
    SetLimits(easy, request);
    SetMethod(easy, request);
    SetCallbacks(easy, transfer);
    curl_easy_setopt(easy, CURLOPT_CURLU, target.url.get());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    curl_multi_add_handle(handle->multi.get(), easy);
    absl::StatusOr<CURLcode> code = Perform(*handle, request);
    int status = transfer.Status();
    curl_multi_remove_handle(handle->multi.get(), easy);
    curl_easy_reset(easy);  // forgets pointers to this frame; connections stay
    Return(std::move(handle));
    RETURN_IF_ERROR(code.status());
    bool cut_off = transfer.gunzip != nullptr && !transfer.gunzip->complete();
    if (*code != CURLE_OK || cut_off) return TransferError(*code, transfer, target, detail);
    return HttpResponse{status, transfer.header.headers(), std::move(transfer.body), request.url};
  }

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

  const EgressPolicy policy_;
  std::mutex mu_;
  std::vector<std::unique_ptr<Handle>> idle_;  // guarded by mu_
};

}  // namespace

std::unique_ptr<HttpClient> MakeHttpClient(EgressPolicy policy) {
  return std::make_unique<CurlHttpClient>(std::move(policy));
}

}  // namespace chartly::net
