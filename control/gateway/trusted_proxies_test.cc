#include "control/gateway/trusted_proxies.h"

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

std::string Client(const std::vector<std::string>& trusted, const std::string& from, const std::string& forwarded) {
  auto proxies = TrustedProxies::Create(trusted);
  REQUIRE_OK(proxies);
  http::Request request;
  request.remote_address = from;
  if (!forwarded.empty()) request.headers["x-forwarded-for"] = forwarded;
  return proxies->ClientOf(request);
}

TEST_CASE("what a stranger says of where it comes from does not count") {
  CHECK(Client({}, "203.0.113.9", "198.51.100.1") == "203.0.113.9");
  CHECK(Client({}, "127.0.0.1", "198.51.100.1") == "127.0.0.1");
  CHECK(Client({"10.0.0.0/8"}, "203.0.113.9", "198.51.100.1") == "203.0.113.9");
}

TEST_CASE("behind trusted proxies the client is the last address that is none of them") {
  const std::vector<std::string> trusted = {"10.0.0.0/8", "fd00::/8"};
  CHECK(Client(trusted, "10.1.2.3", "") == "10.1.2.3");
  CHECK(Client(trusted, "10.1.2.3", "198.51.100.1") == "198.51.100.1");
  CHECK(Client(trusted, "10.1.2.3", "198.51.100.1, 10.9.9.9 ,fd00::7") == "198.51.100.1");
  CHECK(Client(trusted, "fd00::7", "2001:db8::5") == "2001:db8::5");
  CHECK(Client(trusted, "10.1.2.3", "[2001:db8::5]:4711") == "2001:db8::5");
  CHECK(Client(trusted, "10.1.2.3", "198.51.100.1:4711") == "198.51.100.1");
  // The client wrote the first one itself.
  CHECK(Client(trusted, "10.1.2.3", "192.0.2.77, 198.51.100.1") == "198.51.100.1");
  CHECK(Client(trusted, "10.1.2.3", "10.0.0.1, 10.0.0.2") == "10.0.0.1");
}

TEST_CASE("what is no address ends the list") {
  for (const char* nonsense :
       {"unknown", "_hidden", "", ",", "1.2.3.4.5", "[", "[::1", "a:b", "198.51.100.1;x", "\n"}) {
    INFO(nonsense);
    const std::string list = std::string("198.51.100.1,") + nonsense;
    CHECK(Client({"10.0.0.0/8"}, "10.1.2.3", list) == "10.1.2.3");
  }
}

TEST_CASE("a range that is none is named") {
  auto proxies = TrustedProxies::Create({"10.0.0.0/99"});
  CHECK(Reason(proxies.status()) == "CIDR_INVALID");
  CHECK(absl::StrContains(proxies.status().message(), "10.0.0.0/99"));
}

}  // namespace
}  // namespace chartly::gateway
