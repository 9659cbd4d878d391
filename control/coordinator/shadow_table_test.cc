#include "control/coordinator/shadow_table.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

std::string Text(const std::string& version, const std::string& url = "https://a.example/rows") {
  return absl::StrCat("id: p\nversion: ", version, "\nsource: {type: http_rest, url: \"", url,
                      "\", format: json}\nmapping: {a: dims.a}\n");
}

struct Fixture {
  Fixture() {
    store = OpenEmbeddedStateStore(dir.File("state"), clock).value();
    Open();
  }
  void Open() {
    table = std::make_unique<ShadowTable>();
    REQUIRE_OK(table->Load(*store));
  }
  void Write() {
    StateTransaction transaction;
    table->AddTo(transaction);
    REQUIRE_OK(store->Commit(transaction));
    table->Written();
  }
  absl::StatusOr<v1::Shadow> Ask(const std::string& text) {
    v1::ShadowProfileRequest request;
    request.set_content(text);
    return table->Ask("p", request, Text("1.0.0"), clock.Now());
  }
  v1::RunOrder Order(const std::string& run, const std::string& content = Text("1.0.0")) {
    v1::RunOrder order;
    order.set_run_id(run);
    order.set_profile_id("p");
    order.set_content(content);
    table->AddTo(order, "d1", clock.Now());
    return order;
  }
  bool Finished(const std::string& run, const v1::ShadowResult* result = nullptr) {
    v1::RunProgress progress;
    progress.set_run_id(run);
    progress.set_finished(true);
    if (result != nullptr) *progress.mutable_shadow() = *result;
    return table->TakeProgress("p", progress, clock.Now());
  }
  v1::ShadowState State() { return table->Get("p")->state(); }

  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<ShadowTable> table;
};

TEST_CASE("the next run tries a text once, and what it found is kept over a restart") {
  Fixture fixture;
  CHECK(Reason(fixture.table->Get("p").status()) == "SHADOW_NOT_FOUND");
  REQUIRE_OK(fixture.Ask(Text("1.1.0")));
  v1::RunOrder order = fixture.Order("r1");
  CHECK(order.shadow().content() == Text("1.1.0"));
  // An order is repeated until the drone tells of it; another run is not given the text.
  CHECK(fixture.Order("r1").has_shadow());
  CHECK_FALSE(fixture.Order("r2").has_shadow());
  fixture.Write();
  fixture.Open();
  CHECK(fixture.State() == v1::SHADOW_STATE_RUNNING);
  v1::ShadowResult result;
  result.set_revision(order.shadow().revision());
  result.set_changed(3);
  CHECK(fixture.Finished("r1", &result));
  fixture.Write();
  fixture.Open();
  CHECK(fixture.State() == v1::SHADOW_STATE_DONE);
  CHECK(fixture.table->Get("p")->result().changed() == 3);
  CHECK_FALSE(fixture.Order("r3").has_shadow());
  fixture.table->RemoveProfile("p");
  fixture.Write();
  CHECK(fixture.store->Range(kShadowPrefix)->empty());
}

TEST_CASE("a text that would fetch something else, or is none, is refused") {
  Fixture fixture;
  absl::Status refused = fixture.Ask(Text("1.1.0", "https://a.example/other")).status();
  CHECK(Reason(refused) == "SHADOW_FETCH_DIFFERS");
  CHECK(Details(refused)["field"] == "source.url");
  CHECK(Reason(fixture.Ask("id: p\n").status()) == "PROFILE_INVALID");
  std::string other = Text("1.1.0");
  other.replace(other.find("id: p"), 5, "id: q");
  CHECK(Reason(fixture.Ask(other).status()) == "SHADOW_OF_ANOTHER");
  // The profile got another source after it was asked for.
  REQUIRE_OK(fixture.Ask(Text("1.1.0")));
  CHECK_FALSE(fixture.Order("r1", Text("1.0.1", "https://a.example/other")).has_shadow());
  CHECK(fixture.State() == v1::SHADOW_STATE_FAILED);
  CHECK(fixture.table->Get("p")->reason() == "SHADOW_FETCH_DIFFERS");
}

TEST_CASE("a run that ends without a word gives the text to the next, five times") {
  Fixture fixture;
  REQUIRE_OK(fixture.Ask(Text("1.1.0")));
  for (int i = 0; i < 5; ++i) {
    const std::string run = absl::StrCat("r", i);
    CHECK(fixture.State() == v1::SHADOW_STATE_WAITING);
    CHECK(fixture.Order(run).has_shadow());
    REQUIRE(fixture.table->Running().size() == 1);
    if (i % 2 == 0) CHECK(fixture.Finished(run));
    if (i % 2 == 1) fixture.table->GiveUpRun("p", "lost", fixture.clock.Now());
  }
  CHECK(fixture.State() == v1::SHADOW_STATE_FAILED);
  CHECK(fixture.table->Get("p")->reason() == "SHADOW_NOT_TRIED");
}

TEST_CASE("a run that did not reach its source gives the text to the next one") {
  Fixture fixture;
  REQUIRE_OK(fixture.Ask(Text("1.1.0")));
  v1::ShadowResult result;
  result.set_revision(fixture.Order("r1").shadow().revision());
  result.set_error_reason("SOURCE_UNREACHABLE");
  CHECK(fixture.Finished("r1", &result));
  CHECK(fixture.State() == v1::SHADOW_STATE_WAITING);
  CHECK_FALSE(fixture.table->Get("p")->has_result());
  fixture.Order("r2");
  result.set_error_reason("PROFILE_UNSIGNED");
  CHECK(fixture.Finished("r2", &result));
  CHECK(fixture.State() == v1::SHADOW_STATE_FAILED);
  CHECK(fixture.table->Get("p")->reason() == "PROFILE_UNSIGNED");
}

TEST_CASE("what is told of an earlier text changes nothing") {
  Fixture fixture;
  REQUIRE_OK(fixture.Ask(Text("1.1.0")));
  v1::ShadowResult result;
  result.set_revision(fixture.Order("r1").shadow().revision());
  REQUIRE_OK(fixture.Ask(Text("1.2.0")));
  CHECK_FALSE(fixture.Finished("r1", &result));
  CHECK(fixture.State() == v1::SHADOW_STATE_WAITING);
}

}  // namespace
}  // namespace chartly::coordinator
