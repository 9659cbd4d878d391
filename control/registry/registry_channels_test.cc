#include <string>

#include "absl/strings/str_replace.h"
#include "common/profile/profile_parser.h"
#include "control/registry/channels.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {
namespace {

std::string Lossy(const std::string& text) { return absl::StrReplaceAll(text, {{"  note: attrs.note\n", ""}}); }

v1::ProfileSignature SignatureOf(int64_t counter, char fill = 's') {
  v1::ProfileSignature signature;
  signature.set_key_id("0123456789abcdef");
  signature.set_signature(std::string(64, fill));
  signature.set_counter(counter);
  return signature;
}

TEST_CASE("without channels, what is applied runs at once and prod alone is listed") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.1.0")));
  CHECK(fixture.Channels("gdp") == "prod 1.1.0");
  CHECK(fixture.Get("gdp")->version() == "1.1.0");
  CHECK(fixture.Get("gdp@staging")->version() == "1.1.0");
  CHECK_FALSE(fixture.Get("gdp")->uses_channels());
  CHECK(Reason(fixture.Promote("gdp", "staging").status()) == "CHANNELS_NOT_IN_USE");
}

TEST_CASE("a revision goes from dev over staging to prod, and only then it runs") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  auto applied = fixture.UpdateAt("gdp", ProfileText("gdp", "1.1.0"), "dev");
  REQUIRE_OK(applied);
  CHECK(applied->version() == "1.1.0");
  CHECK(applied->channels(0) == "dev");
  CHECK(fixture.Channels("gdp") == "dev 1.1.0, staging 1.0.0, prod 1.0.0");
  CHECK(fixture.Get("gdp")->version() == "1.0.0");
  CHECK(Reason(fixture.Promote("gdp", "dev").status()) == "CHANNEL_INVALID");
  REQUIRE_OK(fixture.Promote("gdp", "prod"));  // what staging has is there already
  CHECK(fixture.Get("gdp")->version() == "1.0.0");
  REQUIRE_OK(fixture.Promote("gdp", "staging"));
  CHECK(fixture.Get("gdp@staging")->version() == "1.1.0");
  CHECK(fixture.Get("gdp@prod")->version() == "1.0.0");
  REQUIRE_OK(fixture.Promote("gdp", "prod"));
  CHECK(fixture.Get("gdp")->version() == "1.1.0");
  CHECK(fixture.Get("gdp")->channels_size() == 3);
  // From now on a plain update enters at dev, too.
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.2.0")));
  CHECK(fixture.Channels("gdp") == "dev 1.2.0, staging 1.1.0, prod 1.1.0");
}

TEST_CASE("a promotion can name what it expects to find") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.UpdateAt("gdp", ProfileText("gdp", "1.1.0"), "dev"));
  v1::PromoteProfileRequest request;
  request.set_name("profiles/gdp");
  request.set_channel("staging");
  request.set_revision("1.0.0");
  CHECK(Reason(fixture.registry.Promote(request, "bob").status()) == "CHANNEL_HAS_ANOTHER");
  request.set_revision(ContentHash(ProfileText("gdp", "1.1.0")));
  CHECK_OK(fixture.registry.Promote(request, "bob"));
}

TEST_CASE("a profile that was never in prod is kept and does not run") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.UpdateAt("gdp", ProfileText("gdp"), "dev"));
  CHECK(fixture.Channels("gdp") == "dev 1.0.0");
  CHECK(fixture.Get("gdp")->unreleased());
  CHECK(Reason(fixture.Get("gdp@prod").status()) == "CHANNEL_EMPTY");
  CHECK(Reason(fixture.Promote("gdp", "prod").status()) == "CHANNEL_EMPTY");
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.1.0")));
  CHECK(fixture.Get("gdp")->version() == "1.1.0");
  REQUIRE_OK(fixture.Promote("gdp", "staging"));
  REQUIRE_OK(fixture.Promote("gdp", "prod"));
  CHECK_FALSE(fixture.Get("gdp")->unreleased());
  CHECK(fixture.Get("gdp@prod")->version() == "1.1.0");
}

TEST_CASE("rollbacks need a reason, go back one revision each, and stay in the history") {
  RegistryFixture fixture;
  bool channels = GENERATE(false, true);
  for (const char* version : {"1.0.0", "1.1.0", "1.2.0"}) {
    REQUIRE_OK(fixture.UpdateAt("gdp", ProfileText("gdp", version), channels ? "dev" : ""));
    if (!channels) continue;
    REQUIRE_OK(fixture.Promote("gdp", "staging"));
    REQUIRE_OK(fixture.Promote("gdp", "prod"));
  }
  v1::RollBackProfileRequest without;
  without.set_name("profiles/gdp");
  CHECK(Reason(fixture.registry.RollBack(without, "bob").status()) == "REASON_INVALID");
  REQUIRE_OK(fixture.RollBack("gdp"));
  CHECK(fixture.Get("gdp")->version() == "1.1.0");
  REQUIRE_OK(fixture.RollBack("gdp"));
  CHECK(fixture.Get("gdp")->version() == "1.0.0");
  CHECK(Reason(fixture.RollBack("gdp").status()) == "CHANNEL_AT_ITS_FIRST");
  REQUIRE_OK(fixture.RollBack("gdp", "prod", "1.2.0"));
  CHECK(fixture.Get("gdp")->version() == "1.2.0");
  v1::ListChannelMovesRequest request;
  request.set_parent("profiles/gdp");
  auto history = fixture.registry.ListMoves(request);
  REQUIRE_OK(history);
  CHECK(history->moves_size() == (channels ? 9 + 3 : 3 + 3));
  const v1::ChannelMove& last = history->moves(0);
  CHECK(last.kind() == v1::CHANNEL_MOVE_KIND_ROLLBACK);
  CHECK(last.from_version() == "1.0.0");
  CHECK(last.to_version() == "1.2.0");
  CHECK(last.actor() == "bob");
  CHECK(last.reason() == "it was wrong");
}

TEST_CASE("promotion goes forward only, and rollback only to what the channel had") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.UpdateAt("gdp", ProfileText("gdp", "1.1.0"), "dev"));
  REQUIRE_OK(fixture.Promote("gdp", "staging"));
  CHECK(Reason(fixture.RollBack("gdp", "prod", "1.1.0").status()) == "CHANNEL_NEVER_HAD_IT");
  CHECK(Reason(fixture.RollBack("gdp", "canary").status()) == "CHANNEL_INVALID");
  REQUIRE_OK(fixture.RollBack("gdp", "dev"));
  CHECK(Reason(fixture.Promote("gdp", "staging").status()) == "CHANNEL_BACKWARDS");
  // Applying the old text anew makes a new revision of it, which may go forward.
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.2.0")));
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.0.0")));
  CHECK_OK(fixture.Promote("gdp", "staging"));
  CHECK(fixture.Channels("gdp") == "dev 1.0.0, staging 1.0.0, prod 1.0.0");
}

TEST_CASE("what breaks the records needs consent where it is applied and where it is promoted") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  CHECK(Reason(fixture.Update("gdp", Lossy(ProfileText("gdp", "1.1.0"))).status()) == "PROFILE_BREAKING");
  CHECK(fixture.Get("gdp")->version() == "1.0.0");
  REQUIRE_OK(fixture.UpdateAt("gdp", Lossy(ProfileText("gdp", "1.1.0")), "dev", true));
  CHECK(Reason(fixture.Promote("gdp", "staging").status()) == "PROFILE_BREAKING");
  REQUIRE_OK(fixture.Promote("gdp", "staging", true));
  v1::DiffProfileRequest diff;
  diff.set_name("profiles/gdp");
  diff.set_base("prod");
  diff.set_target("staging");
  CHECK(fixture.registry.Diff(diff)->compatibility().verdict() == v1::COMPATIBILITY_VERDICT_BREAKING);
}

TEST_CASE("a pause holds over a promotion, and a deleted profile forgets its channels") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.UpdateAt("gdp", ProfileText("gdp", "1.1.0"), "dev"));
  REQUIRE_OK(fixture.Pause("gdp", "source is down"));
  REQUIRE_OK(fixture.Promote("gdp", "staging"));
  REQUIRE_OK(fixture.Promote("gdp", "prod"));
  CHECK(fixture.Get("gdp")->paused());
  REQUIRE_OK(fixture.Delete("gdp"));
  CHECK(fixture.Channels("gdp") == "PROFILE_NOT_FOUND");
  REQUIRE_OK(fixture.Create(ProfileText("gdp", "2.0.0")));
  CHECK(fixture.Channels("gdp") == "prod 2.0.0");
  CHECK(Reason(fixture.RollBack("gdp", "dev").status()) == "CHANNEL_AT_ITS_FIRST");
}

TEST_CASE("signatures lie beside their revision and come with it wherever it runs") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  v1::SignProfileRequest request;
  request.set_name("profiles/gdp");
  request.set_revision("1.0.0");
  *request.mutable_signature() = SignatureOf(5);
  auto signed_revision = fixture.registry.Sign(request, "ann");
  REQUIRE_OK(signed_revision);
  CHECK(signed_revision->signatures(0).counter() == 5);
  CHECK(fixture.Get("gdp")->signatures_size() == 1);
  CHECK(fixture.Get("gdp")->generation() == 2);
  CHECK_OK(fixture.registry.Sign(request, "ann"));
  CHECK(fixture.Get("gdp")->generation() == 2);
  *request.mutable_signature() = SignatureOf(4, 'o');
  CHECK(Reason(fixture.registry.Sign(request, "ann").status()) == "SIGNATURE_OLDER");
  request.mutable_signature()->set_signature("short");
  CHECK(Reason(fixture.registry.Sign(request, "ann").status()) == "SIGNATURE_MALFORMED");
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.1.0")));
  CHECK(fixture.Get("gdp")->signatures_size() == 0);
  REQUIRE_OK(fixture.RollBack("gdp"));
  CHECK(fixture.Get("gdp")->signatures(0).counter() == 5);
  CHECK(fixture.Get("gdp@1.0.0")->signatures_size() == 1);
}

}  // namespace
}  // namespace chartly::registry
