#include "drone/decode/csv_decoder.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "common/status/status.h"
#include "drone/decode/allocations_for_test.h"
#include "drone/decode/collector_for_test.h"
#include "drone/decode/cut_body_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

SourceConfig Csv() {
  SourceConfig source;
  source.format = Format::kCsv;
  return source;
}

using Rows = std::vector<std::string>;

TEST_CASE("a table may have any delimiter, quote, comment, preamble and names of its own") {
  SourceConfig source = Csv();
  source.csv.delimiter = ';';
  source.csv.quote = '\'';
  source.csv.comment = '#';
  source.csv.skip_lines = 2;
  std::string body = "Table 1;\nsecond line\n# a comment\n a ; 'b c' ;\"d\"\n1;'x;''y';3\n#x\n2;;4\n";
  CHECK(Decode(source, {"a", "b c", "\"d\""}, body).rows == Rows{"1:1|x;'y|3", "2:2|null|4"});
  source.csv = {};
  source.csv.header = false;
  source.csv.columns = {"year", "rate"};
  CHECK(Decode(source, {"rate"}, "2020,1.5\n2021,2.5\n2022\n").rows == Rows{"1:1.5", "2:2.5", "!3"});
  source.csv.quote = '\0';
  CHECK(Decode(source, {"rate"}, "2020,\"1\n").rows == Rows{"1:\"1"});
}

TEST_CASE("two columns of one name matter only to who asks for them") {
  CHECK(Decode(Csv(), {"a"}, "a,,\n1,2,3\n").rows == Rows{"1:1"});
  Decoded both = Decode(Csv(), {"b"}, "a,b,b\n1,2,3\n");
  CHECK(Reason(both.status) == "PAYLOAD_DUPLICATE_COLUMN");
}

TEST_CASE("a table in another charset is read, and what could not be read is counted") {
  SourceConfig source = Csv();
  CHECK(Decode(source, {"a"}, "a\nna\xefve\n", "text/csv; charset=iso-8859-1").rows == Rows{"1:naïve"});
  source.charset = "windows-1252";
  Decoded decoded = Decode(source, {"a"}, "a\n\x81\xe9\n");
  CHECK(decoded.rows == Rows{"1:�é"});
  CHECK(decoded.result.replaced_characters == 1);
  CHECK(Decode(Csv(), {"b"},
               std::string("\xff\xfe"
                           "a\0;\0b\0",
                           8))
            .rows.empty());
}

TEST_CASE("a wide table becomes long rows") {
  SourceConfig source = Csv();
  source.unpivot = {{"month", "place"}, {"total"}, "sector", "jobs"};
  std::string body = "month,place,farm,total,\"mining, all\"\n2020-01,\"A, B\",1,9,2\nshort\n2020-02,C,,8,4\n";
  Decoded decoded = Decode(source, {"month", "sector", "jobs", "total"}, body);
  CHECK_OK(decoded.status);
  CHECK(decoded.rows == Rows{"1:2020-01|farm|1|9", "2:2020-01|mining, all|2|9", "!3", "4:2020-02|farm|null|8",
                             "5:2020-02|mining, all|4|8"});
  CHECK(decoded.raws[1] == "2020-01,\"A, B\",\"mining, all\",2");
  CHECK(decoded.result.rows == 5);
  CHECK(Reason(Decode(source, {"farm"}, body).status) == "PAYLOAD_NO_COLUMN");
  source.unpivot.keep = {"nowhere"};
  CHECK(Reason(Decode(source, {"jobs"}, body).status) == "PAYLOAD_NO_COLUMN");
}

TEST_CASE("the employment table of 24 columns gives 23 rows a month") {
  std::filesystem::path path = std::filesystem::path(CHARTLY_SOURCE_DIR) / "../shared/data";
  std::ifstream in(path / "bls_ces_us_employment_wide.csv", std::ios::binary);
  if (!in) {
    std::cout << "shared data not here, nothing compared\n";
    return;
  }
  std::ostringstream text;
  text << in.rdbuf();
  SourceConfig source = Csv();
  source.unpivot = {{"month"}, {}, "sector", "jobs"};
  Decoded decoded = Decode(source, {"month", "sector", "jobs"}, text.str());
  CHECK_OK(decoded.status);
  CHECK(decoded.rows.size() == 120 * 23);
  CHECK(decoded.rows[0].substr(0, 25) == "1:2006-01-01|nonfarm|1354");
}

// Looks at every field and keeps nothing.
class Touch final : public RowSink {
 public:
  absl::Status OnRow(const Row& row, uint32_t) override {
    for (size_t slot = 0; slot < 4; ++slot) bytes += row.Get(slot).text.size();
    return absl::OkStatus();
  }
  absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
    return absl::OkStatus();
  }
  size_t bytes = 0;
};

int64_t AllocationsFor(int rows) {
  std::string text = "id,name,note,value\n";
  for (int i = 0; i < rows; ++i) {
    text += std::to_string(i) + ",a name that is longer than any small string,\"with \"\"quotes\"\", too\",1.5\n";
  }
  CutBody body(text, 100'000);
  auto decoder = Decoder::Create(Csv(), {"id", "name", "note", "value"});
  Touch sink;
  int64_t before = AllocationsForTest();
  auto result = (*decoder)->Decode(body, "", "", sink);
  int64_t after = AllocationsForTest();
  REQUIRE_OK(result);
  CHECK(result->rows == rows);
  // One for each piece of the body, which the test makes.
  return after - before - static_cast<int64_t>(text.size() / 50'000);
}

TEST_CASE("a hundred times the rows costs no more allocations") {
  int64_t few = AllocationsFor(100);
  CHECK(AllocationsFor(10'000) < few + 30);
}

}  // namespace
}  // namespace chartly::drone
