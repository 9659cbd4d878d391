#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/bench_report.h"
#include "bench/ingest_parts.h"
#include "common/batch/record_id.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/chunk.h"
#include "common/chunk/column_ids.h"
#include "common/chunk/row_gatherer.h"
#include "common/chunk/row_order.h"
#include "common/clock/clock.h"
#include "common/status/status.h"
#include "control/aggregator/committer.h"
#include "control/aggregator/kv_record_store.h"
#include "control/aggregator/part_filter.h"
#include "control/aggregator/sealer.h"

namespace chartly::bench {
namespace {

using aggregator::IdFilters;
using aggregator::PartFilter;

// What one part is made of, after each step.
struct Sources {
  std::vector<ColumnSet> columns;
  std::vector<RecordIds> ids;
  std::vector<RowRef> rows;
  std::vector<ColumnSet> chunks;
};

// Adds the seconds of a step to its figure.
class Steps {
 public:
  template <typename Step>
  void Take(const std::string& name, Step step) {
    Stopwatch watch;
    step();
    const double cpu = watch.Cpu();
    auto known = std::find_if(parts_.begin(), parts_.end(), [&](const Part& part) { return part.name == name; });
    if (known == parts_.end()) known = parts_.insert(parts_.end(), {name, 0});
    known->cpu += cpu;
  }
  std::vector<Part> parts() && { return std::move(parts_); }

 private:
  std::vector<Part> parts_;
};

void Gather(Sources& part) {
  std::vector<const ColumnSet*> pointers;
  for (const ColumnSet& set : part.columns) pointers.push_back(&set);
  RowGatherer gatherer;
  absl::Span<const RowRef> rows = part.rows;
  while (!rows.empty()) {
    rows.remove_prefix(gatherer.AppendUpTo(kMaxChunkRows, SIZE_MAX, pointers, rows));
    part.chunks.push_back(gatherer.Take());
  }
}

void FillFilters(const Sources& part) {
  PartFilter filter(part.rows.size());
  IdFilters filters;
  for (size_t begin = 0; begin < part.rows.size(); begin += kMaxChunkRows) {
    std::vector<Hash128> keys, ids;
    for (const RowRef& at : absl::MakeConstSpan(part.rows).subspan(begin, kMaxChunkRows)) {
      keys.push_back(part.ids[at.source].keys[at.row]);
      ids.push_back(part.ids[at.source].ids[at.row]);
    }
    filter.Add(keys);
    filters.AddChunk(IdFilters::OfChunk(ids));
  }
}

size_t Encode(const ColumnSet& columns) {
  absl::StatusOr<std::string> chunk = SealChunk(columns, {});
  RequireOk(chunk.status(), "sealing a chunk");
  return chunk->size();
}

constexpr std::array<std::pair<Role, const char*>, 4> kRoles = {{{Role::kDim, "dims"},
                                                                 {Role::kMeasure, "measures"},
                                                                 {Role::kSource, "origin in the payload"},
                                                                 {Role::kSystem, "batch and row"}}};

void MeasurePart(const std::vector<std::string>& batches, uint64_t first_batch, Steps& steps) {
  Sources part;
  steps.Take("seal: batches to columns", [&] {
    for (const std::string& bytes : batches) {
      absl::StatusOr<Batch> batch = Batch::Parse(bytes);
      RequireOk(batch.status(), "parsing");
      part.columns.push_back(ColumnsOfBatch(*batch, first_batch + part.columns.size()));
    }
  });
  for (const std::string& bytes : batches) part.ids.push_back(ComputeRecordIds(*Batch::Parse(bytes)));
  for (uint32_t source = 0; source < part.columns.size(); ++source) {
    for (uint32_t row = 0; row < RowsOf(part.columns[source]); ++row) part.rows.push_back({source, row});
  }
  steps.Take("seal: putting rows in order", [&] { OrderRows(part.columns, {}, part.rows); });
  steps.Take("seal: gathering columns", [&] { Gather(part); });
  steps.Take("seal: filters, of ids at hand", [&] { FillFilters(part); });
  std::vector<std::string> chunks;
  steps.Take("seal: encoding, with footers", [&] {
    for (const ColumnSet& set : part.chunks) chunks.push_back(*SealChunk(set, {}));
  });
  for (const auto& [role, name] : kRoles) {
    for (const ColumnSet& set : part.chunks) {
      ColumnSet some;
      for (const ColumnData& column : set) {
        // The payload's are stored relative to the batch's.
        if (column.role == role || (role == Role::kSource && column.role == Role::kSystem)) some.push_back(column);
      }
      steps.Take(absl::StrCat("  of these, ", name), [&] { Encode(some); });
    }
  }
  steps.Take("merge: decoding", [&] {
    for (const std::string& chunk : chunks) {
      RequireOk(ChunkReader::Open(chunk)->DecodeAll().status(), "decoding");
    }
  });
  steps.Take("merge: ids and keys anew", [&] {
    for (const ColumnSet& set : part.chunks) ComputeRecordIds(set, "bench", {});
  });
}

// The whole through the store: what the steps add up to, and what reads and writes of RocksDB take besides.
void MeasureStore(const std::vector<std::string>& batches, const std::string& dir, std::vector<Part>& parts) {
  KvOptions options;
  options.large_values = true;
  auto store = aggregator::KvRecordStore::Open(dir, options);
  RequireOk(store.status(), "opening a store");
  SystemClock clock;
  auto committer = aggregator::Committer::Open(**store, clock, size_t{1} << 30);
  RequireOk(committer.status(), "opening a store");
  for (const std::string& bytes : batches) {
    absl::StatusOr<aggregator::PreparedBatch> batch = aggregator::PrepareBatch(bytes);
    RequireOk(batch.status(), "preparing");
    aggregator::CommitRequest request;
    request.batches.push_back(*std::move(batch));
    RequireOk((*committer)->Commit(std::move(request)).status, "committing");
  }
  aggregator::SealerOptions sealing;
  sealing.merge.part_rows = 0;  // nothing is merged by itself
  aggregator::Sealer sealer(**store, **committer, sealing);
  Stopwatch seal;
  RequireOk(sealer.SealNow(1), "sealing");
  parts.push_back({"sealing all of them", seal.Cpu()});
  aggregator::PartMerge merge(**store, {}, [] { return false; });
  const aggregator::PartList made = (*store)->Parts("bench");
  Stopwatch watch;
  RequireOk(merge.MergeParts(made).status(), "merging");
  parts.push_back({absl::StrCat("merging ", made.size(), " parts of them once"), watch.Cpu()});
  (*committer)->Shutdown();
}

}  // namespace

std::vector<Part> MeasureSealing(const std::vector<std::string>& batches, const std::string& dir) {
  const size_t of_part = aggregator::MergeOptions().seal_rows / Batch::Parse(batches.front())->rows();
  Steps steps;
  for (size_t begin = 0; begin < batches.size(); begin += of_part) {
    const auto end = batches.begin() + static_cast<ptrdiff_t>(std::min(batches.size(), begin + of_part));
    MeasurePart({batches.begin() + static_cast<ptrdiff_t>(begin), end}, begin + 1, steps);
  }
  std::vector<Part> parts = std::move(steps).parts();
  MeasureStore(batches, dir, parts);
  return parts;
}

}  // namespace chartly::bench
