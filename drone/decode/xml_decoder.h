// Decodes XML payloads of any size: the rows are elements at source.records, the fields paths into them.
#ifndef CHARTLY_DRONE_DECODE_XML_DECODER_H_
#define CHARTLY_DRONE_DECODE_XML_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/page_decoder.h"

namespace chartly::drone {

// InvalidArgument (PATH_INVALID) if records, a pagination path or a field path is wrong. A field is text; blanks around
// it are dropped, an empty one is null. Pagination paths begin at the root and see what ^ sees, before and after the
// rows.
absl::StatusOr<std::unique_ptr<PageDecoder>> MakeXmlDecoder(const SourceConfig& source,
                                                            const std::vector<std::string>& paths);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_XML_DECODER_H_
