#include "control/reporter/report_runner.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "control/reporter/fixed_batches_test.h"
#include "google/protobuf/text_format.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

struct TestRow {
  Value country;
  Value year;
  Value measure;
};

std::string BatchOf(const std::string& measure, const std::vector<TestRow>& rows) {
  std::vector<std::vector<Value>> values;
  for (const TestRow& row : rows) values.push_back({row.country, row.year, row.measure});
  return reporter::BatchOf({{Role::kDim, "country"}, {Role::kDim, "year"}, {Role::kMeasure, measure}}, values);
}

// The answer, which must be the same over batches and over sealed chunks.
absl::StatusOr<v1::RunReportResponse> Ask(FixedBatches& source, const std::string& question,
                                          const ReportOptions& options = {}) {
  v1::RunReportRequest request;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(question, &request));
  ReportRunner runner(options);
  ASSIGN_OR_RETURN(ReportPlan plan, PlanReport(request));
  source.sealed = true;
  absl::StatusOr<v1::RunReportResponse> of_chunks = runner.Run(plan, source);
  source.sealed = false;
  absl::StatusOr<v1::RunReportResponse> of_batches = runner.Run(plan, source);
  CHECK(of_chunks.status().code() == of_batches.status().code());
  if (of_chunks.ok() && of_batches.ok()) CHECK(of_chunks->DebugString() == of_batches->DebugString());
  return of_batches;
}

Value T(const char* text) { return Value::Text(text); }
Value I(int64_t integer) { return Value::Integer(integer); }

constexpr char kPopByGdp[] = R"(join: "dims.country" join: "year" inputs { profile_id: "pop" measure: "measures.value" }
                                inputs { profile_id: "gdp" measure: "value" })";

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& texts, const std::string& part) {
  for (const std::string& text : texts) {
    if (text.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a table joins two profiles and names what found no partner") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("fr"), I(2014), Value::Of(Decimal{6600, 2})},
                                              {T("de"), I(2014), I(80)},
                                              {T("xk"), I(2014), I(2)},
                                              {T("jp"), I(2014), Value()}}),
                            ""}};
  source.batches["gdp"] = {{BatchOf("value", {{T("de"), Value::Of(Decimal{20140, 1}), Value::Float(3.9)},
                                              {T("fr"), I(2014), Value::Float(2.8)},
                                              {T("us"), I(2014), Value::Float(17)}}),
                            ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  REQUIRE(answer->columns_size() == 4);
  CHECK(answer->columns(0) == "country");
  CHECK(answer->columns(2) == "value");
  CHECK(answer->columns(3) == "value_2");
  REQUIRE(answer->rows_size() == 2);
  CHECK(answer->rows(0).values(0).text() == "de");
  CHECK(answer->rows(1).values(2).decimal() == "66.00");
  CHECK(answer->rows(1).values(3).float_() == 2.8);
  CHECK(answer->row_count() == 2);
  CHECK(answer->n() == 2);
  CHECK(answer->pearson() == 1.0);
  CHECK(!answer->truncated());
  CHECK(answer->sides(0).records() == 4);
  CHECK(answer->sides(0).null_measures() == 1);
  CHECK(answer->sides(0).unmatched() == 1);
  CHECK(answer->sides(0).unmatched_examples(0) == "xk / 2014");
  CHECK(answer->sides(1).unmatched_examples(0) == "us / 2014");
  CHECK(Contains(answer->warnings(), "only 2 pairs"));
}

TEST_CASE("an answer says why text and numbers never meet") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("fr"), T("2014"), I(1)}}), ""}};
  source.batches["gdp"] = {{BatchOf("value", {{T("fr"), I(2014), I(2)}}), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(answer->row_count() == 0);
  CHECK(Contains(answer->warnings(), "year holds text and year numbers, which are never equal"));
  // One that could have met is enough to say nothing.
  source.batches["pop"].push_back({BatchOf("value", {{T("de"), I(2015), I(1)}}), ""});
  answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(!Contains(answer->warnings(), "never equal"));
}

TEST_CASE("the newest version of a record wins (W5)") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("fr"), I(2014), I(1)}, {T("de"), I(2014), I(5)}}), "\x02"},
                           {BatchOf("value", {{T("fr"), I(2014), I(66)}}), "\x01"}};
  absl::StatusOr<v1::RunReportResponse> answer =
      Ask(source, R"(join: "country" inputs { profile_id: "pop" measure: "value" })");
  REQUIRE_OK(answer);
  REQUIRE(answer->rows_size() == 2);
  CHECK(answer->rows(0).values(1).integer() == 5);
  CHECK(answer->rows(1).values(1).integer() == 66);
  CHECK(answer->n() == 0);
}

TEST_CASE("statistics use all rows and a limit that bites is reported (W5)") {
  FixedBatches source;
  std::vector<TestRow> left, right;
  for (int64_t i = 0; i < 2500; ++i) {
    left.push_back({T("x"), I(i), I(i)});
    right.push_back({T("x"), I(i), I(i < 1000 ? i : 5000 - i)});
  }
  source.batches["pop"] = {{BatchOf("value", left), ""}};
  source.batches["gdp"] = {{BatchOf("value", right), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(answer->rows_size() == 1000);
  CHECK(answer->limit() == 1000);
  CHECK(answer->truncated());
  CHECK(answer->row_count() == 2500);
  CHECK(answer->n() == 2500);
  CHECK(answer->pearson() < 0.9);
  CHECK(answer->rows(999).values(1).integer() == 999);

  answer = Ask(source, absl::StrCat(kPopByGdp, " window { limit: 2500 }"));
  REQUIRE_OK(answer);
  CHECK(answer->rows_size() == 2500);
  CHECK(!answer->truncated());

  answer = Ask(source, absl::StrCat(kPopByGdp, " output { type: REPORT_TYPE_CORRELATION method: 'spearman' }"));
  REQUIRE_OK(answer);
  CHECK(answer->rows_size() == 0);
  CHECK(!answer->truncated());
  CHECK(answer->n() == 2500);
  CHECK(answer->has_spearman());
}

TEST_CASE("an answer that would pass the largest message ends early and says so") {
  FixedBatches source;
  std::vector<TestRow> rows;
  for (int64_t i = 0; i < 200; ++i) rows.push_back({T("x"), I(i), I(i)});
  source.batches["pop"] = {{BatchOf("value", rows), ""}};
  ReportOptions options;
  options.answer_bytes_max = 1000;
  absl::StatusOr<v1::RunReportResponse> answer =
      Ask(source, R"(join: "year" inputs { profile_id: "pop" measure: "value" })", options);
  REQUIRE_OK(answer);
  CHECK(answer->rows_size() > 10);
  CHECK(answer->rows_size() < 200);
  CHECK(answer->truncated());
  CHECK(Contains(answer->warnings(), "rows end after"));
}

TEST_CASE("filters work on each side and dims may be named differently") {
  FixedBatches source;
  source.batches["pop"] = {
      {BatchOf("value", {{T("fr"), I(2013), I(1)}, {T("fr"), I(2014), I(2)}, {T("de"), I(2014), I(3)}}), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, R"(join: "dims.year=dims.year" join: "country"
      inputs { profile_id: "pop" measure: "value" filter: "dims.year >= 2014" filter: "measures.value < 3" alias: "a" }
      inputs { profile_id: "pop" measure: "value" alias: "b" })");
  REQUIRE_OK(answer);
  REQUIRE(answer->rows_size() == 1);
  CHECK(answer->rows(0).values(2).integer() == 2);
  CHECK(answer->columns(3) == "b");
  CHECK(answer->sides(0).records() == 1);
  CHECK(answer->sides(1).unmatched() == 2);
}

TEST_CASE("empty, one-row and constant joins give no coefficient and say why") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("fr"), I(1), I(4)}, {T("fr"), I(2), I(4)}}), ""}};
  source.batches["gdp"] = {{BatchOf("value", {{T("fr"), I(1), I(1)}, {T("fr"), I(2), I(2)}}), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(!answer->has_pearson());
  CHECK(Contains(answer->warnings(), "value is the same in all 2 pairs"));

  source.batches["gdp"] = {{BatchOf("value", {{T("fr"), I(1), I(1)}}), ""}};
  answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(answer->n() == 1);
  CHECK(!answer->has_pearson());
  CHECK(Contains(answer->warnings(), "there are 1"));

  source.batches.erase("gdp");
  answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(answer->n() == 0);
  CHECK(answer->row_count() == 0);
  CHECK(Contains(answer->warnings(), "profile gdp has no records"));
}

TEST_CASE("an unknown name is refused with the known ones") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("fr"), I(1), I(4)}}), ""}};
  std::string question = GENERATE(as<std::string>{}, R"(join: "year" inputs { profile_id: "pop" measure: "valeu" })",
                                  R"(join: "yaer" inputs { profile_id: "pop" measure: "value" })",
                                  R"(join: "year" inputs { profile_id: "pop" measure: "value" filter: "dims.x = 1" })");
  absl::Status status = Ask(source, question).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(Reason(status) == "REPORT_UNKNOWN_FIELD");
  CHECK(std::string(status.message()).find("dims.country, dims.year, measures.value") != std::string::npos);
}

TEST_CASE("a malformed question is refused and names the field") {
  FixedBatches source;
  auto [question, part] = GENERATE(table<std::string, std::string>({
      {"", "inputs is empty"},
      {R"(inputs { profile_id: "p" measure: "m" })", "join is empty"},
      {R"(join: "a" inputs { measure: "m" })", "inputs[0].profile_id"},
      {R"(join: "a" inputs { profile_id: "p" })", "inputs[0].measure"},
      {R"(join: "a=" inputs { profile_id: "p" measure: "m" })", "lacks the name"},
      {R"(join: "a=b=c" inputs { profile_id: "p" measure: "m" } inputs { profile_id: "p" measure: "m" })", "3 names"},
      {R"(join: "a" inputs { profile_id: "p" measure: "m" } output { type: REPORT_TYPE_CORRELATION })", "two inputs"},
      {R"(join: "a" inputs { profile_id: "p" measure: "m" } output { method: "kendal" })", "kendal"},
      {R"(join: "a" inputs { profile_id: "p" measure: "m" } window { limit: -1 })", "window.limit"},
      {R"(join: "a" inputs { profile_id: "p" measure: "m" filter: "dims.a >" })", "inputs[0].filter[0]"},
  }));
  absl::Status status = Ask(source, question).status();
  INFO(status.ToString());
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(status.message()).find(part) != std::string::npos);
}

TEST_CASE("rows without a partner stay in a left and an outer join") {
  FixedBatches source;
  source.batches["pop"] = {{BatchOf("value", {{T("de"), I(1), I(80)}, {T("xk"), I(1), I(2)}}), ""}};
  source.batches["gdp"] = {{BatchOf("value", {{T("de"), I(1), I(4)}, {T("us"), I(1), I(17)}}), ""}};
  absl::StatusOr<v1::RunReportResponse> left = Ask(source, absl::StrCat(kPopByGdp, " kind: JOIN_KIND_LEFT"));
  REQUIRE_OK(left);
  CHECK(left->row_count() == 2);
  CHECK(left->rows(1).values(3).kind_case() == v1::Value::KIND_NOT_SET);
  absl::StatusOr<v1::RunReportResponse> outer = Ask(source, absl::StrCat(kPopByGdp, " kind: JOIN_KIND_OUTER"));
  REQUIRE_OK(outer);
  CHECK(outer->row_count() == 3);
  CHECK(outer->rows(1).values(0).text() == "us");
  for (const auto& answer : {*left, *outer}) {
    CHECK(answer.n() == 1);
    CHECK(answer.sides(0).unmatched_examples(0) == "xk / 1");
    CHECK(answer.sides(1).unmatched_examples(0) == "us / 1");
  }
}

TEST_CASE("every pair of many measures has its coefficients, and the first pair a line") {
  FixedBatches source;
  std::vector<TestRow> rows, others;
  for (int64_t i = 0; i < 30; ++i) {
    rows.push_back({T("x"), I(i), I(i)});
    others.push_back({T("x"), I(i), I(2 * i + i % 3)});
  }
  source.batches["pop"] = {{BatchOf("value", rows), ""}};
  source.batches["gdp"] = {{BatchOf("value", others), ""}};
  absl::StatusOr<v1::RunReportResponse> answer =
      Ask(source, absl::StrCat(kPopByGdp, R"(steps: "derive s = value * value"
          output { type: REPORT_TYPE_CORRELATION controls: "s" method: "partial" confidence: 0.9 })"));
  REQUIRE_OK(answer);
  REQUIRE(answer->correlations_size() == 1);  // a control is no measure
  const v1::Correlation& pair = answer->correlations(0);
  CHECK(pair.x() == "value");
  CHECK(pair.y() == "value_2");
  CHECK(pair.kendall().has_value());
  CHECK(pair.partial().has_value());
  CHECK(pair.pearson().low() < pair.pearson().value());
  CHECK(pair.pearson().high() > pair.pearson().value());
  CHECK(pair.pearson().p_value() < 1e-6);
  CHECK(answer->regression().slope() == Approx(2).epsilon(0.1));
  CHECK(answer->inference().find("Fisher") != std::string::npos);
  answer = Ask(source, absl::StrCat(kPopByGdp, R"(steps: "derive s = value * value")"));
  REQUIRE_OK(answer);
  CHECK(answer->correlations_size() == 3);
  CHECK(answer->measure_columns_size() == 3);
}

TEST_CASE("two measures that follow time are told, with what is left after differencing") {
  FixedBatches source;
  std::vector<TestRow> up, down;
  for (int64_t i = 0; i < 40; ++i) {
    up.push_back({T("x"), I(1980 + i), I(10 * i + i * 7 % 5)});
    down.push_back({T("x"), I(1980 + i), I(-10 * i + i * 3 % 7)});
  }
  source.batches["pop"] = {{BatchOf("value", up), ""}};
  source.batches["gdp"] = {{BatchOf("value", down), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(answer->pearson() < -0.99);
  CHECK(Contains(answer->warnings(), "both follow year (r 1.00 and -1.00)"));
  CHECK(Contains(answer->warnings(), "(n 39)"));
}

TEST_CASE("totals among their members are told by name and by sum") {
  FixedBatches source;
  std::vector<TestRow> rows = {{T("World"), I(1), I(999)}};
  for (int64_t i = 1; i <= 8; ++i)
    rows.push_back({T(std::string(1, static_cast<char>('a' + i)).c_str()), I(1), I(i * i)});
  source.batches["pop"] = {{BatchOf("value", rows), ""}};
  source.batches["gdp"] = {{BatchOf("value", rows), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(Contains(answer->warnings(), "country: World looks like a total"));
  rows[0] = {T("z"), I(1), I(204)};  // 1 + 4 + ... + 64
  source.batches["pop"] = source.batches["gdp"] = {{BatchOf("value", rows), ""}};
  answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK(Contains(answer->warnings(), "country: z looks like a total"));
  rows[0] = {T("z"), I(1), I(150)};
  source.batches["pop"] = source.batches["gdp"] = {{BatchOf("value", rows), ""}};
  answer = Ask(source, kPopByGdp);
  REQUIRE_OK(answer);
  CHECK_FALSE(Contains(answer->warnings(), "total"));
}

TEST_CASE("inputs with keys and steps of their own join what came before") {
  FixedBatches source;
  source.batches["pop"] = {
      {BatchOf("value", {{T("fr"), I(1), I(10)}, {T("fr"), I(2), I(20)}, {T("de"), I(1), I(5)}}), ""}};
  source.batches["area"] = {{BatchOf("km", {{T("fr"), I(0), I(3)}, {T("de"), I(0), I(2)}}), ""}};
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, R"(
      inputs { profile_id: "pop" measures: "value as people" dims: "country" dims: "year" }
      inputs { profile_id: "area" measures: "km" on: "country" }
      inputs { profile_id: "pop" measures: "value" steps: "group by country: sum(value) as all" on: "country" }
      steps: "derive share = people / all" steps: "sort share desc")");
  REQUIRE_OK(answer);
  REQUIRE(answer->rows_size() == 3);
  REQUIRE(answer->columns_size() == 6);
  CHECK(answer->rows(0).values(0).text() == "de");
  CHECK(answer->rows(0).values(5).float_() == 1);
  CHECK(answer->rows(1).values(3).integer() == 3);
  CHECK(answer->rows(1).values(4).integer() == 30);
}

TEST_CASE("pages go on where the one before ended") {
  FixedBatches source;
  std::vector<TestRow> rows;
  for (int64_t i = 0; i < 25; ++i) rows.push_back({T("x"), I(i), I(i)});
  source.batches["pop"] = {{BatchOf("value", rows), ""}};
  std::string question =
      R"(join: "year" inputs { profile_id: "pop" measure: "value" } window { limit: 10 page_token: ")";
  std::string token;
  int64_t seen = 0;
  for (int page = 0; page < 3; ++page) {
    absl::StatusOr<v1::RunReportResponse> answer = Ask(source, question + token + "\" }");
    REQUIRE_OK(answer);
    for (const v1::ReportRow& row : answer->rows()) CHECK(row.values(0).integer() == seen++);
    token = answer->next_page_token();
  }
  CHECK(seen == 25);
  CHECK(token.empty());
  CHECK(Reason(Ask(source, question + "10-0\" }").status()) == "PAGE_TOKEN_INVALID");
}

TEST_CASE("a damaged batch is an error and not an answer") {
  FixedBatches source;
  std::string bytes = BatchOf("value", {{T("fr"), I(1), I(4)}});
  bytes[bytes.size() / 2] ^= 1;
  source.batches["pop"] = {{bytes, ""}};
  absl::Status status = Ask(source, R"(join: "year" inputs { profile_id: "pop" measure: "value" })").status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
}

}  // namespace chartly::reporter
