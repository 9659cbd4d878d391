// Seals and merges of a record store, for the battery that every store must pass.
#ifndef CHARTLY_CONTROL_AGGREGATOR_STORE_SEALS_TEST_H_
#define CHARTLY_CONTROL_AGGREGATOR_STORE_SEALS_TEST_H_

#include <functional>
#include <memory>
#include <string>

#include "common/status/status.h"
#include "control/aggregator/part_merge.h"
#include "control/aggregator/record_block.h"
#include "control/aggregator/record_store.h"
#include "control/aggregator/store_writer_test.h"

namespace chartly::aggregator {

// Opens the store of a path anew; the one before it is gone by then.
using RecordStoreFactory = std::function<absl::StatusOr<std::unique_ptr<RecordStore>>(const std::string& path)>;

inline MergeOptions SmallMerges() {
  MergeOptions options;
  options.chunk_rows = 7;
  options.seal_rows = 20;
  options.width = 2;
  return options;
}

inline uint64_t SealedRows(const RecordReader& store, const std::string& profile) {
  uint64_t rows = 0;
  for (const PartPtr& part : store.Parts(profile)) {
    uint64_t in_chunks = 0;
    for (int i = 0; i < part->meta.chunks_size(); ++i) {
      auto columns = ReadSealedColumns(store, *part, static_cast<uint32_t>(i));
      REQUIRE_OK(columns);
      in_chunks += RowsOf(*columns);
    }
    CHECK(in_chunks == part->meta.rows());
    rows += in_chunks;
  }
  return rows;
}

// Sealing moves rows for those who look afterwards, and for nobody who looked before.
inline void CheckSeals(const RecordStoreFactory& open) {
  testing::TempDir dir;
  auto store = open(dir.File("s"));
  REQUIRE_OK(store);
  StoreWriter writer(**store);
  for (int i = 0; i < 8; ++i) writer.AddChunk(i == 5 ? "other" : "p", "r", 10);
  writer.Append();
  const RowScan all{"p", 0, kNoEnd, true};
  std::unique_ptr<RecordReader> before = (*store)->View();
  PartMerge merge(**store, SmallMerges(), [] { return false; });
  for (size_t parts = 1; parts <= 4; ++parts) {
    auto sealed = merge.SealBatches("p");
    REQUIRE_OK(sealed);
    CHECK(sealed->batches.size() == (parts < 4 ? 2 : 1));
    CHECK((*store)->Parts("p").size() == parts);
    CHECK(Scan(**store, all).size() == 70 - SealedRows(**store, "p"));
  }
  CHECK(merge.SealBatches("p")->rows == 0);
  CHECK(SealedRows(**store, "p") == 70);
  CHECK(absl::IsNotFound((*store)->ChunkBatch(1).status()));
  CHECK((*store)->Meta(1)->rows() == 10);
  CHECK(Scan(**store, {"other", 0, kNoEnd, true}).size() == 10);
  CHECK(Scan(*before, all).size() == 70);
  CHECK(before->Parts("p").empty());
  CHECK_OK(before->ChunkBatch(1));

  std::unique_ptr<RecordReader> parts = (*store)->View();
  auto chosen = merge.Choose("p");
  REQUIRE_OK(chosen);
  REQUIRE(chosen->size() == 2);
  auto merged = merge.MergeParts(*chosen);
  REQUIRE_OK(merged);
  for (uint64_t id : merged->parts) REQUIRE_OK((*store)->RemovePart(id));
  CHECK((*store)->Parts("p").size() == 3);
  CHECK(SealedRows(**store, "p") == 70);
  CHECK(SealedRows(*parts, "p") == 70);
  CHECK(parts->Parts("p").size() == 4);

  // What was never sealed is gone after a reopen, the rest is there.
  uint64_t unsealed = (*store)->NewPartId();
  REQUIRE_OK((*store)->WriteSealedChunk(unsealed, 0, "never sealed"));
  CHECK_OK((*store)->SealedChunk(unsealed, 0));
  before.reset();
  parts.reset();
  store->reset();
  store = open(dir.File("s"));
  REQUIRE_OK(store);
  CHECK(SealedRows(**store, "p") == 70);
  CHECK_FALSE((*store)->SealedChunk(unsealed, 0).ok());
  CHECK((*store)->NewPartId() > (*store)->Parts("p").back()->meta.id());

  // A chunk that is set aside is not read again.
  PartPtr part = (*store)->Parts("p").front();
  CHECK((*store)->Damage().empty());
  (*store)->SetAside(part->meta.id(), 0, absl::DataLossError("a test"));
  CHECK(absl::IsDataLoss((*store)->SealedChunk(part->meta.id(), 0).status()));
  CHECK_OK((*store)->SealedChunk(part->meta.id(), 1));
  CHECK_FALSE((*store)->Damage().empty());
  store->reset();
  store = open(dir.File("s"));
  REQUIRE_OK(store);
  CHECK(absl::IsDataLoss((*store)->SealedChunk(part->meta.id(), 0).status()));
  CHECK_FALSE((*store)->Damage().empty());
}

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_STORE_SEALS_TEST_H_
