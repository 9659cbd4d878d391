#include "control/aggregator/record_explainer.h"

#include "absl/strings/match.h"
#include "common/status/status.h"
#include "control/aggregator/record_fixture_test.h"

namespace chartly::aggregator {
namespace {

struct Explained : RecordFixture {
  RecordQuery query{*store};
  RecordExplainer explainer{*store, query, &committer->unsealed_batches()};

  v1::ExplainRecordResponse Ask(const v1::ExplainRecordRequest& request) {
    auto answer = explainer.Explain(request, NeverGone);
    REQUIRE_OK(answer);
    return *answer;
  }
  v1::ExplainRecordResponse ByKey(const std::string& key) {
    v1::ExplainRecordRequest request;
    request.set_profile_id("p");
    request.add_key(key);
    return Ask(request);
  }
  v1::ExplainRecordResponse ByPlace(const std::string& run, uint32_t page, uint32_t row) {
    v1::ExplainRecordRequest request;
    request.set_profile_id("p");
    request.set_run_id(run);
    request.set_page(page);
    request.set_row(row);
    return Ask(request);
  }
  void End(const std::string& run_id, int64_t fetched, const std::string& reason = "") {
    CommitRequest request;
    v1::RunEnd end;
    end.set_run_id(run_id);
    end.set_profile_id("p");
    end.set_fetched(fetched);
    end.set_error_reason(reason);
    end.set_error(reason.empty() ? "" : "the source answered 500");
    request.run_end = end;
    REQUIRE_OK(committer->Commit(std::move(request)).status);
  }
  void SendCounted(const std::string& run_id, int filtered, int quarantined) {
    TestBatch batch;
    batch.run_id = run_id;
    batch.filtered = filtered;
    batch.quarantined = quarantined;
    CommitRequest request;
    request.batches.push_back(Prepare(batch));
    REQUIRE_OK(committer->Commit(std::move(request)).status);
  }
};

TEST_CASE("a record tells all its versions and where each came from") {
  Explained store;
  SECTION("in batches as they came") {}
  SECTION("in parts") { store.seals = true; }
  store.Send({{1, "a", "1.50", {}}, {2, "b", "2", {}}}, "r1");
  store.Send({{2, "b", "3", {}}}, "r2");
  auto answer = store.ByKey("dims.place=2");
  CHECK(answer.absence() == v1::ABSENCE_UNSPECIFIED);
  CHECK(answer.explanation().empty());
  REQUIRE(answer.records_size() == 1);
  REQUIRE(answer.records(0).versions_size() == 2);
  const v1::RecordVersion& first = answer.records(0).versions(0);
  const v1::RecordVersion& second = answer.records(0).versions(1);
  CHECK_FALSE(first.newest());
  CHECK(second.newest());
  CHECK(first.record().measures().at("value").integer() == 2);
  CHECK(second.record().measures().at("value").integer() == 3);
  const v1::Provenance& origin = first.record().provenance();
  CHECK(origin.source_uri() == "https://example.test/data");
  CHECK(origin.payload_sha256() == "0f");
  CHECK(origin.page() == 2);
  CHECK(origin.row() == 2);
  CHECK(origin.run_id() == "r1");
  CHECK(origin.revision() == "profiles/p@sha256:1");
  CHECK(origin.observed_at().seconds() == 1);

  v1::ExplainRecordRequest by_id;
  by_id.set_profile_id("p");
  by_id.set_record_id(first.record().id());
  auto same = store.Ask(by_id);
  REQUIRE(same.records_size() == 1);
  CHECK(same.records(0).key_id() == answer.records(0).key_id());
  REQUIRE(same.records(0).versions_size() == 2);
  CHECK(same.records(0).versions(1).record().id() == second.record().id());
  CHECK(store.ByKey("dims.place=2.0").records_size() == 1);
  CHECK(store.ByKey("dims.city=a").records_size() == 1);
  CHECK(store.ByKey("measures.value=1.5").records_size() == 1);
}

TEST_CASE("a record says where its drone keeps the payload, and nothing where it does not") {
  Explained store;
  SECTION("in batches as they came") {}
  SECTION("in parts") { store.seals = true; }
  store.Send({{1, "a", "1", {}}}, "r1");
  store.captured = true;
  store.Send({{1, "a", "2", {}}}, "r2");
  auto answer = store.ByKey("dims.place=1");
  REQUIRE(answer.records_size() == 1);
  REQUIRE(answer.records(0).versions_size() == 2);
  CHECK(answer.records(0).versions(0).record().provenance().raw_ref().empty());
  CHECK(answer.records(0).versions(1).record().provenance().raw_ref() == "drones/d1/captures/p/0f");
}

TEST_CASE("a search by key reads the sealed chunks where it may be, and no others") {
  Explained store;
  std::vector<TestRow> rows;
  for (int64_t place = 0; place < 210; ++place) rows.push_back({place * 3, "a", std::to_string(place), {}});
  store.Send(rows);
  REQUIRE_OK(store.sealer->SealNow(1));
  for (int64_t place : {0, 300, 627}) {
    auto answer = store.ByKey("dims.place=" + std::to_string(place));
    REQUIRE(answer.records_size() == 1);
    CHECK(answer.records(0).versions(0).newest());
    CHECK(answer.scanned() == 7);
  }
  CHECK(store.ByKey("dims.place=628").scanned() == 0);
  CHECK(store.ByKey("dims.nowhere=1").records().empty());
  CHECK(store.ByKey("measures.value=17").scanned() == 210);
}

TEST_CASE("a search by id reads the sealed chunks that have it, and others hardly ever") {
  Explained store;
  std::vector<TestRow> rows;
  for (int64_t place = 0; place < 700; ++place) rows.push_back({place, "a", std::to_string(place), {}});
  store.Send(rows);
  const bool known = GENERATE(true, false);
  auto ask = [&](const std::string& id) {
    v1::ExplainRecordRequest request;
    request.set_profile_id("p");
    request.set_record_id(id);
    return store.Ask(request);
  };
  const std::string id = store.ByKey("dims.place=350").records(0).versions(0).record().id();
  REQUIRE_OK(store.sealer->SealNow(1));
  // Without filters, as after a start, it reads all up to the id.
  if (!known) {
    for (const PartPtr& part : store.store->Parts("p")) store.store->SetIds(part->meta, nullptr);
  }
  auto answer = ask(id);
  REQUIRE(answer.records_size() == 1);
  CHECK(answer.records(0).versions(0).record().dims().at("place").integer() == 350);
  CHECK(answer.scanned() == (known ? 14 : 364));
  auto absent = ask(std::string(32, 'e'));
  CHECK(absent.absence() == v1::ABSENCE_NEVER_FETCHED);
  CHECK(absent.scanned() == (known ? 0 : 700));
  // The sealer makes what lacks.
  REQUIRE_OK(store.sealer->SealNow(1));
  CHECK(ask(id).scanned() == 14);
}

TEST_CASE("of what is not sealed a search reads the batches that may have it") {
  Explained store;
  for (int64_t first = 0; first < 100; first += 10) {
    std::vector<TestRow> rows;
    for (int64_t place = first; place < first + 10; ++place) rows.push_back({place, "a", "1", {}});
    store.Send(rows);
  }
  CHECK(store.committer->unsealed_batches().size() == 10);
  auto answer = store.ByKey("dims.place=55");
  REQUIRE(answer.records_size() == 1);
  CHECK(answer.scanned() == 10);
  CHECK(store.ByKey("dims.place=100").scanned() == 0);
  CHECK(store.ByKey("measures.value=1").scanned() == 100);
  v1::ExplainRecordRequest request;
  request.set_profile_id("p");
  request.set_record_id(answer.records(0).versions(0).record().id());
  CHECK(store.Ask(request).scanned() == 20);
  // Another one knows nothing of them and reads all.
  const RecordExplainer unknowing(*store.store, store.query);
  auto read = unknowing.Explain(request, NeverGone);
  REQUIRE_OK(read);
  CHECK(read->records_size() == 1);
  CHECK(read->scanned() == 160);
  request.set_record_id(std::string(32, 'e'));
  CHECK(store.Ask(request).scanned() == 0);
  REQUIRE_OK(store.sealer->SealNow(1));
  CHECK(store.committer->unsealed_batches().size() == 0);
}

TEST_CASE("a row that brought nothing new leads to the record that was there") {
  Explained store;
  store.Send({{1, "a", "1", {}}}, "r1");
  store.Send({{2, "b", "2", {}}, {1, "a", "1", {}}}, "r2");
  auto answer = store.ByPlace("r2", 2, 2);
  CHECK(answer.absence() == v1::ABSENCE_DUPLICATE);
  CHECK(absl::StrContains(answer.explanation(), "duplicate"));
  REQUIRE(answer.records_size() == 1);
  CHECK(answer.records(0).versions(0).record().provenance().run_id() == "r1");
  auto own = store.ByPlace("r2", 2, 1);
  CHECK(own.absence() == v1::ABSENCE_UNSPECIFIED);
  CHECK(own.records(0).versions(0).record().dims().at("place").integer() == 2);

  // Once the batch is merged its duplicates are only counted.
  REQUIRE_OK(store.sealer->SealNow(1));
  CHECK(store.ByPlace("r2", 2, 1).records_size() == 1);
  auto merged = store.ByPlace("r2", 2, 2);
  CHECK(merged.records().empty());
  CHECK(absl::StrContains(merged.explanation(), "1 rows were duplicates"));
}

TEST_CASE("a record that is not there is explained by what is known") {
  Explained store;
  SECTION("no run") { CHECK(store.ByKey("dims.place=7").absence() == v1::ABSENCE_NO_RUN); }
  SECTION("never fetched") {
    store.Send({{1, "a", "1", {}}}, "r1");
    store.End("r1", 1);
    auto answer = store.ByKey("dims.place=7");
    CHECK(answer.absence() == v1::ABSENCE_NEVER_FETCHED);
    REQUIRE(answer.runs_size() == 1);
    CHECK(answer.runs(0).balance().fetched() == 1);
    CHECK(answer.scanned() == 0);
  }
  SECTION("filtered, as far as counting goes") {
    store.SendCounted("r1", 3, 0);
    auto answer = store.ByKey("dims.place=7");
    CHECK(answer.absence() == v1::ABSENCE_MAYBE_FILTERED);
    CHECK(absl::StrContains(answer.explanation(), "3 rows"));
    CHECK(absl::StrContains(answer.explanation(), "counted and not kept"));
  }
  SECTION("in quarantine") {
    store.SendCounted("r1", 3, 1);
    auto by_value = store.ByKey("dims.place=x");
    CHECK(by_value.absence() == v1::ABSENCE_QUARANTINED);
    REQUIRE(by_value.quarantined_size() == 1);
    CHECK(by_value.quarantined(0).reason_code() == "mapping.type_coercion_failed");
    CHECK(store.ByPlace("r1", 1, 1).absence() == v1::ABSENCE_QUARANTINED);
    CHECK(store.ByPlace("r1", 1, 2).absence() == v1::ABSENCE_MAYBE_FILTERED);
  }
  SECTION("the newest run failed") {
    store.Send({{1, "a", "1", {}}}, "r1");
    store.End("r1", 1);
    store.End("r2", 0, "HTTP_STATUS");
    auto answer = store.ByKey("dims.place=7");
    CHECK(answer.absence() == v1::ABSENCE_RUN_FAILED);
    CHECK(answer.runs(0).run_id() == "r2");
    CHECK(answer.runs(1).run_id() == "r1");
    CHECK(absl::StrContains(answer.explanation(), "HTTP_STATUS"));
  }
}

TEST_CASE("questions that cannot be answered are refused with their reason") {
  Explained store;
  v1::ExplainRecordRequest request;
  auto reason = [&] { return Reason(store.explainer.Explain(request, NeverGone).status()); };
  CHECK(reason() == "PROFILE_REQUIRED");
  request.set_profile_id("p");
  CHECK(reason() == "QUESTION_INVALID");
  request.set_record_id("12");
  CHECK(reason() == "RECORD_ID_INVALID");
  request.add_key("dims.place=1");
  CHECK(reason() == "QUESTION_INVALID");
  request.clear_record_id();
  for (const char* key : {"place=1", "dims.place", "=", "dims.=1"}) {
    request.set_key(0, key);
    CHECK(reason() == "KEY_INVALID");
  }
  request.clear_key();
  request.set_page(1);
  CHECK(reason() == "QUESTION_INVALID");
}

}  // namespace
}  // namespace chartly::aggregator
