#include "common/s3/credentials.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly::s3 {
namespace {

absl::Status Missing(absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "S3_CREDENTIALS_MISSING",
               absl::StrCat("no credentials for the object store: ", why));
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<Credentials> FromEnvironment() {
  Credentials found{Variable("AWS_ACCESS_KEY_ID"), Secret(Variable("AWS_SECRET_ACCESS_KEY")),
                    Secret(Variable("AWS_SESSION_TOKEN"))};
  if (!found.access_key.empty() && !found.secret_key.empty()) return found;
  return Missing("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --backup-s3-credentials");
}

}  // namespace

absl::StatusOr<Credentials> ReadCredentials(const std::string& path) {
  if (path.empty()) return FromEnvironment();
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Missing(absl::StrCat(path, " cannot be read"));
  if ((info.st_mode & S_IRWXO) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "S3_CREDENTIALS_OPEN",
                 absl::StrCat(path, " may be read by every user of this host; run: chmod o= ", path));
  }
  Credentials found;
  std::ifstream file(path);
  int sections = 0;
  for (std::string line; std::getline(file, line);) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (!text.empty() && text[0] == '[' && ++sections > 1) break;
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
    const std::string value(absl::StripAsciiWhitespace(parts.second));
    if (name == "aws_access_key_id") found.access_key = value;
    if (name == "aws_secret_access_key") found.secret_key = Secret(value);
    if (name == "aws_session_token") found.session_token = Secret(value);
  }
  if (!found.access_key.empty() && !found.secret_key.empty()) return found;
  return Missing(absl::StrCat(path, " needs the lines aws_access_key_id = ... and aws_secret_access_key = ..."));
}

}  // namespace chartly::s3
