#include "control/aggregator/dedupe_index.h"

#include <map>
#include <random>
#include <set>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

uint64_t Mix(uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

Hash128 Hash(uint64_t a, uint64_t b) { return {Mix(a * 1000003 + b), Mix(b * 7919 + a + 17)}; }

struct Row {
  uint64_t key;
  uint64_t content;
};

RecordIdsPtr Ids(const std::vector<Row>& rows) {
  auto ids = std::make_shared<RecordIds>();
  for (const Row& row : rows) {
    ids->keys.push_back(Hash(row.key, 1));
    ids->ids.push_back(Hash(row.key, row.content + 100));
  }
  return ids;
}

// The rule, written down plainly.
struct Model {
  struct Record {
    uint64_t content;
    int64_t observed_us;
    std::set<uint64_t> before;
  };
  std::map<uint64_t, Record> records;
  bool Store(const Row& row, int64_t observed_us) {
    auto found = records.find(row.key);
    if (found == records.end()) {
      records[row.key] = {row.content, observed_us, {}};
      return true;
    }
    Record& record = found->second;
    if (record.content == row.content) return false;
    if (observed_us >= record.observed_us) {
      record.before.insert(record.content);
      record.content = row.content;
      record.observed_us = observed_us;
      return true;
    }
    return record.before.insert(row.content).second;
  }
};

TEST_CASE("the index decides as the plain rule does, also after an undo and a replay") {
  std::mt19937 random(5);
  DedupeIndex index(size_t{64} << 20);
  Model model;
  struct Chunk {
    std::vector<Row> rows;
    int64_t observed_us;
    RowSet stored;
  };
  std::map<uint64_t, Chunk> chunks;
  for (uint64_t chunk = 1; chunk < 400; ++chunk) {
    std::vector<Row> rows;
    for (unsigned i = random() % 100; i > 0; --i) rows.push_back({random() % 500, random() % 4});
    auto observed_us = static_cast<int64_t>(random() % 50);
    bool fails = random() % 4 == 0;
    Model before = model;
    REQUIRE_OK(index.Reserve({}));
    const RecordIdsPtr ids = Ids(rows);
    REQUIRE_OK(index.Reserve({ids.get()}));
    DedupeOutcome outcome = index.Apply(ids, observed_us, chunk);
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK(outcome.stored.Contains(static_cast<uint32_t>(i)) == model.Store(rows[i], observed_us));
    }
    CHECK(outcome.stored.Count() == outcome.stored_count);
    CHECK(outcome.stored_count + outcome.duplicates.size() == rows.size());
    if (fails) {
      index.Undo();
      model = before;
    } else {
      index.Commit();
      chunks[chunk] = {rows, observed_us, outcome.stored};
      // A duplicate points at a row with its content.
      size_t duplicate = 0;
      for (size_t i = 0; i < rows.size(); ++i) {
        if (outcome.stored.Contains(static_cast<uint32_t>(i))) continue;
        RowLocation at = outcome.duplicates[duplicate++];
        const Row& original = chunks[LocationChunk(at)].rows[LocationRow(at)];
        CHECK(original.key == rows[i].key);
        CHECK(original.content == rows[i].content);
      }
    }
    CHECK(index.size() == model.records.size());
  }
  DedupeIndex again(0);
  std::set<RowLocation> superseded;
  for (const auto& [chunk, content] : chunks) {
    for (RowLocation at : again.Replay(Ids(content.rows), content.observed_us, chunk, content.stored)) {
      superseded.insert(at);
    }
  }
  size_t current = 0;
  for (const auto& [chunk, content] : chunks) {
    for (uint32_t row = 0; row < content.rows.size(); ++row) {
      if (!content.stored.Contains(row) || superseded.count(MakeLocation(chunk, row)) != 0) continue;
      ++current;
      CHECK(model.records[content.rows[row].key].content == content.rows[row].content);
    }
  }
  CHECK(current == model.records.size());
}

TEST_CASE("a full index refuses more and still knows what it has") {
  DedupeIndex index(256 << 10);
  uint64_t next = 0;
  absl::Status status;
  uint64_t chunk = 0;
  for (; status.ok() && chunk < 1000;) {
    std::vector<Row> rows;
    for (int i = 0; i < 100; ++i) rows.push_back({next++, 0});
    const RecordIdsPtr ids = Ids(rows);
    status = index.Reserve({ids.get()});
    if (!status.ok()) break;
    CHECK(index.Apply(ids, 1, ++chunk).stored_count == 100);
    index.Commit();
  }
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(status) == "DEDUPE_INDEX_FULL");
  CHECK(index.bytes() <= size_t{256} << 10);
  CHECK(index.size() * 48 > size_t{100} << 10);
}

TEST_CASE("an index that grows large keeps to its bound and knows everything, with the next table at hand or without") {
  constexpr uint64_t kRows = 8192;
  const size_t max_bytes = GENERATE(size_t{512} << 20, size_t{64} << 20);
  DedupeIndex index(max_bytes);
  std::vector<RecordIdsPtr> held;
  absl::Status status;
  for (uint64_t chunk = 1; chunk <= 150; ++chunk) {
    std::vector<Row> rows;
    for (uint64_t i = 0; i < kRows; ++i) rows.push_back({chunk * kRows + i, 0});
    const RecordIdsPtr ids = Ids(rows);
    status = index.Reserve({ids.get()});
    REQUIRE(index.bytes() <= max_bytes);
    if (!status.ok()) break;
    REQUIRE(index.Apply(ids, 1, chunk).stored_count == kRows);
    index.Commit();
    held.push_back(ids);
  }
  CHECK(status.ok() == (max_bytes > size_t{64} << 20));
  CHECK(index.bytes() > size_t{32} << 20);
  CHECK(index.size() == held.size() * kRows);
  for (const RecordIdsPtr& ids : held) REQUIRE(index.Undecided(*ids, 1).empty());
}

TEST_CASE("changes become final up to a mark, and those behind it are taken back") {
  std::mt19937 random(31);
  DedupeIndex index(size_t{64} << 20);
  Model model;
  auto apply = [&](uint64_t chunk) {
    std::vector<Row> rows;
    for (unsigned i = 1 + random() % 80; i > 0; --i) rows.push_back({random() % 300, random() % 3});
    const auto observed_us = static_cast<int64_t>(random() % 50);
    const RecordIdsPtr ids = Ids(rows);
    REQUIRE_OK(index.Reserve({ids.get()}));
    const DedupeOutcome outcome = index.Apply(ids, observed_us, chunk);
    for (size_t i = 0; i < rows.size(); ++i) {
      CHECK(outcome.stored.Contains(static_cast<uint32_t>(i)) == model.Store(rows[i], observed_us));
    }
  };
  for (uint64_t chunk = 1; chunk < 400; chunk += 2) {
    const Model before = model;
    apply(chunk);
    const DedupeIndex::Changes first = index.changes();
    const Model between = model;
    apply(chunk + 1);
    const unsigned failing = random() % 3;
    if (failing != 0) index.Commit(first);
    if (failing == 2) {
      index.Commit();
      continue;
    }
    index.Undo();
    model = failing == 0 ? before : between;
  }
}

TEST_CASE("what is forgotten is unknown, what is left is known, also to an index that loads it") {
  constexpr uint64_t kKeys = 20000;
  std::mt19937 random(7);
  DedupeIndex index(size_t{64} << 20);
  struct Batch {
    RecordIdsPtr ids;
    RowSet stored;
  };
  std::map<uint64_t, Batch> held;         // by chunk
  std::map<uint64_t, uint64_t> chunk_of;  // by key
  std::vector<Row> all;
  for (uint64_t key = 0; key < kKeys; ++key) all.push_back({key, 0});
  auto check = [&](DedupeIndex& checked) {
    const std::vector<uint32_t> unknown = checked.Undecided(*Ids(all), 1);
    std::vector<uint32_t> expected;
    for (uint64_t key = 0; key < kKeys; ++key) {
      if (chunk_of.count(key) == 0) expected.push_back(static_cast<uint32_t>(key));
    }
    CHECK(unknown == expected);
    CHECK(checked.size() == chunk_of.size());
  };
  for (uint64_t chunk = 1; chunk <= 120; ++chunk) {
    std::vector<Row> rows;
    for (unsigned i = random() % 1500; i > 0; --i) rows.push_back({random() % kKeys, 0});
    const RecordIdsPtr ids = Ids(rows);
    REQUIRE_OK(index.Reserve({ids.get()}));
    DedupeOutcome outcome = index.Apply(ids, 1, chunk);
    if (random() % 5 == 0) {
      index.Undo();
      continue;
    }
    index.Commit();
    for (size_t row = 0; row < rows.size(); ++row) {
      const bool is_new = chunk_of.try_emplace(rows[row].key, chunk).second;
      CHECK(outcome.stored.Contains(static_cast<uint32_t>(row)) == is_new);
    }
    if (outcome.stored_count > 0) held[chunk] = {ids, outcome.stored};
    if (chunk % 10 != 0) continue;
    std::vector<uint64_t> sealed;
    for (const auto& [number, batch] : held) {
      if (random() % 2 == 0) sealed.push_back(number);
    }
    index.Forget(sealed);
    for (uint64_t number : sealed) {
      held.erase(number);
      std::erase_if(chunk_of, [&](const auto& known) { return known.second == number; });
    }
    check(index);
    DedupeIndex loaded(0);
    for (const auto& [number, batch] : held) loaded.Load(batch.ids, 1, number, batch.stored, RowSet());
    check(loaded);
  }
  std::vector<uint64_t> rest;
  for (const auto& [number, batch] : held) rest.push_back(number);
  index.Forget(rest);
  CHECK(index.size() == 0);
  CHECK(index.bytes() < 1000);
}

}  // namespace
}  // namespace chartly::aggregator
