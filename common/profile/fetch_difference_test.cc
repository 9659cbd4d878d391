#include "common/profile/fetch_difference.h"

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly {
namespace {

std::string Text(const std::string& source, const std::string& rest = "mapping: {a: dims.a}\n") {
  return absl::StrCat("id: p\nversion: 1.0.0\nsource: {type: http_rest, ", source, "}\n", rest);
}

TEST_CASE("what is fetched differs by any field of the source but those that say how it is read") {
  const std::string base = Text("url: \"https://a.example/x\", records: \"data[*]\"");
  CHECK(FetchDifference(base, base).empty());
  CHECK(FetchDifference(base, Text("url: \"https://a.example/x\", records: \"rows[*]\", format: json")).empty());
  CHECK(FetchDifference(base, Text("records: \"data[*]\", url: \"https://a.example/x\"",
                                   "mapping: {b: dims.b}\nfilter: b > 1\nlimits: {max_pages: 3}\n"))
            .empty());
  CHECK(FetchDifference(base, Text("url: \"https://a.example/y\", records: \"data[*]\"")) == "source.url");
  CHECK(FetchDifference(base, Text("url: \"https://a.example/x\", query: {q: \"1\"}")) == "source.query.q");
  CHECK(FetchDifference(base, Text("url: \"https://a.example/x\", pagination: {type: page}")) ==
        "source.pagination.type");
}

TEST_CASE("a digest of the source stays while only how it is asked and read changes") {
  const std::string base = SourceDigest(Text("url: \"https://a.example/x\", query: {q: \"1\"}"));
  CHECK(base.size() == 64);
  for (const char* same :
       {"records: \"data[*]\"", "auth: {type: bearer, secretRef: {name: a, key: b}}", "pagination: {type: page}",
        "egress: {allow: [a.example, b.example]}", "incremental: {field: a, param: since}"}) {
    CHECK(SourceDigest(Text(absl::StrCat("url: \"https://a.example/x\", query: {q: \"1\"}, ", same))) == base);
  }
  CHECK(SourceDigest(
            Text("query: {q: \"1\"}, url: \"https://a.example/x\"", "mapping: {b: dims.b}\nfilter: b > 1\n")) == base);
  for (const char* other : {"url: \"https://a.example/y\", query: {q: \"1\"}", "url: \"https://a.example/x\"",
                            "url: \"https://a.example/x\", query: {q: \"2\"}",
                            "url: \"https://a.example/x\", query: {q: \"1\"}, headers: {X-A: b}"}) {
    CHECK(SourceDigest(Text(other)) != base);
  }
}

}  // namespace
}  // namespace chartly
