#include "common/s3/request_signature.h"

#include "absl/strings/match.h"
#include "test/support/test.h"

namespace chartly::s3 {
namespace {

// The worked examples of "Authenticating Requests: Using the Authorization Header" in the Amazon S3 API reference.
const Credentials kExample{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
constexpr char kHost[] = "examplebucket.s3.amazonaws.com";

std::string SignatureOf(const Call& call, const Credentials& credentials = kExample) {
  const absl::Time time = absl::FromCivil(absl::CivilSecond(2013, 5, 24), absl::UTCTimeZone());
  std::string text = Sign(call, credentials, "us-east-1", time)["Authorization"];
  return text.substr(text.rfind('=') + 1);
}

TEST_CASE("signatures are those of the examples in the documents of S3") {
  CHECK(SignatureOf({"GET", kHost, "/test.txt", {}, {{"range", "bytes=0-9"}}}) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(SignatureOf({"GET", kHost, "/", {{"lifecycle", ""}}, {}}) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(SignatureOf({"GET", kHost, "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}}) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  CHECK(SignatureOf({"PUT",
                     kHost,
                     "/" + Encode("test$file.text", true),
                     {},
                     {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_CASE("what stands in a signature is covered by it") {
  const Call call{"GET", kHost, "/a", {}, {}};
  const std::string plain = SignatureOf(call);
  Call other = call;
  other.host = "example.org";
  CHECK(SignatureOf(other) != plain);
  other = call;
  other.payload_sha256[0] = '0';
  CHECK(SignatureOf(other) != plain);
  Credentials passing = kExample;
  passing.session_token = Secret("for an hour");
  CHECK(SignatureOf(call, passing) != plain);
  auto headers = Sign(call, passing, "us-east-1", absl::UnixEpoch());
  CHECK(headers["x-amz-security-token"] == "for an hour");
  CHECK(absl::StrContains(headers["Authorization"],
                          "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
}

TEST_CASE("paths and queries are encoded byte by byte") {
  CHECK(Encode("a b/c+d~é", true) == "a%20b/c%2Bd~%C3%A9");
  CHECK(Encode("a/b", false) == "a%2Fb");
  CHECK(QueryOf({.query = {{"uploadId", "x=y"}, {"partNumber", "2"}}}) == "partNumber=2&uploadId=x%3Dy");
}

}  // namespace
}  // namespace chartly::s3
