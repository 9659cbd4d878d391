#include "common/net/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

std::string WithoutBrackets(const std::string& host) {
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int code = ::getaddrinfo(WithoutBrackets(host).c_str(), nullptr, &hints, &found);
  std::unique_ptr<addrinfo, FreedBy<::freeaddrinfo>> list(found);
  std::vector<std::string> addresses;
  for (const addrinfo* entry = code == 0 ? found : nullptr; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST] = "";
    int named = ::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
    if (named == 0) addresses.emplace_back(text);
  }
  if (!addresses.empty()) return addresses;
  return Error(absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
               absl::StrCat("the name ", host, " has no address: ", code == 0 ? "none is given" : ::gai_strerror(code),
                            "; check the name and the resolver of this machine"),
               {{"host", host}});
}

}  // namespace chartly::net
