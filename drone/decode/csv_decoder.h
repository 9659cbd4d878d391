// Decodes CSV and TSV payloads of any size: a header line that names the columns (blanks and quotes around names are
// dropped) or the names of the profile, then rows.
#ifndef CHARTLY_DRONE_DECODE_CSV_DECODER_H_
#define CHARTLY_DRONE_DECODE_CSV_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "drone/decode/page_decoder.h"

namespace chartly::drone {

// Gives every row to `sink`; an empty field is null, since CSV has no other way to write it. A row with another number
// of fields than there are columns is a bad row; an empty line is none, unless there is only one column.
std::unique_ptr<PageDecoder> MakeCsvDecoder(const SourceConfig& source, const std::vector<std::string>& paths);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_CSV_DECODER_H_
