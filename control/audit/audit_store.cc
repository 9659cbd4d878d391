#include "control/audit/audit_store.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::audit {
namespace {

std::string Hex(uint64_t number) { return absl::StrCat(absl::Hex(number, absl::kZeroPad16)); }

absl::Status Damaged(absl::string_view key) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_DAMAGED",
               absl::StrCat("entry '", key, "' of the audit log is damaged; restore it from a backup"), {{"key", key}});
}

}  // namespace

std::string EventKey(int64_t seq) { return absl::StrCat(kEventPrefix, Hex(static_cast<uint64_t>(seq))); }
std::string NodeKey(const MerkleNode& node) {
  return absl::StrCat(kNodePrefix, absl::Hex(node.level, absl::kZeroPad2), "/", Hex(node.index));
}
std::string CheckpointKey(uint64_t size) { return absl::StrCat(kCheckpointPrefix, Hex(size)); }
std::string AuditKeyKey(int64_t seq) { return absl::StrCat(kKeyPrefix, Hex(static_cast<uint64_t>(seq))); }

absl::StatusOr<v1::AuditEvent> DecodeEvent(const StateEntry& entry) {
  v1::AuditEvent event;
  if (!event.ParseFromString(entry.value)) return Damaged(entry.key);
  event.DiscardUnknownFields();
  return event;
}

MerkleNodeReader NodesOf(const StateStore& store) {
  return [&store](const MerkleNode& node) -> absl::StatusOr<MerkleHash> {
    const std::string key = NodeKey(node);
    absl::StatusOr<StateEntry> entry = store.Get(key);
    if (absl::IsNotFound(entry.status())) return Damaged(key);
    RETURN_IF_ERROR(entry.status());
    absl::StatusOr<MerkleHash> hash = MerkleHashFromBytes(entry->value);
    return hash.ok() ? hash : Damaged(key);
  };
}

absl::StatusOr<MerkleFrontier> ReadFrontier(const StateStore& store, uint64_t size) {
  const MerkleNodeReader read = NodesOf(store);
  std::vector<MerkleHash> hashes;
  for (const MerkleNode& node : FrontierNodes(size)) {
    ASSIGN_OR_RETURN(MerkleHash hash, read(node));
    hashes.push_back(hash);
  }
  return MerkleFrontier::Of(size, std::move(hashes));
}

void PutNodes(const std::vector<std::pair<MerkleNode, MerkleHash>>& completed, StateTransaction& transaction) {
  for (const auto& [node, hash] : completed) transaction.puts.push_back({NodeKey(node), BytesOf(hash)});
}

absl::StatusOr<EventRange> ReadEventRange(const StateStore& store) {
  ASSIGN_OR_RETURN(std::vector<StateEntry> first, store.Range(kEventPrefix, "", 1));
  if (first.empty()) return EventRange{};
  ASSIGN_OR_RETURN(std::vector<StateEntry> last, store.Range(kEventPrefix, "", 1, true));
  ASSIGN_OR_RETURN(v1::AuditEvent first_event, DecodeEvent(first[0]));
  ASSIGN_OR_RETURN(v1::AuditEvent last_event, DecodeEvent(last[0]));
  return EventRange{first_event.seq(), last_event.seq()};
}

}  // namespace chartly::audit
