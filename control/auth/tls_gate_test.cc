// What a port of gRPC that takes TLS lets through to the handshake.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/health_check.h"
#include "common/rpc/peers.h"
#include "common/rpc/raw_client_for_test.h"
#include "common/rpc/rpc_server.h"
#include "common/telemetry/metrics.h"
#include "control/auth/control_files_for_test.h"
#include "test/support/test.h"

namespace chartly::auth {
namespace {

using rpc::RawClientForTest;
using testing::Eventually;

struct Fixture {
  testing::TempDir dir;
  rpc::TlsFiles files = WriteControlFilesForTest(dir);
  rpc::RpcServer server;

  Fixture() {
    server.Listen("127.0.0.1:0");
    server.UseTls(files);
    REQUIRE_OK(server.Start());
    server.SetServing(true);
  }
  int port() const { return server.ports()[0]; }
  absl::Status Check() const {
    return rpc::CheckHealth(rpc::MakeChannel(absl::StrCat("127.0.0.1:", port()), "", files), "", absl::Seconds(60));
  }
};

// A record whose only message says that it is a ClientHello, and is none.
std::string FalseHello() {
  const std::string message = absl::StrCat(std::string("\x01\x00\x00\x40", 4), std::string(64, 'x'));
  return absl::StrCat(std::string("\x16\x03\x01\x00", 4), std::string(1, static_cast<char>(message.size())), message);
}

double Counted(absl::string_view metric, absl::string_view label) {
  const std::string series = absl::StrCat("\n", metric, "{", label, "} ");
  const std::string text = ScrapeMetrics();
  const size_t at = text.find(series);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size()));
}

double Closed(absl::string_view why) {
  return Counted("chartly_rpc_connections_closed_total", absl::StrCat("why=\"", why, "\""));
}

// Handshakes that failed, and what was none.
double Refused() { return Counted("chartly_tls_refusals_total", "where=\"rpc\""); }

}  // namespace

TEST_CASE("what is no TLS is closed before any handshake, and so is a hello that does not come to its end") {
  Fixture fixture;
  const double before = Closed("hello"), silent = Closed("silent");
  RawClientForTest http(fixture.port(), "127.0.0.90"), clear(fixture.port(), "127.0.0.90"),
      other(fixture.port(), "127.0.0.90"), half(fixture.port(), "127.0.0.90");
  http.Send("GET / HTTP/1.1\r\n\r\n");
  clear.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  other.Send(std::string("\x16\x03\x01\x00\x40\x02", 6));  // a ServerHello
  half.Send(FalseHello().substr(0, 20));
  CHECK(Eventually([&] { return http.IsClosed() && clear.IsClosed() && other.IsClosed(); }));
  CHECK(Closed("hello") == before + 3);
  CHECK(Eventually([&] { return half.IsClosed(); }, std::chrono::seconds(60)));
  CHECK(Closed("silent") == silent + 1);
  CHECK_OK(fixture.Check());
}

TEST_CASE("a hello that comes byte by byte gets as far as the handshake") {
  Fixture fixture;
  const double before = Refused(), no_tls = Closed("hello");
  RawClientForTest client(fixture.port(), "127.0.0.91");
  for (char each : FalseHello()) REQUIRE(client.Send(std::string(1, each)) == 1);
  CHECK(Eventually([&] { return client.IsClosed(); }));
  CHECK(Eventually([&] { return Refused() == before + 1; }));
  CHECK(Closed("hello") == no_tls);
}

TEST_CASE("who shakes hands for nothing again and again waits for the turn, and nobody else does") {
  Fixture fixture;
  const double before = Closed("turn");
  std::vector<std::unique_ptr<RawClientForTest>> flood;
  CHECK(Eventually(
      [&] {
        flood.erase(std::remove_if(flood.begin(), flood.end(), [](const auto& each) { return each->IsClosed(); }),
                    flood.end());
        while (flood.size() < 300) {
          flood.push_back(std::make_unique<RawClientForTest>(fixture.port(), "127.0.0.92"));
          flood.back()->Send(FalseHello());
        }
        CHECK_OK(fixture.Check());
        return Closed("turn") > before;
      },
      std::chrono::seconds(120)));
}

}  // namespace chartly::auth
