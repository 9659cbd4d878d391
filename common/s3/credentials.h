// Who asks an object store. Read anew for each use, so that rotation needs no restart. Thread-safe.
#ifndef CHARTLY_COMMON_S3_CREDENTIALS_H_
#define CHARTLY_COMMON_S3_CREDENTIALS_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/text/secret.h"

namespace chartly::s3 {

struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;  // empty for those that last
};

// From a file of the form that the tools of AWS use: "aws_access_key_id = ...", "aws_secret_access_key = ..." and
// perhaps "aws_session_token = ...", one a line, of its first section; where `path` is empty from the variables
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. FailedPrecondition: S3_CREDENTIALS_MISSING, or
// S3_CREDENTIALS_OPEN if every user may read the file.
absl::StatusOr<Credentials> ReadCredentials(const std::string& path);

}  // namespace chartly::s3

#endif  // CHARTLY_COMMON_S3_CREDENTIALS_H_
