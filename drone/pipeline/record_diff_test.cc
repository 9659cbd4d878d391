#include "drone/pipeline/record_diff.h"

#include "absl/strings/str_cat.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using Side = RecordDiff::Side;

struct Record {
  int64_t id;
  std::string name;
  int64_t level;
};

std::string BatchOf(const std::vector<Record>& records, bool text_levels = false) {
  BatchBuilder builder;
  const size_t id = builder.AddColumn(Role::kDim, "id");
  const size_t name = builder.AddColumn(Role::kAttr, "name");
  const size_t level = builder.AddColumn(Role::kMeasure, "level");
  uint32_t row = 0;
  for (const Record& record : records) {
    builder.BeginRow(1, ++row);
    builder.SetInteger(id, record.id);
    if (!record.name.empty()) builder.SetText(name, record.name);
    if (text_levels) builder.SetText(level, absl::StrCat(record.level));
    if (!text_levels) builder.SetInteger(level, record.level);
    builder.EndRow();
  }
  return builder.Finish().value();
}

v1::ShadowResult Describe(RecordDiff& diff) {
  v1::ShadowResult result;
  diff.Describe(result);
  return result;
}

TEST_CASE("records are the same, changed field by field, lost, or new") {
  RecordDiff diff({"id"});
  CHECK_OK(diff.Add(Side::kRunning, BatchOf({{1, "a", 10}, {2, "b", 20}, {3, "c", 30}, {4, "d", 40}})));
  CHECK_OK(diff.Add(Side::kTried, BatchOf({{5, "e", 50}, {4, "d", 40}, {3, "", 30}, {2, "b", 21}})));
  v1::ShadowResult result = Describe(diff);
  CHECK(result.same() == 1);
  CHECK(result.changed() == 2);
  CHECK(result.lost() == 1);
  CHECK(result.added() == 1);
  CHECK(result.uncompared() == 0);
  CHECK(result.running().records() == 4);
  REQUIRE(result.fields_size() == 2);
  CHECK(result.fields(0).field() == "attrs.name");
  CHECK(result.fields(0).examples(0).key() == "id=3");
  CHECK(result.fields(0).examples(0).before() == "text c");
  CHECK(result.fields(0).examples(0).after().empty());
  CHECK(result.fields(1).field() == "measures.level");
  CHECK(result.fields(1).examples(0).before() == "integer 20");
  CHECK(result.fields(1).examples(0).after() == "integer 21");
  CHECK(result.lost_records(0).key() == "id=1");
  CHECK(result.added_records(0).fields() == "attrs.name=e, dims.id=5, measures.level=50");
}

TEST_CASE("a value of another type is a change, and records of one key are paired in order") {
  RecordDiff diff({"id"});
  CHECK_OK(diff.Add(Side::kTried, BatchOf({{1, "a", 10}, {1, "a", 11}}, /*text_levels=*/true)));
  CHECK_OK(diff.Add(Side::kRunning, BatchOf({{1, "a", 10}, {1, "a", 11}})));
  v1::ShadowResult result = Describe(diff);
  CHECK(result.changed() == 2);
  CHECK(result.fields(0).examples(0).before() == "integer 10");
  CHECK(result.fields(0).examples(0).after() == "text 10");
}

TEST_CASE("without a key all dims tell records apart") {
  RecordDiff diff({});
  CHECK_OK(diff.Add(Side::kRunning, BatchOf({{1, "a", 10}})));
  CHECK_OK(diff.Add(Side::kTried, BatchOf({{2, "a", 10}})));
  v1::ShadowResult result = Describe(diff);
  CHECK(result.lost() == 1);
  CHECK(result.added() == 1);
}

TEST_CASE("more than fits is left out by key on both sides, and never told as lost or new") {
  RecordDiff diff({"id"}, /*max_bytes=*/64 << 10);
  const int64_t batches = 20;
  auto all = [&](Side side) {
    for (int64_t batch = 0; batch < batches; ++batch) {
      std::vector<Record> records;
      for (int64_t i = 0; i < 1000; ++i) records.push_back({batch * 1000 + i, "name", i});
      CHECK_OK(diff.Add(side, BatchOf(records)));
    }
  };
  all(Side::kRunning);
  all(Side::kTried);
  v1::ShadowResult result = Describe(diff);
  CHECK(result.same() > 50);
  CHECK(result.lost() == 0);
  CHECK(result.added() == 0);
  CHECK(result.same() + result.uncompared() == batches * 1000);
}

TEST_CASE("what is told stays small whatever differs") {
  RecordDiff diff({"id"}, /*max_bytes=*/64 << 20);
  BatchBuilder running;
  BatchBuilder tried;
  for (BatchBuilder* builder : {&running, &tried}) {
    const size_t id = builder->AddColumn(Role::kDim, "id");
    for (int64_t row = 0; row < 200; ++row) {
      builder->Quarantine(absl::StrCat("reason", row), "field", std::string(5000, 'm'), "raw", 1, 1);
      builder->BeginRow(1, static_cast<uint32_t>(row) + 1);
      // Every other record has no counterpart.
      builder->SetInteger(id, row % 2 == 0 && builder == &tried ? -1 - row : row);
      for (int field = 0; field < 300; ++field) {
        builder->SetText(builder->AddColumn(Role::kAttr, absl::StrCat("a-rather-long-name-of-a-field-", field)),
                         std::string(200, builder == &running ? 'x' : 'y'));
      }
      builder->EndRow();
    }
  }
  CHECK_OK(diff.Add(Side::kRunning, running.Finish().value()));
  CHECK_OK(diff.Add(Side::kTried, tried.Finish().value()));
  v1::ShadowResult result = Describe(diff);
  CHECK(result.changed() == 100);
  CHECK(result.lost() == 100);
  CHECK(result.fields_size() == 256);
  CHECK(result.lost_records_size() == 5);
  CHECK(result.quarantines_size() == 64);
  CHECK(result.ByteSizeLong() < size_t{64} << 10);
}

}  // namespace
}  // namespace chartly::drone
