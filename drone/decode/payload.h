// What is known of a payload before it is decoded: its format, and how an error describes it. Pure, thread-safe.
#ifndef CHARTLY_DRONE_DECODE_PAYLOAD_H_
#define CHARTLY_DRONE_DECODE_PAYLOAD_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/profile/profile.h"

namespace chartly::drone {

// Bytes of a payload that are looked at before it is read.
inline constexpr size_t kPeekedBytes = 1024;

// Views of what the caller of Decoder::Decode holds, except for the first bytes.
struct PageInfo {
  Format format = Format::kAuto;  // what it turned out to be
  absl::string_view content_type;
  absl::string_view uri;
  absl::string_view first_bytes;  // kPeekedBytes, or all if it has less; lives as long as the page is decoded
};

// `configured`, or if that is auto: what the content type says, then the ending of the address, then the first bytes.
// Content types and endings of XML tell nothing: the first element tells a feed from other XML. JSON if nothing tells,
// so that an HTML error page is reported as what it is.
Format DetectFormat(Format configured, const PageInfo& page);

// Of a page that is JSON and whose profile says nothing of its rows: kGeoJson or kJsonStat if its first bytes say that
// it is a FeatureCollection or a JSON-stat dataset, else kJson.
Format DetectJsonKind(const PageInfo& page);

// Whether the text is a web page or other markup.
bool LooksLikeMarkup(absl::string_view text);

// InvalidArgument with `reason`: message, content type and first bytes.
absl::Status PayloadError(const PageInfo& page, absl::string_view reason, absl::string_view message);
// Says content type and first bytes, too, if `status` is about the payload (PAYLOAD_...); else as it is.
absl::Status DescribePayload(const PageInfo& page, const absl::Status& status);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_PAYLOAD_H_
