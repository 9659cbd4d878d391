#include "drone/spool/slot_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "drone/spool/little_endian.h"

namespace chartly::drone {
namespace {

std::string EncodeSlot(uint64_t generation, absl::string_view content) {
  std::string body;
  PutFixed64(body, generation);
  PutFixed32(body, static_cast<uint32_t>(content.size()));
  PutFixed32(body, 0);
  body.append(content.data(), content.size());
  std::string slot;
  PutFixed64(slot, XXH3_64bits(body.data(), body.size()));
  return slot + body;
}

struct Slot {
  uint64_t generation;
  std::string content;
};

std::optional<Slot> DecodeSlot(absl::string_view bytes) {
  if (bytes.size() < SlotFile::kHeaderBytes) return std::nullopt;
  uint64_t checksum = GetFixed64(bytes.data());
  uint64_t generation = GetFixed64(bytes.data() + 8);
  uint32_t length = GetFixed32(bytes.data() + 16);
  if (length > SlotFile::kMaxContentBytes || SlotFile::kHeaderBytes + length > bytes.size()) return std::nullopt;
  if (XXH3_64bits(bytes.data() + 8, SlotFile::kHeaderBytes - 8 + length) != checksum) return std::nullopt;
  return Slot{generation, std::string(bytes.substr(SlotFile::kHeaderBytes, length))};
}

}  // namespace

std::string HashedFileName(absl::string_view id, absl::string_view suffix) {
  XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  return absl::StrFormat("%016x%016x%s", hash.high64, hash.low64, suffix);
}

SlotFile::SlotFile(FileDescriptor file, std::string path, uint64_t generation, std::string content)
    : file_(std::move(file)), path_(std::move(path)), generation_(generation), content_(std::move(content)) {}

absl::StatusOr<std::unique_ptr<SlotFile>> SlotFile::Create(const std::string& directory, const std::string& name,
                                                           absl::string_view content) {
  std::string bytes = EncodeSlot(2, content);
  bytes.resize(kSlotBytes, '\0');
  bytes += EncodeSlot(1, content);
  bytes.resize(2 * kSlotBytes, '\0');
  RETURN_IF_ERROR(WriteFileDurably(directory, name, bytes));
  return Open(directory, name);
}

absl::StatusOr<std::unique_ptr<SlotFile>> SlotFile::Open(const std::string& directory, const std::string& name) {
  std::string path = absl::StrCat(directory, "/", name);
  if (::access(path.c_str(), F_OK) != 0) return Error(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", path);
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDWR));
  ASSIGN_OR_RETURN(std::string bytes, ReadAt(file.get(), 0, 2 * kSlotBytes, path));
  std::optional<Slot> best;
  bool damaged = bytes.size() != 2 * kSlotBytes;
  for (size_t i = 0; i < 2 && i * kSlotBytes < bytes.size(); ++i) {
    std::optional<Slot> slot = DecodeSlot(absl::string_view(bytes).substr(i * kSlotBytes, kSlotBytes));
    damaged = damaged || (!slot && bytes[i * kSlotBytes] != '\0');
    if (slot && (!best || slot->generation > best->generation)) best = std::move(slot);
  }
  if (!best) {
    return Error(absl::StatusCode::kDataLoss, "SPOOL_DAMAGED", absl::StrCat(path, ": no valid content"),
                 {{"path", path}});
  }
  if (damaged)
    LogWarn("one of the two slots of a file is damaged or half-written; the other one counts", {{"path", path}});
  return std::unique_ptr<SlotFile>(new SlotFile(std::move(file), path, best->generation, std::move(best->content)));
}

absl::Status SlotFile::Write(absl::string_view content, bool durable) {
  RETURN_IF_ERROR(WriteSlot(content, durable));
  // What must not be lost lies in both slots, so that damage to one of them costs nothing.
  return durable ? WriteSlot(content, durable) : absl::OkStatus();
}

absl::Status SlotFile::WriteSlot(absl::string_view content, bool durable) {
  // The generation decides the slot, so the newest valid content is never the one being overwritten.
  uint64_t generation = generation_ + 1;
  int64_t offset = static_cast<int64_t>((generation % 2) * kSlotBytes);
  RETURN_IF_ERROR(WriteAt(file_.get(), offset, {EncodeSlot(generation, content)}, path_));
  generation_ = generation;
  content_ = std::string(content);
  return durable ? SyncData(file_.get(), path_) : absl::OkStatus();
}

}  // namespace chartly::drone
