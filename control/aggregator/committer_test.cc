#include "control/aggregator/committer.h"

#include <atomic>
#include <map>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/chunk/chunk.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/sealer.h"

namespace chartly::aggregator {
namespace {

using testing::TempDir;
using Content = std::pair<int64_t, int64_t>;

constexpr KvOptions kKvOptions = {.memory_bytes = size_t{8} << 20, .large_values = true};

std::shared_ptr<KvStore> OpenKv(const std::string& path) {
  auto opened = OpenKvStore(path, kKvOptions);
  REQUIRE_OK(opened);
  return *std::move(opened);
}

// The store of a disk that is slow or full when a test says so: a synced write waits while it is held, and the next
// ones are refused as often as asked.
class TrickyKv final : public KvStore {
 public:
  explicit TrickyKv(const std::string& path) : kv_(OpenKv(path)) {}
  void Hold() {
    absl::MutexLock lock(&mu_);
    hold_ = true;
  }
  void LetGo(int refuse) {
    absl::MutexLock lock(&mu_);
    hold_ = false;
    refuse_ = refuse;
  }
  bool held() const {
    absl::MutexLock lock(&mu_);
    return held_;
  }
  int reads() const { return reads_; }

  absl::Status Write(const KvBatch& batch, bool sync) override {
    {
      absl::MutexLock lock(&mu_);
      held_ = sync && hold_;
      auto let_go = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !hold_; };
      if (sync) mu_.Await(absl::Condition(&let_go));
      held_ = false;
      if (sync && refuse_ > 0) {
        --refuse_;
        return Error(absl::StatusCode::kResourceExhausted, "STORE_FULL", "the disk of the test is full");
      }
    }
    return kv_->Write(batch, sync);
  }
  absl::StatusOr<std::string> Get(absl::string_view key) const override {
    ++reads_;
    return kv_->Get(key);
  }
  std::unique_ptr<KvIterator> NewIterator() const override { return kv_->NewIterator(); }
  std::unique_ptr<KvReader> Snapshot() const override { return kv_->Snapshot(); }
  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) override {
    return kv_->BackUp(folder, stopped);
  }
  absl::StatusOr<std::string> Identity() const override { return kv_->Identity(); }
  uint64_t LastSequence() const override { return kv_->LastSequence(); }
  absl::StatusOr<std::vector<KvLogBatch>> ReadLog(uint64_t position, size_t bytes_max) override {
    return kv_->ReadLog(position, bytes_max);
  }
  void ForgetLog(uint64_t position) override { kv_->ForgetLog(position); }

 private:
  const std::shared_ptr<KvStore> kv_;
  mutable std::atomic<int> reads_{0};
  mutable absl::Mutex mu_;
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  int refuse_ ABSL_GUARDED_BY(mu_) = 0;
};

struct Aggregator {
  explicit Aggregator(const std::string& path, size_t dedupe_bytes = size_t{64} << 20)
      : Aggregator(path, own_clock, dedupe_bytes) {}
  Aggregator(const std::string& path, const Clock& clock, size_t dedupe_bytes = size_t{64} << 20)
      : Aggregator(OpenKv(path), clock, dedupe_bytes) {}
  Aggregator(std::shared_ptr<KvStore> kv, const Clock& clock, size_t dedupe_bytes = size_t{64} << 20) {
    auto opened = KvRecordStore::Open(std::move(kv), rpc::kDefaultTenant);
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto made = Committer::Open(*store, clock, dedupe_bytes);
    REQUIRE_OK(made);
    committer = *std::move(made);
    query = std::make_unique<RecordQuery>(*store);
    sealer = std::make_unique<Sealer>(*store, *committer, SmallParts());
  }
  CommitResult Send(const TestBatch& batch, int64_t seq = 0, int64_t epoch = 1) {
    CommitRequest request;
    request.batches.push_back(Prepare(batch));
    if (seq > 0) request.position = SpoolPosition{batch.drone_id, "s", epoch, seq};
    return committer->Commit(std::move(request));
  }
  std::vector<v1::Record> Records(v1::ListRecordsRequest request) {
    std::vector<v1::Record> all;
    do {
      auto page = query->ListRecords(request, [] { return false; });
      REQUIRE_OK(page);
      all.insert(all.end(), page->records().begin(), page->records().end());
      request.set_page_token(page->next_page_token());
      between_pages();
    } while (!request.page_token().empty());
    return all;
  }
  v1::Balance Balance(const std::string& run) {
    auto ledger = query->Ledger("runs/" + run);
    REQUIRE_OK(ledger);
    return ledger->balance();
  }
  FakeClock own_clock;
  std::unique_ptr<RecordStore> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<RecordQuery> query;
  std::unique_ptr<Sealer> sealer;
  std::function<void()> between_pages = [] {};
};

Content ContentOf(const v1::Record& record) {
  return {record.dims().at("place").integer(), record.measures().at("value").integer()};
}

v1::ListRecordsRequest OfProfile(const std::string& profile_id, bool all_versions = false, int limit = 7) {
  v1::ListRecordsRequest request;
  request.set_profile_id(profile_id);
  request.set_all_versions(all_versions);
  request.set_limit(limit);
  return request;
}

v1::ListRecordsRequest OfRun(const std::string& run_id, int limit = 5) {
  v1::ListRecordsRequest request;
  request.set_run_id(run_id);
  request.set_limit(limit);
  return request;
}

// What the aggregator should know, kept in the plainest way.
struct Model {
  struct Record {
    int64_t value;
    int64_t observed_us;
    std::set<int64_t> before;
  };
  struct Run {
    int64_t stored = 0, duplicate = 0, filtered = 0, quarantined = 0;
    std::set<Content> contents;
  };
  // What was known at a time.
  struct Past {
    std::map<std::string, std::map<int64_t, int64_t>> newest;  // by profile
    std::map<std::string, int64_t> versions;
    std::map<std::string, std::set<Content>> runs;
  };
  std::map<std::string, std::map<int64_t, Record>> profiles;
  std::map<std::string, int64_t> versions;  // by profile
  std::map<std::string, Run> runs;
  std::map<absl::Time, Past> history;  // by time of ack

  void Remember(absl::Time now) {
    if (!history.empty()) now = std::max(now, history.rbegin()->first);
    Past& past = history[now];
    past.versions = versions;
    for (auto& [profile_id, records] : profiles) {
      for (auto& [place, record] : records) past.newest[profile_id][place] = record.value;
    }
    for (auto& [run_id, run] : runs) past.runs[run_id] = run.contents;
  }
  Past At(absl::Time time) const {
    auto after = history.upper_bound(time);
    return after == history.begin() ? Past() : std::prev(after)->second;
  }

  bool Store(const std::string& profile_id, Content content, int64_t observed_us) {
    auto [found, added] = profiles[profile_id].try_emplace(content.first, Record{content.second, observed_us, {}});
    Record& record = found->second;
    if (added) return true;
    if (record.value == content.second) return false;
    if (observed_us < record.observed_us) return record.before.insert(content.second).second;
    record.before.insert(record.value);
    record.value = content.second;
    record.observed_us = observed_us;
    return true;
  }
  void Add(const TestBatch& batch) {
    Run& run = runs[batch.run_id];
    for (const Content& content : batch.rows) {
      bool stored = Store(batch.profile_id, content, batch.observed_us);
      ++(stored ? run.stored : run.duplicate);
      versions[batch.profile_id] += stored ? 1 : 0;
      run.contents.insert(content);
    }
    run.filtered += batch.filtered;
    run.quarantined += batch.quarantined;
  }
};

// Current rows in all batches and chunks that a scan gives.
size_t CountCurrent(Aggregator& aggregator, const v1::ScanBatchesRequest& scan) {
  size_t current = 0;
  CHECK_OK(aggregator.query->ScanBatches(scan, [&](const v1::ScanBatchesResponse& response) {
    uint32_t rows = 0;
    if (response.chunk().empty()) {
      auto batch = Batch::Parse(response.batch());
      REQUIRE_OK(batch);
      rows = batch->rows();
    } else {
      CHECK(scan.chunks());
      auto chunk = ChunkReader::Open(response.chunk());
      REQUIRE_OK(chunk);
      rows = chunk->rows();
    }
    current += response.current().empty() ? rows : RowSet::FromBits(response.current()).Count();
    return true;
  }));
  return current;
}

// `limit`: of a page, where those of a few records would take too long.
void CheckAgainst(Aggregator& aggregator, Model& model, int limit = 0) {
  int64_t total = 0;
  for (auto& [profile_id, records] : model.profiles) {
    std::map<int64_t, int64_t> expected, found;
    for (const auto& [place, record] : records) expected[place] = record.value;
    for (const v1::Record& record : aggregator.Records(OfProfile(profile_id, false, limit > 0 ? limit : 7))) {
      CHECK(found.insert(ContentOf(record)).second);
    }
    CHECK(found == expected);
    CHECK(static_cast<int64_t>(aggregator.Records(OfProfile(profile_id, true, 100)).size()) ==
          model.versions[profile_id]);
    v1::ScanBatchesRequest scan;
    scan.set_profile_id(profile_id);
    CHECK(CountCurrent(aggregator, scan) == expected.size());
    scan.set_chunks(true);
    CHECK(CountCurrent(aggregator, scan) == expected.size());
    total += model.versions[profile_id];
  }
  int64_t quarantined = 0;
  for (auto& [run_id, run] : model.runs) {
    v1::Balance balance = aggregator.Balance(run_id);
    CHECK(balance.stored() == run.stored);
    CHECK(balance.duplicate() == run.duplicate);
    CHECK(balance.filtered() == run.filtered);
    CHECK(balance.quarantined() == run.quarantined);
    CHECK(balance.fetched() == run.stored + run.duplicate + run.filtered + run.quarantined);
    CHECK(balance.closed());
    std::set<Content> found;
    // A content may come twice: as a version, and as a later one that went back to it.
    for (const v1::Record& record : aggregator.Records(OfRun(run_id, limit > 0 ? limit : 5)))
      found.insert(ContentOf(record));
    CHECK(found == run.contents);
    quarantined += run.quarantined;
  }
  auto summary = aggregator.query->Summary();
  REQUIRE_OK(summary);
  CHECK(summary->total_results() == total);
  CHECK(summary->quarantined() == quarantined);
}

void CheckPast(Aggregator& aggregator, const Model& model, absl::Time time) {
  Model::Past past = model.At(time);
  for (const auto& [profile_id, records] : model.profiles) {
    v1::ListRecordsRequest request = OfProfile(profile_id);
    *request.mutable_as_of() = ToTimestamp(time);
    std::map<int64_t, int64_t> found;
    for (const v1::Record& record : aggregator.Records(request)) CHECK(found.insert(ContentOf(record)).second);
    CHECK(found == past.newest[profile_id]);
    request.set_all_versions(true);
    CHECK(static_cast<int64_t>(aggregator.Records(request).size()) == past.versions[profile_id]);
    v1::ScanBatchesRequest scan;
    scan.set_profile_id(profile_id);
    *scan.mutable_as_of() = request.as_of();
    CHECK(CountCurrent(aggregator, scan) == past.newest[profile_id].size());
    scan.set_chunks(true);
    CHECK(CountCurrent(aggregator, scan) == past.newest[profile_id].size());
  }
  for (const auto& [run_id, run] : model.runs) {
    v1::ListRecordsRequest request = OfRun(run_id);
    *request.mutable_as_of() = ToTimestamp(time);
    std::set<Content> found;
    for (const v1::Record& record : aggregator.Records(request)) found.insert(ContentOf(record));
    CHECK(found == past.runs[run_id]);
  }
}

TEST_CASE("random batches, resends and reopens give what the plain rules give, now and as of any time before") {
  TempDir dir;
  std::mt19937 random(17);
  Model model;
  FakeClock clock;
  const absl::Time start = clock.Now();
  auto aggregator = std::make_unique<Aggregator>(dir.File("db"), clock);
  std::map<std::string, int64_t> seqs;
  std::map<std::string, TestBatch> last;
  for (int step = 1; step <= 250; ++step) {
    // Mostly forwards; a clock that is set back must not confuse what was known when.
    clock.Advance(absl::Microseconds(static_cast<int64_t>(random() % 10) - 2));
    std::string drone = "d" + std::to_string(random() % 2);
    if (random() % 5 == 0 && last.count(drone) != 0) {  // sent again after a lost ack
      CommitResult result = aggregator->Send(last[drone], seqs[drone]);
      REQUIRE_OK(result.status);
      CHECK(result.durable_seq == seqs[drone]);
      CHECK(result.stored + result.duplicate == 0);
      continue;
    }
    TestBatch batch;
    batch.drone_id = drone;
    batch.profile_id = "p" + std::to_string(random() % 2);
    // A run belongs to one profile here, so that contents can be told apart.
    batch.run_id = batch.profile_id + "-r" + std::to_string(random() % 6);
    batch.observed_us = static_cast<int64_t>(random() % 40);
    int64_t first = random() % 60;
    bool plain = random() % 2 == 0;
    for (unsigned i = random() % 30; i > 0; --i) {
      batch.rows.emplace_back(plain ? first + i : random() % 60, plain ? 0 : random() % 3);
    }
    batch.filtered = static_cast<int>(random() % 3);
    batch.quarantined = static_cast<int>(random() % 2);
    if (batch.rows.empty() && batch.filtered + batch.quarantined == 0) continue;
    CommitResult result = aggregator->Send(batch, ++seqs[drone]);
    REQUIRE_OK(result.status);
    model.Add(batch);
    model.Remember(clock.Now());
    last[drone] = batch;
    if (random() % 20 == 0) {
      CheckAgainst(*aggregator, model);
      aggregator.reset();
      aggregator = std::make_unique<Aggregator>(dir.File("db"), clock);
      CheckAgainst(*aggregator, model);
    }
    if (random() % 12 == 0) REQUIRE_OK(aggregator->sealer->SealNow(1 + random() % 60));
    if (random() % 4 == 0) CheckPast(*aggregator, model, start + absl::Microseconds(random() % (step * 3) - 5));
  }
  CheckAgainst(*aggregator, model);
  REQUIRE_OK(aggregator->sealer->SealNow(1));
  CheckAgainst(*aggregator, model);
  for (int i = 0; i < 20; ++i) CheckPast(*aggregator, model, start + absl::Microseconds(i * 60));
  CHECK_FALSE(aggregator->store->Parts("p0").empty());
}

// Requests that are committed without waiting for one another, and what became of each.
class Volley {
 public:
  explicit Volley(Aggregator& aggregator) : aggregator_(aggregator) {}
  void Send(const TestBatch& batch, int64_t seq) {
    CommitRequest request;
    request.batches.push_back(Prepare(batch));
    request.position = SpoolPosition{batch.drone_id, "s", 1, seq};
    {
      absl::MutexLock lock(&mu_);
      sent_.push_back(batch);
      results_.emplace_back();
    }
    aggregator_.committer->Submit(std::move(request), [this, at = sent_.size() - 1](const CommitResult& result) {
      absl::MutexLock lock(&mu_);
      results_[at] = result;
      ++answered_;
    });
  }
  const std::vector<CommitResult>& Await() {
    absl::MutexLock lock(&mu_);
    auto all = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return answered_ == sent_.size(); };
    mu_.Await(absl::Condition(&all));
    return results_;
  }
  const std::vector<TestBatch>& sent() const { return sent_; }

 private:
  Aggregator& aggregator_;
  std::vector<TestBatch> sent_;  // of the sender
  absl::Mutex mu_;
  std::vector<CommitResult> results_;  // whole after Await
  size_t answered_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST_CASE("what is staged while a write is under way counts with it, and is refused with it") {
  TempDir dir;
  std::mt19937 random(29);
  Model model;
  FakeClock clock;
  auto kv = std::make_shared<TrickyKv>(dir.File("db"));
  auto aggregator = std::make_unique<Aggregator>(kv, clock);
  std::map<std::string, int64_t> seqs;
  int refused_behind = 0;
  for (int volley_number = 0; volley_number < 60; ++volley_number) {
    clock.Advance(absl::Microseconds(1));
    auto batch_of = [&](int drone) {
      TestBatch batch;
      batch.drone_id = "d" + std::to_string(drone);
      batch.run_id = "p-r" + std::to_string(volley_number % 7) + batch.drone_id;
      batch.observed_us = static_cast<int64_t>(random() % 40);
      for (int i = 0; i < 60; ++i) batch.rows.emplace_back(random() % 500, random() % 3);
      return batch;
    };
    std::map<std::string, int64_t> next = seqs;
    Volley volley(*aggregator);
    kv->Hold();
    const TestBatch first = batch_of(0);
    volley.Send(first, ++next[first.drone_id]);
    CHECK(testing::Eventually([&] { return kv->held(); }));
    const int reads = kv->reads();
    for (int i = 0; i < 30; ++i) {
      const TestBatch batch = batch_of(static_cast<int>(random() % 4));
      volley.Send(batch, ++next[batch.drone_id]);
    }
    // The states of other drones and runs are read for it.
    CHECK(testing::Eventually([&] { return kv->reads() > reads; }));
    const int refuse = volley_number % 3 == 2 ? 1 : 0;
    kv->LetGo(refuse);
    const std::vector<CommitResult>& results = volley.Await();
    int full = 0;
    std::set<std::string> behind;  // drones of which something was refused
    for (size_t i = 0; i < results.size(); ++i) {
      const TestBatch& batch = volley.sent()[i];
      if (!results[i].status.ok()) {
        const std::string reason = Reason(results[i].status);
        CHECK((reason == "STORE_FULL" || (reason == "INGEST_GAP" && behind.count(batch.drone_id) > 0)));
        full += reason == "STORE_FULL" ? 1 : 0;
        behind.insert(batch.drone_id);
        continue;
      }
      CHECK(behind.count(batch.drone_id) == 0);
      CHECK(results[i].durable_seq == ++seqs[batch.drone_id]);
      const Model::Run before = model.runs[batch.run_id];
      model.Add(batch);
      CHECK(results[i].stored == model.runs[batch.run_id].stored - before.stored);
      CHECK(results[i].duplicate == model.runs[batch.run_id].duplicate - before.duplicate);
    }
    CHECK((full == 0) == (refuse == 0));
    refused_behind += std::max(full - 1, 0);
    if (random() % 4 == 0) REQUIRE_OK(aggregator->sealer->SealNow(1 + random() % 500));
    if (volley_number % 15 != 14) continue;
    CheckAgainst(*aggregator, model, 1000);
    aggregator.reset();
    kv.reset();
    kv = std::make_shared<TrickyKv>(dir.File("db"));
    aggregator = std::make_unique<Aggregator>(kv, clock);
    CheckAgainst(*aggregator, model, 1000);
  }
  CHECK(refused_behind > 0);
}

TEST_CASE("who was answered is not held on to until the next commit") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  struct Caller {
    absl::Status status;
    absl::Notification answered;
  };
  auto caller = std::make_shared<Caller>();
  const std::weak_ptr<Caller> held = caller;
  TestBatch batch;
  batch.rows = {{1, 1}};
  CommitRequest request;
  request.batches.push_back(Prepare(batch));
  aggregator.committer->Submit(std::move(request), [caller](const CommitResult& result) {
    caller->status = result.status;
    caller->answered.Notify();
  });
  caller->answered.WaitForNotification();
  CHECK_OK(caller->status);
  caller.reset();
  CHECK(testing::Eventually([&] { return held.expired(); }));
}

TEST_CASE("a list in pages goes on where it was while batches are sealed and parts are merged") {
  TempDir dir;
  std::mt19937 random(3);
  Aggregator aggregator(dir.File("db"));
  Model model;
  for (int i = 0; i < 60; ++i) {
    TestBatch batch;
    batch.run_id = "p-r" + std::to_string(i % 3);
    batch.observed_us = 1000 + i;
    for (unsigned rows = 1 + random() % 30; rows > 0; --rows) batch.rows.emplace_back(random() % 700, random() % 3);
    REQUIRE_OK(aggregator.Send(batch).status);
    model.Add(batch);
    if (i % 15 == 0) REQUIRE_OK(aggregator.sealer->SealNow(100));
  }
  PartMerge merge(*aggregator.store, SmallParts().merge, [] { return false; });
  size_t changes = 0;
  aggregator.between_pages = [&] {
    if (random() % 4 != 0) return;
    auto chosen = merge.Choose("p");
    REQUIRE_OK(chosen);
    auto sealed = chosen->empty() ? merge.SealBatches("p") : merge.MergeParts(*chosen);
    REQUIRE_OK(sealed);
    if (sealed->rows == 0 && sealed->parts.empty()) return;
    ++changes;
    aggregator.committer->Adopt(*sealed);
    for (uint64_t id : sealed->parts) REQUIRE_OK(aggregator.store->RemovePart(id));
  };
  for (bool all : {false, true}) {
    std::map<int64_t, int64_t> expected, found;
    for (const auto& [place, record] : model.profiles["p"]) expected[place] = record.value;
    auto records = aggregator.Records(OfProfile("p", all));
    if (all) CHECK(static_cast<int64_t>(records.size()) == model.versions["p"]);
    for (const v1::Record& record : records) {
      bool first = found.insert(ContentOf(record)).second;
      CHECK((first || all));
    }
    if (!all) CHECK(found == expected);
  }
  CHECK(changes > 5);
  aggregator.between_pages = [] {};
  CheckAgainst(aggregator, model);
}

TEST_CASE("a damaged sealed chunk is found, set aside and named, and its records are stored when they come again") {
  TempDir dir;
  TestBatch batch;
  for (int i = 0; i < 100; ++i) batch.rows.emplace_back(i, i);
  {
    Aggregator aggregator(dir.File("db"));
    REQUIRE_OK(aggregator.Send(batch).status);
    REQUIRE_OK(aggregator.sealer->SealNow(1));
    CHECK(aggregator.Records(OfProfile("p")).size() == 100);
  }
  {
    auto kv = OpenKv(dir.File("db"));
    std::string prefix = StoreKeys(rpc::kDefaultTenant).SealedChunkPrefix();
    auto it = kv->NewIterator();
    it->Seek(prefix);
    it->Next();
    REQUIRE(absl::StartsWith(it->key(), prefix));
    std::string bytes(it->value());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    KvBatch flip;
    flip.Put(it->key(), bytes);
    REQUIRE_OK(kv->Write(flip, true));
  }
  for (int round = 0; round < 2; ++round) {
    Aggregator aggregator(dir.File("db"));
    if (round == 0) CHECK(aggregator.committer->Amiss().empty());
    for (int i = 0; i < 2; ++i) {
      auto page = aggregator.query->ListRecords(OfProfile("p", false, 1000), [] { return false; });
      CHECK(absl::IsDataLoss(page.status()));
    }
    CHECK(absl::StrContains(aggregator.committer->Amiss(), "chunk 1 of part"));
    // The rest is known as before; what was lost is new.
    CommitResult again = aggregator.Send(batch);
    REQUIRE_OK(again.status);
    CHECK(again.stored == (round == 0 ? 23 : 0));
    CHECK(again.stored + again.duplicate == 100);
  }
}

TEST_CASE("a record without dims is one record, sealed or not") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  for (int64_t value : {1, 2, 2, 1}) {
    BatchHeader origin;
    origin.set_tenant("default");
    origin.set_profile_id("p");
    origin.set_run_id("r");
    origin.set_observed_us(1000);
    BatchBuilder builder;
    builder.SetOrigin(origin);
    size_t column = builder.AddColumn(Role::kMeasure, "value");
    builder.BeginRow(1, 1);
    builder.SetInteger(column, value);
    builder.EndRow();
    auto bytes = builder.Finish();
    REQUIRE_OK(bytes);
    auto prepared = PrepareBatch(*bytes);
    REQUIRE_OK(prepared);
    CommitRequest request;
    request.batches.push_back(*std::move(prepared));
    REQUIRE_OK(aggregator.committer->Commit(std::move(request)).status);
    REQUIRE_OK(aggregator.sealer->SealNow(1));
  }
  CHECK(aggregator.Records(OfProfile("p")).size() == 1);
  CHECK(aggregator.Records(OfProfile("p", true)).size() == 3);
  CHECK(aggregator.Balance("r").duplicate() == 1);
}

TEST_CASE("commits wait for the sealer when the index is full, and go on") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"), 600 << 10);
  aggregator.sealer->Start();
  TestBatch batch;
  for (int64_t seq = 1; seq <= 40; ++seq) {
    batch.rows.clear();
    for (int i = 0; i < 1000; ++i) batch.rows.emplace_back(seq * 1000 + i, i);
    REQUIRE_OK(aggregator.Send(batch, seq).status);
  }
  CHECK(aggregator.Balance("r1").stored() == 40000);
  batch.rows.clear();
  for (int i = 0; i < 1000; ++i) batch.rows.emplace_back(5000 + i, i);
  CHECK(aggregator.Send(batch, 41).duplicate == 1000);
  aggregator.sealer->Stop();
  CHECK(aggregator.Records(OfProfile("p", false, 10000)).size() == 40000);
}

// Puts a store without parts back into format 1, which kept no versions on disk, no origins, and no list of what is
// unsealed.
void MakeFormat1(const std::string& path) {
  auto kv = OpenKv(path);
  StoreKeys keys(rpc::kDefaultTenant);
  KvBatch changes;
  changes.Put(keys.Format(), "1");
  std::string versions = keys.SupersededPrefix("");
  versions.pop_back();  // of any profile
  auto it = kv->NewIterator();
  for (it->Seek(versions); it->Valid() && absl::StartsWith(it->key(), versions); it->Next()) changes.Delete(it->key());
  for (it->Seek(keys.AckPrefix()); it->Valid() && absl::StartsWith(it->key(), keys.AckPrefix()); it->Next()) {
    changes.Delete(it->key());
  }
  std::string unsealed = keys.UnsealedPrefix();
  for (it->Seek(unsealed); it->Valid() && absl::StartsWith(it->key(), unsealed); it->Next()) changes.Delete(it->key());
  for (it->Seek(keys.MetaPrefix()); it->Valid() && absl::StartsWith(it->key(), keys.MetaPrefix()); it->Next()) {
    ChunkMeta meta;
    REQUIRE(meta.ParseFromString(std::string(it->value())));
    meta.clear_origin();
    changes.Put(it->key(), meta.SerializeAsString());
  }
  REQUIRE_OK(kv->Write(changes, true));
}

TEST_CASE("a store of format 1 opens and knows the past as a newer one") {
  TempDir dir;
  std::mt19937 random(5);
  Model model;
  FakeClock clock;
  const absl::Time start = clock.Now();
  auto aggregator = std::make_unique<Aggregator>(dir.File("db"), clock);
  for (int step = 0; step < 40; ++step) {
    clock.Advance(absl::Microseconds(1));
    TestBatch batch;
    batch.observed_us = static_cast<int64_t>(random() % 20);
    for (int i = 0; i < 20; ++i) batch.rows.emplace_back(random() % 30, random() % 3);
    REQUIRE_OK(aggregator->Send(batch).status);
    model.Add(batch);
    model.Remember(clock.Now());
  }
  aggregator.reset();
  MakeFormat1(dir.File("db"));
  for (int opened = 0; opened < 3; ++opened) {
    aggregator = std::make_unique<Aggregator>(dir.File("db"), clock);
    if (opened == 2) REQUIRE_OK(aggregator->sealer->SealNow(1));
    CheckAgainst(*aggregator, model);
    for (int step = 0; step <= 40; step += 5) CheckPast(*aggregator, model, start + absl::Microseconds(step));
    aggregator.reset();
  }
}

TEST_CASE("a run that only found known records still lists them") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  TestBatch batch;
  for (int i = 0; i < 20; ++i) batch.rows.emplace_back(i, i * i);
  REQUIRE_OK(aggregator.Send(batch).status);
  batch.run_id = "r2";
  CommitResult again = aggregator.Send(batch);
  CHECK(again.duplicate == 20);
  CHECK(again.stored_batches == 0);
  auto records = aggregator.Records(OfRun("r2"));
  REQUIRE(records.size() == 20);
  CHECK(records[0].provenance().run_id() == "r1");
}

TEST_CASE("a value that goes back to what it was is a version of its own") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  for (int64_t value : {10, 11, 10}) {
    TestBatch batch;
    batch.observed_us = 1000 + static_cast<int64_t>(aggregator.Records(OfProfile("p", true)).size());
    batch.rows = {{1, value}};
    CHECK(aggregator.Send(batch).stored == 1);
  }
  CHECK(aggregator.Records(OfProfile("p", true)).size() == 3);
  auto newest = aggregator.Records(OfProfile("p"));
  REQUIRE(newest.size() == 1);
  CHECK(ContentOf(newest[0]) == Content{1, 10});
}

TEST_CASE("a late older value is kept but never shown as the newest") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  TestBatch batch;
  batch.rows = {{1, 20}};
  batch.observed_us = 2000;
  REQUIRE_OK(aggregator.Send(batch).status);
  batch.rows = {{1, 19}};
  batch.observed_us = 1000;
  CHECK(aggregator.Send(batch).stored == 1);
  CHECK(aggregator.Send(batch).duplicate == 1);
  CHECK(ContentOf(aggregator.Records(OfProfile("p")).at(0)) == Content{1, 20});
  CHECK(aggregator.Records(OfProfile("p", true)).size() == 2);
}

TEST_CASE("numbers past 2^53 stay apart and exact") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  TestBatch batch;
  batch.rows = {{9007199254740992, 9223372036854775807}, {9007199254740993, -9223372036854775807 - 1}};
  CHECK(aggregator.Send(batch).stored == 2);
  auto records = aggregator.Records(OfProfile("p"));
  REQUIRE(records.size() == 2);
  CHECK(ContentOf(records[0]) == batch.rows[0]);
  CHECK(ContentOf(records[1]) == batch.rows[1]);
}

TEST_CASE("gaps and old epochs are refused, and positions survive a reopen") {
  TempDir dir;
  TestBatch batch;
  batch.rows = {{1, 1}};
  {
    Aggregator aggregator(dir.File("db"));
    CHECK(Reason(aggregator.Send(batch, 2).status) == "INGEST_GAP");
    CHECK(aggregator.Send(batch, 1, 3).durable_seq == 1);
    CHECK(Reason(aggregator.Send(batch, 2, 2).status) == "EPOCH_FENCED");
  }
  Aggregator aggregator(dir.File("db"));
  CommitRequest hello;
  hello.position = SpoolPosition{"d1", "s", 4, 0};
  CHECK(aggregator.committer->Commit(hello).durable_seq == 1);
  CommitResult fenced = aggregator.Send(batch, 2, 3);
  CHECK(fenced.status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Reason(fenced.status) == "EPOCH_FENCED");
  CHECK(aggregator.Send(batch, 2, 4).durable_seq == 2);
}

TEST_CASE("the first end of a run holds, and rows that never came stay open") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  TestBatch batch;
  batch.rows = {{1, 1}, {2, 2}};
  REQUIRE_OK(aggregator.Send(batch).status);
  for (int64_t fetched : {3, 2}) {
    CommitRequest end;
    end.run_end.emplace();
    end.run_end->set_run_id("r1");
    end.run_end->set_fetched(fetched);
    REQUIRE_OK(aggregator.committer->Commit(end).status);
  }
  v1::Balance balance = aggregator.Balance("r1");
  CHECK(balance.fetched() == 3);
  CHECK(balance.in_spool() == 1);
  CHECK(balance.closed());
}

TEST_CASE("filters hold on the fields of records and name what they do not know") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  TestBatch batch;
  for (int i = 0; i < 100; ++i) batch.rows.emplace_back(i, i * 10);
  REQUIRE_OK(aggregator.Send(batch).status);
  v1::ListRecordsRequest request = OfProfile("p");
  request.add_filter("dims.place >= 90");
  request.add_filter("measures.value < 950 and dims.place != 91");
  CHECK(aggregator.Records(request).size() == 4);
  request.add_filter("place = 1");
  auto refused = aggregator.query->ListRecords(request, [] { return false; });
  CHECK(Reason(refused.status()) == "FILTER_NAME_UNKNOWN");
  CHECK(std::string(refused.status().message()).find("dims.place") != std::string::npos);
  request = OfProfile("p");
  request.set_page_token("junk");
  CHECK(Reason(aggregator.query->ListRecords(request, [] { return false; }).status()) == "PAGE_TOKEN_INVALID");
}

TEST_CASE("quarantined rows list newest run first, by run and by profile, in pages") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  for (int run = 0; run < 3; ++run) {
    TestBatch batch;
    batch.profile_id = run == 1 ? "other" : "p";
    batch.run_id = "r" + std::to_string(run);
    batch.quarantined = 3;
    REQUIRE_OK(aggregator.Send(batch).status);
  }
  auto list = [&](const std::string& profile_id, const std::string& run_id) {
    v1::ListQuarantineRequest request;
    request.set_profile_id(profile_id);
    request.set_run_id(run_id);
    request.set_limit(2);
    std::string runs;
    do {
      auto page = aggregator.query->ListQuarantine(request);
      REQUIRE_OK(page);
      for (const v1::QuarantineRow& row : page->rows()) runs += row.run_id().substr(1) + std::to_string(row.row());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return runs;
  };
  CHECK(list("", "") == "212223111213010203");
  CHECK(list("p", "") == "212223010203");
  CHECK(list("", "r1") == "111213");
  CHECK(list("p", "r1").empty());
}

TEST_CASE("stored batches list newest first") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"));
  for (int i = 0; i < 5; ++i) {
    TestBatch batch;
    batch.drone_id = i % 2 == 0 ? "even" : "odd";
    batch.rows = {{i, i}};
    REQUIRE_OK(aggregator.Send(batch).status);
  }
  v1::ListResultsRequest request;
  request.set_drone_id("even");
  request.set_limit(2);
  auto page = aggregator.query->ListResults(request);
  REQUIRE_OK(page);
  REQUIRE(page->results_size() == 2);
  CHECK(page->results(0).seq() == 5);
  CHECK(page->results(1).seq() == 3);
  request.set_page_token(page->next_page_token());
  page = aggregator.query->ListResults(request);
  REQUIRE_OK(page);
  REQUIRE(page->results_size() == 1);
  CHECK(page->results(0).seq() == 1);
  CHECK(aggregator.query->Summary()->unique_drones() == 2);
}

TEST_CASE("a full index answers so and takes nothing of the request") {
  TempDir dir;
  Aggregator aggregator(dir.File("db"), 300 << 10);
  TestBatch batch;
  CommitResult result;
  for (int64_t seq = 1; result.status.ok() && seq < 100; ++seq) {
    batch.rows.clear();
    for (int i = 0; i < 1000; ++i) batch.rows.emplace_back(seq * 1000 + i, i);
    result = aggregator.Send(batch, seq);
  }
  CHECK(result.status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(result.status) == "DEDUPE_INDEX_FULL");
  v1::Balance balance = aggregator.Balance("r1");
  CHECK(balance.stored() % 1000 == 0);
  CHECK(aggregator.Records(OfProfile("p", false, 1000)).size() == static_cast<size_t>(balance.stored()));
}

}  // namespace
}  // namespace chartly::aggregator
