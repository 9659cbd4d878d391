#include "drone/spool/segment.h"

#include <fcntl.h>
#include <xxhash.h>

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "drone/spool/little_endian.h"

namespace chartly::drone {
namespace {

constexpr char kMagic[] = "CHSPOOL\n";
constexpr size_t kMagicBytes = 8;
constexpr size_t kNameDigits = 20;

bool IsKnownVersion(uint32_t version) { return version >= 1 && version <= kSpoolFormatVersion; }

// Lengths of the record that begins at `bytes`, if its fixed part can be one.
struct RecordShape {
  size_t run_id_bytes;
  size_t cursor_bytes;
  size_t payload_bytes;
  size_t total() const { return kRecordHeaderBytes + run_id_bytes + cursor_bytes + payload_bytes; }
};

std::optional<RecordShape> ShapeOf(absl::string_view bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const char* data = bytes.data();
  uint32_t payload_bytes = GetFixed32(data + 8);
  uint8_t kind = static_cast<uint8_t>(data[12]);
  uint8_t run_id_bytes = static_cast<uint8_t>(data[13]);
  uint32_t cursor_bytes = GetFixed32(data + 36);
  bool plausible = payload_bytes <= kMaxPayloadBytes && (kind == 1 || kind == 2) && cursor_bytes <= kMaxCursorBytes;
  if (!plausible) return std::nullopt;
  return RecordShape{run_id_bytes, cursor_bytes, payload_bytes};
}

}  // namespace

std::string SegmentName(int64_t first_seq) { return absl::StrFormat("%020d%s", first_seq, kSegmentSuffix); }

std::optional<int64_t> ParseSegmentName(absl::string_view name) {
  int64_t first_seq = 0;
  if (name.size() != kNameDigits + sizeof(kSegmentSuffix) - 1 || !absl::EndsWith(name, kSegmentSuffix) ||
      !absl::SimpleAtoi(name.substr(0, kNameDigits), &first_seq) || first_seq < 1) {
    return std::nullopt;
  }
  return first_seq;
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes(kMagic, kMagicBytes);
  PutFixed32(bytes, kSpoolFormatVersion);
  PutFixed32(bytes, 0);
  bytes += header.spool_id;
  PutFixed64(bytes, static_cast<uint64_t>(header.base));
  PutFixed64(bytes, static_cast<uint64_t>(header.first_seq));
  PutFixed64(bytes, 0);
  PutFixed64(bytes, XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

std::optional<SegmentHeader> DecodeSegmentHeader(absl::string_view bytes) {
  constexpr size_t kSummed = kSegmentHeaderBytes - 8;
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, kMagicBytes) != absl::string_view(kMagic, kMagicBytes) ||
      !IsKnownVersion(GetFixed32(bytes.data() + 8)) ||
      GetFixed64(bytes.data() + kSummed) != XXH3_64bits(bytes.data(), kSummed)) {
    return std::nullopt;
  }
  SegmentHeader header;
  header.spool_id = std::string(bytes.substr(16, kSpoolIdBytes));
  header.base = static_cast<int64_t>(GetFixed64(bytes.data() + 32));
  header.first_seq = static_cast<int64_t>(GetFixed64(bytes.data() + 40));
  return header;
}

bool IsOtherVersion(absl::string_view bytes, uint32_t* version) {
  constexpr size_t kSummed = kSegmentHeaderBytes - 8;
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, kMagicBytes) != absl::string_view(kMagic, kMagicBytes) ||
      GetFixed64(bytes.data() + kSummed) != XXH3_64bits(bytes.data(), kSummed)) {
    return false;
  }
  *version = GetFixed32(bytes.data() + 8);
  return !IsKnownVersion(*version);
}

std::string EncodeRecordHeader(const RecordHeader& header, absl::string_view payload) {
  std::string rest;
  PutFixed32(rest, static_cast<uint32_t>(payload.size()));
  rest.push_back(static_cast<char>(header.kind));
  rest.push_back(static_cast<char>(header.run_id.size()));
  PutFixed(rest, header.run_record, 2);
  PutFixed64(rest, static_cast<uint64_t>(header.seq));
  PutFixed64(rest, static_cast<uint64_t>(header.run_fetched));
  PutFixed32(rest, static_cast<uint32_t>(header.run_pages));
  PutFixed32(rest, static_cast<uint32_t>(header.cursor.size()));
  rest += header.run_id;
  rest += header.cursor;
  std::unique_ptr<XXH3_state_t, FreedBy<XXH3_freeState>> state(XXH3_createState());
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), rest.data(), rest.size());
  XXH3_64bits_update(state.get(), payload.data(), payload.size());
  std::string bytes;
  PutFixed64(bytes, XXH3_64bits_digest(state.get()));
  return bytes + rest;
}

std::optional<Record> DecodeRecord(absl::string_view bytes) {
  std::optional<RecordShape> shape = ShapeOf(bytes);
  if (!shape || shape->total() > bytes.size()) return std::nullopt;
  const char* data = bytes.data();
  if (XXH3_64bits(data + 8, shape->total() - 8) != GetFixed64(data)) return std::nullopt;
  Record record;
  record.kind = static_cast<EntryKind>(data[12]);
  record.run_record = static_cast<uint16_t>(GetFixed(data + 14, 2));
  record.seq = static_cast<int64_t>(GetFixed64(data + 16));
  record.run_fetched = static_cast<int64_t>(GetFixed64(data + 24));
  record.run_pages = static_cast<int32_t>(GetFixed32(data + 32));
  record.run_id = std::string(bytes.substr(kRecordHeaderBytes, shape->run_id_bytes));
  size_t cursor_at = kRecordHeaderBytes + shape->run_id_bytes;
  record.cursor = std::string(bytes.substr(cursor_at, shape->cursor_bytes));
  record.payload = std::string(bytes.substr(cursor_at + shape->cursor_bytes, shape->payload_bytes));
  return record;
}

SegmentReader::SegmentReader(FileDescriptor file, std::string path, int64_t offset, int64_t limit)
    : file_(std::move(file)), path_(std::move(path)), offset_(offset), limit_(limit) {}

absl::StatusOr<SegmentReader> SegmentReader::Open(const std::string& path, int64_t offset, int64_t limit) {
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDONLY));
  if (limit < 0) {
    ASSIGN_OR_RETURN(limit, FileSize(file.get(), path));
  }
  return SegmentReader(std::move(file), path, offset, limit);
}

absl::StatusOr<SegmentReader::Result> SegmentReader::Next(int64_t min_seq, int64_t max_seq) {
  if (offset_ >= limit_) return Result::kEnd;
  int64_t left = limit_ - offset_;
  if (left < static_cast<int64_t>(kRecordHeaderBytes)) return Result::kDamaged;
  ASSIGN_OR_RETURN(std::string head, ReadAt(file_.get(), offset_, kRecordHeaderBytes, path_));
  std::optional<RecordShape> shape = ShapeOf(head);
  if (!shape || static_cast<int64_t>(shape->total()) > left) return Result::kDamaged;
  ASSIGN_OR_RETURN(std::string bytes, ReadAt(file_.get(), offset_, shape->total(), path_));
  std::optional<Record> record = DecodeRecord(bytes);
  if (!record || record->seq < min_seq || record->seq > max_seq) return Result::kDamaged;
  record_ = *std::move(record);
  record_offset_ = offset_;
  offset_ += static_cast<int64_t>(shape->total());
  return Result::kRecord;
}

absl::StatusOr<bool> SegmentReader::Resync(int64_t min_seq, int64_t max_seq) {
  // Records have no marker to look for: the cheap test of the fixed part leaves few places whose checksum is computed.
  int64_t left = limit_ - offset_;
  if (left <= 0) return false;
  ASSIGN_OR_RETURN(std::string bytes, ReadAt(file_.get(), offset_, static_cast<size_t>(left), path_));
  absl::string_view all(bytes);
  for (size_t i = 1; i + kRecordHeaderBytes <= all.size(); ++i) {
    absl::string_view rest = all.substr(i);
    std::optional<RecordShape> shape = ShapeOf(rest);
    if (!shape) continue;
    int64_t seq = static_cast<int64_t>(GetFixed64(rest.data() + 16));
    if (seq < min_seq || seq > max_seq || !DecodeRecord(rest)) continue;
    offset_ += static_cast<int64_t>(i);
    return true;
  }
  return false;
}

}  // namespace chartly::drone
