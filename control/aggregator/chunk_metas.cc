#include "control/aggregator/chunk_metas.h"

#include "common/status/status.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kMaxKnown = 4096;

}  // namespace

void SetOrigin(const BatchHeader& header, ChunkMeta& meta) {
  meta.mutable_origin()->set_revision(header.revision());
  meta.mutable_origin()->set_source_uri(header.source_uri());
  meta.mutable_origin()->set_payload_sha256(header.payload_sha256());
  meta.mutable_origin()->set_captured(header.captured());
}

absl::StatusOr<ChunkMeta> ChunkMetas::Read(uint64_t batch) const {
  ASSIGN_OR_RETURN(ChunkMeta meta, view_.Meta(batch));
  if (meta.has_origin()) return meta;
  // A store of format 1 left origins in the batches; sealing takes them out.
  ASSIGN_OR_RETURN(std::string bytes, view_.ChunkBatch(batch));
  ASSIGN_OR_RETURN(BatchHeader header, Batch::ParseHeader(bytes));
  SetOrigin(header, meta);
  return meta;
}

const ChunkMeta& ChunkMetas::Of(uint64_t batch) {
  auto known = known_.find(batch);
  if (known != known_.end()) return known->second;
  if (known_.size() >= kMaxKnown) known_.clear();
  absl::StatusOr<ChunkMeta> meta = Read(batch);
  if (!meta.ok() && status_.ok()) status_ = meta.status();
  return known_[batch] = meta.ok() ? *std::move(meta) : ChunkMeta();
}

}  // namespace chartly::aggregator
