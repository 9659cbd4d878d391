// A small file that is changed in place and always has one valid content: two slots of one block each, written in
// turn, the newer valid one counts. A change needs no new disk space, so it also works on a full disk.
//
// Not thread-safe; its owner locks.
#ifndef CHARTLY_DRONE_SPOOL_SLOT_FILE_H_
#define CHARTLY_DRONE_SPOOL_SLOT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drone/spool/file.h"

namespace chartly::drone {

class SlotFile {
 public:
  static constexpr size_t kSlotBytes = 4096;
  static constexpr size_t kHeaderBytes = 24;
  static constexpr size_t kMaxContentBytes = kSlotBytes - kHeaderBytes;

  // Makes a new file durably, replacing one of that name. Requires: content fits kMaxContentBytes.
  static absl::StatusOr<std::unique_ptr<SlotFile>> Create(const std::string& directory, const std::string& name,
                                                          absl::string_view content);
  // Reads an existing one; NotFound if there is none, DataLoss (SPOOL_DAMAGED) if neither slot is valid.
  static absl::StatusOr<std::unique_ptr<SlotFile>> Open(const std::string& directory, const std::string& name);

  const std::string& content() const { return content_; }
  const std::string& path() const { return path_; }
  // Replaces the content; survives the end of the process. With `durable` it is on disk, twice, when this returns.
  absl::Status Write(absl::string_view content, bool durable);

 private:
  absl::Status WriteSlot(absl::string_view content, bool durable);
  SlotFile(FileDescriptor file, std::string path, uint64_t generation, std::string content);
  FileDescriptor file_;
  std::string path_;
  uint64_t generation_;
  std::string content_;
};

// A file name for what has an id that comes from outside: XXH3-128 of the id in 32 hex digits, then `suffix`.
std::string HashedFileName(absl::string_view id, absl::string_view suffix);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_SLOT_FILE_H_
