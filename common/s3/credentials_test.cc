#include "common/s3/credentials.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "common/status/status.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::s3 {
namespace {

using chartly::testing::TempDir;

std::string Write(const TempDir& dir, const std::string& text, mode_t mode = 0600) {
  const std::string path = dir.File("credentials");
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

TEST_CASE("credentials are those of the first section of a file") {
  TempDir dir;
  const std::string path = Write(dir,
                                 "# made by hand\n[default]\naws_access_key_id = AK\naws_secret_access_key=s=e/c+\n"
                                 "aws_session_token =  t\n[other]\naws_access_key_id = no\n");
  const auto found = ReadCredentials(path);
  REQUIRE_OK(found);
  CHECK(found->access_key == "AK");
  CHECK(found->secret_key.Reveal() == "s=e/c+");
  CHECK(found->session_token.Reveal() == "t");
}

TEST_CASE("a file that lacks something or is open to all is refused with what to do") {
  TempDir dir;
  CHECK(Reason(ReadCredentials(dir.File("none")).status()) == "S3_CREDENTIALS_MISSING");
  CHECK(Reason(ReadCredentials(Write(dir, "aws_access_key_id = AK\n")).status()) == "S3_CREDENTIALS_MISSING");
  const std::string open = Write(dir, "aws_access_key_id = a\naws_secret_access_key = b\n", 0644);
  CHECK(Reason(ReadCredentials(open).status()) == "S3_CREDENTIALS_OPEN");
}

TEST_CASE("without a file the environment says who asks") {
  ::unsetenv("AWS_ACCESS_KEY_ID");
  CHECK(Reason(ReadCredentials("").status()) == "S3_CREDENTIALS_MISSING");
  ::setenv("AWS_ACCESS_KEY_ID", "AK", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
  const auto found = ReadCredentials("");
  REQUIRE_OK(found);
  CHECK(found->access_key == "AK");
  CHECK(found->session_token.empty());
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
}

}  // namespace
}  // namespace chartly::s3
