#include "control/audit/audit_export.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/audit/audit_lines.h"
#include "common/status/status.h"
#include "control/audit/audit_store.h"

namespace chartly::audit {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;
constexpr size_t kEventsRead = 500;

absl::StatusOr<std::string> HeaderOf(const AuditLog& log, const CheckpointKeeper& keeper,
                                     const SignedCheckpoint& checkpoint, int64_t first_seq) {
  v1::AuditExportHeader header;
  header.set_format(kAuditExportFormat);
  header.set_origin(keeper.origin());
  header.set_first_seq(first_seq);
  for (const MerkleNode& node : FrontierNodes(static_cast<uint64_t>(first_seq - 1))) {
    ASSIGN_OR_RETURN(MerkleHash hash, log.nodes()(node));
    header.add_subtrees(HexOf(hash));
  }
  header.set_checkpoint(checkpoint.note);
  for (const v1::AuditKey& key : keeper.keys()) {
    // A key that was announced after the checkpoint is not of this file.
    if (key.seq() <= static_cast<int64_t>(checkpoint.checkpoint.size)) *header.add_keys() = key;
  }
  return absl::StrCat(AuditHeaderLine(header), "\n");
}

}  // namespace

absl::Status WriteAuditLog(const StateStore& store, const AuditLog& log, CheckpointKeeper& keeper,
                           absl::FunctionRef<bool(const v1::ExportAuditLogResponse& piece)> write) {
  ASSIGN_OR_RETURN(SignedCheckpoint checkpoint, keeper.SignNow());
  const int64_t size = static_cast<int64_t>(checkpoint.checkpoint.size);
  ASSIGN_OR_RETURN(EventRange range, ReadEventRange(store));
  int64_t next = range.first == 0 ? size + 1 : range.first;
  v1::ExportAuditLogResponse piece;
  piece.set_content_type("application/x-ndjson");
  piece.set_file_name(absl::StrCat("audit-", size, ".ndjson"));
  ASSIGN_OR_RETURN(*piece.mutable_data(), HeaderOf(log, keeper, checkpoint, next));
  while (next <= size) {
    ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store.Range(kEventPrefix, EventKey(next), kEventsRead));
    if (entries.empty() || entries[0].key != EventKey(next)) {
      return Error(absl::StatusCode::kDataLoss, "AUDIT_DAMAGED",
                   absl::StrCat("event ", next, " left the audit log while it was exported; export again"));
    }
    for (const StateEntry& entry : entries) {
      if (next > size) break;
      ASSIGN_OR_RETURN(v1::AuditEvent event, DecodeEvent(entry));
      absl::StrAppend(piece.mutable_data(), AuditEventLine(event), "\n");
      ++next;
    }
    if (piece.data().size() < kPieceBytes) continue;
    if (!write(piece)) return absl::CancelledError("the reader went away");
    piece.Clear();
  }
  if (!piece.data().empty() && !write(piece)) return absl::CancelledError("the reader went away");
  return absl::OkStatus();
}

}  // namespace chartly::audit
