#include "control/aggregator/eraser.h"

#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/deletion_list.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_explainer.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/retention.h"
#include "control/aggregator/sealer.h"
#include "control/aggregator/store_inspector.h"

namespace chartly::aggregator {
namespace {

using testing::TempDir;
using Content = std::pair<int64_t, int64_t>;

struct Aggregator {
  Aggregator(const std::string& path, FakeClock& clock, const SealerOptions& parts = SmallParts()) {
    auto opened = KvRecordStore::Open(path, {.memory_bytes = size_t{8} << 20, .large_values = true});
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto made = Committer::Open(*store, clock, size_t{64} << 20);
    REQUIRE_OK(made);
    committer = *std::move(made);
    eraser = std::make_unique<Eraser>(*store, *committer, clock);
    REQUIRE_OK(eraser->Resume());
    query = std::make_unique<RecordQuery>(*store);
    sealer = std::make_unique<Sealer>(*store, *committer, parts);
  }
  CommitResult Send(const TestBatch& batch) {
    CommitRequest request;
    request.batches.push_back(Prepare(batch));
    return committer->Commit(std::move(request));
  }
  std::vector<Content> Contents(v1::ListRecordsRequest request) {
    std::vector<Content> all;
    do {
      auto page = query->ListRecords(request, [] { return false; });
      REQUIRE_OK(page);
      for (const v1::Record& record : page->records()) {
        all.emplace_back(record.dims().at("place").integer(), record.measures().at("value").integer());
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  }
  std::unique_ptr<KvRecordStore> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Eraser> eraser;
  std::unique_ptr<RecordQuery> query;
  std::unique_ptr<Sealer> sealer;
};

v1::DeleteRecordsRequest DeleteOf(const std::string& profile_id) {
  v1::DeleteRecordsRequest request;
  request.set_profile_id(profile_id);
  request.set_reason("a test");
  return request;
}

v1::DeleteRecordsRequest DeleteBefore(const std::string& profile_id, int64_t observed_us) {
  v1::DeleteRecordsRequest request = DeleteOf(profile_id);
  *request.mutable_fetched_before() = ToTimestamp(absl::FromUnixMicros(observed_us));
  return request;
}

v1::DeleteRecordsRequest DeleteRun(const std::string& profile_id, const std::string& run_id) {
  v1::DeleteRecordsRequest request = DeleteOf(profile_id);
  request.set_run_id(run_id);
  return request;
}

// Every row that was stored and not deleted, in order. What is there is what these rows alone would give.
struct Model {
  struct Row {
    std::string profile_id, run_id;
    Content content;
    int64_t observed_us;
    absl::Time acked;
  };
  struct Record {
    int64_t value;
    int64_t observed_us;
    std::set<int64_t> before;
  };
  using Records = std::map<int64_t, Record>;
  std::vector<Row> rows;
  std::vector<Row> quarantined;
  std::map<std::string, Records> known;  // by profile
  std::map<std::string, int64_t> deleted_of_run;

  static bool Take(Records& records, const Content& content, int64_t observed_us) {
    auto [found, added] = records.try_emplace(content.first, Record{content.second, observed_us, {}});
    Record& record = found->second;
    if (added) return true;
    if (record.value == content.second) return false;
    if (observed_us < record.observed_us) return record.before.insert(content.second).second;
    record.before.insert(record.value);
    record.value = content.second;
    record.observed_us = observed_us;
    return true;
  }
  // What the rows of a profile that were there at a time give, in order.
  Records At(const std::string& profile_id, absl::Time time) const {
    Records records;
    for (const Row& row : rows) {
      if (row.profile_id != profile_id || row.acked > time) continue;
      Record& record =
          records.try_emplace(row.content.first, Record{row.content.second, row.observed_us, {}}).first->second;
      if (row.observed_us < record.observed_us) {
        record.before.insert(row.content.second);
      } else {
        if (record.value != row.content.second) record.before.insert(record.value);
        record.value = row.content.second;
        record.observed_us = row.observed_us;
      }
    }
    return records;
  }
  void Add(const TestBatch& batch, absl::Time now) {
    if (!rows.empty()) now = std::max(now, rows.back().acked);
    for (const Content& content : batch.rows) {
      if (!Take(known[batch.profile_id], content, batch.observed_us)) continue;
      rows.push_back({batch.profile_id, batch.run_id, content, batch.observed_us, now});
    }
    for (int i = 0; i < batch.quarantined; ++i) {
      quarantined.push_back({batch.profile_id, batch.run_id, {}, batch.observed_us, now});
    }
  }
  // Returns how many records went.
  int64_t Delete(const std::string& profile_id, const std::function<bool(const Row&)>& fits) {
    auto goes = [&](const Row& row) { return row.profile_id == profile_id && fits(row); };
    std::erase_if(quarantined, goes);
    int64_t gone = 0;
    for (const Row& row : rows) {
      if (!goes(row)) continue;
      ++gone;
      ++deleted_of_run[row.run_id];
    }
    std::erase_if(rows, goes);
    known[profile_id] = At(profile_id, absl::InfiniteFuture());
    return gone;
  }
  std::map<int64_t, int64_t> Newest(const std::string& profile_id, absl::Time time) const {
    std::map<int64_t, int64_t> newest;
    for (const auto& [place, record] : At(profile_id, time)) newest[place] = record.value;
    return newest;
  }
  int64_t Count(const std::string& profile_id) const {
    return std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return row.profile_id == profile_id; });
  }
};

// That nothing is damaged and all counters agree with what is there.
void CheckWhole(Aggregator& aggregator) {
  const StoreInspector inspector(*aggregator.store);
  v1::VerifyStoreRequest request;
  do {
    auto piece = inspector.Verify(request);
    REQUIRE_OK(piece);
    INFO(piece->ShortDebugString());
    CHECK(piece->faults().empty());
    request.set_page_token(piece->next_page_token());
  } while (!request.page_token().empty());
}

std::string IdOf(const std::string& profile_id, const Content& content) {
  TestBatch batch;
  batch.profile_id = profile_id;
  batch.rows = {content};
  return Prepare(batch).ids.ids[0].ToHex();
}

// That `why` by id finds what is stored, with all versions of its record, and nothing else.
void CheckWhy(const Aggregator& aggregator, const Model& model, const std::string& profile_id, const Content& content) {
  const RecordExplainer explainer(*aggregator.store, *aggregator.query, &aggregator.committer->unsealed_batches());
  v1::ExplainRecordRequest request;
  request.set_profile_id(profile_id);
  request.set_record_id(IdOf(profile_id, content));
  auto answer = explainer.Explain(request, [] { return false; });
  REQUIRE_OK(answer);
  std::multiset<int64_t> versions;
  bool stored = false;
  for (const Model::Row& row : model.rows) {
    if (row.profile_id != profile_id || row.content.first != content.first) continue;
    versions.insert(row.content.second);
    stored = stored || row.content == content;
  }
  INFO(profile_id << " place " << content.first << " value " << content.second);
  REQUIRE(answer->records_size() == (stored ? 1 : 0));
  if (!stored) return;
  std::multiset<int64_t> found;
  for (const v1::RecordVersion& version : answer->records(0).versions()) {
    const int64_t value = version.record().measures().at("value").integer();
    found.insert(value);
    CHECK(version.record().dims().at("place").integer() == content.first);
    CHECK(version.record().id() == IdOf(profile_id, {content.first, value}));
    if (version.newest()) CHECK(value == model.known.at(profile_id).at(content.first).value);
  }
  CHECK(found == versions);
}

void CheckAgainst(Aggregator& aggregator, const Model& model, absl::Time time) {
  int64_t quarantined = 0;
  for (const char* profile_id : {"p0", "p1"}) {
    v1::ListRecordsRequest request;
    request.set_profile_id(profile_id);
    request.set_limit(17);
    for (absl::Time as_of : {absl::InfiniteFuture(), time}) {
      if (as_of == time) *request.mutable_as_of() = ToTimestamp(time);
      std::map<int64_t, int64_t> found;
      for (const Content& content : aggregator.Contents(request)) CHECK(found.insert(content).second);
      CHECK(found == model.Newest(profile_id, as_of));
    }
    request.clear_as_of();
    request.set_all_versions(true);
    CHECK(static_cast<int64_t>(aggregator.Contents(request).size()) == model.Count(profile_id));
    auto state = aggregator.store->Profile(profile_id);
    REQUIRE_OK(state);
    if (state->has_value()) CHECK((*state)->records() == model.Count(profile_id));
    if (state->has_value()) quarantined += (*state)->quarantined();
  }
  CHECK(quarantined == static_cast<int64_t>(model.quarantined.size()));
  std::set<Content> there;
  for (const Model::Row& row : model.rows) there.insert(row.content);
  for (const auto& [run_id, deleted] : model.deleted_of_run) {
    auto ledger = aggregator.query->Ledger("runs/" + run_id);
    REQUIRE_OK(ledger);
    CHECK(ledger->deleted() == deleted);
    v1::ListRecordsRequest of_run;
    of_run.set_run_id(run_id);
    for (const Content& content : aggregator.Contents(of_run)) CHECK(there.count(content) == 1);
  }
  CheckWhole(aggregator);
}

}  // namespace

TEST_CASE("random batches, deletions, seals and reopens leave what the remaining rows alone would give") {
  TempDir dir;
  std::mt19937 random(GENERATE(5, 6, 7, 8));
  Model model;
  FakeClock clock;
  const absl::Time start = clock.Now();
  // With filters over the ids of all parts, of some, or of none.
  SealerOptions sizes = SmallParts();
  sizes.merge.id_bytes = std::vector<size_t>{size_t{1} << 20, 0, 1500, size_t{1} << 20}[random() % 4];
  auto aggregator = std::make_unique<Aggregator>(dir.File("db"), clock, sizes);
  int taken_back = 0;
  for (int step = 1; step <= 200; ++step) {
    clock.Advance(absl::Microseconds(1 + random() % 5));
    TestBatch batch;
    batch.drone_id = "d" + std::to_string(random() % 2);
    batch.profile_id = "p" + std::to_string(random() % 2);
    batch.run_id = batch.profile_id + "-r" + std::to_string(step / 5);
    // Fetched in order mostly, and sometimes late.
    batch.observed_us = step + static_cast<int64_t>(random() % (random() % 8 == 0 ? 30 : 2));
    const int64_t first = random() % 60;
    const bool plain = random() % 2 == 0;
    for (unsigned i = random() % 30; i > 0; --i) {
      batch.rows.emplace_back(plain ? first + i : random() % 60, plain ? 0 : random() % 3);
    }
    batch.quarantined = static_cast<int>(random() % 2);
    if (batch.rows.empty() && batch.quarantined == 0) continue;
    const size_t before = model.rows.size();
    CommitResult result = aggregator->Send(batch);
    REQUIRE_OK(result.status);
    model.Add(batch, clock.Now());
    CHECK(result.stored == static_cast<int64_t>(model.rows.size() - before));
    if (random() % 8 == 0) REQUIRE_OK(aggregator->sealer->SealNow(1 + random() % 60));
    if (random() % 12 == 0) {
      const int64_t cut = step - static_cast<int64_t>(random() % 80);
      auto deletion = aggregator->eraser->Delete(DeleteBefore(batch.profile_id, std::max<int64_t>(cut, 1)), "me");
      REQUIRE_OK(deletion);
      const int64_t gone = model.Delete(
          batch.profile_id, [&](const Model::Row& row) { return row.observed_us < std::max<int64_t>(cut, 1); });
      CHECK(deletion->records() == gone);
    }
    if (random() % 10 == 0) {
      const std::string run_id = batch.profile_id + "-r" + std::to_string(step / 5 - static_cast<int>(random() % 2));
      auto deletion = aggregator->eraser->Delete(DeleteRun(batch.profile_id, run_id), "me");
      if (deletion.ok()) {
        CHECK(model.Delete(batch.profile_id, [&](const Model::Row& row) { return row.run_id == run_id; }) ==
              deletion->records());
        taken_back += deletion->records() > 0 ? 1 : 0;
      } else {
        CHECK((Reason(deletion.status()) == "RUN_REPLACED" || Reason(deletion.status()) == "RUN_NOT_FOUND"));
      }
    }
    if (random() % 60 == 0) {
      REQUIRE_OK(aggregator->eraser->Delete(DeleteOf("p0"), "me"));
      model.Delete("p0", [](const Model::Row&) { return true; });
    }
    if (random() % 20 == 0) {
      aggregator.reset();
      aggregator = std::make_unique<Aggregator>(dir.File("db"), clock, sizes);
    }
    for (int i = 0; i < 4; ++i) {
      CheckWhy(*aggregator, model, batch.profile_id,
               {static_cast<int64_t>(random() % 60), static_cast<int64_t>(random() % 3)});
    }
    if (random() % 6 == 0) CheckAgainst(*aggregator, model, start + absl::Microseconds(random() % (step * 4)));
  }
  REQUIRE_OK(aggregator->sealer->SealNow(1));
  CheckAgainst(*aggregator, model, start + absl::Microseconds(300));
  for (int64_t place = 0; place < 60; ++place) {
    for (int64_t value = 0; value < 3; ++value) CheckWhy(*aggregator, model, "p1", {place, value});
  }
  for (const auto& [profile_id, parts] : aggregator->store->AllParts()) {
    for (const PartPtr& part : parts) CHECK(part->meta.deleted_rows() == 0);
  }
  CHECK(taken_back > 0);
}

namespace {

TestBatch BatchOf(const std::string& run_id, int64_t observed_us, std::vector<Content> rows) {
  TestBatch batch;
  batch.profile_id = "p0";
  batch.run_id = run_id;
  batch.observed_us = observed_us;
  batch.rows = std::move(rows);
  return batch;
}

v1::ListRecordsRequest All() {
  v1::ListRecordsRequest request;
  request.set_profile_id("p0");
  return request;
}

}  // namespace

TEST_CASE("a deletion that a killed process left is finished before anything else") {
  TempDir dir;
  FakeClock clock;
  {
    Aggregator aggregator(dir.File("db"), clock);
    REQUIRE_OK(aggregator.Send(BatchOf("r1", 10, {{1, 1}, {2, 2}})).status);
    REQUIRE_OK(aggregator.Send(BatchOf("r2", 20, {{3, 3}})).status);
    StoredDeletion begun;
    begun.set_profile_id("p0");
    begun.set_observed_before_us(15);
    begun.set_last_batch(2);
    begun.set_principal("me");
    REQUIRE_OK(aggregator.store->PutDeletion(1, begun));
    CHECK(aggregator.Contents(All()).size() == 3);
  }
  Aggregator aggregator(dir.File("db"), clock);
  CHECK(aggregator.Contents(All()) == std::vector<Content>{{3, 3}});
  auto listed = ListDeletions(*aggregator.store, {});
  REQUIRE_OK(listed);
  REQUIRE(listed->deletions_size() == 1);
  CHECK(listed->deletions(0).finished());
  CHECK(listed->deletions(0).records() == 2);
}

TEST_CASE("a run that is taken back leaves the version before it, and one that was built upon stays") {
  TempDir dir;
  FakeClock clock;
  Aggregator aggregator(dir.File("db"), clock);
  const bool sealed = GENERATE(false, true);
  REQUIRE_OK(aggregator.Send(BatchOf("r1", 10, {{1, 1}, {2, 1}})).status);
  if (sealed) REQUIRE_OK(aggregator.sealer->SealNow(1));
  REQUIRE_OK(aggregator.Send(BatchOf("r2", 20, {{1, 2}})).status);
  CHECK(Reason(aggregator.eraser->Delete(DeleteRun("p0", "r1"), "me").status()) == "RUN_REPLACED");
  CHECK(Reason(aggregator.eraser->Delete(DeleteRun("p0", "absent"), "me").status()) == "RUN_NOT_FOUND");
  REQUIRE_OK(aggregator.eraser->Delete(DeleteRun("p0", "r2"), "me"));
  CHECK(aggregator.Contents(All()) == std::vector<Content>{{1, 1}, {2, 1}});
  CHECK(aggregator.Send(BatchOf("r3", 30, {{1, 1}})).duplicate == 1);
  CHECK(aggregator.Send(BatchOf("r4", 40, {{1, 2}})).stored == 1);
  auto found = aggregator.Contents(All());
  CHECK(std::set<Content>(found.begin(), found.end()) == std::set<Content>{{1, 2}, {2, 1}});
}

TEST_CASE("a legal hold stops deletions and retention until it is cleared") {
  TempDir dir;
  FakeClock clock;
  Aggregator aggregator(dir.File("db"), clock);
  REQUIRE_OK(aggregator.Send(BatchOf("r1", 10, {{1, 1}})).status);
  v1::SetLegalHoldRequest hold;
  hold.set_name("legalHolds/p0");
  CHECK(Reason(aggregator.eraser->SetHold(hold, "judge").status()) == "FIELD_INVALID");
  hold.set_reason("case 12");
  REQUIRE_OK(aggregator.eraser->SetHold(hold, "judge"));
  const absl::Status refused = aggregator.eraser->Delete(DeleteOf("p0"), "me").status();
  CHECK(Reason(refused) == "LEGAL_HOLD");
  CHECK(testing::Says(refused, "case 12"));
  CHECK(aggregator.eraser->Expire("p0", clock.Now())->records() == 0);
  CHECK(aggregator.Contents(All()).size() == 1);
  CHECK(ListLegalHolds(*aggregator.store, {})->legal_holds(0).principal() == "judge");
  v1::ClearLegalHoldRequest clear;
  clear.set_name("legalHolds/p0");
  REQUIRE_OK(aggregator.eraser->ClearHold(clear));
  CHECK(Reason(aggregator.eraser->ClearHold(clear).status()) == "LEGAL_HOLD_NOT_FOUND");
  CHECK(aggregator.eraser->Expire("p0", clock.Now())->records() == 1);
  CHECK(aggregator.Contents(All()).empty());
}

TEST_CASE("retention deletes what the profile does not keep, and nothing while nobody knows the profile") {
  TempDir dir;
  FakeClock clock;
  Aggregator aggregator(dir.File("db"), clock);
  const int64_t now = absl::ToUnixMicros(clock.Now());
  REQUIRE_OK(aggregator.Send(BatchOf("r1", now - absl::ToInt64Microseconds(absl::Hours(100)), {{1, 1}})).status);
  REQUIRE_OK(aggregator.Send(BatchOf("r2", now - absl::ToInt64Microseconds(absl::Hours(10)), {{2, 2}})).status);
  absl::StatusOr<ProfileRevision> revision = absl::UnavailableError("the registry is out of reach");
  Retention retention(*aggregator.store, *aggregator.eraser, clock, absl::Hours(1),
                      [&](const std::string&) { return revision; });
  CHECK_FALSE(retention.Pass().ok());
  revision = absl::NotFoundError("no such profile");
  CHECK_OK(retention.Pass());
  const std::string profile =
      "id: p0\nversion: 1.0.0\nsource: {type: http_rest, url: \"https://example.org/x\", format: json, records: "
      "\"rows[*]\"}\nmapping: {k: dims.k, v: {to: measures.v, type: integer}}\n";
  revision = ProfileRevision{profile, "profiles/p0@sha256:1"};
  CHECK_OK(retention.Pass());
  CHECK(aggregator.Contents(All()).size() == 2);
  revision->content = profile + "retention: 2d\n";
  CHECK_OK(retention.Pass());
  CHECK(aggregator.Contents(All()) == std::vector<Content>{{2, 2}});
  auto listed = ListDeletions(*aggregator.store, {});
  REQUIRE(listed->deletions_size() == 1);
  CHECK(listed->deletions(0).principal() == "retention");
  CHECK_OK(retention.Pass());
  CHECK(ListDeletions(*aggregator.store, {})->deletions_size() == 1);
}

TEST_CASE("a dry run counts and changes nothing, and requests that say too little are refused") {
  TempDir dir;
  FakeClock clock;
  Aggregator aggregator(dir.File("db"), clock);
  REQUIRE_OK(aggregator.Send(BatchOf("r1", 10, {{1, 1}, {2, 1}})).status);
  v1::DeleteRecordsRequest request = DeleteOf("p0");
  request.set_validate_only(true);
  CHECK(aggregator.eraser->Delete(request, "me")->records() == 2);
  CHECK(aggregator.Contents(All()).size() == 2);
  CHECK(ListDeletions(*aggregator.store, {})->deletions().empty());
  CHECK(Reason(aggregator.eraser->Delete(DeleteOf(""), "me").status()) == "PROFILE_REQUIRED");
  request.clear_reason();
  CHECK(Reason(aggregator.eraser->Delete(request, "me").status()) == "FIELD_INVALID");
  request = DeleteBefore("p0", 5);
  request.set_run_id("r1");
  CHECK(Reason(aggregator.eraser->Delete(request, "me").status()) == "FIELD_INVALID");
}

TEST_CASE("what was deleted is explained so") {
  TempDir dir;
  FakeClock clock;
  Aggregator aggregator(dir.File("db"), clock);
  REQUIRE_OK(aggregator.Send(BatchOf("r1", 10, {{1, 1}})).status);
  REQUIRE_OK(aggregator.eraser->Delete(DeleteOf("p0"), "me"));
  const RecordExplainer explainer(*aggregator.store, *aggregator.query);
  v1::ExplainRecordRequest request;
  request.set_profile_id("p0");
  request.add_key("dims.place=1");
  auto answer = explainer.Explain(request, [] { return false; });
  REQUIRE_OK(answer);
  CHECK(answer->absence() == v1::ABSENCE_MAYBE_DELETED);
  CHECK(answer->explanation().find("1 by me") != std::string::npos);
}

}  // namespace chartly::aggregator
