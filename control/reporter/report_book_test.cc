#include "control/reporter/report_book.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/batch/batch.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/reporter/report_desk.h"
#include "google/protobuf/text_format.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

// One profile whose measure is what the test says.
class OneRecord final : public BatchSource {
 public:
  explicit OneRecord(int64_t number) : number_(number) {}
  absl::Status Scan(const std::string&, const ScanSpan*, Take take) override {
    BatchBuilder builder;
    size_t key = builder.AddColumn(Role::kDim, "k");
    size_t measure = builder.AddColumn(Role::kMeasure, "x");
    builder.BeginRow(1, 1);
    builder.SetInteger(key, 1);
    builder.SetInteger(measure, number_);
    builder.EndRow();
    ASSIGN_OR_RETURN(std::string bytes, builder.Finish());
    return take({bytes, ""});
  }
  absl::StatusOr<std::vector<KeyStretch>> Outline(const std::string&, const std::string&) override {
    return std::vector<KeyStretch>();
  }

 private:
  const int64_t number_;
};

struct Fixture {
  Fixture() {
    auto opened = OpenEmbeddedStateStore(dir.path(), clock);
    REQUIRE_OK(opened);
    store = *std::move(opened);
    book = std::make_unique<ReportBook>(*store, clock);
    desk = std::make_unique<ReportDesk>(
        *book, runner, [this](absl::Time) { return std::make_unique<OneRecord>(number); }, clock);
  }
  absl::StatusOr<v1::ReportRun> Run(const std::string& name) {
    OneRecord source(number);
    return desk->Run(name, "manual", clock.Now(), source);
  }
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store;
  ReportRunner runner{{}};
  std::unique_ptr<ReportBook> book;
  std::unique_ptr<ReportDesk> desk;
  int64_t number = 1;
};

v1::SaveReportRequest Question(const std::string& name, const std::string& more = "") {
  v1::SaveReportRequest request;
  std::string text = R"(report { join: "k" inputs { profile_id: "p" measure: "x" } })" + more;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &request));
  request.set_name(name);
  return request;
}

v1::GetReportRequest Named(const std::string& name, int32_t version = 0) {
  v1::GetReportRequest request;
  request.set_name(name);
  request.set_version(version);
  return request;
}

}  // namespace

TEST_CASE("each change of a report is a version, and the same again is none") {
  Fixture fixture;
  absl::StatusOr<v1::SavedReport> first = fixture.book->Save(Question("reports/a"));
  REQUIRE_OK(first);
  CHECK(first->version() == 1);
  CHECK(fixture.book->Save(Question("reports/a"))->version() == 1);
  CHECK(fixture.book->Save(Question("reports/a", "display_name: 'A'"))->version() == 2);
  CHECK(fixture.book->Get(Named("reports/a"))->display_name() == "A");
  CHECK(fixture.book->Get(Named("reports/a", 1))->display_name().empty());
  CHECK(chartly::Reason(fixture.book->Get(Named("reports/a", 3)).status()) == "REPORT_NOT_FOUND");
  REQUIRE_OK(fixture.book->Save(Question("reports/b")));
  CHECK(fixture.book->List({})->reports_size() == 2);
}

TEST_CASE("a run keeps its answer and says whether it changed") {
  Fixture fixture;
  REQUIRE_OK(fixture.book->Save(Question("reports/a")));
  absl::StatusOr<v1::ReportRun> run = fixture.Run("reports/a");
  REQUIRE_OK(run);
  CHECK(run->name() == "reports/a/runs/1");
  CHECK(run->changed());
  CHECK(run->answer().rows(0).values(1).integer() == 1);
  CHECK_FALSE(fixture.Run("reports/a")->changed());
  fixture.number = 2;
  CHECK(fixture.Run("reports/a")->changed());
  v1::ListReportRunsRequest list;
  list.set_parent("reports/a");
  absl::StatusOr<v1::ListReportRunsResponse> runs = fixture.book->ListRuns(list);
  REQUIRE_OK(runs);
  REQUIRE(runs->runs_size() == 3);
  CHECK(runs->runs(0).name() == "reports/a/runs/3");
  CHECK(runs->runs(0).answer().rows_size() == 0);
  CHECK(fixture.book->GetRun("reports/a/runs/3")->answer().rows(0).values(1).integer() == 2);
  CHECK(fixture.book->Get(Named("reports/a"))->run_count() == 3);
}

TEST_CASE("a run that fails is kept with its error") {
  Fixture fixture;
  v1::SaveReportRequest question = Question("reports/a");
  question.mutable_report()->mutable_inputs(0)->set_measure("y");
  REQUIRE_OK(fixture.book->Save(question));
  absl::StatusOr<v1::ReportRun> run = fixture.Run("reports/a");
  REQUIRE_OK(run);
  CHECK(run->error_reason() == "REPORT_UNKNOWN_FIELD");
  CHECK_FALSE(run->has_answer());
}

TEST_CASE("runs past those that are kept are forgotten") {
  Fixture fixture;
  REQUIRE_OK(fixture.book->Save(Question("reports/a")));
  for (int64_t i = 0; i < ReportBook::kRunsKept + 2; ++i) REQUIRE_OK(fixture.Run("reports/a"));
  CHECK(chartly::Reason(fixture.book->GetRun("reports/a/runs/2").status()) == "REPORT_RUN_NOT_FOUND");
  CHECK_OK(fixture.book->GetRun("reports/a/runs/3"));
}

TEST_CASE("a report with a schedule runs when it is due and not before") {
  Fixture fixture;
  REQUIRE_OK(fixture.book->Save(Question("reports/often", "interval { seconds: 3600 }")));
  REQUIRE_OK(fixture.book->Save(Question("reports/never")));
  fixture.desk->RunDue();
  fixture.desk->RunDue();
  CHECK(fixture.book->Get(Named("reports/often"))->run_count() == 1);
  fixture.clock.Advance(absl::Minutes(59));
  fixture.desk->RunDue();
  CHECK(fixture.book->Get(Named("reports/often"))->run_count() == 1);
  fixture.clock.Advance(absl::Minutes(2));
  fixture.desk->RunDue();
  CHECK(fixture.book->Get(Named("reports/often"))->run_count() == 2);
  CHECK(fixture.book->GetRun("reports/often/runs/2")->trigger() == "schedule");
  CHECK(fixture.book->Get(Named("reports/never"))->run_count() == 0);
}

TEST_CASE("a report goes with its versions and runs, and survives a restart otherwise") {
  Fixture fixture;
  REQUIRE_OK(fixture.book->Save(Question("reports/a")));
  REQUIRE_OK(fixture.book->Save(Question("reports/b")));
  REQUIRE_OK(fixture.Run("reports/a"));
  CHECK_OK(fixture.book->Delete("reports/a"));
  CHECK(chartly::Reason(fixture.book->Delete("reports/a")) == "REPORT_NOT_FOUND");
  CHECK(fixture.store->Range("run/")->empty());
  fixture.store.reset();
  auto reopened = OpenEmbeddedStateStore(fixture.dir.path(), fixture.clock);
  REQUIRE_OK(reopened);
  ReportBook book(**reopened, fixture.clock);
  CHECK(book.List({})->reports(0).name() == "reports/b");
}

TEST_CASE("what is no report is refused") {
  Fixture fixture;
  for (const char* name : {"a", "reports/", "reports/A", "reports/-a", "reports/a/b"}) {
    INFO(name);
    CHECK(chartly::Reason(fixture.book->Save(Question(name)).status()) == "NAME_INVALID");
  }
  CHECK(chartly::Reason(fixture.book->Save(Question("reports/a", "interval { seconds: 59 }")).status()) ==
        "REPORT_INTERVAL_INVALID");
  v1::SaveReportRequest empty;
  empty.set_name("reports/a");
  CHECK(chartly::Reason(fixture.book->Save(empty).status()) == "REPORT_INPUT_MISSING");
  CHECK(chartly::Reason(fixture.book->GetRun("reports/a/runs/x").status()) == "NAME_INVALID");
}

// The same question over profiles of two projects.
v1::SaveReportRequest Over(const std::string& name, const std::vector<std::string>& profiles) {
  v1::SaveReportRequest request = Question(name);
  request.mutable_report()->clear_inputs();
  for (const std::string& profile : profiles) {
    v1::ReportInput& input = *request.mutable_report()->add_inputs();
    input.set_profile_id(profile);
    input.set_measure("x");
  }
  return request;
}

TEST_CASE("for who may work in some projects there is no report, version or run with a profile of any other") {
  Fixture fixture;
  const rpc::ProjectScope energy = rpc::ProjectScope::BoundTo({"energy"});
  const rpc::ProjectScope both = rpc::ProjectScope::BoundTo({"energy", "water"});
  REQUIRE_OK(fixture.book->Save(Over("reports/a", {"energy.x", "water.x"})));
  REQUIRE_OK(fixture.book->Save(Over("reports/b", {"energy.x"}), energy));
  REQUIRE_OK(fixture.book->Save(Over("reports/c", {"water.x"})));
  REQUIRE_OK(fixture.book->Save(Over("reports/d", {"energy"})));  // in no project
  REQUIRE_OK(fixture.Run("reports/a"));
  const auto names = [&](const rpc::ProjectScope& scope) {
    std::vector<std::string> found;
    const absl::StatusOr<v1::ListReportsResponse> listed = fixture.book->List({}, scope);
    REQUIRE_OK(listed);
    for (const v1::SavedReport& report : listed->reports()) found.push_back(report.name());
    return found;
  };
  CHECK(names(energy) == std::vector<std::string>{"reports/b"});
  CHECK(names(both) == std::vector<std::string>{"reports/a", "reports/b", "reports/c"});
  CHECK(names({}).size() == 4);
  // What is not theirs reads like what is not there, word for word.
  const absl::Status absent = fixture.book->Get(Named("reports/z"), energy).status();
  const absl::Status theirs = fixture.book->Get(Named("reports/a"), energy).status();
  CHECK(Reason(theirs) == "REPORT_NOT_FOUND");
  CHECK(absl::StrReplaceAll(theirs.message(), {{"reports/a", "reports/z"}}) == absent.message());
  CHECK(Reason(fixture.book->Delete("reports/a", energy)) == "REPORT_NOT_FOUND");
  CHECK(Reason(fixture.book->GetRun("reports/a/runs/1", energy).status()) == "REPORT_NOT_FOUND");
  CHECK(Reason(fixture.book->Save(Over("reports/a", {"energy.x"}), energy).status()) == "REPORT_NAME_TAKEN");
  OneRecord source(1);
  CHECK(Reason(fixture.desk->Run("reports/a", "manual", fixture.clock.Now(), source, energy).status()) ==
        "REPORT_NOT_FOUND");
  // Once it is about their project alone, what it was and answered before still is not theirs.
  REQUIRE_OK(fixture.book->Save(Over("reports/a", {"energy.x"})));
  REQUIRE_OK(fixture.desk->Run("reports/a", "manual", fixture.clock.Now(), source, energy));
  CHECK(fixture.book->Get(Named("reports/a"), energy)->version() == 2);
  CHECK(Reason(fixture.book->Get(Named("reports/a", 1), energy).status()) == "REPORT_NOT_FOUND");
  CHECK(Reason(fixture.book->GetRun("reports/a/runs/1", energy).status()) == "REPORT_RUN_NOT_FOUND");
  CHECK_OK(fixture.book->GetRun("reports/a/runs/2", energy));
  v1::ListReportRunsRequest runs;
  runs.set_parent("reports/a");
  CHECK(fixture.book->ListRuns(runs, energy)->runs_size() == 1);
  CHECK(fixture.book->ListRuns(runs, both)->runs_size() == 2);
}

}  // namespace chartly::reporter
