// The server over TLS: what is the same as without, and what is not.
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/http/http_server.h"
#include "common/http/raw_client_for_test.h"
#include "common/http/tls_client_for_test.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::http {
namespace {

using Client = TlsClientForTest;

// A server that answers with what it got.
struct TlsServer {
  testing::TempDir dir;
  TlsFiles files{dir.File("tls.crt"), dir.File("tls.key")};
  std::unique_ptr<HttpServer> server;

  TlsServer() {
    WriteCertificateForTest(files, "first");
    ServerOptions options;
    options.tls = files;
    options.max_body_bytes = 1 << 20;
    server = HttpServer::Create(
        [](Request request, std::shared_ptr<Reply> reply) {
          const std::string size = absl::StrCat(request.body.size(), request.secure ? " secure" : " open", "|");
          if (request.path != "/large") return reply->Send({200, {}, size});
          reply->StartStream({200, {}, ""});
          for (int i = 0; i < 10; ++i) reply->Write(std::string(50000, 'x'));
          reply->End();
        },
        options);
    REQUIRE_OK(server->Start("127.0.0.1:0"));
  }
  std::string Ask(Client& client, const std::string& path = "/") const {
    client.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return client.ReadUntil("|");
  }
};

}  // namespace

TEST_CASE("over TLS requests are answered, told apart, and browsers are held to it") {
  TlsServer tls;
  Client client(tls.server->port());
  REQUIRE(client.connected());
  CHECK(client.Protocol() == "http/1.1");
  for (int i = 0; i < 3; ++i) {
    const std::string answer = tls.Ask(client);
    CHECK(absl::EndsWith(answer, "0 secure|"));
    CHECK(absl::StrContains(answer, "\r\nStrict-Transport-Security: max-age=31536000\r\n"));
  }
  client.Send(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n", std::string(500000, 'b')));
  CHECK(absl::EndsWith(client.ReadUntil("|"), "500000 secure|"));
  client.Send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(client.ReadUntil("").size() > 500000);
  CHECK(client.EndWasSaid());
}

TEST_CASE("an answer to a request that was not read to its end arrives over TLS too") {
  TlsServer tls;
  Client client(tls.server->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n");
  client.Send(std::string(100000, 'b'));
  CHECK(absl::StrContains(client.ReadUntil(""), "BODY_TOO_LARGE"));
}

TEST_CASE("whoever speaks plaintext to a TLS port is told so, and nothing is answered to TLS of old") {
  TlsServer tls;
  RawClientForTest plain(tls.server->port());
  plain.Send("GET /secret HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = plain.ReadAll();
  CHECK(absl::StartsWith(answer, "HTTP/1.1 400 "));
  CHECK(absl::StrContains(answer, "\"TLS_REQUIRED\""));
  CHECK_FALSE(absl::StrContains(answer, "Strict-Transport-Security"));
  CHECK_FALSE(Client(tls.server->port(), TLS1_1_VERSION).connected());
  CHECK(Client(tls.server->port(), TLS1_2_VERSION).connected());
  RawClientForTest garbage(tls.server->port());
  garbage.Send(std::string("\x16\x03\x01\x40\x00", 5) + std::string(500, 'g'));
  CHECK_FALSE(absl::StrContains(garbage.ReadAll(), "HTTP"));
  Client after(tls.server->port());
  CHECK(absl::EndsWith(tls.Ask(after), "0 secure|"));
}

TEST_CASE("200 certificates take each other's place under load without a failed request") {
  TlsServer tls;
  std::atomic<bool> over = false;
  std::atomic<int> failed = 0;
  std::atomic<int> answered = 0;
  Client kept(tls.server->port());
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!over) {
        Client client(tls.server->port());
        for (int j = 0; j < 3; ++j) (absl::EndsWith(tls.Ask(client), "0 secure|") ? answered : failed)++;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const std::string name = absl::StrCat("certificate-", i);
    WriteCertificateForTest(tls.files, name);
    CHECK(Client(tls.server->port()).ServerName() == name);
    CHECK(absl::EndsWith(tls.Ask(kept), "0 secure|"));
  }
  over = true;
  for (std::thread& client : clients) client.join();
  CHECK(failed == 0);
  CHECK(answered > 200);
  CHECK(kept.ServerName() == "first");
}

TEST_CASE("a certificate that does not fit its key, or is none, leaves the one before in its place") {
  TlsServer tls;
  WriteCertificateForTest({tls.files.certificate, ""}, "without its key");
  CHECK(Client(tls.server->port()).ServerName() == "first");
  std::ofstream(tls.files.certificate) << "-----BEGIN CERTIFICATE-----\nAAAA\n";
  CHECK(Client(tls.server->port()).ServerName() == "first");
  std::filesystem::remove(tls.files.key);
  CHECK(Client(tls.server->port()).ServerName() == "first");
  WriteCertificateForTest(tls.files, "second");
  CHECK(Client(tls.server->port()).ServerName() == "second");
}

TEST_CASE("a server does not start with files that are no certificate and key") {
  testing::TempDir dir;
  ServerOptions options;
  options.tls = {dir.File("tls.crt"), dir.File("tls.key")};
  auto server = HttpServer::Create([](Request, std::shared_ptr<Reply>) {}, options);
  absl::Status status = server->Start("127.0.0.1:0");
  CHECK(Reason(status) == "TLS_FILES_INVALID");
  CHECK(absl::StrContains(std::string(status.message()), options.tls.certificate));
  WriteCertificateForTest(options.tls, "one");
  WriteCertificateForTest({"", options.tls.key}, "another");
  CHECK(absl::StrContains(std::string(server->Start("127.0.0.1:0").message()), options.tls.key));
}

}  // namespace chartly::http
