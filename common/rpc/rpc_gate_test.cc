#include "absl/strings/str_cat.h"
#include "common/gate/frame_walker.h"
#include "common/gate/frames_for_test.h"
#include "common/rpc/health_check.h"
#include "common/rpc/peers.h"
#include "common/rpc/raw_client_for_test.h"
#include "common/rpc/rpc_server.h"
#include "common/telemetry/metrics.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

using gate::FrameOf;
using testing::Eventually;

// Whether the answer to a PING with these eight bytes came.
bool HasPong(RawClientForTest& client, const std::string& token) {
  return client.Got().find(FrameOf(gate::kPingFrame, gate::kAckFlag, 0, token)) != std::string::npos;
}

std::string Begin() { return absl::StrCat(gate::kPreface, FrameOf(gate::kSettingsFrame, 0, 0, "")); }

std::string Field(const std::string& name, const std::string& value) {
  return absl::StrCat(std::string(1, '\0'), std::string(1, static_cast<char>(name.size())), name,
                      std::string(1, static_cast<char>(value.size())), value);
}

std::string CallHeaders() {
  return Field(":method", "POST") + Field(":scheme", "http") + Field(":path", "/grpc.health.v1.Health/Check") +
         Field(":authority", "x") + Field("te", "trailers") + Field("content-type", "application/grpc");
}

// Calls that are taken back as soon as they are made, of streams from `first` on.
std::string Resets(uint32_t first, uint32_t count) {
  const std::string headers = CallHeaders();
  std::string frames;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t stream = first + 2 * i;
    frames += FrameOf(gate::kHeadersFrame, gate::kEndHeadersFlag, stream, headers) +
              FrameOf(gate::kResetFrame, 0, stream, std::string("\0\0\0\x08", 4));
  }
  return frames;
}

// Calls with a message that is none.
std::string SenselessCalls(uint32_t first, uint32_t count) {
  const std::string headers = CallHeaders();
  const std::string message("\0\0\0\0\x02\x0a\x7f", 7);  // whose text is longer than it is
  std::string frames;
  for (uint32_t i = 0; i < count; ++i) {
    frames += FrameOf(gate::kHeadersFrame, gate::kEndHeadersFlag, first + 2 * i, headers) +
              FrameOf(gate::kDataFrame, gate::kEndStreamFlag, first + 2 * i, message);
  }
  return frames;
}

// What the process counted so far of a metric, with its label.
double Counted(const std::string& series) {
  const std::string text = ScrapeMetrics();
  const size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size() + 2));
}

struct Fixture {
  RpcServer server;
  Fixture() {
    server.Listen("127.0.0.1:0");
    REQUIRE_OK(server.Start());
    server.SetServing(true);
  }
  int port() const { return server.ports()[0]; }
  absl::Status Check() const {
    return CheckHealth(MakeChannel(absl::StrCat("127.0.0.1:", port()), ""), "", absl::Seconds(60));
  }
};

}  // namespace

TEST_CASE("who sends no HTTP/2 is closed at once, and who sends nothing after a while") {
  Fixture fixture;
  RawClientForTest other(fixture.port(), "127.0.0.80");
  RawClientForTest half(fixture.port(), "127.0.0.80");
  RawClientForTest silent(fixture.port(), "127.0.0.80");
  RawClientForTest no_settings(fixture.port(), "127.0.0.80");
  other.Send("GET / HTTP/1.1\r\n");
  half.Send(gate::kPreface.substr(0, 10));
  no_settings.Send(absl::StrCat(gate::kPreface, FrameOf(gate::kPingFrame, 0, 0, "12345678")));
  CHECK(Eventually([&] { return other.IsClosed(); }));
  CHECK(Eventually([&] { return no_settings.IsClosed(); }));
  CHECK(Eventually([&] { return half.IsClosed() && silent.IsClosed(); }, std::chrono::seconds(60)));
  CHECK_OK(fixture.Check());
}

TEST_CASE("a beginning that comes byte by byte is a beginning") {
  Fixture fixture;
  RawClientForTest client(fixture.port(), "127.0.0.81");
  for (char each : Begin()) REQUIRE(client.Send(std::string(1, each)) == 1);
  client.Send(FrameOf(gate::kPingFrame, 0, 0, "byte_by1"));
  CHECK(Eventually([&] { return HasPong(client, "byte_by1"); }));
}

TEST_CASE("who takes back all calls is read slowly, then goes on to be served, and nobody else waits") {
  Fixture fixture;
  const double pauses = Counted("chartly_rpc_pauses_total");
  RawClientForTest flood(fixture.port(), "127.0.0.82");
  flood.Send(Begin());
  // Twice the budget of an address: it cannot be read at once.
  const std::string resets = Resets(1, 800) + FrameOf(gate::kPingFrame, 0, 0, "the_end1");
  REQUIRE(flood.Send(resets) == resets.size());
  for (int i = 0; i < 20; ++i) CHECK_OK(fixture.Check());
  // Nothing more is sent: it is the end of its pauses alone that has the rest read.
  CHECK(Eventually([&] { return HasPong(flood, "the_end1"); }, std::chrono::seconds(120)));
  CHECK(Counted("chartly_rpc_pauses_total") > pauses);
  // Another connection of that address makes calls as ever.
  RawClientForTest beside(fixture.port(), "127.0.0.82");
  beside.Send(Begin() + FrameOf(gate::kPingFrame, 0, 0, "besides1"));
  CHECK(Eventually([&] { return HasPong(beside, "besides1"); }));
}

TEST_CASE("who makes calls that make no sense is read slowly, and nobody else waits") {
  Fixture fixture;
  const double pauses = Counted("chartly_rpc_pauses_total");
  RawClientForTest flood(fixture.port(), "127.0.0.85");
  flood.Send(Begin());
  // Twice the budget of an address.
  const std::string calls = SenselessCalls(1, 400) + FrameOf(gate::kPingFrame, 0, 0, "the_end2");
  REQUIRE(flood.Send(calls) == calls.size());
  for (int i = 0; i < 20; ++i) CHECK_OK(fixture.Check());
  CHECK(Eventually([&] { return HasPong(flood, "the_end2"); }, std::chrono::seconds(120)));
  CHECK(Counted("chartly_rpc_pauses_total") > pauses);
}

TEST_CASE("a header block without an end is closed") {
  Fixture fixture;
  const std::string series = "chartly_rpc_connections_closed_total{why=\"header_block\"}";
  const double closed = Counted(series);
  RawClientForTest client(fixture.port(), "127.0.0.83");
  client.Send(Begin() + FrameOf(gate::kHeadersFrame, 0, 1, Field("x", "y")));
  const std::string more = FrameOf(gate::kContinuationFrame, 0, 1, Field("x-flood", std::string(100, 'y')));
  CHECK(Eventually(
      [&] {
        std::string pieces;
        for (int i = 0; i < 200; ++i) pieces += more;
        client.Send(pieces);
        return client.IsClosed();
      },
      std::chrono::seconds(60)));
  CHECK(Counted(series) > closed);
  CHECK_OK(fixture.Check());
}

TEST_CASE("all addresses of the machine are both families") {
  RpcServer server;
  server.Listen("0.0.0.0:0");
  REQUIRE_OK(server.Start());
  server.SetServing(true);
  CHECK_OK(CheckHealth(MakeChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), ""), "", absl::Seconds(60)));
}

TEST_CASE("a server that ends closes its port, with connections that have not begun") {
  auto fixture = std::make_unique<Fixture>();
  const int port = fixture->port();
  RawClientForTest silent(port, "127.0.0.84");
  RawClientForTest begun(port, "127.0.0.84");
  begun.Send(Begin() + FrameOf(gate::kPingFrame, 0, 0, "begun_it"));
  REQUIRE(Eventually([&] { return HasPong(begun, "begun_it"); }));
  fixture.reset();
  CHECK(Eventually([&] { return silent.IsClosed() && begun.IsClosed(); }));
  RpcServer next;
  next.Listen(absl::StrCat("127.0.0.1:", port));
  CHECK_OK(next.Start());
}

}  // namespace chartly::rpc
