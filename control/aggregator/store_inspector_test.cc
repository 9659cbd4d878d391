#include "control/aggregator/store_inspector.h"

#include "common/status/status.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/sealer.h"

namespace chartly::aggregator {
namespace {

using testing::TempDir;

struct Fixture {
  Fixture() {
    auto opened = KvRecordStore::Open(dir.File("db"), {.memory_bytes = size_t{8} << 20, .large_values = true});
    REQUIRE_OK(opened);
    store = *std::move(opened);
    auto made = Committer::Open(*store, clock, size_t{64} << 20);
    REQUIRE_OK(made);
    committer = *std::move(made);
  }
  void Send(const std::string& profile_id, int64_t first, int count, int64_t observed_us) {
    TestBatch batch;
    batch.profile_id = profile_id;
    batch.observed_us = observed_us;
    for (int i = 0; i < count; ++i) batch.rows.emplace_back(first + i, 1);
    CommitRequest request;
    request.batches.push_back(Prepare(batch));
    REQUIRE_OK(committer->Commit(std::move(request)).status);
  }
  CommitResult Hello(int64_t acked_seq) {
    CommitRequest request;
    request.position = SpoolPosition{"d", "s", 1, 0, acked_seq};
    return committer->Commit(std::move(request));
  }
  // All faults of a whole check.
  std::vector<v1::StoreFault> Verify() {
    std::vector<v1::StoreFault> faults;
    v1::VerifyStoreRequest request;
    do {
      auto piece = inspector().Verify(request);
      REQUIRE_OK(piece);
      faults.insert(faults.end(), piece->faults().begin(), piece->faults().end());
      rows += piece->rows();
      request.set_page_token(piece->next_page_token());
    } while (!request.page_token().empty());
    return faults;
  }
  StoreInspector inspector() const { return StoreInspector(*store); }

  TempDir dir;
  FakeClock clock;
  std::unique_ptr<KvRecordStore> store;
  std::unique_ptr<Committer> committer;
  int64_t rows = 0;
};

}  // namespace

TEST_CASE("stats count what lies in batches and in parts, and say how old it is") {
  Fixture fixture;
  fixture.Send("p", 0, 100, 5'000'000);
  fixture.Send("q", 0, 7, 9'000'000);
  SealerOptions options;
  options.merge.seal_rows = 50;
  Sealer sealer(*fixture.store, *fixture.committer, options);
  REQUIRE_OK(sealer.SealNow(50));
  fixture.Send("p", 100, 20, 8'000'000);
  auto stats = fixture.inspector().Stats({});
  REQUIRE_OK(stats);
  REQUIRE(stats->profiles_size() == 2);
  const v1::ProfileStats& p = stats->profiles(0);
  CHECK(p.records() == 120);
  CHECK(p.parts() == 1);
  CHECK(p.unsealed_rows() == 20);
  CHECK(p.size_bytes() > 0);
  CHECK(p.oldest_fetch_time().seconds() == 5);
  CHECK(p.newest_fetch_time().seconds() == 8);
  CHECK(stats->last_batch() == 3);
  v1::GetStoreStatsRequest one;
  one.set_profile_id("q");
  CHECK(fixture.inspector().Stats(one)->profiles(0).records() == 7);
}

TEST_CASE("a check reads every row once, and tells what is damaged and where") {
  Fixture fixture;
  for (int i = 0; i < 4; ++i) fixture.Send("p", i * 100, 100, 1);
  Sealer sealer(*fixture.store, *fixture.committer, {});
  REQUIRE_OK(sealer.SealNow(1));
  fixture.Send("p", 400, 50, 1);
  CHECK(fixture.Verify().empty());
  CHECK(fixture.rows == 450);
  fixture.store->SetAside(fixture.store->Parts("p").front()->meta.id(), 0, absl::DataLossError("a test"));
  std::vector<v1::StoreFault> faults = fixture.Verify();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].profile_id() == "p");
  CHECK(faults[0].first_batch() == 1);
  CHECK(faults[0].last_batch() == 4);
  v1::VerifyStoreRequest wrong;
  wrong.set_page_token("zz");
  CHECK(Reason(fixture.inspector().Verify(wrong).status()) == "PAGE_TOKEN_INVALID");
}

TEST_CASE("a ledger that counts otherwise than the batches is told") {
  Fixture fixture;
  fixture.Send("p", 0, 10, 1);
  StoreWrite write;
  write.last_batch = 1;
  write.acked_us = absl::ToUnixMicros(fixture.clock.Now());
  write.states.profiles["p"].set_records(11);
  write.states.profiles["p"].set_batches(1);
  REQUIRE_OK(fixture.store->Append(std::move(write)));
  std::vector<v1::StoreFault> faults = fixture.Verify();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].message().find("11 records") != std::string::npos);
}

TEST_CASE("what was acked by a younger store is told as lost until it is sent again") {
  Fixture fixture;
  REQUIRE_OK(fixture.Hello(0).status);
  CHECK(fixture.inspector().Stats({})->lost_entries().empty());
  CHECK(fixture.Hello(2).durable_seq == 0);
  auto stats = fixture.inspector().Stats({});
  REQUIRE(stats->lost_entries_size() == 1);
  CHECK(stats->lost_entries(0).drone_id() == "d");
  CHECK(stats->lost_entries(0).first_seq() == 1);
  CHECK(stats->lost_entries(0).last_seq() == 2);
  for (int64_t seq = 1; seq <= 2; ++seq) {
    CommitRequest request;
    TestBatch batch;
    batch.drone_id = "d";
    batch.rows = {{seq, 1}};
    request.batches.push_back(Prepare(batch));
    request.position = SpoolPosition{"d", "s", 1, seq, 0};
    REQUIRE_OK(fixture.committer->Commit(std::move(request)).status);
  }
  CHECK(fixture.inspector().Stats({})->lost_entries().empty());
}

}  // namespace chartly::aggregator
