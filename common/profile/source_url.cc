#include "common/profile/source_url.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "common/profile/partition.h"

namespace chartly {
namespace {

bool IsPort(absl::string_view port) {
  int number = 0;
  return absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
}

}  // namespace

bool IsHost(absl::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (host.front() == '[') return host.back() == ']' && host.find_first_not_of("[]0123456789abcdef:.") == host.npos;
  return host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == host.npos && host.front() != '.' &&
         host.front() != '-';
}

std::string CheckUrl(absl::string_view url, std::string& host) {
  if (WithoutPlaces(url).find_first_of(" \t\r\n\"<>\\^`{|}") != std::string::npos)
    return "a blank or a character that a url cannot hold; encode it as %20 and so on";
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "https://") && !absl::ConsumePrefix(&rest, "http://")) {
    return "the url must begin with https:// or http://";
  }
  if (url.find('#') != url.npos) return "a fragment (#...) is never sent; leave it out";
  absl::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != authority.npos)
    return "user and password do not belong into a url; secrets are given by reference only";
  size_t colon = authority.rfind(':');
  bool has_port = colon != authority.npos && authority.find(']', colon) == authority.npos;
  if (has_port && !IsPort(authority.substr(colon + 1))) return "the port must be a number from 1 to 65535";
  host = absl::AsciiStrToLower(has_port ? authority.substr(0, colon) : authority);
  if (!IsHost(host)) return "the url has no valid host; write https://host/path";
  return "";
}

}  // namespace chartly
