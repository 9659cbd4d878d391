// Signatures of requests to S3 and what speaks like it: AWS Signature Version 4, in the Authorization header.
// Source: "Authenticating Requests: Using the Authorization Header" of the Amazon S3 API reference. Pure functions.
#ifndef CHARTLY_COMMON_S3_REQUEST_SIGNATURE_H_
#define CHARTLY_COMMON_S3_REQUEST_SIGNATURE_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/s3/credentials.h"

namespace chartly::s3 {

// SHA-256 of nothing: the payload of a request without a body.
inline constexpr char kEmptyPayload[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Call {
  std::string method;
  std::string host;                            // as it is sent: with the port, unless that is the default one
  std::string path;                            // encoded, begins with /
  std::map<std::string, std::string> query;    // as they are meant, not encoded
  std::map<std::string, std::string> headers;  // more to be signed; lower-case names
  std::string payload_sha256 = kEmptyPayload;  // lower-case hex
};

// Percent-encodes all but letters, digits and -._~, and not / if it is a path.
std::string Encode(absl::string_view text, bool is_path);
// The query as it is sent: sorted, encoded, without "?".
std::string QueryOf(const Call& call);
// The headers that make the call good for 15 minutes: Authorization, x-amz-date, x-amz-content-sha256, and
// x-amz-security-token where the credentials have one; beside those of the call. Host is signed and not among them.
std::map<std::string, std::string> Sign(const Call& call, const Credentials& credentials, absl::string_view region,
                                        absl::Time now);

}  // namespace chartly::s3

#endif  // CHARTLY_COMMON_S3_REQUEST_SIGNATURE_H_
