#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/net/http_client.h"
#include "common/status/status.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::net {
namespace {

using chartly::testing::Eventually;
using chartly::testing::FixtureRequest;
using chartly::testing::FixtureResponse;
using chartly::testing::HttpFixture;
using chartly::testing::Says;

std::unique_ptr<HttpClient> LoopbackClient() { return MakeHttpClient(*EgressPolicy::Create({"127.0.0.1"})); }

HttpRequest Get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.timeout = absl::Seconds(10);
  return request;
}

// A gzip stream of `matches` * 258 + 1 bytes 'A' in about 1.6 bytes a match: one literal, then the longest match again
// and again, in the fixed code of deflate. The checksum at the end is left out; nobody should get that far.
std::string GzipBomb(int matches) {
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10);
  unsigned bits = 0;
  int count = 0;
  auto put = [&](unsigned bit) {
    bits |= bit << count;
    if (++count == 8) {
      out.push_back(static_cast<char>(bits));
      bits = 0;
      count = 0;
    }
  };
  auto code = [&](unsigned value, int length) {
    for (int i = length - 1; i >= 0; --i) put(value >> i & 1);
  };
  put(1), put(1), put(0);  // last block, fixed code
  code(0x30 + 'A', 8);     // a literal
  for (int i = 0; i < matches; ++i) {
    code(0xc5, 8);  // length 258
    code(0, 5);     // distance 1
  }
  code(0, 7);  // end of block
  while (count != 0) put(0);
  return out;
}

uint32_t Crc32(const std::string& text) {
  uint32_t crc = ~0u;
  for (unsigned char c : text) {
    crc ^= c;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::string Gzip(const std::string& text) {
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01", 11);
  auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> 8 * i & 0xff));
  };
  put(static_cast<uint32_t>(text.size()), 2);
  put(~static_cast<uint32_t>(text.size()), 2);
  out += text;
  put(Crc32(text), 4);
  put(static_cast<uint32_t>(text.size()), 4);
  return out;
}

TEST_CASE("a request brings status, headers in lower case and body, and one connection serves many") {
  HttpFixture server;
  server.Map("/x?a=1", {.status = 404, .body = "none", .headers = {{"X-Thing", "v"}}});
  auto client = LoopbackClient();
  for (int i = 0; i < 5; ++i) {
    auto response = client->Send(Get(server.Url("/x?a=1")));
    REQUIRE_OK(response);
    CHECK(response->status == 404);
    CHECK(response->body == "none");
    CHECK(response->headers["x-thing"] == "v");
  }
  CHECK(server.accepted() == 1);
}

TEST_CASE("a POST carries body and headers as given and claims no form") {
  HttpFixture server;
  server.Map("/p", {.body = "ok"});
  HttpRequest request = Get(server.Url("/p"));
  request.method = "POST";
  request.body = std::string("{\"a\":1}\0x", 9);
  request.headers = {{"X-API-Key", "k"}};
  REQUIRE_OK(LoopbackClient()->Send(request));
  FixtureRequest got = server.requests().at(0);
  CHECK(got.method == "POST");
  CHECK(got.body == request.body);
  CHECK(got.headers["x-api-key"] == "k");
  CHECK(got.headers.count("content-type") == 0);
  CHECK(got.headers["user-agent"] == "chartly");
}

TEST_CASE("loopback is refused in every spelling, without a connection") {
  HttpFixture server;
  std::string host =
      GENERATE(as<std::string>{}, "127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001",
               "017700000001", "0", "0.0.0.0", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "foo.localhost",
               "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]",
               "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "%31%32%37.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "ⓛocalhost",
               "user@127.0.0.1", "8.8.8.8@127.0.0.1", "127.0.0.1%00.example.org", "127.255.255.254", "169.254.169.254");
  INFO(host);
  HttpRequest request = Get("http://" + host + ":" + std::to_string(server.port()) + "/");
  request.timeout = absl::Seconds(3);
  auto response = MakeHttpClient(*EgressPolicy::Create({}))->Send(request);
  REQUIRE_FALSE(response.ok());
  INFO(response.status().ToString());
  std::string reason = Reason(response.status());
  CHECK((reason == "EGRESS_DENIED" || reason == "URL_INVALID" || reason == "SOURCE_UNREACHABLE"));
  if (host == "127.0.0.1") {
    CHECK(reason == "EGRESS_DENIED");
    CHECK(Says(response.status(), "--egress-allow 127.0.0.1/32"));
    CHECK(Says(response.status(), "127.0.0.1:" + std::to_string(server.port())));
  }
  CHECK(server.accepted() == 0);
}

TEST_CASE("who asks hears of each redirect before it is followed, and may end it") {
  HttpFixture server;
  server.Map("/ok", {.body = "here"});
  server.Map("/hop", {.status = 302, .headers = {{"Location", "/again"}}});
  server.Map("/again", {.status = 302, .headers = {{"Location", "/ok"}}});
  auto client = LoopbackClient();
  std::vector<std::string> led;
  HttpRequest request = Get(server.Url("/hop"));
  request.timeout = absl::Seconds(1);
  request.before_redirect = [&](const std::string& url) {
    led.push_back(url);
    // Not of the time that the server has.
    absl::Notification().WaitForNotificationWithTimeout(absl::Milliseconds(600));
    return absl::OkStatus();
  };
  REQUIRE_OK(client->Send(request));
  CHECK(led == std::vector<std::string>{server.Url("/again"), server.Url("/ok")});

  request.before_redirect = [&](const std::string&) { return absl::CancelledError("no more"); };
  CHECK(client->Send(request).status().code() == absl::StatusCode::kCancelled);
  CHECK(server.Count("/again") == 1);
}

TEST_CASE("a redirect is followed with the same checks as the first address") {
  HttpFixture server;
  HttpFixture other;
  server.Map("/ok", {.body = "here"});
  server.Map("/hop", {.status = 302, .body = "elsewhere", .headers = {{"Location", "/ok"}}});
  server.Map("/loop", {.status = 302, .headers = {{"Location", "/loop"}}});
  server.Map("/denied", {.status = 302, .headers = {{"Location", "http://127.0.0.2:" + std::to_string(other.port())}}});
  server.Map("/file", {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}});
  server.Map("/far", {.status = 307, .headers = {{"Location", other.Url("/far")}}});
  other.Map("/far", {.body = "far"});
  auto client = LoopbackClient();

  auto followed = client->Send(Get(server.Url("/hop")));
  REQUIRE_OK(followed);
  CHECK(followed->body == "here");
  CHECK(followed->url == server.Url("/ok"));

  CHECK(Reason(client->Send(Get(server.Url("/loop"))).status()) == "SOURCE_REDIRECT");
  CHECK(server.Count("/loop") == 4);
  CHECK(Reason(client->Send(Get(server.Url("/denied"))).status()) == "EGRESS_DENIED");
  CHECK(Reason(client->Send(Get(server.Url("/file"))).status()) == "URL_INVALID");
  CHECK(other.accepted() == 0);

  HttpRequest far = Get(server.Url("/far"));
  far.headers = {{"Authorization", "Bearer secret"}, {"Accept", "text/csv"}};
  REQUIRE_OK(client->Send(far));
  CHECK(server.requests().back().headers.count("authorization") == 1);
  CHECK(other.requests().back().headers.count("authorization") == 0);
  CHECK(other.requests().back().headers["accept"] == "text/csv");
}

TEST_CASE("a host outside the list is refused before a connection") {
  HttpFixture server;
  HttpRequest request = Get(server.Url("/"));
  request.allowed_hosts = {"api.example.org"};
  auto response = LoopbackClient()->Send(request);
  CHECK(Reason(response.status()) == "EGRESS_DENIED");
  CHECK(Says(response.status(), "source.egress.allow"));
  CHECK(server.accepted() == 0);
}

TEST_CASE("a body that ends too early is an error, not a short answer") {
  HttpFixture server;
  server.Map("/length", {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"});
  server.Map("/chunk", {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nonly this"});
  server.Map("/last", {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n"});
  for (const char* target : {"/length", "/chunk", "/last"}) {
    INFO(target);
    auto response = LoopbackClient()->Send(Get(server.Url(target)));
    CHECK(Reason(response.status()) == "SOURCE_TRUNCATED");
    CHECK(Says(response.status(), "127.0.0.1:" + std::to_string(server.port())));
  }
}

TEST_CASE("a header is read to its limit, whether it has many lines or one") {
  HttpFixture server;
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "X-Filler-" + std::to_string(i) + ": x\r\n";
  server.Map("/lines", {.raw = "HTTP/1.1 200 OK\r\n" + lines + "Content-Length: 0\r\n\r\n"});
  server.Map("/line", {.raw = "HTTP/1.1 200 OK\r\nX-Filler: " + std::string(300'000, 'x') + "\r\n\r\n"});
  for (const char* target : {"/lines", "/line"}) {
    INFO(target);
    auto response = LoopbackClient()->Send(Get(server.Url(target)));
    CHECK(Reason(response.status()) == "SOURCE_TOO_LARGE");
    CHECK(Says(response.status(), "lines of header"));
  }
}

TEST_CASE("a compressed body comes unpacked, a bomb does not") {
  HttpFixture server;
  server.Map("/good", {.body = Gzip("hello, world"), .headers = {{"Content-Encoding", "gzip"}}});
  server.Map("/bomb", {.body = GzipBomb(200'000), .headers = {{"Content-Encoding", "gzip"}}});
  auto client = LoopbackClient();
  auto good = client->Send(Get(server.Url("/good")));
  REQUIRE_OK(good);
  CHECK(good->body == "hello, world");

  std::string cut = Gzip("hello, world");
  cut.resize(cut.size() - 9);
  server.Map("/cut", {.body = cut, .headers = {{"Content-Encoding", "gzip"}}});
  server.Map("/bad", {.body = "not packed", .headers = {{"Content-Encoding", "gzip"}}});
  server.Map("/lzma", {.body = "?", .headers = {{"Content-Encoding", "lzma"}}});
  server.Map("/two", {.body = Gzip("hello, ") + Gzip("world"), .headers = {{"Content-Encoding", "gzip"}}});
  CHECK(Reason(client->Send(Get(server.Url("/cut"))).status()) == "SOURCE_TRUNCATED");
  CHECK(Reason(client->Send(Get(server.Url("/bad"))).status()) == "SOURCE_TRUNCATED");
  CHECK(Reason(client->Send(Get(server.Url("/lzma"))).status()) == "SOURCE_ENCODING");
  CHECK(Says(client->Send(Get(server.Url("/lzma"))).status(), "\"lzma\""));
  CHECK(client->Send(Get(server.Url("/two")))->body == "hello, world");

  HttpRequest request = Get(server.Url("/bomb"));
  request.max_bytes = int64_t{1} << 40;  // the ratio alone must stop it
  auto drained = [&](absl::Status& status) {
    auto stream = client->Open(request);
    REQUIRE_OK(stream);
    size_t seen = 0;
    while (true) {
      auto piece = (*stream)->Read();
      status = piece.status();
      if (!piece.ok() || piece->empty()) return seen;
      seen += piece->size();
    }
  };
  absl::Status status;
  CHECK(drained(status) < 2'000'000);
  CHECK(Reason(status) == "SOURCE_TOO_LARGE");
  CHECK(Says(status, "100 times"));

  request.max_bytes = 100'000;
  CHECK(drained(status) == 100'000);
  CHECK(Reason(status) == "SOURCE_TOO_LARGE");
  CHECK(Details(status)["limit"] == "max_bytes");
}

// Writes `total` bytes to every request, and counts what the connection took. Slow readers hold it back.
class Flood {
 public:
  explicit Flood(int64_t total) {
    server.Handle("/flood", [total](const FixtureRequest&) {
      FixtureResponse response;
      response.stream = [total, left = total]() mutable {
        std::string piece(static_cast<size_t>(std::min<int64_t>(left, 64 << 10)), 'x');
        left -= static_cast<int64_t>(piece.size());
        return piece;
      };
      return response;
    });
  }
  HttpFixture server;
};

TEST_CASE("a body of any size comes in pieces, and a reader that waits holds the server back") {
  constexpr int64_t kTotal = int64_t{64} << 20;
  Flood flood(kTotal);
  HttpRequest request = Get(flood.server.Url("/flood"));
  request.max_bytes = kTotal;
  auto client = LoopbackClient();
  auto stream = client->Open(request);
  REQUIRE_OK(stream);
  CHECK((*stream)->status() == 200);
  auto first = (*stream)->Read();
  REQUIRE_OK(first);
  int64_t total = static_cast<int64_t>(first->size());
  // What the kernel and the client buffer is far less than the body.
  CHECK(Eventually([&flood, last = int64_t{-1}, same = 0]() mutable {
    int64_t sent = flood.server.sent();
    same = sent == last ? same + 1 : 0;
    last = sent;
    return same == 10;
  }));
  CHECK(flood.server.sent() < kTotal / 2);
  while (true) {
    auto piece = (*stream)->Read();
    REQUIRE_OK(piece);
    if (piece->empty()) break;
    CHECK(piece->size() <= 256 << 10);
    total += static_cast<int64_t>(piece->size());
  }
  CHECK(total == kTotal);
  CHECK((*stream)->Read()->empty());
  CHECK_OK(client->Send(Get(flood.server.Url("/none"))));
  CHECK(flood.server.accepted() == 1);  // a body that was read to its end leaves the connection to the next request
}

TEST_CASE("a body that was given up leaves the client as good as before") {
  Flood flood(int64_t{64} << 20);
  flood.server.Map("/fast", {.body = "data"});
  auto client = LoopbackClient();
  {
    auto stream = client->Open(Get(flood.server.Url("/flood")));
    REQUIRE_OK(stream);
    CHECK_OK((*stream)->Read());
  }
  CHECK(client->Send(Get(flood.server.Url("/fast")))->body == "data");
}

TEST_CASE("time in which the reader is busy does not count as the server's") {
  Flood flood(int64_t{8} << 20);
  HttpRequest request = Get(flood.server.Url("/flood"));
  request.timeout = absl::Milliseconds(1500);
  request.stall = absl::Milliseconds(500);
  auto client = LoopbackClient();
  auto stream = client->Open(request);
  REQUIRE_OK(stream);
  CHECK_OK((*stream)->Read());
  const auto busy_until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  CHECK(Eventually([&] { return std::chrono::steady_clock::now() > busy_until; }));
  absl::StatusOr<absl::string_view> piece;
  do {
    piece = (*stream)->Read();
  } while (piece.ok() && !piece->empty());
  CHECK_OK(piece);
}

TEST_CASE("a slow drip is ended long before the timeout") {
  std::promise<void> over;
  std::shared_future<void> is_over = over.get_future().share();
  HttpFixture server;
  server.Handle("/drip", [is_over](const FixtureRequest&) {
    FixtureResponse response;
    response.stream = [is_over] {
      return is_over.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout ? "x" : "";
    };
    return response;
  });
  HttpRequest request = Get(server.Url("/drip"));
  request.stall = absl::Milliseconds(500);
  auto response = LoopbackClient()->Send(request);
  CHECK(Reason(response.status()) == "SOURCE_TOO_SLOW");
  CHECK(Says(response.status(), "1 KiB/s"));
  over.set_value();
}

TEST_CASE("links of several header lines are joined, of other headers the last one counts") {
  HttpFixture server;
  server.Map("/x", {.raw = "HTTP/1.1 200 OK\r\nLink: <a>; rel=prev\r\nX-A: 1\r\nLink: <b>; rel=next\r\nX-A: 2\r\n"
                           "Content-Length: 0\r\n\r\n"});
  auto response = LoopbackClient()->Send(Get(server.Url("/x")));
  REQUIRE_OK(response);
  CHECK(response->headers["link"] == "<a>; rel=prev, <b>; rel=next");
  CHECK(response->headers["x-a"] == "2");
}

TEST_CASE("a chunked body past the limit and an endless header are cut off") {
  HttpFixture server;
  std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  std::string body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 64; ++i) body += chunk;
  server.Map("/big", {.raw = body + "0\r\n\r\n"});
  std::string lines = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 300; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
  server.Map("/lines", {.raw = lines + "Content-Length: 0\r\n\r\n"});
  HttpRequest request = Get(server.Url("/big"));
  request.max_bytes = 100'000;
  auto response = LoopbackClient()->Send(request);
  CHECK(Reason(response.status()) == "SOURCE_TOO_LARGE");
  CHECK(Says(response.status(), "100000"));
  CHECK(Reason(LoopbackClient()->Send(Get(server.Url("/lines"))).status()) == "SOURCE_TOO_LARGE");
  request.max_bytes = 64 * 0x4000;
  CHECK_OK(LoopbackClient()->Send(request));
}

TEST_CASE("a server that does not answer ends in a timeout, a port nobody listens on in an error with the address") {
  HttpFixture server;
  server.Map("/slow", {.body = "late", .delay = std::chrono::seconds(60)});
  HttpRequest request = Get(server.Url("/slow"));
  request.timeout = absl::Milliseconds(200);
  auto slow = LoopbackClient()->Send(request);
  CHECK(Reason(slow.status()) == "SOURCE_TIMEOUT");
  CHECK(Says(slow.status(), "200ms"));

  std::string address;
  {
    HttpFixture gone;
    address = "127.0.0.1:" + std::to_string(gone.port());
  }
  auto none = LoopbackClient()->Send(Get("http://" + address + "/?api_key=secret"));
  CHECK(Reason(none.status()) == "SOURCE_UNREACHABLE");
  CHECK(Says(none.status(), address));
  CHECK_FALSE(Says(none.status(), "secret"));
}

TEST_CASE("a cancelled request ends soon") {
  HttpFixture server;
  server.Map("/slow", {.body = "late", .delay = std::chrono::seconds(60)});
  server.Map("/fast", {.body = "data"});
  auto client = LoopbackClient();
  std::atomic<bool> cancel{false};
  HttpRequest request = Get(server.Url("/slow"));
  request.timeout = absl::InfiniteDuration();
  request.cancel = &cancel;
  std::thread canceller([&] {
    Eventually([&] { return server.Count("/slow") == 1; });
    cancel = true;
  });
  auto start = std::chrono::steady_clock::now();
  auto response = client->Send(request);
  canceller.join();
  CHECK(Reason(response.status()) == "CANCELLED");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));

  CHECK_OK(client->Send(Get(server.Url("/fast"))));  // the client is as good as before
}

TEST_CASE("the environment's proxy is ignored") {
  HttpFixture server;
  HttpFixture proxy;
  server.Map("/", {.body = "direct"});
  ::setenv("http_proxy", proxy.Url("/").c_str(), 1);
  ::setenv("ALL_PROXY", proxy.Url("/").c_str(), 1);
  auto response = LoopbackClient()->Send(Get(server.Url("/")));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  REQUIRE_OK(response);
  CHECK(response->body == "direct");
  CHECK(proxy.accepted() == 0);
}

TEST_CASE("many threads share one client") {
  HttpFixture server;
  server.Handle("/t", [](const FixtureRequest& request) { return FixtureResponse{.body = request.target}; });
  auto client = LoopbackClient();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        std::string target = "/t?n=" + std::to_string(t * 100 + i);
        auto response = client->Send(Get(server.Url(target)));
        good += response.ok() && response->body == target;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 160);
  CHECK(server.accepted() <= 8);
}

}  // namespace
}  // namespace chartly::net
