#include "bench/ingest_parts.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/bench_report.h"
#include "common/batch/record_id.h"
#include "common/kv/kv_store.h"
#include "control/aggregator/dedupe_index.h"

namespace chartly::bench {
namespace {

using aggregator::RecordIdsPtr;

KvOptions StoreOptions() {
  KvOptions options;
  options.large_values = true;
  return options;
}

double Parsing(const std::vector<std::string>& batches) {
  Stopwatch watch;
  for (const std::string& batch : batches) RequireOk(Batch::Parse(batch).status(), "parsing");
  return watch.Cpu();
}

// What no definition of ids by two hashes a record is below: one of the size of six digests, one of four.
double Hashing(size_t records) {
  std::string bytes(112, 'x');
  uint64_t sum = 0;
  Stopwatch watch;
  for (size_t i = 0; i < records; ++i) {
    bytes[i % 64] = static_cast<char>(i);
    sum += XXH3_128bits(bytes.data(), 112).low64 + XXH3_128bits(bytes.data(), 80).low64;
  }
  const double cpu = watch.Cpu();
  RequireOk(sum != 0 ? absl::OkStatus() : absl::InternalError("all hashes are 0"), "hashing");
  return cpu;
}

double Ids(const std::vector<std::string>& batches, std::vector<RecordIdsPtr>& ids) {
  double cpu = 0;
  for (const std::string& bytes : batches) {
    absl::StatusOr<Batch> batch = Batch::Parse(bytes);
    RequireOk(batch.status(), "parsing");
    Stopwatch watch;
    ids.push_back(std::make_shared<const RecordIds>(ComputeRecordIds(*batch)));
    cpu += watch.Cpu();
  }
  return cpu;
}

double Deduping(const std::vector<RecordIdsPtr>& ids) {
  Stopwatch watch;
  aggregator::DedupeIndex index(std::numeric_limits<size_t>::max());
  uint64_t chunk = 0;
  for (const RecordIdsPtr& batch : ids) {
    RequireOk(index.Reserve({batch.get()}), "reserving");
    index.Apply(batch, 1, ++chunk);
    index.Commit();
  }
  return watch.Cpu();
}

double Logging(const std::vector<std::string>& batches, size_t commits, const std::string& dir) {
  absl::StatusOr<std::unique_ptr<KvStore>> store = OpenKvStore(dir, StoreOptions());
  RequireOk(store.status(), "opening a store");
  const size_t of_commit = (batches.size() + commits - 1) / commits;
  Stopwatch watch;
  for (size_t begin = 0; begin < batches.size(); begin += of_commit) {
    KvBatch batch;
    for (size_t i = begin; i < std::min(batches.size(), begin + of_commit); ++i) {
      batch.Put(absl::StrCat("batch-", i), batches[i]);
    }
    RequireOk((*store)->Write(batch, true), "writing");
  }
  return watch.Cpu();
}

}  // namespace

std::vector<Part> MeasureParts(const std::vector<std::string>& batches, size_t commits, const std::string& dir) {
  std::vector<RecordIdsPtr> ids;
  std::vector<Part> parts;
  parts.push_back({"checksum, unpacking, checking every column", Parsing(batches)});
  parts.push_back({"ids and keys of parsed batches", Ids(batches, ids)});
  size_t records = 0;
  for (const RecordIdsPtr& batch : ids) records += batch->ids.size();
  parts.push_back({"of these, two XXH3 a record", Hashing(records)});
  parts.push_back({"telling what is new", Deduping(ids)});
  parts.push_back({"RocksDB, synced as often", Logging(batches, commits, dir + "/log")});
  return parts;
}

}  // namespace chartly::bench
