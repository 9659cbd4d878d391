// Parts against a plain model of them; that questions see the same before and after is the battery's to say.
#include "control/aggregator/part_merge.h"

#include <algorithm>
#include <random>
#include <tuple>

#include "common/chunk/batch_columns.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/sort_key.h"
#include "common/kv/kv_store.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/record_block.h"
#include "test/support/test.h"

namespace chartly::aggregator {
namespace {

using Random = std::mt19937_64;

constexpr char kProfile[] = "p";
constexpr uint32_t kChunkRows = 64;

std::string SomeBatch(Random& random, uint32_t rows) {
  BatchBuilder builder;
  BatchHeader origin;
  origin.set_profile_id(kProfile);
  builder.SetOrigin(origin);
  const size_t place = builder.AddColumn(Role::kDim, "place"), day = builder.AddColumn(Role::kDim, "day"),
               value = builder.AddColumn(Role::kMeasure, "value");
  for (uint32_t row = 0; row < rows; ++row) {
    builder.BeginRow(1, row + 1);
    builder.SetText(place, std::string(1, static_cast<char>('a' + random() % 20)));
    builder.SetInteger(day, static_cast<int64_t>(random() % 30));
    if (random() % 4 > 0) builder.Set(value, Value::Of(Decimal{static_cast<int64_t>(random() % 1000), 1}));
    builder.EndRow();
  }
  auto batch = builder.Finish();
  REQUIRE_OK(batch);
  return *batch;
}

// A stored row: where it sorts, where it came from, and what it is.
struct Row {
  std::string key;
  uint64_t batch = 0;
  uint32_t row = 0;
  Hash128 id;
  Hash128 record_key;
  bool operator<(const Row& other) const {
    return std::tie(key, batch, row) < std::tie(other.key, other.batch, other.row);
  }
};

// Stores batches of which some rows are duplicates; gives the stored rows, and the ids of the batches.
std::vector<Row> Fill(Random& random, RecordStore& store, UnsealedBatches& unsealed) {
  std::vector<Row> rows;
  StoreWrite write;
  write.acked_us = 1;
  for (uint64_t number = 1; number <= 9; ++number) {
    const std::string bytes = SomeBatch(random, 100);
    const Batch batch = *Batch::Parse(bytes);
    const ColumnSet columns = ColumnsOfBatch(batch, number);
    const auto ids = std::make_shared<const RecordIds>(ComputeRecordIds(batch));
    unsealed.Add({{number, std::make_shared<UnsealedBatches::Batch>(ids, std::vector<DimRange>())}});
    RowSet stored;
    const SortKeyEncoder keys(columns, {});
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      if (random() % 5 == 0) continue;
      stored.Add(row);
      rows.push_back({keys.Of(row), number, row, ids->ids[row], ids->keys[row]});
    }
    StoreWrite::Chunk chunk;
    chunk.id = number;
    chunk.batch = bytes;
    chunk.meta.set_profile_id(kProfile);
    chunk.meta.set_run_id("r");
    chunk.meta.set_rows(batch.rows());
    chunk.meta.set_stored(stored.Count());
    chunk.meta.set_stored_rows(stored.ToBits(batch.rows()));
    write.chunks.push_back(std::move(chunk));
    write.last_batch = number;
  }
  REQUIRE_OK(store.Append(std::move(write)));
  std::sort(rows.begin(), rows.end());
  return rows;
}

// That the part has these rows in this order, and that its filters know them and few others.
void CheckPart(const RecordStore& store, const Part& part, const std::vector<Row>& expected) {
  REQUIRE(part.filter != nullptr);
  REQUIRE(part.ids != nullptr);
  size_t at = 0;
  size_t mistaken = 0;
  for (uint32_t index = 0; index < static_cast<uint32_t>(part.meta.chunks_size()); ++index) {
    auto columns = ReadSealedColumns(store, part, index);
    REQUIRE_OK(columns);
    const RecordIds ids = ComputeRecordIds(*columns, kProfile, {});
    for (uint32_t row = 0; row < RowsOf(*columns); ++row, ++at) {
      REQUIRE(at < expected.size());
      CHECK(GetValue(*columns, Role::kSystem, kBatchColumn, row).integer() == static_cast<int64_t>(expected[at].batch));
      CHECK(GetValue(*columns, Role::kSystem, kRowColumn, row).integer() == expected[at].row);
      CHECK(ids.ids[row] == expected[at].id);
      CHECK(part.ids->MayContain(index, expected[at].id));
      CHECK(part.filter->MayContain(expected[at].record_key));
      const Hash128 other = {ids.ids[row].low, ids.ids[row].high};
      mistaken += part.filter->MayContain(other) || part.ids->MayContain(index, other) ? 1 : 0;
    }
    if (RowsOf(*columns) > 0 && index == 0) CHECK(part.meta.chunks(0).first_key() == expected[0].key);
  }
  CHECK(at == expected.size());
  CHECK(mistaken < expected.size() / 20);
}

}  // namespace

TEST_CASE("parts have the stored rows in order and filters that know them, whether ids were at hand or are computed") {
  Random random(1);
  for (const bool at_hand : {true, false}) {
    testing::TempDir dir;
    auto store = KvRecordStore::Open(dir.File("s"), KvOptions());
    REQUIRE_OK(store);
    UnsealedBatches unsealed;
    const std::vector<Row> rows = Fill(random, **store, unsealed);
    MergeOptions options;
    options.chunk_rows = kChunkRows;
    options.seal_rows = 300;
    options.width = 3;
    PartMerge merge(
        **store, options, [] { return false; }, at_hand ? &unsealed : nullptr);
    while (merge.SealBatches(kProfile)->rows > 0) {
      const PartPtr part = (*store)->Parts(kProfile).back();
      std::vector<Row> expected;
      std::copy_if(rows.begin(), rows.end(), std::back_inserter(expected), [&](const Row& row) {
        return row.batch >= part->meta.first_batch() && row.batch <= part->meta.last_batch();
      });
      CheckPart(**store, *part, expected);
    }
    auto chosen = merge.Choose(kProfile);
    REQUIRE_OK(chosen);
    REQUIRE(chosen->size() == 3);
    REQUIRE_OK(merge.MergeParts(*chosen));
    REQUIRE((*store)->Parts(kProfile).size() == 1);
    CheckPart(**store, *(*store)->Parts(kProfile).front(), rows);
  }
}

}  // namespace chartly::aggregator
