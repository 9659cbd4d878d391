// The tests that every RecordStore must pass. Call RunRecordStoreBattery from one TEST_CASE of each implementation, and
// AppendUntilKilled from a hidden one tagged [.writer], which the battery starts as a program of its own.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_BATTERY_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_BATTERY_H_

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_seals_test.h"
#include "control/aggregator/store_writer_test.h"
#include "test/support/killed_writer.h"

namespace chartly::aggregator {

inline void CheckOneAppend(RecordStore& store) {
  CHECK(store.LastBatch().value() == 0);
  CHECK(store.LastAckedUs().value() == 0);
  CHECK_FALSE(store.Run("r")->has_value());
  CHECK(store.Profiles()->empty());
  StoreWriter writer(store);
  uint64_t chunk = writer.AddChunk("p", "r", 3);
  StoreWrite& write = writer.write();
  std::string bytes = write.chunks[0].batch;
  write.chunks[0].meta.mutable_origin()->set_revision("profiles/p@sha256:1");
  write.run_rows.push_back({"r", chunk, chunk, RowsOf({0, 1, 2})});
  write.states.runs["r"].set_stored(3);
  write.states.profiles["p"].set_records(3);
  write.states.drones["d"].set_epoch(7);
  write.states.spools[{"d", "s"}].set_seq(11);
  write.quarantine.push_back({1, chunk, 0, {}});
  write.quarantine[0].row.set_profile_id("p");
  writer.Append();
  CHECK(store.LastBatch().value() == chunk);
  CHECK(store.LastAckedUs().value() == 1000);
  CHECK(store.ChunkBatch(chunk).value() == bytes);
  CHECK(store.Meta(chunk)->origin().revision() == "profiles/p@sha256:1");
  CHECK((*store.Run("r"))->stored() == 3);
  CHECK((*store.Profile("p"))->records() == 3);
  CHECK((*store.Drone("d"))->epoch() == 7);
  CHECK((*store.Spool("d", "s"))->seq() == 11);
  CHECK_FALSE(store.Spool("d", "other")->has_value());
  CHECK(store.Profiles()->count("p") == 1);
  CHECK(store.Drones()->count("d") == 1);
  CHECK(ScanOfRun(store, "r").size() == 3);
  CHECK(absl::IsNotFound(store.ChunkBatch(chunk + 1).status()));
  CHECK_FALSE(store.Meta(chunk + 1).ok());
}

// Chunk 1 has rows 0 to 3; chunk 2 replaces 1 and 2, chunk 3 replaces 3 and brings a row that was late.
inline void CheckVersions(RecordStore& store) {
  StoreWriter writer(store);
  uint64_t first = writer.AddChunk("p", "r", 4);
  writer.Append();
  writer.acked_us = 2000;
  uint64_t second = writer.AddChunk("p", "r", 2);
  writer.write().superseded.push_back({"p", first, second, RowsOf({1, 2})});
  writer.Append();
  uint64_t third = writer.AddChunk("p", "r", 2);
  writer.write().superseded.push_back({"p", first, third, RowsOf({3})});
  writer.write().superseded.push_back({"p", third, third, RowsOf({1})});
  writer.acked_us = 3000;
  writer.Append();
  using Rows = std::vector<StoredRow>;
  CHECK(Scan(store, {"p", 0, 0, false}).empty());
  CHECK(Scan(store, {"p", 0, first, false}) == Rows{{first, 0}, {first, 1}, {first, 2}, {first, 3}});
  CHECK(Scan(store, {"p", 0, second, false}) == Rows{{first, 0}, {first, 3}, {second, 0}, {second, 1}});
  CHECK(Scan(store, {"p", 0, third, false}) == Rows{{first, 0}, {second, 0}, {second, 1}, {third, 0}});
  CHECK(Scan(store, {"p", second, third, false}) == Rows{{second, 0}, {second, 1}, {third, 0}});
  CHECK(Scan(store, {"p", 0, third, true}).size() == 8);
  CHECK(Scan(store, {"p", 0, second, true}).size() == 6);
  CHECK(Scan(store, {"other", 0, third, false}).empty());
  CHECK(store.LastBatchAt(999).value() == 0);
  CHECK(store.LastBatchAt(1000).value() == first);
  CHECK(store.LastBatchAt(1999).value() == first);
  CHECK(store.LastBatchAt(2000).value() == second);
  CHECK(store.LastBatchAt(std::numeric_limits<int64_t>::max()).value() == third);
}

inline void CheckScans(RecordStore& store) {
  StoreWriter writer(store);
  std::map<std::string, std::vector<uint64_t>> chunks;
  // Names that begin alike must not run into one another.
  for (int i = 0; i < 300; ++i) {
    std::string profile = i % 3 == 0 ? "p" : i % 3 == 1 ? "p1" : "p\xc3\xa9";
    uint64_t chunk = writer.AddChunk(profile, "r", 1);
    chunks[profile].push_back(chunk);
    chunks[""].push_back(chunk);
    writer.write().run_rows.push_back({i % 2 == 0 ? "r" : "r1", chunk, chunk, RowsOf({0})});
    if (i % 7 == 0) writer.Append();
  }
  writer.Append();
  for (auto& [profile, expected] : chunks) {
    CHECK(ChunksOf(store, profile, 0, false) == expected);
    std::vector<uint64_t> part(expected.begin() + 20, expected.end());
    CHECK(ChunksOf(store, profile, expected[20], false) == part);
    std::vector<uint64_t> down(expected.rbegin(), expected.rend());
    CHECK(ChunksOf(store, profile, kNoEnd, true) == down);
    down.erase(down.begin(), down.begin() + 20);
    CHECK(ChunksOf(store, profile, down[0], true) == down);
    size_t seen = 0;
    CHECK_OK(
        store.ScanChunks(profile, 0, [&](uint64_t, const ChunkMeta&) -> absl::StatusOr<bool> { return ++seen < 5; }));
    CHECK(seen == 5);
  }
  CHECK(ChunksOf(store, "q", 0, false).empty());
  CHECK(ScanOfRun(store, "r").size() == 150);
  CHECK(ScanOfRun(store, "r", 101).size() == 100);
  CHECK(ScanOfRun(store, "r", 0, 100).size() == 50);
  CHECK(ScanOfRun(store, "absent").empty());
}

inline void CheckRunList(RecordStore& store) {
  StoreWriter writer(store);
  for (const char* run : {"b", "a", "ab", "c"}) {
    writer.AddChunk("p", run, 1);
    writer.write().states.runs[run].set_ordinal(writer.number());
    writer.Append();
  }
  std::string runs;
  CHECK_OK(store.ScanRuns([&](const std::string& run_id, const RunState& run) -> absl::StatusOr<bool> {
    runs += absl::StrCat(run_id, run.ordinal(), " ");
    return run_id != "b";
  }));
  CHECK(runs == "a2 ab3 b1 ");
}

// A run that found known rows again lists them where they lie, once.
inline void CheckRuns(RecordStore& store) {
  StoreWriter writer(store);
  uint64_t first = writer.AddChunk("p", "r1", 5);
  writer.write().run_rows.push_back({"r1", first, first, RowsOf({0, 1, 2, 3, 4})});
  uint64_t second = writer.AddChunk("p", "r2", 1);
  writer.write().run_rows.push_back({"r2", first, second, RowsOf({1, 2})});
  writer.write().run_rows.push_back({"r2", second, second, RowsOf({0})});
  writer.Append();
  uint64_t third = writer.AddChunk("p", "r2", 1);
  writer.write().run_rows.push_back({"r2", first, third, RowsOf({2, 4})});
  writer.Append();
  using Rows = std::vector<StoredRow>;
  CHECK(ScanOfRun(store, "r1").size() == 5);
  CHECK(ScanOfRun(store, "r2") == Rows{{first, 1}, {first, 2}, {first, 4}, {second, 0}});
  CHECK(ScanOfRun(store, "r2", 0, second) == Rows{{first, 1}, {first, 2}, {second, 0}});
  CHECK(ScanOfRun(store, "r2", 0, first).empty());
}

inline std::vector<std::string> Quarantined(const RecordStore& store, const std::string& profile,
                                            const std::string& run) {
  std::vector<std::string> found;
  std::string after;
  // One a scan, so that the ids must carry on.
  for (bool more = true; more;) {
    more = false;
    CHECK_OK(store.ScanQuarantine(profile, run, after,
                                  [&](absl::string_view id, const StoredQuarantine& row) -> absl::StatusOr<bool> {
                                    after = std::string(id);
                                    found.push_back(row.row().message());
                                    more = true;
                                    return false;
                                  }));
  }
  return found;
}

inline void CheckQuarantine(RecordStore& store) {
  StoreWriter writer(store);
  for (uint64_t run = 1; run <= 3; ++run) {
    uint64_t chunk = writer.AddChunk("p", absl::StrCat("r", run), 1);
    writer.write().states.runs[absl::StrCat("r", run)].set_ordinal(run);
    for (uint32_t index = 0; index < 2; ++index) {
      StoreWrite::Quarantine entry{run, chunk, index, {}};
      entry.row.set_profile_id(run == 2 ? "p2" : "p");
      entry.row.set_run_id(absl::StrCat("r", run));
      entry.row.mutable_row()->set_message(absl::StrCat(run, ".", index));
      writer.write().quarantine.push_back(std::move(entry));
    }
    writer.Append();
  }
  using List = std::vector<std::string>;
  CHECK(Quarantined(store, "", "") == List{"3.0", "3.1", "2.0", "2.1", "1.0", "1.1"});
  CHECK(Quarantined(store, "p", "") == List{"3.0", "3.1", "1.0", "1.1"});
  CHECK(Quarantined(store, "", "r2") == List{"2.0", "2.1"});
  CHECK(Quarantined(store, "p", "r2").empty());
  CHECK(Quarantined(store, "", "absent").empty());
}

// While one thread appends, every question as of a number gives one answer.
inline void CheckSnapshots(RecordStore& store) {
  constexpr uint32_t kRows = 10;
  std::atomic<bool> done{false};
  StoreWriter writer(store);
  writer.AddChunk("p", "r", kRows);
  writer.Append();
  // Asserts are for one thread.
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    while (!done) {
      auto as_of = store.LastBatch();
      if (!as_of.ok()) ++wrong;
      if (!as_of.ok()) return;
      auto rows = TryScan(store, {"p", 0, *as_of, false}), again = TryScan(store, {"p", 0, *as_of, false});
      // Each chunk replaces all rows of the one before.
      bool right = rows.ok() && again.ok() && *rows == *again && rows->size() == kRows && rows->front().first == *as_of;
      wrong += right ? 0 : 1;
    }
  });
  for (int i = 0; i < 200; ++i) {
    uint64_t before = writer.number();
    uint64_t chunk = writer.AddChunk("p", "r", kRows);
    writer.write().superseded.push_back({"p", before, chunk, RowSet::All(kRows)});
    writer.Append();
  }
  done = true;
  reader.join();
  CHECK(wrong == 0);
}

inline void CheckLargeBatches(const RecordStoreFactory& open) {
  testing::TempDir dir;
  std::vector<std::string> batches;
  {
    auto store = open(dir.File("s"));
    REQUIRE_OK(store);
    StoreWriter writer(**store);
    for (size_t size : {size_t{1}, size_t{65535}, size_t{65536}, kMaxBatchBytes}) {
      writer.AddChunk("p", "r", 1, size);
      batches.push_back(writer.write().chunks.back().batch);
    }
    writer.Append();
  }
  auto store = open(dir.File("s"));
  REQUIRE_OK(store);
  for (size_t i = 0; i < batches.size(); ++i) CHECK((*store)->ChunkBatch(i + 1).value() == batches[i]);
}

// Random appends against a plain list of rows and of when each was replaced, with reopens.
inline void CheckAgainstModel(const RecordStoreFactory& open) {
  testing::TempDir dir;
  std::mt19937 random(99);
  std::map<StoredRow, uint64_t> replaced;  // by what batch; kNoEnd for newest rows
  std::map<uint64_t, int64_t> acked;
  auto store = open(dir.File("s"));
  REQUIRE_OK(store);
  int64_t now = 1000;
  for (int step = 0; step < 120; ++step) {
    StoreWriter writer(**store);
    writer.acked_us = now += random() % 3;
    for (unsigned chunks = 1 + random() % 3; chunks > 0; --chunks) {
      uint32_t rows = 1 + random() % 70;
      uint64_t chunk = writer.AddChunk("p", "r", rows);
      std::map<uint64_t, RowSet> gone;
      for (auto& [row, by] : replaced) {
        if (by != kNoEnd || random() % 10 != 0) continue;
        by = chunk;
        gone[row.first].Add(row.second);
      }
      for (auto& [of, set] : gone) writer.write().superseded.push_back({"p", of, chunk, set});
      for (uint32_t row = 0; row < rows; ++row) replaced[{chunk, row}] = kNoEnd;
    }
    writer.Append();
    acked[writer.number()] = now;
    if (random() % 10 == 0) {
      store->reset();
      store = open(dir.File("s"));
      REQUIRE_OK(store);
    }
    uint64_t as_of = random() % (writer.number() + 1), first = random() % (as_of + 1);
    std::vector<StoredRow> newest, all;
    for (const auto& [row, by] : replaced) {
      if (row.first < first || row.first > as_of) continue;
      all.push_back(row);
      if (by > as_of) newest.push_back(row);
    }
    CHECK(Scan(**store, {"p", first, as_of, false}) == newest);
    CHECK(Scan(**store, {"p", first, as_of, true}) == all);
    int64_t time = 998 + static_cast<int64_t>(random() % static_cast<unsigned>(now - 995));
    uint64_t known = 0;
    for (const auto& [number, when] : acked) known = when <= time ? number : known;
    CHECK((*store)->LastBatchAt(time).value() == known);
  }
}

// Appends of three chunks each until it is killed; says the number of each that is stored.
inline void AppendUntilKilled(const RecordStoreFactory& open) {
  const char* path = testing::WriterPath();
  if (path == nullptr) return;
  auto store = open(path);
  REQUIRE_OK(store);
  StoreWriter writer(**store);
  PartMerge merge(**store, SmallMerges(), [] { return false; });
  for (;;) {
    for (int i = 0; i < 3; ++i) {
      uint64_t chunk = writer.AddChunk("p", "r", 5);
      writer.write().run_rows.push_back({"r", chunk, chunk, RowSet::All(5)});
    }
    uint64_t number = writer.number();
    writer.write().states.profiles["p"].set_batches(static_cast<int64_t>(number));
    if (number % 5 == 0) {
      if (!merge.SealBatches("p").ok()) return;
      auto chosen = merge.Choose("p");
      if (!chosen.ok() || (!chosen->empty() && !merge.MergeParts(*chosen).ok())) return;
    }
    if (!writer.TryAppend().ok() || !testing::TellStored(static_cast<int64_t>(number))) return;
  }
}

inline void CheckKills(const RecordStoreFactory& open, const std::string& writer_test) {
  testing::TempDir dir;
  std::mt19937 random(31);
  uint64_t acked = 0;
  for (int round = 0; round < 10; ++round) {
    acked = static_cast<uint64_t>(
        testing::RunAndKill(writer_test, dir.File("s"), 1 + random() % 20, static_cast<int64_t>(acked)));
    auto store = open(dir.File("s"));
    REQUIRE_OK(store);
    uint64_t last = (*store)->LastBatch().value();
    CHECK(last >= acked);
    CHECK(last % 3 == 0);  // an append is there whole or not at all
    CHECK((*(*store)->Profile("p"))->batches() == static_cast<int64_t>(last));
    CHECK(Scan(**store, {"p", 0, last, false}).size() + SealedRows(**store, "p") == last * 5);
    CHECK(ScanOfRun(**store, "r").size() == last * 5);
    for (uint64_t chunk = 1; chunk <= last; ++chunk) CHECK_OK((*store)->Meta(chunk));
    acked = last;
  }
  CHECK(acked >= 30);
}

// `writer_test`: the name of the hidden test that calls AppendUntilKilled.
inline void RunRecordStoreBattery(const RecordStoreFactory& open, const std::string& writer_test) {
  testing::TempDir dir;
  auto opened = open(dir.File("store"));
  REQUIRE_OK(opened);
  RecordStore& store = **opened;
  SECTION("an append is there as a whole") { CheckOneAppend(store); }
  SECTION("rows are the newest until the batch that replaced them, and as of a number it stays so") {
    CheckVersions(store);
  }
  SECTION("chunks scan in order, both ways, by profile and by run") { CheckScans(store); }
  SECTION("all runs list in order of their ids") { CheckRunList(store); }
  SECTION("a run lists its rows where they lie, each once") { CheckRuns(store); }
  SECTION("quarantined rows come newest run first, narrowed by profile and by run") { CheckQuarantine(store); }
  SECTION("a question as of a number has one answer while others append") { CheckSnapshots(store); }
  SECTION("what is sealed or merged is there as before, and what was never sealed is not") { CheckSeals(open); }
  SECTION("batches of any size come back byte for byte after a reopen") { CheckLargeBatches(open); }
  SECTION("random appends agree with a plain list") { CheckAgainstModel(open); }
  SECTION("whatever a killed process acknowledged is there, and nothing by halves") { CheckKills(open, writer_test); }
}

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_STORE_BATTERY_H_
