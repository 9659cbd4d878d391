#include "common/config/address.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {

TEST_CASE("addresses come plain, in brackets and inside a URL") {
  auto text = GENERATE(as<std::string>{}, "127.0.0.1:8090", "http://127.0.0.1:8090", "https://127.0.0.1:8090/x?y");
  auto address = ParseAddress(text);
  REQUIRE_OK(address);
  CHECK(address->ToString() == "127.0.0.1:8090");
  CHECK(ParseAddress("[::1]:80")->host == "::1");
  CHECK(ParseAddress("[::1]:80")->ToString() == "[::1]:80");
}

TEST_CASE("what is no address is refused with the text") {
  auto text = GENERATE(as<std::string>{}, "", "localhost", ":80", "a:b", "a:70000", "a:-1");
  CHECK(Reason(ParseAddress(text).status()) == "ADDRESS_INVALID");
}

TEST_CASE("a named address needs its name") {
  CHECK(ParseNamedAddress("registry=a:1")->first == "registry");
  CHECK_FALSE(ParseNamedAddress("a:1").ok());
}

TEST_CASE("loopback is what only this host reaches, and no name that looks like it") {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) CHECK(IsLoopback(host));
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "128.0.0.1", ""}) {
    INFO(host);
    CHECK_FALSE(IsLoopback(host));
  }
}

}  // namespace chartly
