// Decodes feeds, RSS and Atom alike: the rows are the items or entries.
//
// A field is a name of feed_fields.h, or a path of local names into the item (point, elev, enclosure.@url). ^.title is
// the channel's or feed's. Escaped HTML stays as the text that it is.
#ifndef CHARTLY_DRONE_DECODE_FEED_DECODER_H_
#define CHARTLY_DRONE_DECODE_FEED_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drone/decode/page_decoder.h"

namespace chartly::drone {

// InvalidArgument: PATH_INVALID if a path is wrong, or source.records is given, which a feed has no use for.
absl::StatusOr<std::unique_ptr<PageDecoder>> MakeFeedDecoder(const SourceConfig& source,
                                                             const std::vector<std::string>& paths);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_FEED_DECODER_H_
