// What reports read, against the rows that were sent: outlines, spans of a dim, and chunks as they lie.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/sort_key.h"
#include "common/status/status.h"
#include "control/aggregator/record_fixture_test.h"
#include "control/aggregator/record_query.h"

namespace chartly::aggregator {
namespace {

std::string BytesOf(int64_t place) {
  std::string bytes;
  AppendSortable("", Value::Integer(place), bytes);
  return bytes.substr(2);
}

// The values of current rows by place, and how many pieces they came in.
struct Scanned {
  std::map<int64_t, std::string> values;
  int pieces = 0;
  int undecided = 0;  // pieces with a bitmap
};

Scanned Scan(const RecordQuery& query, const v1::ScanBatchesRequest& request) {
  Scanned scanned;
  CHECK_OK(query.ScanBatches(request, [&](const v1::ScanBatchesResponse& response) {
    ColumnSet columns;
    if (response.chunk().empty()) {
      auto batch = Batch::Parse(response.batch());
      REQUIRE_OK(batch);
      columns = ColumnsOfBatch(*batch, 1);
    } else {
      auto chunk = ChunkReader::Open(response.chunk());
      REQUIRE_OK(chunk);
      auto all = chunk->DecodeAll();
      REQUIRE_OK(all);
      columns = *std::move(all);
    }
    ++scanned.pieces;
    scanned.undecided += response.current().empty() ? 0 : 1;
    const RowSet current =
        response.current().empty() ? RowSet::All(RowsOf(columns)) : RowSet::FromBits(response.current());
    current.ForEach(0, [&](uint32_t row) {
      const int64_t place = GetValue(columns, Role::kDim, "place", row).integer();
      CHECK(scanned.values.emplace(place, GetValue(columns, Role::kMeasure, "value", row).ToText()).second);
      return true;
    });
    return true;
  }));
  return scanned;
}

v1::ScanBatchesRequest Everything() {
  v1::ScanBatchesRequest request;
  request.set_profile_id("p");
  request.set_chunks(true);
  return request;
}

struct Outline {
  int64_t last_batch = 0;
  int64_t rows = 0;
  int64_t without_bounds = 0;
};

Outline OutlineOf(const RecordQuery& query, const std::map<int64_t, std::string>& newest) {
  v1::ScanBatchesRequest request = Everything();
  request.set_outline(true);
  request.mutable_span()->set_dim("place");
  Outline outline;
  CHECK_OK(query.ScanBatches(request, [&](const v1::ScanBatchesResponse& response) {
    REQUIRE(response.has_outline());
    CHECK(response.chunk().empty());
    const v1::ScanBatchesResponse::Outline& one = response.outline();
    if (outline.last_batch == 0) {
      outline.last_batch = one.last_batch();
      return true;
    }
    CHECK(one.rows() > 0);
    CHECK(one.min() <= one.max());
    outline.rows += one.rows();
    if (one.min().empty()) {
      outline.without_bounds += 1;
    } else {
      CHECK(one.min() >= BytesOf(newest.begin()->first));
      CHECK(one.max() <= BytesOf(newest.rbegin()->first));
    }
    return true;
  }));
  return outline;
}

}  // namespace

TEST_CASE("a span leaves out sealed chunks without its values, and nothing that has some") {
  std::mt19937 random(GENERATE(range(0u, 6u)));
  RecordFixture fixture;
  const RecordQuery query(*fixture.store);
  std::map<int64_t, std::string> newest;
  int64_t sent = 0;
  for (int batch = 0; batch < 30; ++batch) {
    fixture.seals = batch < 28;
    std::map<int64_t, TestRow> rows;
    for (int i = 0; i < 25; ++i) {
      TestRow row;
      row.place = static_cast<int64_t>(random() % 400);
      row.city = "c";
      row.value = absl::StrCat(batch * 1000 + i);
      rows[row.place] = row;
    }
    std::vector<TestRow> list;
    for (const auto& [place, row] : rows) {
      list.push_back(row);
      newest[place] = *row.value;
    }
    sent += static_cast<int64_t>(list.size());
    fixture.Send(list);
  }
  const Scanned all = Scan(query, Everything());
  CHECK(all.values == newest);
  const Outline outline = OutlineOf(query, newest);
  CHECK(outline.rows == sent);
  CHECK(outline.without_bounds > 0);  // what is not sealed yet

  v1::ScanBatchesRequest request = Everything();
  request.mutable_span()->set_dim("place");
  const auto from = static_cast<int64_t>(random() % 300);
  const int64_t below = from + 40;
  request.mutable_span()->set_from(BytesOf(from));
  request.mutable_span()->set_below(BytesOf(below));
  const Scanned some = Scan(query, request);
  CHECK(some.pieces < all.pieces);
  for (const auto& [place, value] : newest) {
    if (place < from || place >= below) continue;
    REQUIRE(some.values.count(place) == 1);
    CHECK(some.values.at(place) == value);
  }
  request.mutable_span()->clear_below();
  const Scanned rest = Scan(query, request);
  CHECK(std::equal(newest.lower_bound(from), newest.end(), rest.values.lower_bound(from), rest.values.end()));

  // What an outline saw stays what its scans see.
  fixture.seals = true;
  fixture.Send({{7, "c", "99999", {}}, {100'000, "c", "1", {}}});
  v1::ScanBatchesRequest pinned = Everything();
  pinned.set_last_batch(outline.last_batch);
  CHECK(Scan(query, pinned).values == newest);
  CHECK(Scan(query, Everything()).values.count(100'000) == 1);
}

TEST_CASE("chunks without older versions and deletions come as they lie") {
  RecordFixture fixture;
  const RecordQuery query(*fixture.store);
  fixture.seals = true;
  std::vector<TestRow> rows;
  for (int64_t place = 0; place < 90; ++place) rows.push_back({place, "c", "1", {}});
  fixture.Send(rows);
  const Scanned fresh = Scan(query, Everything());
  CHECK(fresh.values.size() == 90);
  CHECK(fresh.undecided == 0);
  for (TestRow& row : rows) row.value = "2";
  rows.resize(50);
  fixture.Send(rows);
  const Scanned revised = Scan(query, Everything());
  CHECK(revised.values.size() == 90);
  CHECK(revised.values.at(3) == "2");
  CHECK(revised.undecided > 0);
}

}  // namespace chartly::aggregator
