// One segment file of the spool: a header, then records. docs/formats/spool.md gives every byte.
//
// The functions are pure. SegmentReader is not thread-safe; several may read one file.
#ifndef CHARTLY_DRONE_SPOOL_SEGMENT_H_
#define CHARTLY_DRONE_SPOOL_SEGMENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drone/spool/file.h"

namespace chartly::drone {

inline constexpr uint32_t kSpoolFormatVersion = 2;  // version 1 is read too: its records have no cursor
inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kRecordHeaderBytes = 40;
inline constexpr size_t kSpoolIdBytes = 16;
inline constexpr size_t kMaxCursorBytes = 4000;
inline constexpr size_t kMaxPayloadBytes = size_t{4} << 20;
inline constexpr char kSegmentSuffix[] = ".seg";
inline constexpr char kDamagedSuffix[] = ".damaged";

enum class EntryKind : uint8_t { kBatch = 1, kRunEnd = 2 };

struct SegmentHeader {
  std::string spool_id;  // kSpoolIdBytes raw bytes
  int64_t base = 0;
  int64_t first_seq = 0;
};

struct RecordHeader {
  int64_t seq = 0;
  EntryKind kind = EntryKind::kBatch;
  uint16_t run_record = 0;  // number of the record in its run, from 1 round to 1 again; 0 if it is not known
  std::string run_id;       // at most 255 bytes
  int64_t run_fetched = 0;  // of the run so far, this record included
  int32_t run_pages = 0;
  std::string cursor;  // a serialized storage.v1.ProfileCursor, or empty; at most kMaxCursorBytes
};

struct Record : RecordHeader {
  std::string payload;
};

std::string SegmentName(int64_t first_seq);
// The first seq a name stands for; nothing if it is no segment's name.
std::optional<int64_t> ParseSegmentName(absl::string_view name);

std::string EncodeSegmentHeader(const SegmentHeader& header);
std::optional<SegmentHeader> DecodeSegmentHeader(absl::string_view bytes);
// Whether this is a sound header of another format version, which `version` gets.
bool IsOtherVersion(absl::string_view bytes, uint32_t* version);

// What precedes the payload on disk, with the checksum over both.
std::string EncodeRecordHeader(const RecordHeader& header, absl::string_view payload);
// The record that `bytes` begins with; nothing if it is not whole and sound.
std::optional<Record> DecodeRecord(absl::string_view bytes);
inline size_t RecordBytes(const RecordHeader& header, size_t payload_bytes) {
  return kRecordHeaderBytes + header.run_id.size() + header.cursor.size() + payload_bytes;
}

class SegmentReader {
 public:
  enum class Result { kRecord, kEnd, kDamaged };

  // Reads `path` from `offset` to `limit` (the size of the file if negative). Does not look at the segment's header.
  static absl::StatusOr<SegmentReader> Open(const std::string& path, int64_t offset = kSegmentHeaderBytes,
                                            int64_t limit = -1);
  // The next record into record(). On kDamaged nothing moves. A record whose seq is not between the two is damaged too.
  absl::StatusOr<Result> Next(int64_t min_seq, int64_t max_seq);
  const Record& record() const { return record_; }
  Record& record() { return record_; }
  // Where the next record begins, and where the last one began.
  int64_t offset() const { return offset_; }
  int64_t record_offset() const { return record_offset_; }
  // After kDamaged: moves to the next sound record with such a seq; false if there is none.
  absl::StatusOr<bool> Resync(int64_t min_seq, int64_t max_seq);

 private:
  SegmentReader(FileDescriptor file, std::string path, int64_t offset, int64_t limit);
  FileDescriptor file_;
  std::string path_;
  int64_t offset_;
  int64_t limit_;
  int64_t record_offset_ = 0;
  Record record_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_SEGMENT_H_
