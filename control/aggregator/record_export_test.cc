#include "control/aggregator/record_export.h"

#include "absl/strings/match.h"
#include "common/chunk/batch_columns.h"
#include "common/status/status.h"
#include "control/aggregator/export_schema.h"
#include "control/aggregator/record_fixture_test.h"

namespace chartly::aggregator {
namespace {

struct File {
  absl::Status status;
  std::string bytes;
  std::string content_type;
  std::string name;
  size_t largest_piece = 0;
};

File Export(RecordExport& exports, const v1::ExportRecordsRequest& request) {
  File file;
  file.status = exports.Run(request, NeverGone, [&](const v1::ExportRecordsResponse& piece) {
    if (!piece.content_type().empty()) file.content_type = piece.content_type();
    if (!piece.file_name().empty()) file.name = piece.file_name();
    file.bytes += piece.data();
    file.largest_piece = std::max(file.largest_piece, piece.data().size());
    return true;
  });
  return file;
}

v1::ExportRecordsRequest Of(v1::ExportFormat format, const std::string& fields = "") {
  v1::ExportRecordsRequest request;
  request.set_profile_id("p");
  request.set_format(format);
  if (!fields.empty()) request.add_fields(fields);
  return request;
}

TEST_CASE("NDJSON is a document a line, as records are everywhere, with all digits") {
  RecordFixture fixture;
  fixture.Send({{9007199254740993, "a\"\n", "12.50", {}}, {2, "b", {}, "n"}});
  RecordExport exports(*fixture.store);
  File file = Export(exports, Of(v1::EXPORT_FORMAT_UNSPECIFIED, "dims,measures,attrs"));
  REQUIRE_OK(file.status);
  CHECK(file.content_type == "application/x-ndjson");
  CHECK(file.name == "p.ndjson");
  size_t line_end = file.bytes.find('\n');
  CHECK(
      file.bytes.substr(39, line_end - 39) ==
      R"(","profile_id":"p","dims":{"city":"a\"\n","place":9007199254740993},"measures":{"value":12.50},"attrs":{}})");
  CHECK(absl::EndsWith(file.bytes,
                       "\"dims\":{\"city\":\"b\",\"place\":2},\"measures\":{},\"attrs\":{\"note\":\"n\"}}\n"));
  File with_origin = Export(exports, Of(v1::EXPORT_FORMAT_NDJSON));
  CHECK(absl::StrContains(
      with_origin.bytes,
      R"("provenance":{"source_uri":"https://example.test/data","payload_sha256":"0f","page":2,"row":1,)"
      R"("revision":"profiles/p@sha256:1","drone_id":"d1","run_id":"r1","observed_at":"1970-01-01T00:00:01Z")"));
}

TEST_CASE("CSV quotes what needs it, tells null from empty, and guards formulas if asked") {
  RecordFixture fixture;
  SECTION("in a batch as it came") {}
  SECTION("in a part") { fixture.seals = true; }
  fixture.Send({{1, "x,y", "1", "=1+1"}, {2, "say \"hi\"", "-2.50", {}}, {3, "", {}, "two\r\nlines"}});
  RecordExport exports(*fixture.store);
  v1::ExportRecordsRequest request = Of(v1::EXPORT_FORMAT_CSV, "dims.place,attrs.note,dims.city,measures");
  CHECK(Export(exports, request).bytes ==
        "dims.place,attrs.note,dims.city,measures.value\r\n"
        "1,=1+1,\"x,y\",1\r\n"
        "2,,\"say \"\"hi\"\"\",-2.50\r\n"
        "3,\"two\r\nlines\",\"\",\r\n");
  request.set_guard_formulas(true);
  CHECK(absl::StrContains(Export(exports, request).bytes, "1,'=1+1,\"x,y\",1\r\n2,,\"say \"\"hi\"\"\",-2.50\r\n"));
  request.clear_fields();
  request.add_filter("dims.place = 2");
  std::string all = Export(exports, request).bytes;
  CHECK(absl::StartsWith(all, "dims.city,dims.place,measures.value,attrs.note,id\r\n\"say \"\"hi\"\"\",2,-2.50,,"));
  request.add_fields("provenance.x");
  CHECK(Reason(Export(exports, request).status) == "FIELD_NAME_UNKNOWN");
}

TEST_CASE("columns take the type that holds all of their values") {
  auto schema_of = [](const std::vector<std::string>& values, bool float_decimals = false) {
    BatchBuilder builder;
    builder.SetOrigin({});
    size_t column = builder.AddColumn(Role::kMeasure, "v");
    for (const std::string& text : values) {
      builder.BeginRow(1, 1);
      auto number = ParseNumber(text);
      builder.Set(column, number.ok() ? *number : Value::Text(text));
      builder.EndRow();
    }
    auto bytes = builder.Finish();
    REQUIRE_OK(bytes);
    auto batch = Batch::Parse(*bytes);
    REQUIRE_OK(batch);
    RecordFixture fixture;
    ChunkMetas metas(*fixture.store);
    RowSet rows = RowSet::All(batch->rows());
    SchemaBuilder schema(float_decimals);
    REQUIRE_OK(schema.Add(RecordBlock({"p", {}}, ColumnsOfBatch(*batch, 1), std::move(rows), metas)));
    return schema.Build(*RecordProjection::Parse({"measures"})).at(0).type;
  };
  CHECK(schema_of({"1", "-5"}).type == ValueType::kInteger);
  FieldType mixed = schema_of({"1", "2.5", "3.125"});
  CHECK(mixed.type == ValueType::kDecimal);
  CHECK(mixed.scale == 3);
  CHECK(schema_of({"1", "2.5"}, true).type == ValueType::kFloat);
  CHECK(schema_of({"1", "2.5", "1e300"}).type == ValueType::kFloat);
  CHECK(schema_of({"1", "two"}).type == ValueType::kText);
  // 30 digits before the point and 20 behind it are in no decimal of 38.
  CHECK(schema_of({"123456789012345678901234567890", "0.12345678901234567890"}).type == ValueType::kText);
  FieldType wide = schema_of({"123456789", "0.12345678901234567890"});
  CHECK(wide.type == ValueType::kDecimal);
  CHECK(wide.scale == 20);
}

TEST_CASE("a file of any size comes in pieces of bounded size, and a reader that leaves ends it") {
  RecordFixture fixture;
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<TestRow> rows;
    for (int i = 0; i < 5000; ++i) rows.push_back({batch * 5000 + i, "city", std::to_string(i), std::string(40, 'n')});
    fixture.Send(rows);
  }
  RecordExport exports(*fixture.store);
  for (v1::ExportFormat format : {v1::EXPORT_FORMAT_NDJSON, v1::EXPORT_FORMAT_CSV, v1::EXPORT_FORMAT_PARQUET}) {
    INFO(format);
    File file = Export(exports, Of(format));
    REQUIRE_OK(file.status);
    CHECK(file.largest_piece <= (size_t{256} << 10));
    if (format != v1::EXPORT_FORMAT_PARQUET) {
      CHECK(std::count(file.bytes.begin(), file.bytes.end(), '\n') ==
            100000 + (format == v1::EXPORT_FORMAT_CSV ? 1 : 0));
    }
    int pieces = 0;
    absl::Status left =
        exports.Run(Of(format), NeverGone, [&](const v1::ExportRecordsResponse&) { return ++pieces < 2; });
    CHECK(absl::IsCancelled(left));
    CHECK(pieces == 2);
  }
}

TEST_CASE("exports that cannot be are refused before the first byte") {
  RecordFixture fixture;
  fixture.Send({{1, "a", "1", {}}});
  RecordExport exports(*fixture.store, 1);
  v1::ExportRecordsRequest request = Of(v1::EXPORT_FORMAT_CSV);
  request.add_filter("dims.ctiy = \"a\"");
  File file = Export(exports, request);
  CHECK(Reason(file.status) == "FIELD_NAME_UNKNOWN");
  CHECK(file.bytes.empty());
  request.set_profile_id("other");
  CHECK(Reason(Export(exports, request).status) == "RECORDS_NOT_FOUND");
  request.Clear();
  CHECK(Reason(Export(exports, request).status) == "PROFILE_OR_RUN_REQUIRED");
  absl::Status second;
  absl::Status first = exports.Run(Of(v1::EXPORT_FORMAT_CSV), NeverGone, [&](const v1::ExportRecordsResponse&) {
    second = Export(exports, Of(v1::EXPORT_FORMAT_CSV)).status;
    return true;
  });
  CHECK_OK(first);
  CHECK(Reason(second) == "EXPORTS_BUSY");
  CHECK_OK(Export(exports, Of(v1::EXPORT_FORMAT_CSV)).status);
}

}  // namespace
}  // namespace chartly::aggregator
