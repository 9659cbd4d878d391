#include "common/config/address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly {

std::string Address::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "http://")) absl::ConsumePrefix(&rest, "https://");
  rest = rest.substr(0, rest.find('/'));
  size_t colon = rest.rfind(':');
  Address address;
  if (colon != absl::string_view::npos && absl::SimpleAtoi(rest.substr(colon + 1), &address.port) &&
      address.port >= 0 && address.port <= 65535) {
    absl::string_view host = rest.substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    address.host = std::string(host);
    if (!address.host.empty()) return address;
  }
  return Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID",
               absl::StrCat("'", text, "' is no address; write HOST:PORT, for example 127.0.0.1:8090"),
               {{"address", text}});
}

bool IsLoopback(absl::string_view host) {
  in_addr address{};
  // A name that only looks like an address of the loopback network may lead anywhere.
  if (::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

absl::StatusOr<std::pair<std::string, std::string>> ParseNamedAddress(absl::string_view text) {
  size_t equals = text.find('=');
  if (equals == absl::string_view::npos) {
    return Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID",
                 absl::StrCat("'", text, "' names no part; write PART=HOST:PORT, for example registry=10.0.0.5:8091"),
                 {{"address", text}});
  }
  absl::StatusOr<Address> address = ParseAddress(text.substr(equals + 1));
  if (!address.ok()) return address.status();
  return std::make_pair(std::string(text.substr(0, equals)), address->ToString());
}

}  // namespace chartly
