#include "common/batch/batch.h"

#include "common/batch/batch_layout.h"
#include "common/batch/batch_parser.h"
#include "common/batch/zstd_frame.h"
#include "common/status/status.h"

namespace chartly {
namespace {

absl::Status ParseHeaderBytes(absl::string_view batch, const BatchPreamble& preamble, BatchHeader& header) {
  if (!header.ParseFromArray(batch.data() + kBatchPreambleBytes, static_cast<int>(preamble.header_bytes))) {
    return CorruptBatch("its header cannot be read");
  }
  return BatchParser::CheckHeader(header, preamble.unpacked_bytes);
}

absl::StatusOr<std::string> Unpack(absl::string_view packed, uint32_t unpacked_bytes) {
  if (packed.empty() && unpacked_bytes == 0) return std::string();
  if (!FrameHolds(packed, unpacked_bytes)) return CorruptBatch("the packed body has another size than stated");
  std::string body(unpacked_bytes, '\0');
  if (!UnpackFrame(packed, body.data(), body.size())) return CorruptBatch("its body cannot be unpacked");
  return body;
}

}  // namespace

absl::StatusOr<Batch> Batch::Parse(absl::string_view bytes) {
  ASSIGN_OR_RETURN(BatchPreamble preamble, OpenBatch(bytes));
  auto header = std::make_shared<BatchHeader>();
  RETURN_IF_ERROR(ParseHeaderBytes(bytes, preamble, *header));
  absl::string_view packed = bytes.substr(kBatchPreambleBytes + preamble.header_bytes);
  ASSIGN_OR_RETURN(std::string unpacked, Unpack(packed, preamble.unpacked_bytes));
  Batch batch;
  batch.body_ = std::make_shared<const std::string>(std::move(unpacked));
  ASSIGN_OR_RETURN(batch.columns_, BatchParser::ReadColumns(*header, *batch.body_));
  batch.header_ = std::move(header);
  return batch;
}

absl::StatusOr<BatchHeader> Batch::ParseHeader(absl::string_view bytes) {
  ASSIGN_OR_RETURN(BatchPreamble preamble, OpenBatch(bytes));
  BatchHeader header;
  RETURN_IF_ERROR(ParseHeaderBytes(bytes, preamble, header));
  return header;
}

std::vector<const BatchColumn*> Batch::Find(Role role, absl::string_view name) const {
  std::vector<const BatchColumn*> found;
  for (const BatchColumn& column : columns_) {
    if (column.role() == role && column.name() == name) found.push_back(&column);
  }
  return found;
}

Value Batch::Get(Role role, absl::string_view name, uint32_t row) const {
  for (const BatchColumn& column : columns_) {
    if (column.role() == role && column.name() == name && !column.IsNull(row)) return column.Get(row);
  }
  return Value();
}

uint32_t Batch::SourcePage(uint32_t row) const {
  Value page = Get(Role::kSource, "page", row);
  return page.is_null() ? 0 : static_cast<uint32_t>(page.integer());
}

uint32_t Batch::SourceRow(uint32_t row) const {
  Value number = Get(Role::kSource, "row", row);
  return number.is_null() ? 0 : static_cast<uint32_t>(number.integer());
}

}  // namespace chartly
