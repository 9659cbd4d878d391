#include "common/s3/answer_text.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::s3 {
namespace {

TEST_CASE("elements come with their texts, in order") {
  const auto answer = AnswerText::Parse(
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true"
      "</IsTruncated><Contents><Key>a&amp;b</Key><Size>3</Size></Contents>\n<Contents><Key>c</Key><Size>4</Size>"
      "</Contents></ListBucketResult>");
  REQUIRE_OK(answer);
  CHECK(answer->First("IsTruncated") == "true");
  CHECK(answer->First("Missing").empty());
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"IsTruncated", "true"}, {"Key", "a&b"}, {"Size", "3"}, {"Key", "c"}, {"Size", "4"}};
  CHECK(answer->elements() == expected);
}

TEST_CASE("what is no XML, or would grow, is refused") {
  for (const char* text : {"", "not found", "<a><b></a>", "<!DOCTYPE a [<!ENTITY x \"xxxxxxxx\">]><a>&x;&x;</a>"}) {
    CHECK(Reason(AnswerText::Parse(text).status()) == "S3_ANSWER_INVALID");
  }
}

}  // namespace
}  // namespace chartly::s3
