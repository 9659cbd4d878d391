#include "drone/fetch/zip_archive.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly::drone {
namespace {

constexpr uint64_t kMaxDirectoryBytes = uint64_t{4} << 20;
constexpr size_t kEndBytes = 22;
constexpr size_t kMaxCommentBytes = 65535;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocatorBytes = 20;
constexpr size_t kEntryBytes = 46;
constexpr size_t kLocalBytes = 30;
constexpr uint32_t kEndMark = 0x06054b50;
constexpr uint32_t kEnd64Mark = 0x06064b50;
constexpr uint32_t kLocatorMark = 0x07064b50;
constexpr uint32_t kEntryMark = 0x02014b50;
constexpr uint32_t kLocalMark = 0x04034b50;
constexpr uint16_t kExtra64 = 0x0001;
constexpr uint16_t kEncryptedFlag = 1;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kZstd = 93;
constexpr unsigned kUnix = 3;
constexpr unsigned kTypeMask = 0170000;
constexpr unsigned kLinkType = 0120000;

// Numbers are written with the lowest byte first. Requires: the text holds them.
template <typename Number>
Number At(absl::string_view text, size_t at) {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) number |= uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
  return static_cast<Number>(number);
}

absl::Status DamagedError(const OpenFile& file) {
  return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED",
               absl::StrCat(file.name(), " is no whole zip archive: its directory is missing or damaged"),
               {{"path", file.name()}});
}

absl::Status UnsupportedError(const OpenFile& file, absl::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition, "ARCHIVE_UNSUPPORTED", absl::StrCat(file.name(), " ", what),
               {{"path", file.name()}});
}

absl::StatusOr<std::string> ReadText(const OpenFile& file, uint64_t offset, size_t size) {
  std::string text(size, '\0');
  ASSIGN_OR_RETURN(size_t read, file.ReadAt(offset, text.data(), size));
  if (read < size) return DamagedError(file);
  return text;
}

struct Directory {
  uint64_t members = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
};

// Archives beyond 4 GiB have another end before the end, and say where with a locator right before the latter.
absl::StatusOr<std::optional<Directory>> ReadEnd64(const OpenFile& file, uint64_t end_offset) {
  if (end_offset < kLocatorBytes) return std::nullopt;
  ASSIGN_OR_RETURN(std::string locator, ReadText(file, end_offset - kLocatorBytes, kLocatorBytes));
  if (At<uint32_t>(locator, 0) != kLocatorMark) return std::nullopt;
  ASSIGN_OR_RETURN(uint64_t size, file.Size());
  auto offset = At<uint64_t>(locator, 8);
  if (offset > size) return DamagedError(file);
  ASSIGN_OR_RETURN(std::string end, ReadText(file, offset, kEnd64Bytes));
  if (At<uint32_t>(end, 0) != kEnd64Mark) return DamagedError(file);
  if (At<uint64_t>(end, 24) != At<uint64_t>(end, 32)) return UnsupportedError(file, "is spread over several files");
  return Directory{At<uint64_t>(end, 32), At<uint64_t>(end, 40), At<uint64_t>(end, 48)};
}

absl::StatusOr<Directory> ReadEnd(const OpenFile& file) {
  ASSIGN_OR_RETURN(uint64_t size, file.Size());
  const uint64_t tail_bytes = std::min<uint64_t>(size, kEndBytes + kMaxCommentBytes);
  ASSIGN_OR_RETURN(std::string tail, ReadText(file, size - tail_bytes, static_cast<size_t>(tail_bytes)));
  // A comment follows; the last place that fits the size of the file is the end.
  for (size_t at = tail.size() < kEndBytes ? 0 : tail.size() - kEndBytes + 1; at-- > 0;) {
    bool is_end = At<uint32_t>(tail, at) == kEndMark && at + kEndBytes + At<uint16_t>(tail, at + 20) == tail.size();
    if (!is_end) continue;
    ASSIGN_OR_RETURN(std::optional<Directory> larger, ReadEnd64(file, size - tail_bytes + at));
    if (larger) return *larger;
    if (At<uint16_t>(tail, at + 8) != At<uint16_t>(tail, at + 10)) {
      return UnsupportedError(file, "is spread over several files");
    }
    return Directory{At<uint16_t>(tail, at + 10), At<uint32_t>(tail, at + 12), At<uint32_t>(tail, at + 16)};
  }
  return DamagedError(file);
}

// Numbers of 32 bits that are all ones stand, in this order, with 64 bits in the extra field. False if one is missing.
bool TakeExtra64(absl::string_view extra, ZipMember& member) {
  constexpr uint32_t kElsewhere = 0xffffffff;
  uint64_t* const numbers[] = {&member.bytes, &member.packed_bytes, &member.header_offset};
  bool needed = std::any_of(std::begin(numbers), std::end(numbers), [](uint64_t* n) { return *n == kElsewhere; });
  while (needed && extra.size() >= 4) {
    auto id = At<uint16_t>(extra, 0);
    absl::string_view field = extra.substr(4, At<uint16_t>(extra, 2));
    extra.remove_prefix(std::min(extra.size(), 4 + field.size()));
    if (id != kExtra64) continue;
    for (uint64_t* number : numbers) {
      if (*number != kElsewhere) continue;
      if (field.size() < 8) return false;
      *number = At<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
    return true;
  }
  return !needed;
}

bool LeadsElsewhere(const std::string& name) {
  if (name.empty() || name[0] == '/' || absl::StrContains(name, '\\') || absl::StrContains(name, '\0')) return true;
  std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

bool IsArchive(const std::string& name) {
  constexpr absl::string_view kEndings[] = {".zip", ".gz", ".zst", ".tgz", ".tar", ".7z", ".bz2", ".xz", ".rar"};
  std::string lower = absl::AsciiStrToLower(name);
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](absl::string_view ending) { return absl::EndsWith(lower, ending); });
}

bool IsLink(absl::string_view entry) {
  return At<uint8_t>(entry, 5) == kUnix && ((At<uint32_t>(entry, 38) >> 16) & kTypeMask) == kLinkType;
}

// Takes the next entry off the front of `rest`; nothing if it is a folder or a link.
absl::StatusOr<std::optional<ZipMember>> TakeEntry(const OpenFile& file, absl::string_view& rest) {
  if (rest.size() < kEntryBytes || At<uint32_t>(rest, 0) != kEntryMark) return DamagedError(file);
  const size_t name_bytes = At<uint16_t>(rest, 28);
  const size_t extra_bytes = At<uint16_t>(rest, 30);
  const size_t all = kEntryBytes + name_bytes + extra_bytes + At<uint16_t>(rest, 32);
  if (rest.size() < all) return DamagedError(file);
  absl::string_view entry = rest.substr(0, all);
  rest.remove_prefix(all);
  ZipMember member;
  member.name = ToUtf8(entry.substr(kEntryBytes, name_bytes));
  member.method = At<uint16_t>(entry, 10);
  member.encrypted = (At<uint16_t>(entry, 8) & kEncryptedFlag) != 0;
  member.crc32 = At<uint32_t>(entry, 16);
  member.packed_bytes = At<uint32_t>(entry, 20);
  member.bytes = At<uint32_t>(entry, 24);
  member.header_offset = At<uint32_t>(entry, 42);
  if (!TakeExtra64(entry.substr(kEntryBytes + name_bytes, extra_bytes), member)) return DamagedError(file);
  if (LeadsElsewhere(member.name)) {
    return UnsupportedError(file, absl::StrCat("holds a member whose name leads elsewhere: \"",
                                               absl::Utf8SafeCHexEscape(member.name), "\""));
  }
  if (absl::EndsWith(member.name, "/") || IsLink(entry)) return std::nullopt;
  return member;
}

}  // namespace

absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(const OpenFile& file) {
  ASSIGN_OR_RETURN(Directory directory, ReadEnd(file));
  if (directory.members > kMaxZipMembers || directory.bytes > kMaxDirectoryBytes) {
    return UnsupportedError(file, absl::StrCat("holds more than ", kMaxZipMembers, " members"));
  }
  ASSIGN_OR_RETURN(std::string text, ReadText(file, directory.offset, static_cast<size_t>(directory.bytes)));
  absl::string_view rest = text;
  std::vector<ZipMember> members;
  for (uint64_t i = 0; i < directory.members; ++i) {
    ASSIGN_OR_RETURN(std::optional<ZipMember> member, TakeEntry(file, rest));
    if (member) members.push_back(*std::move(member));
  }
  if (!rest.empty()) return DamagedError(file);
  std::sort(members.begin(), members.end(), [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
  return members;
}

absl::StatusOr<std::unique_ptr<Body>> OpenZipMember(std::shared_ptr<OpenFile> file, const ZipMember& member) {
  const std::string name = absl::StrCat(file->name(), "/", member.name);
  if (member.encrypted) return UnsupportedError(*file, absl::StrCat("holds ", member.name, ", which is encrypted"));
  if (IsArchive(member.name)) {
    return UnsupportedError(*file, absl::StrCat("holds another archive, ", member.name,
                                                "; unpack it first, or name the members: source.path: x.zip/*.csv"));
  }
  ASSIGN_OR_RETURN(std::string header, ReadText(*file, member.header_offset, kLocalBytes));
  if (At<uint32_t>(header, 0) != kLocalMark) return DamagedError(*file);
  uint64_t offset = member.header_offset + kLocalBytes + At<uint16_t>(header, 26) + At<uint16_t>(header, 28);
  std::unique_ptr<net::Unpacker> unpacker;
  if (member.method == kDeflated) {
    unpacker = net::Unpacker::ForRawDeflate();
  } else if (member.method == kZstd) {
    ASSIGN_OR_RETURN(unpacker, net::Unpacker::Create("zstd"));
  } else if (member.method != kStored) {
    return UnsupportedError(*file, absl::StrCat("holds ", member.name, ", which is packed by method ", member.method,
                                                "; stored, deflate and zstd are read"));
  }
  std::unique_ptr<Body> body = std::make_unique<FileBody>(std::move(file), offset, member.packed_bytes);
  if (unpacker) body = std::make_unique<UnpackedBody>(std::move(body), std::move(unpacker), name);
  return std::make_unique<CheckedBody>(std::move(body), member.bytes, member.crc32, name);
}

}  // namespace chartly::drone
