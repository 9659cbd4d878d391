// Reads the rows of pages of one format; a FormatDecoder (decoder.cc) chooses which. One file a format makes its own.
#ifndef CHARTLY_DRONE_DECODE_PAGE_DECODER_H_
#define CHARTLY_DRONE_DECODE_PAGE_DECODER_H_

#include "absl/status/statusor.h"
#include "drone/decode/body.h"
#include "drone/decode/decoder.h"
#include "drone/decode/payload.h"

namespace chartly::drone {

// One a run and format, given every page of that format in turn; it may keep what it learned of one page for the next.
// Not thread-safe.
class PageDecoder {
 public:
  virtual ~PageDecoder() = default;
  // `body` is UTF-8 if its charset could be told, without a byte order mark. Errors are those of
  // Decoder::Decode; an error of the body is returned as it is.
  virtual absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_PAGE_DECODER_H_
