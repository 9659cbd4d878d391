#include "common/net/resolve.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::net {
namespace {

TEST_CASE("an address is its own, and a name has those that the machine knows") {
  CHECK(*Resolve("127.0.0.1") == std::vector<std::string>{"127.0.0.1"});
  CHECK(*Resolve("[::1]") == std::vector<std::string>{"::1"});
  // Spellings of an address come out in the form that a policy reads.
  CHECK(*Resolve("0x7f.1") == std::vector<std::string>{"127.0.0.1"});
  auto local = Resolve("localhost");
  REQUIRE_OK(local);
  for (const std::string& address : *local) CHECK((address == "127.0.0.1" || address == "::1"));
}

TEST_CASE("a name without an address is named") {
  auto none = Resolve("no-such-host.invalid");
  CHECK(Reason(none.status()) == "SOURCE_UNREACHABLE");
  CHECK(std::string(none.status().message()).find("no-such-host.invalid") != std::string::npos);
}

}  // namespace
}  // namespace chartly::net
