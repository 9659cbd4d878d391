#include "common/net/http_client.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::net {
namespace {

EgressPolicy PolicyOf(const std::vector<std::string>& cidrs) {
  auto policy = EgressPolicy::Create(cidrs);
  REQUIRE_OK(policy);
  return *policy;
}

TEST_CASE("public addresses are allowed without asking") {
  std::string address =
      GENERATE(as<std::string>{}, "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
               "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8",
               "64:ff9b::808:808", "2002:808:808::1");
  INFO(address);
  CHECK(PolicyOf({}).Allows(address));
}

TEST_CASE("addresses that are not public are refused, also inside IPv6") {
  std::string address =
      GENERATE(as<std::string>{}, "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
               "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1",
               "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
               "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fd12::1", "fe80::1",
               "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
               "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
               "2002:7f00:1::1", "2002:a00:1::1", "::127.0.0.1", "100::1", "", "localhost", "127.1", "2130706433");
  INFO(address);
  CHECK_FALSE(PolicyOf({}).Allows(address));
}

TEST_CASE("a range opens what it contains and nothing beside it") {
  EgressPolicy policy = PolicyOf({"127.0.0.1", "10.1.0.0/16", "fd00:1::/32", "172.16.0.0/13"});
  CHECK(policy.Allows("127.0.0.1"));
  CHECK(policy.Allows("::ffff:127.0.0.1"));
  CHECK(policy.Allows("64:ff9b::7f00:1"));
  CHECK_FALSE(policy.Allows("127.0.0.2"));
  CHECK(policy.Allows("10.1.255.255"));
  CHECK_FALSE(policy.Allows("10.2.0.0"));
  CHECK(policy.Allows("fd00:1:ffff::1"));
  CHECK_FALSE(policy.Allows("fd00:2::1"));
  CHECK(policy.Allows("172.23.255.255"));
  CHECK_FALSE(policy.Allows("172.24.0.0"));
  CHECK(PolicyOf({"0.0.0.0/0"}).Allows("169.254.169.254"));
  CHECK_FALSE(PolicyOf({"0.0.0.0/0"}).Allows("::1"));
  CHECK(EgressPolicy::AllowAll().Allows("::1"));
}

TEST_CASE("what was opened is told from what is public anyway") {
  EgressPolicy policy = PolicyOf({"10.1.0.0/16"});
  CHECK(policy.Opens("10.1.2.3"));
  CHECK(policy.Opens("::ffff:10.1.2.3"));
  CHECK_FALSE(policy.Opens("93.184.216.34"));
  CHECK_FALSE(policy.Opens("not an address"));
  CHECK(PolicyOf({"93.184.216.0/24"}).Opens("93.184.216.34"));
}

TEST_CASE("ranges that everything must lie in close what is outside and open nothing") {
  auto policy =
      EgressPolicy::Create({"10.0.0.0/8"}, std::vector<std::string>{"10.1.0.0/16", "8.8.0.0/16", "127.0.0.1"});
  REQUIRE_OK(policy);
  CHECK(policy->Allows("8.8.8.8"));
  CHECK(policy->Allows("10.1.2.3"));
  CHECK(policy->Allows("::ffff:10.1.2.3"));
  CHECK_FALSE(policy->Allows("1.1.1.1"));
  CHECK_FALSE(policy->Allows("10.2.0.1"));
  CHECK_FALSE(policy->Opens("10.2.0.1"));
  CHECK_FALSE(policy->Allows("127.0.0.1"));
  CHECK_FALSE(policy->Allows("2606:4700::1111"));
  CHECK(policy->Refusal("1.1.1.1").find("consent file") != std::string::npos);
  CHECK(policy->Refusal("127.0.0.1").find("--egress-allow 127.0.0.1/32") != std::string::npos);
  auto closed = EgressPolicy::Create({}, std::vector<std::string>{});
  REQUIRE_OK(closed);
  CHECK_FALSE(closed->Allows("8.8.8.8"));
  CHECK(Reason(EgressPolicy::Create({}, std::vector<std::string>{"x"}).status()) == "CIDR_INVALID");
}

TEST_CASE("a range that is none is named in the error") {
  std::string text = GENERATE(as<std::string>{}, "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "localhost",
                              "10.0.0.0/8x", "10.0.0.0/");
  auto policy = EgressPolicy::Create({text});
  REQUIRE_FALSE(policy.ok());
  CHECK(Reason(policy.status()) == "CIDR_INVALID");
  CHECK(std::string(policy.status().message()).find("\"" + text + "\"") != std::string::npos);
}

}  // namespace
}  // namespace chartly::net
