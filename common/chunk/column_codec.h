// The bytes of one column of a chunk: nulls, then the values that are not null, as integer and text streams.
#ifndef CHARTLY_COMMON_CHUNK_COLUMN_CODEC_H_
#define CHARTLY_COMMON_CHUNK_COLUMN_CODEC_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/chunk/chunk_scratch.h"
#include "common/chunk/column_data.h"

namespace chartly {

// Requires: CheckColumns was OK.
std::string EncodeColumn(const ColumnData& column);
// Decodes into `out`, whose role, name, type and rows are set and which is empty otherwise. False if the bytes are not
// such a column of `nulls` nulls.
bool DecodeColumn(absl::string_view bytes, uint32_t nulls, ColumnData& out, ChunkScratch& scratch);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CHUNK_COLUMN_CODEC_H_
