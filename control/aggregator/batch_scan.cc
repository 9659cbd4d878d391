// RecordQuery::ScanBatches: what reports read.
#include <algorithm>
#include <utility>

#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "control/aggregator/record_query.h"
#include "control/aggregator/sealed_batches.h"

namespace chartly::aggregator {
namespace {

using Send = std::function<bool(const v1::ScanBatchesResponse&)>;

// A message stays well below its limit.
constexpr size_t kMaxPieceBytes = size_t{3} << 20;

// A span of a dim, its bounds with the name of the dim before them as ranges have it.
class SpanMatch {
 public:
  explicit SpanMatch(const v1::DimSpan& span) : dim_(span.dim()) {
    AppendSortable(dim_, Value(), name_);
    if (!span.from().empty()) from_ = name_ + span.from();
    if (!span.below().empty()) below_ = name_ + span.below();
  }
  // The range of the dim; null if it is not known.
  const DimRange* RangeOf(const SealedChunkMeta& chunk) const {
    auto range = std::find_if(chunk.ranges().begin(), chunk.ranges().end(),
                              [this](const DimRange& one) { return one.name() == dim_; });
    return range == chunk.ranges().end() ? nullptr : &*range;
  }
  bool MayBeIn(const SealedChunkMeta& chunk) const {
    const DimRange* range = RangeOf(chunk);
    if (range == nullptr) return true;
    if (!below_.empty() && range->min() >= below_) return false;
    return from_.empty() || range->max().empty() || range->max() >= from_;
  }
  size_t name_bytes() const { return name_.size(); }

 private:
  const std::string dim_;
  std::string name_, from_, below_;
};

// What the scan would give, without the bytes.
absl::Status SendOutline(const RecordReader& view, const v1::ScanBatchesRequest& request, uint64_t as_of,
                         const Send& send) {
  const SpanMatch span(request.span());
  v1::ScanBatchesResponse response;
  response.mutable_outline()->set_last_batch(static_cast<int64_t>(as_of));
  if (!send(response)) return absl::OkStatus();
  for (const PartPtr& part : view.Parts(request.profile_id())) {
    if (part->meta.first_batch() > as_of) break;
    for (const SealedChunkMeta& chunk : part->meta.chunks()) {
      v1::ScanBatchesResponse::Outline& outline = *response.mutable_outline();
      outline.Clear();
      outline.set_rows(chunk.rows());
      if (const DimRange* range = span.RangeOf(chunk)) {
        outline.set_min(range->min().substr(span.name_bytes()));
        if (!range->max().empty()) outline.set_max(range->max().substr(span.name_bytes()));
      }
      if (!send(response)) return absl::OkStatus();
    }
  }
  auto send_batch = [&](uint64_t, const ChunkMeta& meta, const RowSet&) -> absl::StatusOr<bool> {
    response.mutable_outline()->Clear();
    response.mutable_outline()->set_rows(meta.rows());
    return send(response);
  };
  return view.ScanRows({request.profile_id(), 0, as_of, false}, send_batch);
}

}  // namespace

absl::Status RecordQuery::ScanBatches(const v1::ScanBatchesRequest& request, const Send& send) const {
  if (request.profile_id().empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PROFILE_REQUIRED", "profile_id is empty; say which profile");
  }
  auto as_of = static_cast<uint64_t>(request.last_batch());
  if (as_of == 0) {
    ASSIGN_OR_RETURN(as_of, AsOfBatch(store_, request.has_as_of(), request.as_of()));
  }
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, {request.profile_id(), "", false, as_of}));
  if (request.outline()) return SendOutline(scan.view(), request, as_of, send);
  bool more = true;
  scan.LeaveUnloaded();
  if (request.has_span()) {
    scan.SkipUnless([span = SpanMatch(request.span())](const Part& part, uint32_t chunk) {
      return span.MayBeIn(part.meta.chunks(static_cast<int>(chunk)));
    });
  }
  auto send_whole = [&](std::string chunk) -> absl::StatusOr<bool> {
    v1::ScanBatchesResponse response;
    response.set_chunk(std::move(chunk));
    more = send(response);
    return more;
  };
  if (request.chunks()) scan.GiveWhole(kMaxPieceBytes, send_whole);
  auto send_sealed = [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    if (request.chunks() && block.chunk_bytes().size() <= kMaxPieceBytes) {
      v1::ScanBatchesResponse response;
      response.set_chunk(std::string(block.chunk_bytes()));
      if (block.rows().Count() < block.size()) response.set_current(block.rows().ToBits(block.size()));
      more = send(response);
      return more;
    }
    RETURN_IF_ERROR(block.Load());
    ASSIGN_OR_RETURN(more, ToBatches(block, [&](std::string batch) -> absl::StatusOr<bool> {
                       v1::ScanBatchesResponse response;
                       response.set_batch(std::move(batch));
                       return send(response);
                     }));
    return more;
  };
  RETURN_IF_ERROR(scan.Sealed([] { return false; }, send_sealed));
  if (!more) return absl::OkStatus();
  auto send_batch = [&](uint64_t batch, const ChunkMeta& meta, const RowSet& rows) -> absl::StatusOr<bool> {
    v1::ScanBatchesResponse response;
    if (rows.Count() < meta.rows()) response.set_current(rows.ToBits(meta.rows()));
    ASSIGN_OR_RETURN(*response.mutable_batch(), scan.view().ChunkBatch(batch));
    return send(response);
  };
  return scan.view().ScanRows({request.profile_id(), 0, as_of, false}, send_batch);
}

}  // namespace chartly::aggregator
