// The end of a chunk: where its columns lie, what is in them, and the checksums. docs/formats/chunk.md gives the bytes.
#ifndef CHARTLY_COMMON_CHUNK_CHUNK_FOOTER_H_
#define CHARTLY_COMMON_CHUNK_CHUNK_FOOTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chunk/byte_io.h"
#include "common/chunk/chunk.h"

namespace chartly {

inline constexpr char kChunkMagic[] = "CHK1";
inline constexpr uint16_t kChunkFormatVersion = 1;
// Bytes behind the footer: its length, version, 0, magic, checksum.
inline constexpr size_t kChunkTrailerBytes = 20;
inline constexpr size_t kMaxChunkColumns = 4096;

// DataLoss with reason CHUNK_CORRUPT.
absl::Status CorruptChunk(absl::string_view what);
// Of the bytes of one column.
uint32_t ColumnChecksum(absl::string_view bytes);

struct FooterInput {
  uint32_t rows = 0;
  std::vector<std::string> key;
  std::string first_key;
  std::string last_key;
};

// Appends footer and trailer to the columns. `checksums`: one a column.
void AppendFooter(const FooterInput& input, const std::vector<ChunkColumn>& columns,
                  const std::vector<uint32_t>& checksums, std::string& chunk);

class FooterReader {
 public:
  // The reader of a chunk, everything checked but the bytes of the columns.
  static absl::StatusOr<ChunkReader> Read(absl::string_view chunk);

 private:
  static bool ReadRows(ByteReader& in, ChunkReader& reader);
  static bool ReadColumns(ByteReader& in, size_t column_bytes, ChunkReader& reader);
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_CHUNK_FOOTER_H_
