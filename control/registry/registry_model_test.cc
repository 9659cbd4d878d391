// Channels and plans against a model: random operations on a few profiles, and after each of them the registry must say
// what a few lines of plain code say. Another registry on the same store says the same.
#include <array>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "control/registry/channels.h"
#include "control/registry/profile_planner.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {
namespace {

class NoDrones final : public AssignmentPreview {
 public:
  absl::StatusOr<std::vector<v1::PlannedDrone>> Preview(const v1::PreviewAssignmentsRequest&) override {
    return std::vector<v1::PlannedDrone>();
  }
};

// Revisions are numbers: version 1.0.N. A slot without a value points to nothing.
struct ModelProfile {
  bool live = false;
  bool in_use = false;
  std::array<std::optional<int>, 3> at;                    // dev, staging, prod; without channels, prod alone
  std::array<std::optional<int>, 3> made_when_pointed_to;  // of what `at` has

  void Move(int channel, int revision, int order) {
    at[channel] = revision;
    made_when_pointed_to[channel] = order;
  }
  void Apply(int revision, bool enter, int order) {
    if (!live) *this = ModelProfile{.live = true};
    if (in_use ? at[0] == revision : at[2] == revision && !enter) return;
    if (enter && !in_use) {
      in_use = true;
      if (at[2]) {
        for (int channel : {0, 1}) {
          at[channel] = at[2];
          made_when_pointed_to[channel] = made_when_pointed_to[2];
        }
      }
    }
    Move(in_use ? 0 : 2, revision, order);
  }
  bool Promote(int channel) {
    if (!live || !in_use || !at[channel - 1]) return false;
    if (at[channel] == at[channel - 1]) return true;
    if (at[channel] && *made_when_pointed_to[channel] >= *made_when_pointed_to[channel - 1]) return false;
    Move(channel, *at[channel - 1], *made_when_pointed_to[channel - 1]);
    return true;
  }
  std::string Text() const {
    if (!live) return "PROFILE_NOT_FOUND";
    std::string text;
    const char* names[] = {kDev, kStaging, kProd};
    for (int channel = 0; channel < 3; ++channel) {
      if (at[channel]) absl::StrAppend(&text, text.empty() ? "" : ", ", names[channel], " 1.0.", *at[channel]);
    }
    return text;
  }
};

class ModelTest {
 public:
  explicit ModelTest(uint32_t seed) : random_(seed) {}

  void Step() {
    const std::string id(1, static_cast<char>('a' + Pick(3)));
    switch (Pick(8)) {
      case 0:
      case 1:
      case 2:
        return Apply(id, Pick(6), Pick(3) == 0);
      case 3:
      case 4:
        return Promote(id, 1 + Pick(2));
      case 5:
        return Pick(4) == 0 ? Delete(id) : Reopen();
      case 6:
        return Plan(/*drift=*/false);
      default:
        return Plan(/*drift=*/true);
    }
  }
  void Check() {
    for (const char* id : {"a", "b", "c"}) {
      INFO(id);
      REQUIRE(Live().Channels(id) == model_[id].Text());
      // What runs is what prod has.
      auto running = Live().Get(absl::StrCat(id, "@prod"));
      REQUIRE(running.ok() == (model_[id].live && model_[id].at[2].has_value()));
      if (running.ok()) REQUIRE(running->version() == absl::StrCat("1.0.", *model_[id].at[2]));
    }
  }

 private:
  struct Opened : RegistryFixture {
    NoDrones none;
    ProfilePlanner planner{registry.store(), *state, none, clock};
  };
  Opened& Live() { return *opened_; }
  int Pick(int below) { return static_cast<int>(random_() % below); }
  static std::string Text(const std::string& id, int revision) {
    return ProfileText(id, absl::StrCat("1.0.", revision));
  }
  void Apply(const std::string& id, int revision, bool enter) {
    REQUIRE_OK(Live().UpdateAt(id, Text(id, revision), enter ? "dev" : ""));
    model_[id].Apply(revision, enter, ++order_);
  }
  void Promote(const std::string& id, int channel) {
    REQUIRE(Live().Promote(id, channel == 1 ? kStaging : kProd).ok() == model_[id].Promote(channel));
  }
  void Delete(const std::string& id) {
    REQUIRE(Live().Delete(id).ok() == model_[id].live);
    model_[id].live = false;
  }
  // A registry keeps nothing in memory: another one on the same store says the same.
  void Reopen() {
    Registry other(*Live().state, Live().clock);
    v1::GetProfileChannelsRequest request;
    request.set_name("profiles/a");
    REQUIRE(other.Channels(request).ok() == model_["a"].live);
  }
  void Plan(bool drift) {
    v1::PlanProfilesRequest request;
    request.set_prune(Pick(3) == 0);
    std::map<std::string, int> texts;
    for (const char* id : {"a", "b", "c"}) {
      if (Pick(2) == 0) texts[id] = Pick(6);
    }
    if (texts.empty()) return;
    for (const auto& [id, revision] : texts) request.add_profiles()->set_content(Text(id, revision));
    auto plan = Live().planner.Plan(request);
    REQUIRE_OK(plan);
    if (drift) Apply(texts.begin()->first, Pick(6), false);
    std::map<std::string, ModelProfile> after = model_;
    for (const auto& [id, revision] : texts) after[id].Apply(revision, false, ++order_);
    for (auto& [id, profile] : after) {
      if (request.prune() && texts.count(id) == 0) profile.live = false;
    }
    v1::ApplyProfilePlanRequest apply;
    apply.set_name(plan->name());
    absl::Status applied = Live().planner.Apply(apply, "ann").status();
    // All of it or, if something drifted, nothing.
    INFO(applied.ToString());
    if (!drift) REQUIRE(applied.ok());
    if (!applied.ok()) REQUIRE(Reason(applied) == "PLAN_DRIFTED");
    if (applied.ok()) model_ = std::move(after);
  }

  std::mt19937 random_;
  std::unique_ptr<Opened> opened_ = std::make_unique<Opened>();
  std::map<std::string, ModelProfile> model_{{"a", {}}, {"b", {}}, {"c", {}}};
  int order_ = 0;
};

TEST_CASE("channels and plans do what a model of them does") {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    ModelTest test(seed);
    for (int step = 0; step < 60; ++step) {
      INFO("step " << step);
      test.Step();
      test.Check();
    }
  }
}

}  // namespace
}  // namespace chartly::registry
