#include "control/aggregator/record_query.h"

#include <algorithm>
#include <map>
#include <random>

#include "common/status/status.h"
#include "control/aggregator/record_fixture_test.h"

namespace chartly::aggregator {
namespace {

// A filter in words of the store and in words of the model.
struct Condition {
  std::string text;
  std::function<bool(const TestRow&)> holds;
};

const std::vector<Condition>& Conditions() {
  static const auto* conditions = new std::vector<Condition>{
      {"dims.place >= 0", [](const TestRow&) { return true; }},
      {"dims.city = \"c1\"", [](const TestRow& row) { return row.city == "c1"; }},
      {"dims.city in [\"c0\", \"c2\"]", [](const TestRow& row) { return row.city == "c0" || row.city == "c2"; }},
      {"dims.place >= 40 and dims.place < 60", [](const TestRow& row) { return row.place >= 40 && row.place < 60; }},
      {"dims.place = 33", [](const TestRow& row) { return row.place == 33; }},
      {"dims.place = \"33\"", [](const TestRow& row) { return row.place == 33; }},
      {"140.5 < dims.place", [](const TestRow& row) { return row.place > 140; }},
      {"dims.place in [3, 99.0, 7]",
       [](const TestRow& row) { return row.place == 3 || row.place == 99 || row.place == 7; }},
      {"dims.place <= 20 and dims.city = \"c1\"",
       [](const TestRow& row) { return row.place <= 20 && row.city == "c1"; }},
      {"measures.value > 50.5", [](const TestRow& row) { return row.value && std::stod(*row.value) > 50.5; }},
      {"measures.value is null", [](const TestRow& row) { return !row.value.has_value(); }},
      {"attrs.note contains \"x\" or dims.place = 7",
       [](const TestRow& row) { return (row.note && row.note->find('x') != std::string::npos) || row.place == 7; }},
      {"dims.nowhere = 1", [](const TestRow&) { return false; }},
  };
  return *conditions;
}

class Rows {
 public:
  explicit Rows(uint32_t seed) : random_(seed) {}
  size_t Below(size_t n) { return random_() % n; }
  TestRow Next() {
    TestRow row;
    row.place = static_cast<int64_t>(Below(150));
    row.city = "c" + std::to_string(Below(4));
    if (Below(5) > 0) row.value = std::to_string(Below(100)) + (Below(2) == 0 ? "" : "." + std::to_string(Below(100)));
    if (Below(3) == 0) row.note = std::string(1 + Below(3), Below(2) == 0 ? 'x' : 'y');
    return row;
  }

 private:
  std::mt19937 random_;
};

TestRow RowOf(const v1::Record& record) {
  TestRow row;
  row.place = record.dims().at("place").integer();
  row.city = record.dims().at("city").text();
  auto value = record.measures().find("value");
  if (value != record.measures().end()) {
    row.value = value->second.kind_case() == v1::Value::kInteger ? std::to_string(value->second.integer())
                                                                 : value->second.decimal();
  }
  auto note = record.attrs().find("note");
  if (note != record.attrs().end()) row.note = note->second.text();
  return row;
}

std::string TextOf(const TestRow& row) {
  return std::to_string(row.place) + "|" + row.city + "|" + row.value.value_or("null") + "|" +
         row.note.value_or("null");
}

TEST_CASE("pages give the rows of a plain model, in order, whatever the filter, the size and the work of a call") {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    INFO(seed);
    RecordFixture fixture;
    Rows rows(seed);
    const bool seals = seed % 2 == 1;
    // The newest row of each place, by when it was stored.
    std::map<int64_t, std::pair<int, TestRow>> newest;
    int number = 0;
    for (size_t batches = 1 + rows.Below(12); batches > 0; --batches) {
      std::vector<TestRow> batch;
      for (size_t n = 1 + rows.Below(40); n > 0; --n) batch.push_back(rows.Next());
      fixture.Send(batch);
      if (seals && rows.Below(3) == 0) REQUIRE_OK(fixture.sealer->SealNow(1 + rows.Below(30)));
      for (const TestRow& row : batch) {
        auto found = newest.find(row.place);
        bool same = found != newest.end() && TextOf(found->second.second) == TextOf(row);
        if (!same) newest[row.place] = {++number, row};
      }
    }
    std::map<int, TestRow> in_order;
    for (const auto& [place, entry] : newest) in_order[entry.first] = entry.second;

    const int64_t max_scanned = static_cast<int64_t>(1 + rows.Below(50));
    RecordQuery query(*fixture.store, max_scanned);
    for (const Condition& condition : Conditions()) {
      INFO(condition.text);
      v1::ListRecordsRequest request;
      request.set_profile_id("p");
      request.set_limit(static_cast<int32_t>(1 + rows.Below(20)));
      request.add_filter(condition.text);
      std::vector<std::string> expected, found;
      for (const auto& [order, row] : in_order) {
        if (condition.holds(row)) expected.push_back(TextOf(row));
      }
      int64_t scanned = 0;
      do {
        auto page = query.ListRecords(request, NeverGone);
        REQUIRE_OK(page);
        CHECK(page->scanned() <= max_scanned);
        CHECK(page->records_size() <= request.limit());
        scanned += page->scanned();
        for (const v1::Record& record : page->records()) found.push_back(TextOf(RowOf(record)));
        request.set_page_token(page->next_page_token());
        if (seals && rows.Below(20) == 0) REQUIRE_OK(fixture.sealer->SealNow(1));
      } while (!request.page_token().empty());
      if (seals) {  // within a part they come in order of keys
        std::sort(found.begin(), found.end());
        std::sort(expected.begin(), expected.end());
      }
      CHECK(found == expected);
      // Chunks whose keys are out of the question are passed over.
      const auto all = static_cast<int64_t>(in_order.size());
      CHECK((seals ? scanned <= all : scanned == all));
    }
  }
}

TEST_CASE("a page looks at the sealed chunks whose keys may match, and at no others") {
  RecordFixture fixture;
  std::vector<TestRow> rows;
  for (int64_t place = 0; place < 210; ++place) rows.push_back({place, "a", "1", {}});
  fixture.Send(rows);
  REQUIRE_OK(fixture.sealer->SealNow(1));
  RecordQuery query(*fixture.store);
  auto scanned = [&](const std::string& filter) {
    v1::ListRecordsRequest request;
    request.set_profile_id("p");
    request.set_limit(1000);
    request.add_filter(filter);
    auto page = query.ListRecords(request, NeverGone);
    REQUIRE_OK(page);
    CHECK(page->next_page_token().empty());
    return page->scanned();
  };
  CHECK(scanned("dims.place = 100") == 7);
  CHECK(scanned("dims.place >= 203") == 7);
  CHECK(scanned("dims.place < 7") == 14);  // a bound may be in the next chunk
  CHECK(scanned("dims.place = 300") == 0);
  CHECK(scanned("dims.place = \"100\"") == 210);
  CHECK(scanned("dims.place = 100 or dims.city = \"b\"") == 210);
  CHECK(scanned("dims.city = \"b\"") == 210);
}

TEST_CASE("a projection gives what it names, and unknown names are told") {
  RecordFixture fixture;
  fixture.Send({{1, "a", "1.50", "n"}, {2, "b", std::nullopt, std::nullopt}});
  RecordQuery query(*fixture.store);
  v1::ListRecordsRequest request;
  request.set_profile_id("p");
  request.add_fields("dims.city, measures");
  request.add_fields("attrs.nothing");
  request.add_filter("dims.ciyt != \"z\" or dims.place < 9");
  auto page = query.ListRecords(request, NeverGone);
  REQUIRE_OK(page);
  REQUIRE(page->records_size() == 2);
  const v1::Record& record = page->records(0);
  CHECK(record.id().size() == 32);
  CHECK(record.dims_size() == 1);
  CHECK(record.dims().at("city").text() == "a");
  CHECK(record.measures().at("value").decimal() == "1.50");
  CHECK(record.attrs().empty());
  CHECK_FALSE(record.has_provenance());
  REQUIRE(page->unknown_fields_size() == 2);
  CHECK(page->unknown_fields(0) == "dims.ciyt");
  CHECK(page->unknown_fields(1) == "attrs.nothing");
  CHECK(page->scanned() == 2);
}

TEST_CASE("wrong questions are refused with their reason") {
  RecordFixture fixture;
  fixture.Send({{1, "a", "1", {}}, {2, "b", "2", {}}});
  RecordQuery query(*fixture.store);
  v1::ListRecordsRequest request;
  auto reason = [&] { return Reason(query.ListRecords(request, NeverGone).status()); };
  CHECK(reason() == "PROFILE_OR_RUN_REQUIRED");
  request.set_profile_id("p");
  request.set_limit(-1);
  CHECK(reason() == "LIMIT_INVALID");
  request.set_limit(1);
  request.add_filter("dims.place >>> 1");
  CHECK(reason() == "EXPRESSION_INVALID");
  request.set_filter(0, "place = 1");
  CHECK(reason() == "FILTER_NAME_UNKNOWN");
  request.clear_filter();
  request.add_fields("place");
  CHECK(reason() == "FIELD_NAME_UNKNOWN");
  request.set_fields(0, "dims.place,");
  CHECK(reason() == "FIELD_NAME_UNKNOWN");
  request.clear_fields();
  for (const char* token : {"x", "zz00000000000000000000", "0000000000010000", "000000000001000000000000"}) {
    INFO(token);
    request.set_page_token(token);
    CHECK(reason() == "PAGE_TOKEN_INVALID");
  }
  request.clear_page_token();
  auto first = query.ListRecords(request, NeverGone);
  REQUIRE_OK(first);
  request.set_page_token(first->next_page_token());
  request.set_limit(5);  // the size of a page is no part of the question
  CHECK_OK(query.ListRecords(request, NeverGone).status());
  request.add_filter("dims.place > 0");
  CHECK(reason() == "PAGE_TOKEN_INVALID");
}

TEST_CASE("a caller that has gone ends the scan") {
  RecordFixture fixture;
  fixture.Send({{1, "a", "1", {}}});
  RecordQuery query(*fixture.store);
  v1::ListRecordsRequest request;
  request.set_profile_id("p");
  CHECK(absl::IsCancelled(query.ListRecords(request, [] { return true; }).status()));
}

}  // namespace
}  // namespace chartly::aggregator
