#include "control/gateway/trusted_proxies.h"

#include <arpa/inet.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly::gateway {
namespace {

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80" without the port; empty if it is none of them.
std::string AddressOf(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    text = end == text.npos ? absl::string_view() : text.substr(1, end - 1);
  } else if (text.find(':') == text.rfind(':')) {
    text = text.substr(0, text.find(':'));
  }
  std::string address(text);
  unsigned char bytes[16];
  bool valid = ::inet_pton(AF_INET, address.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, address.c_str(), bytes) == 1;
  return valid ? address : "";
}

}  // namespace

absl::StatusOr<TrustedProxies> TrustedProxies::Create(const std::vector<std::string>& cidrs) {
  ASSIGN_OR_RETURN(net::EgressPolicy trusted, net::EgressPolicy::Create(cidrs));
  return TrustedProxies(std::move(trusted));
}

std::string TrustedProxies::ClientOf(const http::Request& request) const {
  std::string client = request.remote_address;
  auto forwarded = request.headers.find("x-forwarded-for");
  if (forwarded == request.headers.end()) return client;
  std::vector<absl::string_view> hops = absl::StrSplit(forwarded->second, ',');
  while (trusted_.Opens(client) && !hops.empty()) {
    std::string before = AddressOf(hops.back());
    if (before.empty()) return client;
    client = std::move(before);
    hops.pop_back();
  }
  return client;
}

}  // namespace chartly::gateway
