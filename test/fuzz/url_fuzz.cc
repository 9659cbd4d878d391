// URLs and the addresses that may be connected: the two texts of a source that strangers choose.
#include "common/net/http_client.h"
#include "common/net/url.h"
#include "drone/fetch/link_header.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly {
namespace {

void CheckUrl(absl::string_view text) {
  absl::StatusOr<net::UrlParts> parts = net::SplitUrl(text);
  if (!parts.ok()) return;
  FUZZ_CHECK(parts->scheme == "http" || parts->scheme == "https");
  std::string joined = net::JoinUrl(*parts);
  absl::StatusOr<net::UrlParts> again = net::SplitUrl(joined);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(net::JoinUrl(*again) == joined);
  FUZZ_CHECK(net::HostOf(*again) == net::HostOf(*parts));
  FUZZ_CHECK(net::OriginOf(*again) == net::OriginOf(*parts));
}

// Nothing private is open unless a range opens it, however it is written.
void CheckAddress(absl::string_view text) {
  static const net::EgressPolicy closed = *net::EgressPolicy::Create({});
  for (const char* prefix : {"127.", "10.", "192.168.", "169.254.", "::ffff:127.", "::ffff:10.", "fe80:", "fd00:"}) {
    FUZZ_CHECK(!closed.Allows(std::string(prefix) + std::string(text)));
  }
  absl::StatusOr<net::EgressPolicy> opened = net::EgressPolicy::Create({std::string(text)});
  if (!opened.ok()) return;
  std::string address(text.substr(0, text.find('/')));
  FUZZ_CHECK(opened->Opens(address) && opened->Allows(address));
}

}  // namespace

FUZZ_TARGET(url) {
  absl::string_view base = input.substr(0, input.find('\n'));
  absl::string_view reference = base.size() < input.size() ? input.substr(base.size() + 1) : absl::string_view();
  CheckUrl(base);
  absl::StatusOr<std::string> resolved = net::ResolveUrl(base, reference);
  if (resolved.ok()) FUZZ_CHECK(net::SplitUrl(*resolved).ok());
  FUZZ_CHECK(net::UnescapeQuery(net::EscapeQuery(input)) == input);
  drone::FindLink(input, "next");
  CheckAddress(base);
}

}  // namespace chartly
