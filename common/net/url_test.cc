#include "common/net/url.h"

#include "common/net/http_rules.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::net {
namespace {

TEST_CASE("references resolve as RFC 3986 section 5.4 lists them") {
  struct Row {
    const char* reference;
    const char* result;
  };
  auto row = GENERATE(values<Row>({{"g", "http://a/b/c/g"},
                                   {"./g", "http://a/b/c/g"},
                                   {"g/", "http://a/b/c/g/"},
                                   {"/g", "http://a/g"},
                                   {"//g", "http://g"},
                                   {"?y", "http://a/b/c/d;p?y"},
                                   {"g?y", "http://a/b/c/g?y"},
                                   {"#s", "http://a/b/c/d;p?q"},
                                   {"", "http://a/b/c/d;p?q"},
                                   {".", "http://a/b/c/"},
                                   {"..", "http://a/b/"},
                                   {"../g", "http://a/b/g"},
                                   {"../../g", "http://a/g"},
                                   {"../../../g", "http://a/g"},
                                   {"/./g", "http://a/g"},
                                   {"g;x=1/../y", "http://a/b/c/y"},
                                   {"https://h/x", "https://h/x"},
                                   {"?next=a:b", "http://a/b/c/d;p?next=a:b"}}));
  INFO(row.reference);
  auto result = ResolveUrl("http://a/b/c/d;p?q", row.reference);
  REQUIRE_OK(result);
  CHECK(*result == row.result);
}

TEST_CASE("what is no http address is refused") {
  std::string url = GENERATE(as<std::string>{}, "", "x", "ftp://a/", "file:///etc/passwd", "http://", "http:///x",
                             "http://a/b c", "http://a/\r\nX: y", "javascript:alert(1)");
  CHECK(Reason(SplitUrl(url).status()) == "URL_INVALID");
}

TEST_CASE("host and origin come in one form") {
  CHECK(HostOf(*SplitUrl("https://u:p@Example.ORG.:8443/x")) == "example.org");
  CHECK(HostOf(*SplitUrl("http://[::1]:80/")) == "::1");
  CHECK(OriginOf(*SplitUrl("http://A/")) == OriginOf(*SplitUrl("http://a:80?x")));
  CHECK(OriginOf(*SplitUrl("http://a:8080/")) != OriginOf(*SplitUrl("http://a/")));
}

TEST_CASE("escaping keeps what publishers write plainly and undoes itself") {
  CHECK(EscapeQuery("state:*") == "state:*");
  CHECK(EscapeQuery("$limit") == "$limit");
  CHECK(EscapeQuery("a b&c=d+e#é%") == "a%20b%26c%3Dd%2Be%23%C3%A9%25");
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(UnescapeQuery(EscapeQuery(all)) == all);
}

TEST_CASE("a redirect to another origin takes no credentials along") {
  HttpRequest request;
  request.url = "https://a/x";
  request.headers = {{"Authorization", "s"}, {"X-API-Key", "s"}, {"Cookie", "s"}, {"Accept", "text/csv"}};
  auto same = FollowRedirect(request, 302, "/y");
  REQUIRE_OK(same);
  CHECK(same->headers.size() == 4);
  for (const char* other : {"https://b/y", "https://a:444/y"}) {
    auto next = FollowRedirect(request, 302, other);
    REQUIRE_OK(next);
    CHECK(next->headers == std::map<std::string, std::string>{{"Accept", "text/csv"}});
  }
  CHECK(Reason(FollowRedirect(request, 302, "http://a/y").status()) == "SOURCE_REDIRECT");
  CHECK(Reason(FollowRedirect(request, 302, "file:///etc/passwd").status()) == "URL_INVALID");
}

TEST_CASE("a redirected POST stays one only where HTTP says so") {
  HttpRequest request;
  request.method = "POST";
  request.url = "http://a/x";
  request.body = "b";
  CHECK(FollowRedirect(request, 303, "/y")->method == "GET");
  CHECK(FollowRedirect(request, 302, "/y")->body.empty());
  CHECK(FollowRedirect(request, 307, "/y")->method == "POST");
  CHECK(FollowRedirect(request, 308, "/y")->body == "b");
}

TEST_CASE("the header of an answer is bounded and the last interim answer counts") {
  HeaderBlock block;
  CHECK(block.AddLine("HTTP/1.1 103 Early\r\n"));
  CHECK(block.AddLine("Link: x\r\n"));
  CHECK(block.AddLine("HTTP/1.1 200 OK\r\n"));
  CHECK(block.AddLine("Content-TYPE:  text/csv \r\n"));
  CHECK(block.headers() == std::map<std::string, std::string>{{"content-type", "text/csv"}});
  CHECK_FALSE(block.AddLine("A: " + std::string(64 << 10, 'x')));
  HeaderBlock lines;
  for (int i = 0; i < 200; ++i) CHECK(lines.AddLine("A: b\r\n"));
  CHECK_FALSE(lines.AddLine("A: b\r\n"));
}

TEST_CASE("a header that would smuggle a line is refused") {
  HttpRequest request;
  request.headers = {{"X", "a\r\nHost: evil"}};
  CHECK(Reason(CheckRequest(request)) == "URL_INVALID");
  request.headers = {{"X\r\nY", "a"}};
  CHECK_FALSE(CheckRequest(request).ok());
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\nX:";
  CHECK_FALSE(CheckRequest(request).ok());
}

}  // namespace
}  // namespace chartly::net
