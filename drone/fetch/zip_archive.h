// Reads the members of a .zip file, none of which is ever written anywhere. What could be used against the reader is
// refused whole: archives of more than kMaxZipMembers members, with names that lead elsewhere, spread over several
// disks.
#ifndef CHARTLY_DRONE_FETCH_ZIP_ARCHIVE_H_
#define CHARTLY_DRONE_FETCH_ZIP_ARCHIVE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/body.h"
#include "drone/fetch/file_body.h"

namespace chartly::drone {

inline constexpr uint64_t kMaxZipMembers = 1000;

struct ZipMember {
  std::string name;  // what is not UTF-8 in it is U+FFFD here
  uint16_t method = 0;
  bool encrypted = false;
  uint32_t crc32 = 0;
  uint64_t packed_bytes = 0;
  uint64_t bytes = 0;
  uint64_t header_offset = 0;
};

// The files in the archive, in order of name; folders and links are left out. SOURCE_TRUNCATED if the archive is
// damaged; ARCHIVE_UNSUPPORTED as above.
absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(const OpenFile& file);

// The content of a member, stored, deflated or packed with zstd. ARCHIVE_UNSUPPORTED if it is encrypted, packed
// otherwise, or itself an archive. Its body says SOURCE_TRUNCATED if size or checksum are not right, and
// SOURCE_TOO_LARGE if it is a bomb.
absl::StatusOr<std::unique_ptr<Body>> OpenZipMember(std::shared_ptr<OpenFile> file, const ZipMember& member);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_ZIP_ARCHIVE_H_
