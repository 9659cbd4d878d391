#include "bench/report_load.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bench_report.h"
#include "common/batch/batch.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/chunk.h"
#include "common/status/status.h"

namespace chartly::bench {
namespace {

constexpr int64_t kGeos = 1000;
constexpr int64_t kChunkRows = kMaxChunkRows;

// Looks like noise and is the same every time.
double Noise(uint64_t seed) {
  seed = (seed ^ (seed >> 33)) * 0xff51afd7ed558ccd;
  seed = (seed ^ (seed >> 33)) * 0xc4ceb9fe1a85ec53;
  return static_cast<double>((seed ^ (seed >> 33)) >> 11) / 9007199254740992.0;
}

}  // namespace

ReportLoad::ReportLoad(int64_t rows) {
  for (int side = 0; side < 2; ++side) {
    for (int64_t begin = 0; begin < rows; begin += kChunkRows)
      Add(side, begin, std::min(rows, begin + kChunkRows), rows);
  }
}

void ReportLoad::Add(int side, int64_t begin, int64_t end, int64_t rows) {
  BatchBuilder builder;
  size_t geo = builder.AddColumn(Role::kDim, "geo");
  size_t time = builder.AddColumn(Role::kDim, "time");
  size_t measure = builder.AddColumn(Role::kMeasure, side == 0 ? "x" : "y");
  int64_t times = std::max<int64_t>(1, rows / kGeos);
  for (int64_t i = begin; i < end; ++i) {
    builder.BeginRow(1, static_cast<uint32_t>(i - begin + 1));
    builder.SetText(geo, absl::StrFormat("geo-%04d", i / times));
    builder.SetInteger(time, i % times);
    uint64_t seed = static_cast<uint64_t>(i);
    builder.Set(measure, Value::Float(Noise(seed) + Noise(seed * 2 + static_cast<uint64_t>(side) + 7)));
    builder.EndRow();
  }
  absl::StatusOr<std::string> bytes = builder.Finish();
  RequireOk(bytes.status(), "make a batch");
  absl::StatusOr<Batch> batch = Batch::Parse(*bytes);
  RequireOk(batch.status(), "read a batch");
  absl::StatusOr<std::string> chunk = SealChunk(ColumnsOfBatch(*batch, 1), {});
  RequireOk(chunk.status(), "seal a chunk");
  absl::StatusOr<ChunkReader> reader = ChunkReader::Open(*chunk);
  RequireOk(reader.status(), "read a chunk");
  Chunk added{*std::move(chunk), {}};
  for (const ChunkColumn& column : reader->columns()) {
    if (column.role != Role::kDim) continue;
    reporter::KeyStretch& stretch = added.stretches[column.name];
    stretch.rows = end - begin;
    reporter::AppendSpanBytes(column.stats.min, stretch.min);
    reporter::AppendSpanBytes(column.stats.max, stretch.max);
  }
  chunks_[side == 0 ? "left" : "right"].push_back(std::move(added));
}

absl::Status ReportLoad::Scan(const std::string& profile_id, const reporter::ScanSpan* only, Take take) {
  for (const Chunk& chunk : chunks_.at(profile_id)) {
    if (only != nullptr && !MayMeet(chunk.stretches.at(only->dim), only->span)) continue;
    RETURN_IF_ERROR(take({"", "", chunk.bytes}));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<reporter::KeyStretch>> ReportLoad::Outline(const std::string& profile_id,
                                                                      const std::string& dim) {
  std::vector<reporter::KeyStretch> stretches;
  for (const Chunk& chunk : chunks_.at(profile_id)) stretches.push_back(chunk.stretches.at(dim));
  return stretches;
}

void RunDuckDb(const std::string& figure, int64_t rows) {
  std::fflush(stdout);
  std::string command = absl::StrCat("python3 bench/duckdb_peer.py ", figure, " ", rows);
  if (std::system(command.c_str()) != 0) std::printf("  DuckDB     not measured: bench/duckdb_peer.py failed\n");
}

}  // namespace chartly::bench
