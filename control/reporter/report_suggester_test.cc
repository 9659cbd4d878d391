#include "control/reporter/report_suggester.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

class OneBatchEach final : public BatchSource {
 public:
  absl::Status Scan(const std::string& profile_id, const ScanSpan*, Take take) override {
    auto found = batches.find(profile_id);
    return found == batches.end() ? absl::OkStatus() : take({found->second, ""});
  }
  absl::StatusOr<std::vector<KeyStretch>> Outline(const std::string&, const std::string&) override {
    return std::vector<KeyStretch>();
  }
  std::map<std::string, std::string> batches;
};

// One dim and one or more measures over `keys`.
std::string BatchOf(const std::string& dim, const std::vector<Value>& keys, const std::vector<std::string>& measures) {
  BatchBuilder builder;
  size_t key = builder.AddColumn(Role::kDim, dim);
  std::vector<size_t> columns;
  for (const std::string& measure : measures) columns.push_back(builder.AddColumn(Role::kMeasure, measure));
  for (uint32_t i = 0; i < keys.size(); ++i) {
    builder.BeginRow(1, i + 1);
    builder.Set(key, keys[i]);
    for (size_t column : columns) builder.Set(column, Value::Integer(int64_t{i} * i % 17));
    builder.EndRow();
  }
  absl::StatusOr<std::string> bytes = builder.Finish();
  REQUIRE_OK(bytes);
  return *bytes;
}

std::vector<Value> Codes(const std::string& before, int from, int to) {
  std::vector<Value> codes;
  for (int i = from; i < to; ++i) codes.push_back(Value::Text(absl::StrCat(before, i)));
  return codes;
}

v1::SuggestReportsResponse Suggest(BatchSource& source, const std::vector<std::string>& profiles, int32_t limit = 10) {
  ReportRunner runner({});
  absl::StatusOr<v1::SuggestReportsResponse> answer = SuggestReports(profiles, limit, runner, source);
  REQUIRE_OK(answer);
  return *answer;
}

}  // namespace

TEST_CASE("what shares the values of a dim is proposed with the rows it gives") {
  OneBatchEach source;
  source.batches["people"] = BatchOf("geo.id", Codes("c", 0, 50), {"count"});
  source.batches["money"] = BatchOf("geo.id", Codes("c", 10, 70), {"usd"});
  source.batches["stars"] = BatchOf("star.id", Codes("s", 0, 50), {"light"});
  v1::SuggestReportsResponse answer = Suggest(source, {"money", "people", "stars"});
  REQUIRE(answer.suggestions_size() == 1);
  const v1::ReportSuggestion& first = answer.suggestions(0);
  CHECK(first.report().join(0) == "geo.id");
  CHECK(first.report().inputs(0).measures(0) == "usd");
  CHECK(first.rows() == 40);
  CHECK(first.n() == 40);
  CHECK(first.reason().find("geo.id share 40 of 60 and 50 values; 40 rows") != std::string::npos);
}

TEST_CASE("dims of other names and other spellings are found by their values") {
  OneBatchEach source;
  source.batches["a"] = BatchOf("county.fips", Codes("0100", 1, 9), {"x"});
  source.batches["b"] = BatchOf("place", Codes("0100", 1, 9), {"y"});
  std::vector<Value> numbers;
  for (int64_t i = 1001; i < 1009; ++i) numbers.push_back(Value::Integer(i));
  source.batches["c"] = BatchOf("geo.fips", numbers, {"z"});
  v1::SuggestReportsResponse answer = Suggest(source, {"a", "b"});
  REQUIRE(answer.suggestions_size() == 1);
  CHECK(answer.suggestions(0).report().join(0) == "county.fips=place");
  answer = Suggest(source, {"a", "c"});
  REQUIRE(answer.suggestions_size() == 1);
  CHECK(answer.suggestions(0).report().join(0).find("county.fips=geo.fips | to_text") == 0);
  CHECK(answer.suggestions(0).n() == 8);
}

TEST_CASE("measures of the same records are proposed, numbers that meet by chance are not") {
  OneBatchEach source;
  source.batches["alone"] = BatchOf("id", Codes("i", 0, 30), {"x", "y"});
  std::vector<Value> months, counts;
  for (int64_t i = 1; i <= 12; ++i) {
    months.push_back(Value::Integer(i));
    counts.push_back(Value::Integer(i));
  }
  source.batches["months"] = BatchOf("time.month", months, {"m"});
  source.batches["counts"] = BatchOf("geo.number", counts, {"n"});
  v1::SuggestReportsResponse answer = Suggest(source, {"alone", "counts", "empty", "months"});
  REQUIRE(answer.suggestions_size() == 1);
  CHECK(answer.suggestions(0).report().inputs_size() == 1);
  CHECK(answer.suggestions(0).reason().find("the same records hold 2 measures") == 0);
}

TEST_CASE("better proposals come first and a limit holds") {
  OneBatchEach source;
  source.batches["all"] = BatchOf("geo.id", Codes("c", 0, 100), {"x"});
  source.batches["most"] = BatchOf("geo.id", Codes("c", 0, 90), {"y"});
  source.batches["some"] = BatchOf("geo.id", Codes("c", 70, 130), {"z"});
  v1::SuggestReportsResponse answer = Suggest(source, {"all", "most", "some"});
  REQUIRE(answer.suggestions_size() == 3);
  CHECK(answer.suggestions(0).n() == 90);
  CHECK(answer.suggestions(2).n() == 20);
  CHECK(Suggest(source, {"all", "most", "some"}, 2).suggestions_size() == 2);
}

}  // namespace chartly::reporter
