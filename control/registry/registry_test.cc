#include "control/registry/registry.h"

#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "common/profile/profile_parser.h"
#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {

TEST_CASE("a created profile has the fields of its text and its content hash as revision") {
  RegistryFixture fixture;
  const std::string text = ProfileText("gdp");
  auto created = fixture.Create(text);
  REQUIRE_OK(created);
  CHECK(created->name() == "profiles/gdp");
  CHECK(created->display_name() == "Name of gdp");
  CHECK(created->revision() == ContentHash(text));
  CHECK(created->content() == text);
  CHECK(created->labels().at("domain") == "test");
  CHECK(created->enabled());
  CHECK(created->interval().seconds() == 3600);
  CHECK(created->jitter().seconds() == 10);
  CHECK(created->generation() == 1);
  CHECK(created->create_time().seconds() == absl::ToUnixSeconds(fixture.clock.Now()));
  auto got = fixture.Get("gdp");
  REQUIRE_OK(got);
  CHECK(got->SerializeAsString() == created->SerializeAsString());
}

TEST_CASE("the same content again returns what is there, other content under the id is refused") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  auto again = fixture.Create(ProfileText("gdp"));
  REQUIRE_OK(again);
  CHECK(again->generation() == 1);
  auto other = fixture.Create(ProfileText("gdp", "1.1.0"));
  CHECK(other.status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(absl::StrContains(other.status().message(), "PUT /api/profiles/gdp"));
}

TEST_CASE("every fault of a text is in the error, with file and line, and nothing is stored") {
  RegistryFixture fixture;
  std::string bad = ProfileText("gdp");
  bad = "nonsense: 1\n" + bad + "zweck: 2\n";
  auto created = fixture.Create(bad);
  CHECK(Reason(created.status()) == "PROFILE_INVALID");
  CHECK(absl::StrContains(created.status().message(), "test.yaml:1:"));
  CHECK(absl::StrContains(created.status().message(), "zweck"));
  CHECK(absl::StrContains(created.status().message(), "\n"));
  CHECK(absl::IsNotFound(fixture.Get("gdp").status()));

  v1::ValidateProfileRequest request;
  request.set_content(bad);
  auto checked = fixture.registry.Validate(request);
  REQUIRE_OK(checked);
  CHECK_FALSE(checked->valid());
  REQUIRE(checked->faults_size() == 2);
  CHECK(checked->faults(0).line() == 1);
  CHECK(checked->revision().empty());
  request.set_content(ProfileText("gdp"));
  CHECK(fixture.registry.Validate(request)->revision() == ContentHash(ProfileText("gdp")));
}

TEST_CASE("validate_only checks conflicts too and stores nothing") {
  RegistryFixture fixture;
  v1::CreateProfileRequest request;
  request.set_content(ProfileText("gdp"));
  request.set_validate_only(true);
  CHECK_OK(fixture.registry.Create(request, "ann"));
  CHECK(Reason(fixture.Get("gdp").status()) == "PROFILE_NOT_FOUND");
  REQUIRE_OK(fixture.Create(ProfileText("gdp", "2.0.0")));
  CHECK(Reason(fixture.registry.Create(request, "ann").status()) == "PROFILE_EXISTS");
}

TEST_CASE("revisions are immutable, listed newest first, and found by hash and by version") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.0.0")));  // PUT of an unknown id creates
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.1.0", "better")));
  auto reused = fixture.Update("gdp", ProfileText("gdp", "1.0.0", "sneaky"));
  CHECK(reused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Reason(reused.status()) == "PROFILE_VERSION_REUSED");
  auto same = fixture.Update("gdp", ProfileText("gdp", "1.1.0", "better"));
  CHECK(same->generation() == 2);
  auto rolled_back = fixture.Update("gdp", ProfileText("gdp", "1.0.0"));
  REQUIRE_OK(rolled_back);
  CHECK(rolled_back->generation() == 3);

  v1::ListProfileRevisionsRequest request;
  request.set_parent("profiles/gdp");
  request.set_page_size(2);
  auto page = fixture.registry.ListRevisions(request);
  REQUIRE_OK(page);
  REQUIRE(page->revisions_size() == 2);
  CHECK(page->revisions(0).version() == "1.0.0");
  CHECK(page->revisions(1).version() == "1.1.0");
  request.set_page_token(page->next_page_token());
  page = fixture.registry.ListRevisions(request);
  REQUIRE(page->revisions_size() == 1);
  CHECK(page->revisions(0).generation() == 1);
  CHECK(page->next_page_token().empty());

  const std::string better = ContentHash(ProfileText("gdp", "1.1.0", "better"));
  CHECK(fixture.Get("gdp@" + better)->description() == "better");
  CHECK(fixture.Get("gdp@1.1.0")->revision() == better);
  CHECK(Reason(fixture.Get("gdp@9.9.9").status()) == "REVISION_NOT_FOUND");
  CHECK(Reason(fixture.Get("other@1.1.0").status()) == "PROFILE_NOT_FOUND");
}

TEST_CASE("a text whose id is not the name of the request is refused") {
  RegistryFixture fixture;
  CHECK(Reason(fixture.Update("gdp", ProfileText("other")).status()) == "PROFILE_ID_MISMATCH");
}

TEST_CASE("a name that is not profiles/{id} is refused") {
  RegistryFixture fixture;
  std::string name = GENERATE("", "gdp", "profiles/", "profiles/A", "profiles/../x", "profile/x", "profiles/x/y",
                              "profiles/x@", "profiles/x@a/b", "profiles/%00");
  v1::GetProfileRequest request;
  request.set_name(name);
  INFO(name);
  CHECK(Reason(fixture.registry.Get(request).status()) == "NAME_INVALID");
  v1::DeleteProfileRequest with_reference;
  with_reference.set_name("profiles/x@1.0.0");
  CHECK(Reason(fixture.registry.Delete(with_reference, "ann")) == "NAME_INVALID");
}

TEST_CASE("a deleted profile is out of use, its revisions stay, and it can be brought back") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.Pause("gdp", "broken"));
  REQUIRE_OK(fixture.Delete("gdp"));
  CHECK(Reason(fixture.Delete("gdp")) == "PROFILE_NOT_FOUND");
  CHECK(absl::StrContains(fixture.Get("gdp").status().message(), "was deleted"));
  CHECK(fixture.registry.List({})->profiles_size() == 0);
  CHECK_OK(fixture.Get("gdp@1.0.0"));
  CHECK(Reason(fixture.Create(ProfileText("gdp", "1.0.0", "sneaky")).status()) == "PROFILE_VERSION_REUSED");
  auto back = fixture.Create(ProfileText("gdp"));
  REQUIRE_OK(back);
  CHECK(back->generation() == 4);
  CHECK_FALSE(back->paused());
}

TEST_CASE("pause and schedule override the text, a pause outlives the next revision, a schedule does not") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  fixture.clock.Advance(absl::Seconds(60));
  auto paused = fixture.Pause("gdp", "source is down");
  REQUIRE_OK(paused);
  CHECK(paused->paused());
  CHECK(paused->update_time().seconds() == paused->create_time().seconds() + 60);
  CHECK(fixture.Pause("gdp", "again")->pause_reason() == "source is down");
  auto scheduled = fixture.SetSchedule("gdp", "90s", "500ms");
  REQUIRE_OK(scheduled);
  CHECK(scheduled->interval().seconds() == 90);
  CHECK(scheduled->jitter().nanos() == 500000000);
  CHECK(fixture.SetSchedule("gdp", "90s")->generation() == scheduled->generation());
  v1::SetProfileScheduleRequest off;
  off.set_name("profiles/gdp");
  off.set_enabled(false);
  auto switched = fixture.registry.SetSchedule(off);
  CHECK_FALSE(switched->enabled());
  CHECK(switched->interval().seconds() == 90);
  for (const char* bad : {"0s", "500ms", "soon", "-1s"}) {
    INFO(bad);
    CHECK(Reason(fixture.SetSchedule("gdp", bad).status()) == "SCHEDULE_INVALID");
  }
  auto next = fixture.Update("gdp", ProfileText("gdp", "1.1.0"));
  REQUIRE_OK(next);
  CHECK(next->paused());
  CHECK(next->interval().seconds() == 3600);
  CHECK(next->enabled());
  v1::ResumeProfileRequest resume;
  resume.set_name("profiles/gdp");
  CHECK_FALSE(fixture.registry.Resume(resume)->paused());
  CHECK(fixture.Get("gdp@1.0.0")->interval().seconds() == 3600);
}

TEST_CASE("a diff tells each changed field, by default from the revision before the current") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  REQUIRE_OK(fixture.Update("gdp", ProfileText("gdp", "1.1.0", "better")));
  v1::DiffProfileRequest request;
  request.set_name("profiles/gdp");
  auto diff = fixture.registry.Diff(request);
  REQUIRE_OK(diff);
  CHECK(diff->base() == ContentHash(ProfileText("gdp")));
  REQUIRE(diff->changes_size() == 2);
  CHECK(diff->changes(0).path() == "description");
  CHECK(diff->changes(0).before() == "plain");
  CHECK(diff->changes(0).after() == "better");
  CHECK(diff->changes(1).path() == "version");
  request.set_base("1.1.0");
  request.set_target(diff->base());
  CHECK(fixture.registry.Diff(request)->changes(0).after() == "plain");
}

TEST_CASE("the fields of a profile are listed by role") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  v1::GetProfileFieldsRequest request;
  request.set_name("profiles/gdp");
  auto fields = fixture.registry.Fields(request);
  REQUIRE_OK(fields);
  CHECK(std::vector<std::string>(fields->dims().begin(), fields->dims().end()) ==
        std::vector<std::string>{"geo.country", "time.year"});
  REQUIRE(fields->measures_size() == 1);
  CHECK(fields->measures(0) == "gdp");
  CHECK(fields->attrs_size() == 1);
  CHECK(fields->key_size() == 1);
}

TEST_CASE("profiles are listed by id in pages, and are there after a restart") {
  RegistryFixture fixture;
  for (const char* id : {"b", "a", "c"}) REQUIRE_OK(fixture.Create(ProfileText(id)));
  fixture.state.reset();
  fixture.state = OpenEmbeddedStateStore(fixture.dir.File("s"), fixture.clock).value();
  Registry registry(*fixture.state, fixture.clock);
  v1::ListProfilesRequest request;
  request.set_page_size(2);
  auto page = registry.List(request);
  REQUIRE_OK(page);
  REQUIRE(page->profiles_size() == 2);
  CHECK(page->profiles(0).id() == "a");
  CHECK(page->profiles(1).content() == ProfileText("b"));
  request.set_page_token(page->next_page_token());
  page = registry.List(request);
  REQUIRE(page->profiles_size() == 1);
  CHECK(page->next_page_token().empty());
}

TEST_CASE("racing writers of one profile each get a generation of their own") {
  RegistryFixture fixture;
  REQUIRE_OK(fixture.Create(ProfileText("gdp")));
  std::vector<std::thread> writers;
  std::atomic<int> done{0};
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 5; ++i) {
        if (fixture.Update("gdp", ProfileText("gdp", absl::StrCat(writer + 2, ".", i, ".0"))).ok()) ++done;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(done == 20);
  CHECK(fixture.Get("gdp")->generation() == 21);
}

}  // namespace chartly::registry
