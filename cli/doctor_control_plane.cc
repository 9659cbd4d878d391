// The checks of chartly doctor that need the control plane.
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/doctor.h"
#include "common/config/address.h"
#include "common/config/parts.h"
#include "common/handle/handle.h"
#include "common/net/http_client.h"
#include "common/net/resolve.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);
constexpr int kConnectMs = 3000;
// The header Date has whole seconds, and the way there takes some time.
constexpr absl::Duration kDrift = absl::Seconds(3);
constexpr absl::Duration kWrong = absl::Minutes(1);

// Empty, or why no connection comes about.
std::string TryConnect(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), absl::StrCat(port).c_str(), &hints, &found) != 0) return "no address";
  std::unique_ptr<addrinfo, FreedBy<::freeaddrinfo>> list(found);
  int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int error = fd < 0 || ::connect(fd, found->ai_addr, found->ai_addrlen) != 0 ? errno : 0;
  if (error == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    socklen_t size = sizeof(error);
    bool done = ::poll(&wait, 1, kConnectMs) == 1;
    if (!done) error = ETIMEDOUT;
    if (done && ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  if (fd >= 0) ::close(fd);
  return error == 0 ? "" : std::strerror(error);
}

// Looks up each host once.
class Names {
 public:
  explicit Names(Diagnosis& diagnosis) : diagnosis_(diagnosis) {}

  std::vector<std::string> Find(const std::string& host) {
    absl::StatusOr<std::vector<std::string>> addresses = net::Resolve(host);
    bool first = seen_.insert(host).second;
    if (!addresses.ok()) {
      if (first) diagnosis_.Found("DOCTOR_DNS_FAILED", host, addresses.status().message());
      return {};
    }
    if (first) diagnosis_.Good("dns", host, absl::StrJoin(*addresses, ", "));
    return *addresses;
  }

 private:
  Diagnosis& diagnosis_;
  std::set<std::string> seen_;
};

void ExaminePort(const char* part, const std::string& text, Names& names, Diagnosis& diagnosis) {
  absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok()) return diagnosis.Found("DOCTOR_ADDRESS_INVALID", part, address.status().message());
  std::string why;
  for (const std::string& numeric : names.Find(address->host)) {
    why = TryConnect(numeric, address->port);
    if (why.empty()) return diagnosis.Good("ports", absl::StrCat(part, " ", text), "takes connections");
  }
  if (!why.empty()) diagnosis.Found("DOCTOR_PORT_UNREACHABLE", absl::StrCat(part, " ", text), why);
}

void ExaminePorts(const Address& gateway, const DoctorOptions& options, Names& names, Diagnosis& diagnosis) {
  const std::pair<Part, const std::string*> parts[] = {{Part::kCoordinator, &options.coordinator},
                                                       {Part::kAggregator, &options.aggregator}};
  for (const auto& [part, given] : parts) {
    const PartInfo& info = InfoOf(part);
    std::string beside = Address{gateway.host, PortFor(info, gateway.port)}.ToString();
    ExaminePort(info.name, given->empty() ? beside : *given, names, diagnosis);
  }
}

void ExamineClock(const net::HttpResponse& answer, absl::Time sent, absl::Time received, Diagnosis& diagnosis) {
  absl::Time theirs;
  auto date = answer.headers.find("date");
  bool told =
      date != answer.headers.end() && absl::ParseTime("%a, %d %b %E4Y %H:%M:%S GMT", date->second, &theirs, nullptr);
  if (!told) return;
  absl::Duration ahead = sent + (received - sent) / 2 - (theirs + absl::Milliseconds(500));
  std::string seen = absl::StrCat("this clock is ",
                                  absl::FormatDuration(absl::Trunc(absl::AbsDuration(ahead), absl::Milliseconds(100))),
                                  ahead < absl::ZeroDuration() ? " behind" : " ahead of", " the control plane's");
  if (absl::AbsDuration(ahead) > kWrong) return diagnosis.Found("DOCTOR_CLOCK_WRONG", "clock", seen);
  if (absl::AbsDuration(ahead) > kDrift) return diagnosis.Found("DOCTOR_CLOCK_DRIFTS", "clock", seen);
  diagnosis.Good("clock", "clock", "agrees with the control plane's");
}

// Whether the gateway answered.
bool ExamineGateway(const std::string& url, const std::string& authorities, Diagnosis& diagnosis) {
  net::HttpRequest request;
  request.url = absl::StrCat(url, absl::EndsWith(url, "/") ? "" : "/", "health");
  request.timeout = kTimeout;
  request.max_redirects = 0;
  absl::Time sent = absl::Now();
  absl::StatusOr<net::HttpResponse> answer =
      net::MakeHttpClient(net::EgressPolicy::AllowAll(), authorities)->Send(request);
  absl::Time received = absl::Now();
  bool protects = absl::StartsWith(url, "https://");
  if (!answer.ok()) {
    bool trust = protects && absl::IsFailedPrecondition(answer.status());
    diagnosis.Found(trust ? "DOCTOR_TLS_FAILED" : "DOCTOR_CONTROL_PLANE_UNREACHABLE", url, answer.status().message());
    return false;
  }
  if (protects) diagnosis.Good("tls", url, "the certificate is good");
  diagnosis.Good("control plane", url, absl::StrCat("answers with status ", answer->status));
  ExamineClock(*answer, sent, received, diagnosis);
  return true;
}

void ExamineKey(Session& session, Diagnosis& diagnosis) {
  absl::StatusOr<ApiClient*> api = session.Api();
  if (!api.ok()) return diagnosis.Found("DOCTOR_KEY_MISSING", "key", api.status().message());
  absl::StatusOr<Json> caller = (*api)->Get("/api/auth/caller");
  if (!caller.ok()) return diagnosis.Found("DOCTOR_KEY_REFUSED", "key", caller.status().message());
  std::string principal = (*caller)["principal"].text();
  if ((*caller)["can_write"].boolean())
    return diagnosis.Good("credentials", "key", absl::StrCat("is that of ", principal));
  bool missing = principal == "anonymous";
  diagnosis.Found(missing ? "DOCTOR_KEY_MISSING" : "DOCTOR_KEY_REFUSED", "key",
                  missing ? "no key was sent" : absl::StrCat("it is that of ", principal, ", who may only read"));
}

}  // namespace

void ExamineControlPlane(Session& session, const DoctorOptions& options, Diagnosis& diagnosis) {
  const std::string url = session.Url();
  absl::StatusOr<Address> gateway = ParseAddress(url);
  bool is_url = absl::StartsWith(url, "http://") || absl::StartsWith(url, "https://");
  if (!gateway.ok() || !is_url) {
    return diagnosis.Found("DOCTOR_ADDRESS_INVALID", url,
                           gateway.ok() ? "it does not begin with http:// or https://" : gateway.status().message());
  }
  Names names(diagnosis);
  bool named = !names.Find(gateway->host).empty();
  absl::StatusOr<std::string> authorities = session.Authorities();
  if (!authorities.ok()) return diagnosis.Found("DOCTOR_TLS_FAILED", url, authorities.status().message());
  if (named && ExamineGateway(url, *authorities, diagnosis)) ExamineKey(session, diagnosis);
  ExaminePorts(*gateway, options, names, diagnosis);
}

}  // namespace chartly::cli
