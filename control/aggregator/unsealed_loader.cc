#include "control/aggregator/unsealed_loader.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/aggregator/key_ranges.h"
#include "control/aggregator/turns.h"

namespace chartly::aggregator {
namespace {

// Batches that are read together, by several threads if they have many rows.
constexpr size_t kLoadBatches = 64;
constexpr uint64_t kManyLoadRows = uint64_t{1} << 16;
constexpr size_t kLoadThreads = 2;

// A batch that is read for the index.
struct Loading {
  uint64_t batch = 0;
  ChunkMeta meta;
  RowSet superseded;
  std::shared_ptr<const RecordIds> ids;
  std::vector<DimRange> ranges;
  absl::Status status;

  void Read(const RecordStore& store) {
    absl::StatusOr<std::string> bytes = store.ChunkBatch(batch);
    absl::StatusOr<Batch> parsed = bytes.ok() ? Batch::Parse(*bytes) : bytes.status();
    status = parsed.status();
    if (!status.ok()) return;
    ids = std::make_shared<const RecordIds>(ComputeRecordIds(*parsed));
    ranges = KeyRangesOf(*parsed);
  }
};

class UnsealedLoader {
 public:
  UnsealedLoader(const RecordStore& store, DedupeIndex& index, UnsealedBatches& batches)
      : store_(store), index_(index), batches_(batches) {}

  void Add(Loading loading) {
    loading_.push_back(std::move(loading));
    if (loading_.size() == kLoadBatches) Load();
  }
  LoadedBatches Finish() {
    Load();
    return std::move(loaded_);
  }

 private:
  void Load() {
    uint64_t rows = 0;
    for (const Loading& loading : loading_) rows += loading.meta.stored();
    Turns turns(loading_.size());
    auto work = [&] {
      while (std::optional<size_t> i = turns.Take()) {
        loading_[*i].Read(store_);
        turns.Await(*i);
        Take(loading_[*i]);
        turns.End(absl::OkStatus());
      }
    };
    std::vector<std::thread> others;
    for (size_t i = 1; i < (rows < kManyLoadRows ? 1 : kLoadThreads); ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    loading_.clear();
  }
  void Take(Loading& loading) {
    const ChunkMeta& meta = loading.meta;
    if (loading.status.ok()) {
      index_.Load(loading.ids, meta.observed_us(), loading.batch, StoredRows(meta), loading.superseded);
      batches_.Add({{loading.batch, std::make_shared<UnsealedBatches::Batch>(loading.ids, std::move(loading.ranges))}});
      loaded_.rows[meta.profile_id()] += meta.stored();
      return;
    }
    const std::string error(loading.status.message());
    LogError("a stored batch is damaged", {{"chunk", absl::StrCat(loading.batch)}, {"error", error}});
    if (loaded_.damaged++ == 0) loaded_.first_damage = error;
  }

  const RecordStore& store_;
  DedupeIndex& index_;
  UnsealedBatches& batches_;
  std::vector<Loading> loading_;
  LoadedBatches loaded_;
};

}  // namespace

absl::StatusOr<LoadedBatches> LoadUnsealed(const RecordStore& store, uint64_t last_batch, DedupeIndex& index,
                                           UnsealedBatches& batches) {
  UnsealedLoader loader(store, index, batches);
  std::string profile_id;
  RecordReader::RowsByBatch superseded;
  auto load = [&](uint64_t batch, const ChunkMeta& meta) -> absl::StatusOr<bool> {
    if (meta.profile_id() != profile_id) {
      profile_id = meta.profile_id();
      ASSIGN_OR_RETURN(superseded, store.Superseded(profile_id, batch, last_batch, last_batch));
    }
    loader.Add({batch, meta, superseded[batch]});
    return true;
  };
  RETURN_IF_ERROR(store.ScanUnsealed("", 0, load));
  return loader.Finish();
}

}  // namespace chartly::aggregator
