#include "common/status/status.h"
#include "drone/fetch/source.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

struct World {
  World() {
    profile.id = "sensors";
    profile.source.type = SourceType::kWebhook;
  }
  std::unique_ptr<Source> Open(std::vector<Delivery> posted) {
    deliveries = std::move(posted);
    SourceDeps deps{*http, clock, ""};
    deps.deliveries = &deliveries;
    deps.deadline = deadline;
    auto source = OpenSource(profile, deps);
    REQUIRE_OK(source);
    return *std::move(source);
  }
  Profile profile;
  std::vector<Delivery> deliveries;
  absl::Time deadline = absl::InfiniteFuture();
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(net::EgressPolicy::AllowAll());
  FakeClock clock;
};

const absl::Time kThen = absl::FromUnixSeconds(1'700'000'000);

}  // namespace

TEST_CASE("each delivery of a webhook is a page with its id, type, bytes and time") {
  World world;
  auto source = world.Open({{"a", "text/csv", "x\n1\n", kThen}, {"b", "", "{}", kThen + absl::Seconds(1)}});
  auto first = source->Next(nullptr);
  REQUIRE_OK(first);
  REQUIRE(first->has_value());
  CHECK((*first)->number == 1);
  CHECK((*first)->uri == "webhook:sensors/a");
  CHECK((*first)->content_type == "text/csv");
  CHECK((*first)->fetched_at == kThen);
  CHECK(ReadAll(*(*first)->body, 100).value() == "x\n1\n");
  auto second = source->Next(nullptr);
  REQUIRE_OK(second);
  CHECK((*second)->uri == "webhook:sensors/b");
  CHECK((*second)->number == 2);
  CHECK(!source->Next(nullptr).value().has_value());
  CHECK(source->truncated_by().empty());
}

TEST_CASE("a large delivery is read in pieces that make its bytes") {
  World world;
  std::string body(1 << 20, 'x');
  body[300'000] = '\0';
  auto source = world.Open({{"a", "", body, kThen}});
  auto page = source->Next(nullptr);
  REQUIRE_OK(page);
  CHECK(ReadAll(*(*page)->body, 2 << 20).value() == body);
}

TEST_CASE("a delivery that alone is larger than the profile allows is refused by its id") {
  World world;
  world.profile.limits.max_bytes = 2;
  auto source = world.Open({{"a", "", "123", kThen}});
  absl::Status refused = source->Next(nullptr).status();
  CHECK(Reason(refused) == "SOURCE_TOO_LARGE");
  CHECK(Details(refused)["webhook_id"] == "a");
  CHECK(source->truncated_by().empty());
}

TEST_CASE("a webhook source ends when the time of its run is over") {
  World world;
  world.deadline = world.clock.Now() + absl::Seconds(1);
  auto source = world.Open({{"a", "", "1", kThen}, {"b", "", "2", kThen}});
  CHECK(source->Next(nullptr).value().has_value());
  world.clock.Advance(absl::Seconds(1));
  CHECK(!source->Next(nullptr).value().has_value());
  CHECK(source->truncated_by() == kRunTimeoutLimit);
}

}  // namespace chartly::drone
