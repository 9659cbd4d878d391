#include "drone/decode/xml_decoder.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/allocations_for_test.h"
#include "drone/decode/collector_for_test.h"
#include "drone/decode/cut_body_for_test.h"
#include "drone/decode/shared_file_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Says;

SourceConfig Xml(const std::string& records) {
  SourceConfig source;
  source.format = Format::kXml;
  source.records = records;
  return source;
}

using Rows = std::vector<std::string>;

const char kSeries[] = R"(<?xml version="1.0"?>
<m:Data xmlns:m="urn:m" xmlns:g="urn:g" id="root"><m:Header><m:ID>7</m:ID></m:Header>
 <m:DataSet action="Replace">
  <g:Series kind="x">
   <g:Key><g:Value id="FREQ" value="M"/><g:Value id="CUR" value="USD"/></g:Key>
   <g:Obs><g:Dim value="1999-01"/><g:ObsValue value="1.5"/><note> two <b>words</b> </note></g:Obs>
   <g:Obs><g:Dim value="1999-02"/><note/></g:Obs>
  </g:Series>
  <g:Series><g:Key><g:Value id="FREQ" value="A"/></g:Key>
   <g:Obs><g:Dim value="2000"/><g:ObsValue value=""/><g:list><a>1</a><a>2</a></g:list></g:Obs></g:Series>
 </m:DataSet><m:Pages next="/p2">3</m:Pages></m:Data>)";

TEST_CASE("rows are the elements at the path, fields their elements, attributes and texts") {
  std::vector<std::string> paths = {"Dim.@value", "ObsValue.@value", "note", "list", "list.a[1]"};
  Rows rows = {"1:1999-01|1.5|two words|-|-", "2:1999-02|-|null|-|-", "3:2000|null|-|~12|2"};
  CHECK(Decode(Xml("DataSet.Series[*].Obs[*]"), paths, kSeries).rows == rows);
  CHECK(Decode(Xml("DataSet.Series.Obs"), paths, kSeries).rows == rows);
  Decoded decoded = Decode(Xml("DataSet.Series[*].Obs"), {"Dim.@value"}, kSeries);
  CHECK(decoded.raws[1] == R"(<g:Obs><g:Dim value="1999-02"/><note/></g:Obs>)");
  CHECK(decoded.result.rows == 3);
  CHECK(Decode(Xml("DataSet.Series[@kind=\"x\"].Obs[*]"), {"Dim.@value"}, kSeries).rows.size() == 2);
  CHECK(Decode(Xml("a[*]"), {".", "@x"}, "<r><a x='1'> t </a><b/><a/></r>").rows == Rows{"1:t|1", "2:null|-"});
  CHECK(Decode(Xml(""), {"Header.ID", "@id", "^.x"}, kSeries).rows == Rows{"1:7|root|-"});
}

TEST_CASE("a row sees what stands around it and before it") {
  std::vector<std::string> paths = {"^.Key.Value[@id=\"CUR\"].@value",
                                    "^.Key.Value[@id=\"FREQ\"].@value",
                                    "^.@kind",
                                    "^^.Header.ID",
                                    "^^.DataSet.@action",
                                    "^^.@id",
                                    "^^.Pages",
                                    "^^^.@id"};
  CHECK(Decode(Xml("DataSet.Series[*].Obs[*]"), paths, kSeries).rows ==
        Rows{"1:USD|M|x|7|Replace|root|-|-", "2:USD|M|x|7|Replace|root|-|-", "3:-|A|-|7|Replace|root|-|-"});
}

TEST_CASE("prefixes bind names to namespaces") {
  SourceConfig source = Xml("d:DataSet.s:Series[*].Obs[*]");
  source.namespaces = {{"d", "urn:m"}, {"s", "urn:g"}};
  CHECK(Decode(source, {"s:Dim.@value", "d:Dim.@value"}, kSeries).rows[0] == "1:1999-01|-");
  source.records = "s:DataSet.Series[*]";
  CHECK(Reason(Decode(source, {"Key"}, kSeries).status) == "PAYLOAD_NO_RECORDS");
  auto unbound = Decoder::Create(Xml("x:DataSet[*]"), {"a"});
  CHECK(Reason(unbound.status()) == "PATH_INVALID");
  CHECK(Says(unbound.status(), "source.namespaces"));
}

TEST_CASE("paths that XML cannot follow are refused") {
  struct Case {
    std::string records, path;
  };
  auto c = GENERATE(values<Case>({{"^.a", "x"},
                                  {"a.@b", "x"},
                                  {"a[1]", "x"},
                                  {"a", "@b.c"},
                                  {"a", "[0]"},
                                  {"a", "b[*]"},
                                  {"a", "b[@c]"},
                                  {"a", "b[@=\"c\"]"},
                                  {"a", "@"},
                                  {"a", "^"}}));
  INFO(c.records << " " << c.path);
  CHECK(Reason(Decoder::Create(Xml(c.records), {c.path}).status()) == "PATH_INVALID");
}

TEST_CASE("pagination of XML reads what stands before and after the rows") {
  SourceConfig source = Xml("DataSet.Series[*].Obs[*]");
  source.pagination.pages = "Pages";
  source.pagination.next = "Pages.@next";
  DecodeResult result = Decode(source, {"Dim.@value"}, kSeries).result;
  CHECK(result.pages == 3);
  CHECK(result.next == "/p2");
  source = Xml("list.row[*]");
  source.pagination.next = "list.link[@rel=\"next\"].@href";
  std::string body = "<r><list><link rel='self' href='/1'/><row/><link rel='next' href='/2'/></list></r>";
  CHECK(Decode(source, {"."}, body).result.next == "/2");
  CHECK_FALSE(Decode(source, {"."}, "<r><list/></r>").result.next.has_value());
}

TEST_CASE("no rows, a web page and a cut-off document are told apart") {
  Decoded none = Decode(Xml("DataSet.Series[*]"), {"a"}, "<Error><Message>over quota</Message></Error>");
  CHECK(Reason(none.status) == "PAYLOAD_NO_RECORDS");
  CHECK(Says(none.status, "<DataSet>"));
  CHECK(Says(none.status, "<Error>"));
  Decoded empty = Decode(Xml("DataSet.Series[*]"), {"a"}, "<r><DataSet/></r>");
  CHECK_OK(empty.status);
  CHECK(empty.rows.empty());
  CHECK(Reason(Decode(Xml("a"), {"b"}, "<!DOCTYPE html><html/>").status) == "PAYLOAD_NOT_XML");
  CHECK(Reason(Decode(Xml("a"), {"b"}, "{}").status) == "PAYLOAD_NOT_XML");
  Decoded cut = Decode(Xml("a"), {"."}, "<r><a>1</a><a>2");
  CHECK(Reason(cut.status) == "PAYLOAD_TRUNCATED");
  CHECK(cut.rows == Rows{"1:1"});
}

TEST_CASE("a row and what is kept around it are bounded") {
  std::string large(1 << 20, 'x');
  std::string row = "<r><a>";
  for (int i = 0; i < 17; ++i) row += "<b>" + large + "</b>";
  CHECK(Reason(Decode(Xml("a"), {"b"}, row + "</a></r>").status) == "PAYLOAD_ROW_TOO_LARGE");
  CHECK_OK(Decode(Xml("c"), {"b"}, row + "</a></r>").status);
  CHECK(Reason(Decode(Xml("c"), {"^.a.b"}, row + "</a></r>").status) == "PAYLOAD_OUTER_TOO_LARGE");
  std::string blank = "<r><a>";
  for (int i = 0; i < 17; ++i) blank += "<!--" + large + "-->";
  CHECK(Reason(Decode(Xml("a"), {"b"}, blank + "</a></r>").status) == "PAYLOAD_ROW_TOO_LARGE");
}

TEST_CASE("auto tells XML from feeds and web pages by its first element") {
  SourceConfig source;
  source.records = "a[*]";
  CHECK(Decode(source, {"."}, "<?xml version='1.0'?><!-- x --><r><a>1</a></r>", "text/xml").rows == Rows{"1:1"});
  CHECK(Decode(source, {"."}, "<rss><a>1</a></rss>").rows == Rows{"1:1"});
  source.records = "";
  std::string feed = "<!DOCTYPE rss [<!ENTITY e '>'>]><rss><channel><item><title>t</title></item></channel></rss>";
  CHECK(Decode(source, {"title"}, feed, "application/xml", "http://h/x.xml").rows == Rows{"1:t"});
  CHECK(Reason(Decode(source, {"a"}, "<?xml version='1.0'?><html xmlns='x'/>").status) == "PAYLOAD_NOT_JSON");
  CHECK(Reason(Decode(source, {"a"}, "<Error/>", "", "http://h/x.csv?k=1").status).rfind("PAYLOAD_", 0) == 0);
}

TEST_CASE("the ECB series has its months, and its key on every one") {
  if (!HasShared("data/ecb_EXR_M.USD.EUR.SP00.A.xml")) return;
  std::string body = ReadFileForTest(SharedPath("data/ecb_EXR_M.USD.EUR.SP00.A.xml"));
  size_t longest = GENERATE(as<size_t>{}, 100, 1 << 20);
  auto decoder = Decoder::Create(Xml("DataSet.Series[*].Obs[*]"), {"ObsDimension.@value", "ObsValue.@value",
                                                                   "^.SeriesKey.Value[@id=\"CURRENCY\"].@value",
                                                                   "Attributes.Value[@id=\"OBS_STATUS\"].@value"});
  REQUIRE_OK(decoder);
  Collector sink(4);
  CutBody pieces(body, longest);
  REQUIRE_OK((*decoder)->Decode(pieces, "application/xml", "", sink));
  REQUIRE(sink.rows.size() == 252);
  CHECK(sink.rows.front() == "1:1999-01|1.16078|USD|A");
  CHECK(sink.rows.back() == "252:2019-12|1.111345|USD|A");
  for (const std::string& raw : sink.raws) {
    bool whole = raw.rfind("<generic:Obs>", 0) == 0 && raw.substr(raw.size() - 14) == "</generic:Obs>";
    if (!whole) CHECK(raw == "one whole element");
  }
}

int64_t AllocationsFor(int rows) {
  std::string text = "<r>";
  for (int i = 0; i < rows; ++i)
    absl::StrAppend(&text, "<o id=\"", i, "\"><name>a longer text than fits in place</name></o>\n");
  TextBody body(text + "</r>");
  auto decoder = Decoder::Create(Xml("o[*]"), {"@id", "name"});
  class Touch final : public RowSink {
   public:
    absl::Status OnRow(const Row& row, uint32_t) override {
      return row.Get(0).text.empty() || row.Get(1).text.empty() ? absl::InternalError("empty") : absl::OkStatus();
    }
    absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
      return absl::OkStatus();
    }
  } sink;
  int64_t before = AllocationsForTest();
  REQUIRE_OK((*decoder)->Decode(body, "", "", sink));
  return AllocationsForTest() - before;
}

TEST_CASE("a hundred times the elements cost only what the pieces do") {
  int64_t few = AllocationsFor(100);
  // One megabyte is sixteen slices.
  CHECK(AllocationsFor(10'000) < few + 60);
}

}  // namespace
}  // namespace chartly::drone
