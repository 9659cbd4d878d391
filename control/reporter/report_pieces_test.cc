// Reports that are answered piece by piece, against the same reports answered whole.
#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/batch/batch.h"
#include "common/status/status.h"
#include "control/reporter/fixed_batches_test.h"
#include "control/reporter/key_spelling.h"
#include "control/reporter/piece_planner.h"
#include "control/reporter/report_runner.h"
#include "google/protobuf/text_format.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

struct TestRow {
  Value geo;
  Value time;
  Value measure;
  Value tag;
};

std::string BatchOf(const std::vector<TestRow>& rows, const std::string& measure) {
  std::vector<std::vector<Value>> values;
  for (const TestRow& row : rows) values.push_back({row.geo, row.time, row.tag, row.measure});
  return reporter::BatchOf({{Role::kDim, "geo"}, {Role::kDim, "time"}, {Role::kAttr, "tag"}, {Role::kMeasure, measure}},
                           values);
}

void SortByGeo(std::vector<TestRow>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const TestRow& a, const TestRow& b) { return CompareValues(a.geo, b.geo) < 0; });
}

// In batches of some rows each.
std::vector<StoredBatch> Stored(const std::vector<TestRow>& rows, const std::string& measure, size_t rows_each) {
  std::vector<StoredBatch> batches;
  for (size_t begin = 0; begin < rows.size(); begin += rows_each) {
    const std::vector<TestRow> some(rows.begin() + static_cast<int64_t>(begin),
                                    rows.begin() + static_cast<int64_t>(std::min(rows.size(), begin + rows_each)));
    batches.push_back({BatchOf(some, measure), ""});
  }
  return batches;
}

ReportPlan PlanOf(const std::string& question) {
  v1::RunReportRequest request;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(question, &request));
  absl::StatusOr<ReportPlan> plan = PlanReport(request);
  REQUIRE_OK(plan);
  return *plan;
}

absl::StatusOr<v1::RunReportResponse> Ask(BatchSource& source, const std::string& question,
                                          const ReportOptions& options) {
  ReportRunner runner(options);
  return runner.Run(PlanOf(question), source);
}

ReportOptions InPieces(int64_t rows) {
  ReportOptions options;
  options.piece_rows = rows;
  options.piece_reads_percent = 2000;  // batches are small beside pieces
  return options;
}

using Random = std::mt19937;

int Upto(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

// A number of tenths, spelled in one of several ways.
Value Tenths(Random& random, int64_t tenths) {
  const int zeros = Upto(random, 3);
  const int64_t power = zeros == 0 ? 1 : zeros == 1 ? 10 : 100;
  switch (Upto(random, 3)) {
    case 0:
      if (tenths % 10 == 0) return Value::Integer(tenths / 10);
      return Value::Of(Decimal{tenths * power, static_cast<uint8_t>(1 + zeros)});
    case 1:
      return Value::Float(static_cast<double>(tenths) / 10);
    default:
      return Value::Of(Decimal{tenths * power, static_cast<uint8_t>(1 + zeros)});
  }
}

Value Hour(Random& random, int64_t hour) {
  const int16_t offsets[] = {0, 60, 345, -300};
  return Value::Of(Timestamp{(int64_t{400'000} + hour) * 3600 * 1'000'000, offsets[Upto(random, 4)]});
}

// Beyond what a double or 64 bits hold exactly.
Value Large(Random& random, int which) {
  switch (which) {
    case 0:
      return Upto(random, 2) == 0 ? Value::Float(0x1p62) : Value::Integer(4'611'686'018'427'388'000);
    case 1:
      return Upto(random, 2) == 0 ? Value::Float(1e20)
                                  : Value::Of(Decimal{absl::int128(10'000'000'000) * 10'000'000'000, 0});
    case 2:
      return Value::Float(1e300);
    default:
      return Upto(random, 2) == 0 ? Value::Float(-0.0) : Value::Of(Decimal{0, 3});
  }
}

// Texts, numbers and times as keys, each spelled in whatever way it may be, some of them missing, some keys twice.
std::vector<TestRow> RandomRows(Random& random, size_t rows, int geos, bool numeric_times) {
  std::vector<TestRow> made;
  for (size_t i = 0; i < rows; ++i) {
    const int geo = Upto(random, geos), time = Upto(random, 30), tag = Upto(random, 9);
    TestRow row;
    row.geo = geo % 5 == 3   ? Tenths(random, geo * 5)
              : geo % 5 == 4 ? Hour(random, geo)
                             : Value::Text(absl::StrCat("geo", geo));
    if (Upto(random, 40) == 0) row.geo = Value();
    row.time = numeric_times || time % 2 == 0 ? Tenths(random, time * 5) : Hour(random, time);
    if (Upto(random, 60) == 0) row.time = Value();
    row.tag = tag < 4 ? Large(random, tag) : tag < 7 ? Tenths(random, tag * 5) : Hour(random, tag);
    row.measure = Upto(random, 5) == 0 ? Tenths(random, Upto(random, 100)) : Value::Float(Upto(random, 1000) / 7.0);
    if (Upto(random, 20) == 0) row.measure = Value();
    made.push_back(row);
  }
  return made;
}

constexpr char kPlain[] = R"(inputs { profile_id: "left" measure: "x" } inputs { profile_id: "right" measure: "y" })";
constexpr char kBoth[] =
    R"(inputs { profile_id: "left" measure: "x" dims: "tag" } inputs { profile_id: "right" measure: "y" })";

// How many pieces the question comes to.
size_t PiecesOf(BatchSource& source, const std::string& question, const ReportOptions& options) {
  const PieceLimits limits{options.memory_bytes_max, options.piece_rows, options.piece_reads_percent};
  absl::StatusOr<std::optional<PiecePlan>> plan = PlanPieces(PlanOf(question), source, limits);
  REQUIRE_OK(plan);
  return plan->has_value() ? (*plan)->pieces.size() : 1;
}

void CheckSame(const absl::StatusOr<v1::RunReportResponse>& one, const absl::StatusOr<v1::RunReportResponse>& other) {
  REQUIRE_OK(one);
  REQUIRE_OK(other);
  CHECK(one->row_count() > 0);
  CHECK(one->DebugString() == other->DebugString());
}

const std::vector<std::string> kSteps = {
    R"Q(steps: "group by geo: pearson(x, y) as r, count(), spearman(x, y) as rho, first(x)")Q",
    R"Q(steps: "group by time, geo: sum(x), median(y), distinct(x)" steps: "top 40 by sum_x")Q",
    R"Q(steps: "derive d = x - y" steps: "filter d > 0" steps: "group by geo: sum(d), max(y), count()")Q",
    // What other keys are spelled like shows in figures, in filters, in buckets, and as names of columns.
    R"Q(steps: "group by geo: first(time), last(tag), min(tag), max(time), distinct(tag)")Q",
    R"Q(steps: "filter tag matches \"^[0-9]+$\"" steps: "group by tag, geo: count()")Q",
    R"Q(steps: "group by year(time) as era, geo: count()")Q",
    R"Q(steps: "group by geo, tag: sum(x) as s" steps: "pivot tag: sum(s)")Q",
    R"Q(steps: "group by geo, x: count()")Q"};

}  // namespace

TEST_CASE("a report in pieces is the report, however keys are spelled, whatever their order and the kind of the join") {
  Random random(GENERATE(range(0u, 16u)));
  const std::string kind = GENERATE(as<std::string>{}, "INNER", "LEFT", "OUTER");
  const bool in_order = random() % 4 != 0, numeric_times = random() % 2 == 0;
  std::vector<TestRow> left = RandomRows(random, 300, 25, numeric_times);
  std::vector<TestRow> right = RandomRows(random, 200, 30, numeric_times);
  if (in_order) SortByGeo(left);
  if (in_order) SortByGeo(right);
  FixedBatches source;
  source.sealed = random() % 2 == 0;
  source.batches["left"] = Stored(left, "x", 20);
  source.batches["right"] = Stored(right, "y", 15);
  source.batches["left"][3].current = std::string(3, '\x5a');  // some rows are older versions
  const std::string nearest = numeric_times && random() % 2 == 0 ? " | nearest 0.7" : "";
  const std::string join =
      absl::StrCat(kBoth, " join: \"geo\" join: \"time", nearest, "\" kind: JOIN_KIND_", kind, " ");
  for (const std::string& steps : kSteps) {
    const std::string question = join + steps;
    INFO(question);
    if (in_order) CHECK(PiecesOf(source, question, InPieces(40)) > 3);
    CheckSame(Ask(source, question, InPieces(1'000'000)), Ask(source, question, InPieces(40)));
  }
}

TEST_CASE("groups of one profile in pieces are its groups") {
  Random random(GENERATE(range(100u, 108u)));
  FixedBatches source;
  source.sealed = true;
  std::vector<TestRow> rows = RandomRows(random, 400, 25, false);
  SortByGeo(rows);
  source.batches["left"] = Stored(rows, "x", 20);
  for (const std::string steps : {"group by geo: sum(x), count()", "group by time, geo as place: mean(x), last(x)"}) {
    const std::string question =
        absl::StrCat(R"(inputs { profile_id: "left" measure: "x" dims: "geo" dims: "time" } steps: ")", steps, "\"");
    CHECK(PiecesOf(source, question, InPieces(50)) > 3);
    CheckSame(Ask(source, question, InPieces(1'000'000)), Ask(source, question, InPieces(50)));
  }
}

TEST_CASE("a report is the same in whatever order the records came, and keys have one spelling") {
  Random random(GENERATE(range(200u, 212u)));
  std::vector<TestRow> left = RandomRows(random, 200, 15, true), right = RandomRows(random, 200, 15, true);
  FixedBatches source, other;
  source.batches["left"] = Stored(left, "x", 20);
  source.batches["right"] = Stored(right, "y", 20);
  std::shuffle(left.begin(), left.end(), random);
  std::shuffle(right.begin(), right.end(), random);
  other.batches["left"] = Stored(left, "x", 30);
  other.batches["right"] = Stored(right, "y", 30);
  for (const std::string rest : {R"Q(steps: "sort geo")Q", R"Q(steps: "group by geo, tag: first(time), sum(x)")Q"}) {
    const std::string question = absl::StrCat(kBoth, R"( join: "geo" join: "time" kind: JOIN_KIND_OUTER )", rest);
    const absl::StatusOr<v1::RunReportResponse> answer = Ask(source, question, ReportOptions());
    CheckSame(answer, Ask(other, question, ReportOptions()));
    REQUIRE_OK(answer);
    for (const v1::ReportRow& row : answer->rows()) {
      const absl::StatusOr<Value> geo = FromProto(row.values(0));
      REQUIRE_OK(geo);
      CHECK(*geo == KeySpelling(*geo));
    }
  }
}

TEST_CASE("only what groups by a key that all inputs share is cut, at values where records begin") {
  Random random(1);
  FixedBatches source;
  std::vector<TestRow> left = RandomRows(random, 400, 25, true), right = RandomRows(random, 400, 25, true);
  SortByGeo(left);
  SortByGeo(right);
  source.batches["left"] = Stored(left, "x", 20);
  source.batches["right"] = Stored(right, "y", 20);
  const PieceLimits limits{int64_t{1} << 30, 100, 300};
  auto pieces_of = [&](const std::string& rest) {
    absl::StatusOr<std::optional<PiecePlan>> plan = PlanPieces(PlanOf(absl::StrCat(kBoth, " ", rest)), source, limits);
    REQUIRE_OK(plan);
    return plan->has_value() ? (*plan)->pieces : std::vector<PieceOfInputs>();
  };
  const std::vector<PieceOfInputs> cut = pieces_of(R"Q(join: "geo" join: "time" steps: "group by geo: count()")Q");
  REQUIRE(cut.size() > 3);
  CHECK(cut.front().span.from.empty());
  CHECK(cut.back().span.below.empty());
  for (size_t i = 1; i < cut.size(); ++i) {
    CHECK(cut[i].span.from == cut[i - 1].span.below);
    CHECK(cut[i].span.from > cut[i - 1].span.from);
  }
  for (const std::string rest :
       {R"Q(join: "geo" join: "time")Q", R"Q(join: "geo" join: "time" steps: "group by x: count()")Q",
        R"Q(join: "geo | lower" steps: "group by geo: count()")Q",
        R"Q(join: "geo" steps: "derive geo = x" steps: "group by geo: count()")Q",
        R"Q(join: "geo" steps: "sort x" steps: "group by geo: count()")Q"}) {
    INFO(rest);
    CHECK(pieces_of(rest).empty());
  }
}

TEST_CASE("a report that does not fit its memory whole is answered in pieces, or refused with what to do") {
  std::vector<TestRow> left, right;
  for (int64_t i = 0; i < 60'000; ++i) {
    const Value geo = Value::Text(absl::StrCat("geo", 1000 + i / 200));
    left.push_back({geo, Value::Integer(i % 200), Value::Float(static_cast<double>(i % 977)), Value()});
    right.push_back({geo, Value::Integer(i % 200), Value::Float(static_cast<double>(i % 1009)), Value()});
  }
  FixedBatches source;
  source.sealed = true;
  source.batches["left"] = Stored(left, "x", 1000);
  source.batches["right"] = Stored(right, "y", 1000);
  ReportOptions options;
  options.memory_bytes_max = int64_t{5} << 20;
  const std::string join = absl::StrCat(kPlain, R"( join: "geo" join: "time")");
  const std::string by_geo = absl::StrCat(join, R"Q( steps: "group by geo: pearson(x, y) as r, count()")Q");
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, by_geo, options);
  REQUIRE_OK(answer);
  CHECK(answer->row_count() == 300);
  CHECK(answer->sides(0).records() == 60'000);
  absl::StatusOr<v1::RunReportResponse> whole = Ask(source, by_geo, ReportOptions());
  REQUIRE_OK(whole);
  CHECK(answer->DebugString() == whole->DebugString());

  const absl::Status refused = Ask(source, join, options).status();
  CHECK(Reason(refused) == "REPORT_TOO_LARGE");
  CHECK(std::string(refused.message()).find("5 MiB") != std::string::npos);
  CHECK(std::string(refused.message()).find("group by") != std::string::npos);
}

TEST_CASE("a piece that fails fails the report, and a name that only some pieces know is known") {
  FixedBatches source;
  source.sealed = true;
  std::vector<TestRow> rows;
  for (int i = 0; i < 400; ++i)
    rows.push_back({Value::Text(absl::StrCat("g", 100 + i / 4)), Value::Integer(i), Value::Integer(i), Value()});
  source.batches["left"] = Stored(rows, "x", 20);
  source.batches["right"] = Stored(rows, "y", 20);
  const std::string question = absl::StrCat(kPlain, R"Q( join: "geo" join: "time" steps: "group by geo: sum(y)")Q");
  source.batches["right"][5] = Stored({rows.begin() + 100, rows.begin() + 120}, "z", 20)[0];
  absl::StatusOr<v1::RunReportResponse> answer = Ask(source, question, InPieces(40));
  REQUIRE_OK(answer);
  CHECK(answer->sides(1).null_measures() == 20);
  CHECK(Reason(Ask(source, absl::StrCat(kPlain, R"Q( join: "geo" join: "time" steps: "group by geo: sum(w)")Q"),
                   InPieces(40))
                   .status()) == "REPORT_UNKNOWN_FIELD");
  source.batches["right"][7].bytes[40] ^= 1;
  CHECK(absl::IsDataLoss(Ask(source, question, InPieces(40)).status()));
}

}  // namespace chartly::reporter
