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

}  // namespace
}  // namespace chartly
