// JSON text into a message, by reflection, strictly: an unknown or repeated key is an error that names it and the
// nearest field.
//
// Beyond the usual mapping: chartly.v1.Value is a bare scalar that keeps its digits (an integer past 64 bits or a
// number with a point or exponent becomes a decimal with the text as it was); enums go by short or full name; the key
// "field.rest" of an object fills the entry "rest" of its map `field`. Pure, thread-safe.
#ifndef CHARTLY_CONTROL_GATEWAY_JSON_READER_H_
#define CHARTLY_CONTROL_GATEWAY_JSON_READER_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace chartly::gateway {

// Merges the object `json` into `message`. InvalidArgument: JSON_MALFORMED for text that is not one JSON object,
// FIELD_UNKNOWN, FIELD_INVALID for a value that does not fit; each names the path ("data[3].dims.geo") as detail
// "field". The message then is half filled.
absl::Status ReadJson(absl::string_view json, google::protobuf::Message& message);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_JSON_READER_H_
