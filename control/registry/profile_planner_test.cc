#include "control/registry/profile_planner.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "common/profile/profile_parser.h"
#include "control/registry/plan_text.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {
namespace {

// One drone that runs everything, and refuses what says so.
class OneDrone final : public AssignmentPreview {
 public:
  absl::StatusOr<std::vector<v1::PlannedDrone>> Preview(const v1::PreviewAssignmentsRequest& request) override {
    if (away) return Error(absl::StatusCode::kUnavailable, "PEER_AWAY", "the coordinator is away");
    v1::PlannedDrone drone;
    drone.set_drone_id(name);
    for (const std::string& id : moved) drone.add_changed(id);
    for (const v1::ProfileEdit& edit : request.edits()) {
      (edit.deleted() ? drone.add_lost() : drone.add_gained())->assign(edit.profile_id());
    }
    return std::vector<v1::PlannedDrone>{drone};
  }
  std::string name = "d1";
  std::vector<std::string> moved = {};  // beside what is planned
  bool away = false;
};

struct PlannerFixture : RegistryFixture {
  OneDrone drones;
  ProfilePlanner planner{registry.store(), *state, drones, clock};

  static v1::PlanProfilesRequest Texts(const std::vector<std::string>& texts, bool prune = false) {
    v1::PlanProfilesRequest request;
    request.set_prune(prune);
    for (const std::string& text : texts) {
      v1::ProfileText& profile = *request.add_profiles();
      profile.set_content(text);
      profile.set_filename(absl::StrCat(request.profiles_size(), ".yaml"));
    }
    return request;
  }
  absl::StatusOr<v1::ProfilePlan> Apply(const v1::ProfilePlan& plan, bool allow_breaking = false) {
    v1::ApplyProfilePlanRequest request;
    request.set_name(plan.name());
    request.set_allow_breaking(allow_breaking);
    return planner.Apply(request, "ann");
  }
  // "a create, b update"
  static std::string Actions(const v1::ProfilePlan& plan) {
    std::string text;
    for (const v1::PlannedProfile& profile : plan.profiles()) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", profile.profile_id(), " ", profile.action());
    }
    return text;
  }
};

TEST_CASE("a plan says what becomes of each profile and drone, and its execution does exactly that") {
  PlannerFixture fixture;
  for (const char* id : {"a", "b", "c"}) REQUIRE_OK(fixture.Create(ProfileText(id)));
  auto plan = fixture.planner.Plan(
      PlannerFixture::Texts({ProfileText("d"), ProfileText("b", "1.1.0"), ProfileText("a")}, /*prune=*/true));
  REQUIRE_OK(plan);
  CHECK(PlannerFixture::Actions(*plan) == "a 1, b 3, c 5, d 2");
  CHECK(plan->profiles(1).changes(0).path() == "version");
  CHECK(plan->profiles(1).compatibility().verdict() == v1::COMPATIBILITY_VERDICT_COMPATIBLE);
  REQUIRE(plan->drones_size() == 1);
  CHECK(plan->drones(0).gained_size() == 2);
  CHECK(plan->drones(0).lost(0) == "c");
  CHECK(fixture.Get("b")->version() == "1.0.0");
  REQUIRE_OK(fixture.Apply(*plan));
  CHECK(fixture.Get("b")->version() == "1.1.0");
  CHECK(fixture.Get("d").ok());
  CHECK(Reason(fixture.Get("c").status()) == "PROFILE_NOT_FOUND");
  auto again = fixture.Apply(*plan);
  REQUIRE_OK(again);
  CHECK(again->already_applied());
  CHECK(fixture.Get("b")->generation() == 2);
}

TEST_CASE("a plan for some projects deletes and tells of nothing else, whoever carries it out") {
  PlannerFixture fixture;
  const rpc::ProjectScope energy = rpc::ProjectScope::BoundTo({"energy"});
  for (const char* id : {"a", "energy.a", "energy.b", "water.a"}) REQUIRE_OK(fixture.Create(ProfileText(id)));
  fixture.drones.moved = {"a", "energy.b", "water.a"};
  const auto texts = PlannerFixture::Texts({ProfileText("energy.a", "1.1.0")}, /*prune=*/true);
  const auto plan = fixture.planner.Plan(texts, "keys/e", energy);
  REQUIRE_OK(plan);
  CHECK(PlannerFixture::Actions(*plan) == "energy.a 3, energy.b 5");
  REQUIRE(plan->drones_size() == 1);
  CHECK(std::vector<std::string>(plan->drones(0).changed().begin(), plan->drones(0).changed().end()) ==
        std::vector<std::string>{"energy.b"});
  CHECK(plan->drones(0).lost_size() == 1);
  v1::GetProfilePlanRequest get;
  get.set_name(plan->name());
  CHECK_OK(fixture.planner.Get(get, energy));
  CHECK(Reason(fixture.planner.Get(get, rpc::ProjectScope::BoundTo({"water"})).status()) == "PLAN_NOT_FOUND");
  v1::ApplyProfilePlanRequest apply;
  apply.set_name(plan->name());
  CHECK(Reason(fixture.planner.Apply(apply, "keys/w", rpc::ProjectScope::BoundTo({"water"})).status()) ==
        "PLAN_NOT_FOUND");
  REQUIRE_OK(fixture.planner.Apply(apply, "ann"));  // by somebody who may delete all
  CHECK(Reason(fixture.Get("energy.b").status()) == "PROFILE_NOT_FOUND");
  CHECK(fixture.Get("a").ok());
  CHECK(fixture.Get("water.a").ok());
  // A plan that was made for all tells of drones what is not for everyone.
  const auto wide = fixture.planner.Plan(PlannerFixture::Texts({ProfileText("energy.a", "1.2.0")}));
  get.set_name(wide->name());
  CHECK(Reason(fixture.planner.Get(get, energy).status()) == "PLAN_NOT_FOUND");
  CHECK(Reason(fixture.planner.Plan(PlannerFixture::Texts({ProfileText("water.a", "1.1.0")}), "keys/e", energy)
                   .status()) == "PROJECT_NOT_YOURS");
}

TEST_CASE("the same plan has the same hash, of its canonical text") {
  PlannerFixture fixture;
  auto first = fixture.planner.Plan(PlannerFixture::Texts({ProfileText("b"), ProfileText("a")}));
  fixture.clock.Advance(absl::Minutes(1));
  v1::PlanProfilesRequest request = PlannerFixture::Texts({ProfileText("a"), ProfileText("b")});
  auto second = fixture.planner.Plan(request);
  REQUIRE_OK(first);
  REQUIRE_OK(second);
  CHECK(first->hash() == second->hash());
  CHECK(CanonicalPlan(request, *second) ==
        absl::StrCat("chartly-plan-v1\nchannel -\nprune no\norigin - clean\nprofile a create - ",
                     ContentHash(ProfileText("a")), " prod -\nprofile b create - ", ContentHash(ProfileText("b")),
                     " prod -\ndrone d1 gained a,b lost - changed - refused -\n"));
  v1::GetProfilePlanRequest get;
  get.set_name(second->name());
  CHECK(fixture.planner.Get(get)->profiles_size() == 2);
}

TEST_CASE("whatever drifted since is named, and nothing is applied") {
  PlannerFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("a")));
  auto plan = fixture.planner.Plan(PlannerFixture::Texts({ProfileText("a", "1.1.0"), ProfileText("b")}));
  REQUIRE_OK(plan);
  SECTION("a profile changed") {
    REQUIRE_OK(fixture.Update("a", ProfileText("a", "1.0.1")));
    absl::Status refused = fixture.Apply(*plan).status();
    CHECK(Reason(refused) == "PLAN_DRIFTED");
    CHECK(testing::Says(refused, "profile a was at 1.0.0"));
    CHECK(testing::Says(refused, "is at 1.0.1"));
  }
  SECTION("a profile was deleted") {
    REQUIRE_OK(fixture.Delete("a"));
    CHECK(testing::Says(fixture.Apply(*plan).status(), "is absent"));
  }
  SECTION("another drone would do it") {
    fixture.drones.name = "d2";
    absl::Status refused = fixture.Apply(*plan).status();
    CHECK(testing::Says(refused, "what drone d1 gains"));
    CHECK(testing::Says(refused, "what drone d2 gains"));
  }
  SECTION("the drones cannot be asked any more") {
    fixture.drones.away = true;
    CHECK(testing::Says(fixture.Apply(*plan).status(), "drones are not known now"));
  }
  CHECK(Reason(fixture.Get("b").status()) == "PROFILE_NOT_FOUND");
}

TEST_CASE("a version taken meanwhile by other content stops the whole plan") {
  PlannerFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("b")));
  auto plan = fixture.planner.Plan(PlannerFixture::Texts({ProfileText("a"), ProfileText("b", "1.1.0")}));
  REQUIRE_OK(plan);
  REQUIRE_OK(fixture.Update("b", ProfileText("b", "1.1.0", "other")));
  CHECK(Reason(fixture.Apply(*plan).status()) == "PROFILE_VERSION_REUSED");
  CHECK(Reason(fixture.Get("a").status()) == "PROFILE_NOT_FOUND");
}

TEST_CASE("a breaking plan is applied with consent only") {
  PlannerFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("a")));
  auto plan = fixture.planner.Plan(PlannerFixture::Texts(
      {absl::StrReplaceAll(ProfileText("a", "1.1.0"), {{"  note: attrs.note\n", ""}}), ProfileText("b")}));
  REQUIRE_OK(plan);
  CHECK(plan->verdict() == v1::COMPATIBILITY_VERDICT_BREAKING);
  CHECK(Reason(fixture.Apply(*plan).status()) == "PROFILE_BREAKING");
  CHECK(Reason(fixture.Get("b").status()) == "PROFILE_NOT_FOUND");
  CHECK_OK(fixture.Apply(*plan, true));
}

TEST_CASE("a plan is forgotten after a day, and 32 newer ones push it out") {
  PlannerFixture fixture;
  auto plan = fixture.planner.Plan(PlannerFixture::Texts({ProfileText("a")}));
  REQUIRE_OK(plan);
  SECTION("a day") { fixture.clock.Advance(absl::Hours(24)); }
  SECTION("32 newer ones") {
    for (int i = 0; i < 32; ++i) {
      fixture.clock.Advance(absl::Seconds(1));
      REQUIRE_OK(fixture.planner.Plan(PlannerFixture::Texts({ProfileText(absl::StrCat("p", i))})));
    }
  }
  CHECK(Reason(fixture.Apply(*plan).status()) == "PLAN_NOT_FOUND");
}

TEST_CASE("plans that cannot be meant are refused") {
  PlannerFixture fixture;
  CHECK(Reason(fixture.planner.Plan(PlannerFixture::Texts({}, true)).status()) == "PLAN_EMPTY");
  CHECK(Reason(fixture.planner.Plan(PlannerFixture::Texts({ProfileText("a"), ProfileText("a")})).status()) ==
        "PLAN_PROFILE_TWICE");
  absl::Status faulty =
      fixture.planner.Plan(PlannerFixture::Texts({"id: [", ProfileText("a"), "nonsense: 1"})).status();
  CHECK(Reason(faulty) == "PROFILE_INVALID");
  CHECK(testing::Says(faulty, "1.yaml:"));
  CHECK(testing::Says(faulty, "3.yaml:"));
  v1::ApplyProfilePlanRequest apply;
  apply.set_name("plans/sha256:1");
  CHECK(Reason(fixture.planner.Apply(apply, "").status()) == "NAME_INVALID");
}

TEST_CASE("texts with signatures are signed in the transaction that applies them") {
  PlannerFixture fixture;
  v1::PlanProfilesRequest request = PlannerFixture::Texts({ProfileText("a")});
  v1::ProfileSignature& signature = *request.mutable_profiles(0)->add_signatures();
  signature.set_key_id("0123456789abcdef");
  signature.set_signature(std::string(64, 's'));
  signature.set_counter(1);
  request.mutable_origin()->set_commit("c0ffee");
  auto plan = fixture.planner.Plan(request);
  REQUIRE_OK(plan);
  CHECK(plan->profiles(0).key_ids(0) == "0123456789abcdef");
  REQUIRE_OK(fixture.Apply(*plan));
  CHECK(fixture.Get("a")->signatures_size() == 1);
  CHECK(fixture.Get("a")->origin().commit() == "c0ffee");
  signature.set_counter(2);
  plan = fixture.planner.Plan(request);
  CHECK(PlannerFixture::Actions(*plan) == "a 4");
  REQUIRE_OK(fixture.Apply(*plan));
  CHECK(fixture.Get("a")->signatures(0).counter() == 2);
}

}  // namespace
}  // namespace chartly::registry
