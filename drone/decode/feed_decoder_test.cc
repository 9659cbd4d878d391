#include "drone/decode/feed_decoder.h"

#include <map>

#include "common/status/status.h"
#include "drone/decode/collector_for_test.h"
#include "drone/decode/shared_file_for_test.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using Rows = std::vector<std::string>;

SourceConfig Feed() {
  SourceConfig source;
  source.format = Format::kRss;
  return source;
}

const char kRss[] =
    R"(<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"
   xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/">
 <channel><atom:link href="http://h/self" rel="self"/><title>News</title><link>http://h/</link>
  <image><title>Logo</title></image>
  <item><media:title>picture</media:title><title>A &amp; B</title><link>http://h/1</link><guid>g1</guid>
   <pubDate>Mon, 31 Mar 2014 10:57:23 EDT</pubDate><description>&lt;b&gt;x&lt;/b&gt; <![CDATA[<i>y</i>]]></description>
   <media:content url="u"/><content:encoded><![CDATA[<p>long</p>]]></content:encoded>
   <dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><category>c1</category><category>c2</category></item>
  <item><title/><link> http://h/2 </link><enclosure url="e.mp3"/></item>
 </channel></rss>)";

const char kAtom[] = R"(<feed xmlns="http://www.w3.org/2005/Atom" xmlns:georss="http://www.georss.org/georss">
 <title>Quakes</title><link rel="self" href="http://h/feed"/><link rel="next" href="http://h/feed?p=2"/>
 <author><name>USGS</name></author>
 <entry><id>urn:1</id><title type="xhtml"><div>M <b>4.7</b></div></title><link rel="edit" href="http://h/e"/>
  <link rel="alternate" href="http://h/1"/><published>2023-07-10T00:00:00Z</published>
  <updated>2023-07-10T01:11:57Z</updated><summary type="html">&lt;p&gt;deep&lt;/p&gt;</summary>
  <content type="text">all</content><author><name>Ann</name><uri>u</uri></author><author><name>Bob</name></author>
  <georss:point>33.2 75.8</georss:point><georss:elev>-10000</georss:elev>
  <category label="Age" term="Past Day"/><category term="us"/></entry>
</feed>)";

const std::vector<std::string> kAll = {"title",   "link",    "id",     "published",  "updated",
                                       "summary", "content", "author", "categories", "^.title"};

TEST_CASE("items of RSS and entries of Atom have the same fields") {
  CHECK(
      Decode(Feed(), kAll, kRss).rows ==
      Rows{
          "1:A & B|http://h/1|g1|Mon, 31 Mar 2014 10:57:23 EDT|null|<b>x</b> <i>y</i>|<p>long</p>|Ann, Bob|c1, c2|News",
          "2:null|http://h/2|http://h/2|null|null|null|null|null|null|News"});
  CHECK(Decode(Feed(), kAll, kAtom).rows ==
        Rows{"1:M 4.7|http://h/1|urn:1|2023-07-10T00:00:00Z|2023-07-10T01:11:57Z|<p>deep</p>|all|Ann, Bob|Past Day, "
             "us|Quakes"});
  std::string rdf =
      "<rdf:RDF xmlns:rdf='r' xmlns='s' xmlns:dc='d'><channel><title>Old</title></channel>"
      "<item><title>t</title><link>l</link><dc:date>2001-01-01</dc:date><dc:subject>s</dc:subject></item></rdf:RDF>";
  CHECK(Decode(Feed(), kAll, rdf).rows == Rows{"1:t|l|l|2001-01-01|null|null|null|null|s|Old"});
}

TEST_CASE("other elements of an item are paths by local name") {
  CHECK(Decode(Feed(), {"point", "elev", "category[1].@term", "^.author", "^.link"}, kAtom).rows ==
        Rows{"1:33.2 75.8|-10000|us|USGS|http://h/feed"});
  CHECK(Decode(Feed(), {"enclosure.@url"}, kRss).rows == Rows{"1:-", "2:e.mp3"});
  SourceConfig source = Feed();
  source.pagination.next = "link[@rel=\"next\"].@href";
  CHECK(Decode(source, {"id"}, kAtom).result.next == "http://h/feed?p=2");
}

TEST_CASE("what is no feed, and rows of a feed that are chosen by hand, are refused") {
  CHECK(Reason(Decode(Feed(), {"title"}, "<other/>").status) == "PAYLOAD_NOT_FEED");
  CHECK(Reason(Decode(Feed(), {"title"}, "<rss><channel><item>").status) == "PAYLOAD_TRUNCATED");
  SourceConfig source = Feed();
  source.records = "channel.item";
  CHECK(Reason(Decoder::Create(source, {"title"}).status()) == "PATH_INVALID");
}

TEST_CASE("the feeds of agencies have their items, by auto, too") {
  if (!HasShared("data/feeds")) return;
  const std::map<std::string, size_t> items = {{"army_front_page.rss", 30},
                                               {"cdc_food_safety.rss", 3},
                                               {"whitehouse_blog.rss", 4},
                                               {"sec_latest_filings.atom", 3},
                                               {"usgs_2.5_day_first17.atom", 17}};
  for (const auto& [name, count] : items) {
    INFO(name);
    SourceConfig source;
    Decoded decoded = Decode(source, {"title", "link", "id"}, ReadFileForTest(SharedPath("data/feeds/" + name)));
    CHECK_OK(decoded.status);
    CHECK(decoded.rows.size() == count);
    for (const std::string& row : decoded.rows) CHECK(row.find("null") == std::string::npos);
  }
  Decoded quakes =
      Decode(Feed(), {"title", "point", "elev"}, ReadFileForTest(SharedPath("data/feeds/usgs_2.5_day_first17.atom")));
  CHECK(quakes.rows.back() == "17:M 5.6 - Region Metropolitana, Chile|-33.2122 -70.3268|-101785");
}

}  // namespace
}  // namespace chartly::drone
