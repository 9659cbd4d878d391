// What is known of a payload before it is decoded: its format, and how an error describes it. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_PAYLOAD_H_
#define CHARTLY_DRONE_DECODE_PAYLOAD_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// Views of what the caller of Decoder::Decode holds.
struct Payload {
  absl::string_view body;  // without a UTF-8 byte order mark
  absl::string_view content_type;
  absl::string_view uri;
};

// `configured`, or if that is auto: what the content type says, then the ending of the address, then the first bytes.
// JSON if nothing tells, so that an HTML error page is reported as what it is.
Format DetectFormat(Format configured, const Payload& payload);

// Whether the body is a web page or other markup.
bool LooksLikeMarkup(absl::string_view body);

// InvalidArgument with `reason`: message, content type and first bytes.
absl::Status PayloadError(const Payload& payload, absl::string_view reason, absl::string_view message);
// The same around an error that was found inside the payload.
absl::Status DescribePayload(const Payload& payload, const absl::Status& status);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_PAYLOAD_H_
