#include "common/http/http_server.h"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/gate/address_budgets.h"
#include "common/http/raw_client_for_test.h"
#include "common/http/sender_pace.h"
#include "common/http/target.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::http {
namespace {

using Client = RawClientForTest;

void Echo(Request request, std::shared_ptr<Reply> reply) {
  reply->Send(Response{
      200, {{"Content-Type", "text/plain"}}, absl::StrCat(request.method, " ", request.path, " ", request.body, "|")});
}

std::unique_ptr<HttpServer> Serve(Handler handler, ServerOptions options = {}) {
  auto server = HttpServer::Create(std::move(handler), options);
  REQUIRE_OK(server->Start("127.0.0.1:0"));
  return server;
}

// What the kernel holds of the answers of a server, as /proc/net/tcp has it.
size_t UnsentBytes(int port) {
  std::ifstream table("/proc/net/tcp");
  size_t bytes = 0;
  for (std::string line; std::getline(table, line);) {
    unsigned local = 0, state = 0;
    unsigned long queued = 0;
    if (std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%*x %x %lx:", &local, &state, &queued) != 3) continue;
    constexpr unsigned kEstablished = 1;
    if (local == static_cast<unsigned>(port) && state == kEstablished) bytes += queued;
  }
  return bytes;
}

TEST_CASE("one connection serves several requests, also when they arrive at once") {
  auto server = Serve(Echo);
  Client client(server->port());
  client.Send("GET /a?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string first = client.ReadUntil("|");
  CHECK(absl::StartsWith(first, "HTTP/1.1 200 OK\r\n"));
  CHECK(absl::StrContains(first, "Connection: keep-alive"));
  CHECK(absl::StrContains(first, " GMT\r\n"));
  CHECK(absl::EndsWith(first, "GET /a |"));
  client.Send(
      "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"
      "GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(absl::EndsWith(client.ReadUntil("|"), "POST /b abc|"));
  CHECK(absl::EndsWith(client.ReadUntil("|"), "POST /c xy|"));
  std::string last = client.ReadAll();
  CHECK(absl::StrContains(last, "Connection: close"));
  CHECK(absl::EndsWith(last, "GET /d |"));
}

TEST_CASE("the request arrives decoded and with lower-case header names") {
  Request seen;
  auto server = Serve([&](Request request, std::shared_ptr<Reply> reply) {
    seen = std::move(request);
    reply->Send(Response{204, {}, ""});
  });
  Client client(server->port());
  client.Send(
      "GET /p%2Fq?filter=a+%3E%3D%201&filter=b&flag HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nA: 1\r\nA: 2\r\n\r\n");
  CHECK(absl::StartsWith(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 204"));
  CHECK(seen.path == "/p%2Fq");
  CHECK(seen.query ==
        std::vector<std::pair<std::string, std::string>>{{"filter", "a >= 1"}, {"filter", "b"}, {"flag", ""}});
  CHECK(seen.headers["x-api-key"] == "k");
  CHECK(seen.headers["a"] == "1, 2");
  CHECK(seen.remote_address == "127.0.0.1");
}

TEST_CASE("requests that break a bound are answered in JSON and the connection ends") {
  ServerOptions options;
  options.max_body_bytes = 1000;
  options.max_header_bytes = 2000;
  options.request_timeout = absl::Milliseconds(200);
  auto server = Serve(Echo, options);
  struct Case {
    std::string request, status, reason;
  };
  auto one = GENERATE(
      Case{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'), "413",
           "BODY_TOO_LARGE"},
      Case{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x') +
               "\r\n0\r\n\r\n",
           "413", "BODY_TOO_LARGE"},
      Case{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\nExpect: 100-continue\r\n\r\n", "413",
           "BODY_TOO_LARGE"},
      Case{"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(30000, 'x') + "\r\n\r\n", "431", "HEADERS_TOO_LARGE"},
      Case{"GET / HTTP/1.1\r\nHost: x\r\nA: b", "408", "REQUEST_TIMEOUT"},
      Case{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "408", "REQUEST_TIMEOUT"},
      Case{"NOT HTTP AT ALL\r\n\r\n", "400", "HTTP_MALFORMED"},
      Case{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400",
           "HTTP_MALFORMED"},
      Case{"GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400", "TARGET_MALFORMED"});
  Client client(server->port());
  client.Send(one.request);
  std::string answer = client.ReadUntil("}}\n");
  INFO(one.request.substr(0, 60) << " -> " << answer);
  CHECK(absl::StartsWith(answer, "HTTP/1.1 " + one.status));
  CHECK(absl::StrContains(answer, R"({"error":{"code":")"));
  CHECK(absl::StrContains(answer, R"("reason":")" + one.reason));
  client.EndInput();
  CHECK(client.ReadAll().empty());
}

TEST_CASE("a client that waits for 100-continue gets it") {
  auto server = Serve(Echo);
  Client client(server->port());
  client.Send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.ReadUntil("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hi");
  CHECK(absl::EndsWith(client.ReadUntil("|"), "POST /e hi|"));
}

TEST_CASE("HEAD gets the headers of GET without its body, and the connection goes on") {
  auto server = Serve(Echo);
  Client client(server->port());
  client.Send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\nGET /z HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::StrContains(client.ReadUntil("\r\n\r\n"), "Content-Length: 11\r\n"));
  CHECK(absl::StartsWith(client.ReadUntil("|"), "HTTP/1.1 200 OK"));
}

TEST_CASE("a large answer reaches a slow reader whole") {
  std::string large(size_t{3} << 20, 'y');
  auto server = Serve([&](Request, std::shared_ptr<Reply> reply) { reply->Send(Response{200, {}, large}); });
  Client client(server->port(), 4096);
  client.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  client.EndInput();  // half-closed: still wants its answer
  client.ReadUntil("\r\n\r\n");
  CHECK(client.ReadAll() == large);
}

TEST_CASE("of an answer that nobody reads little is handed to the kernel") {
  auto server = Serve([](Request, std::shared_ptr<Reply> reply) {
    reply->Send(Response{200, {}, std::string(size_t{16} << 20, 'x')});
  });
  Client client(server->port(), 4096);
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  size_t waiting = 0;
  // Until nothing more has come to it, several looks long.
  int looks = 0;
  REQUIRE(testing::Eventually([&] {
    const size_t now = UnsentBytes(server->port());
    looks = now > 0 && now == waiting ? looks + 1 : 0;
    waiting = now;
    return looks == 5;
  }));
  CHECK(waiting > 0);
  CHECK(waiting < size_t{512} << 10);
}

TEST_CASE("a stream arrives piece by piece, and ends in a way that lets the connection go on") {
  std::shared_ptr<Reply> stream;
  std::mutex mutex;
  auto server = Serve([&](Request request, std::shared_ptr<Reply> reply) {
    if (request.path == "/plain") return reply->Send(Response{200, {}, "plain|"});
    reply->StartStream(Response{200, {{"Content-Type", "text/event-stream"}}, ""});
    std::lock_guard lock(mutex);
    stream = std::move(reply);
  });
  Client client(server->port());
  client.Send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::StrContains(client.ReadUntil("\r\n\r\n"), "Transfer-Encoding: chunked"));
  std::lock_guard lock(mutex);
  CHECK(stream->Write("data: 1\n\n"));
  CHECK(client.ReadUntil("\n\n") == "9\r\ndata: 1\n\n");
  CHECK(stream->Write("data: 2\n\n"));
  stream->End();
  CHECK_FALSE(stream->Write("late"));
  CHECK(client.ReadUntil("0\r\n\r\n") == "\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  client.Send("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::EndsWith(client.ReadUntil("|"), "plain|"));
}

TEST_CASE("the caller of a stream learns that the client left or reads too slowly") {
  std::shared_ptr<Reply> stream;
  std::atomic<bool> started = false;
  std::atomic<int> gone = 0;
  auto server = Serve([&](Request, std::shared_ptr<Reply> reply) {
    reply->OnGone([&] { ++gone; });
    reply->StartStream(Response{200, {}, ""});
    stream = std::move(reply);
    started = true;
  });
  Client client(server->port(), 4096);
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(testing::Eventually([&] { return started.load(); }));
  SECTION("left") {
    client.Close();
    CHECK(testing::Eventually([&] { return gone == 1; }));
    CHECK_FALSE(stream->Write("x"));
  }
  SECTION("slow") {
    size_t written = 0;
    while (stream->Write(std::string(64 << 10, 'z')) && written < (size_t{64} << 20)) written += 64 << 10;
    CHECK(written < (size_t{32} << 20));  // what the sockets hold, and 1 MiB
    CHECK(gone == 1);
    CHECK_FALSE(stream->Write("x"));
  }
}

TEST_CASE("a writer that waits for room keeps a slow reader, and learns that it left") {
  constexpr int kPieces = 64;
  const std::string piece(256 << 10, 'p');
  std::atomic<int> written = 0;
  std::atomic<bool> refused = false;
  auto server = Serve([&](Request, std::shared_ptr<Reply> reply) {
    reply->StartStream(Response{200, {}, ""});
    // Each piece asks for the next.
    auto next = std::make_shared<std::function<void()>>();
    *next = [&, reply, weak = std::weak_ptr(next)] {
      if (written == kPieces) return reply->End();
      if (!reply->Write(piece)) {
        refused = true;
        return;
      }
      ++written;
      reply->OnRoom([next = weak.lock()] { (*next)(); });
    };
    (*next)();
  });
  Client client(server->port(), 4096);
  SECTION("slow") {
    client.Send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    client.ReadUntil("\r\n\r\n");
    CHECK(client.ReadAll().size() == kPieces * piece.size());
    CHECK(written == kPieces);
  }
  SECTION("left") {
    client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.ReadUntil("\r\n\r\n");
    client.Close();
    CHECK(testing::Eventually([&] { return refused.load(); }));
    CHECK(written < kPieces);
  }
}

TEST_CASE("a handler that drops the reply answers 500") {
  auto server = Serve([](Request, std::shared_ptr<Reply>) {});
  Client client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::StartsWith(client.ReadUntil("}}\n"), "HTTP/1.1 500"));
}

TEST_CASE("more connections than allowed are told so") {
  ServerOptions options;
  options.max_connections = 2;
  auto server = Serve(Echo, options);
  Client first(server->port());
  Client second(server->port());
  for (Client* client : {&first, &second}) {
    client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client->ReadUntil("|");
  }
  Client third(server->port());
  CHECK(absl::StrContains(third.ReadAll(), "TOO_MANY_CONNECTIONS"));
  first.Close();
  CHECK(testing::Eventually([&] {
    Client again(server->port());
    again.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return absl::StrContains(again.ReadUntil("|"), "200 OK");
  }));
}

TEST_CASE("idle connections are closed after the idle time") {
  ServerOptions options;
  options.idle_timeout = absl::Milliseconds(50);
  auto server = Serve(Echo, options);
  Client client(server->port());
  CHECK(client.ReadAll().empty());
}

TEST_CASE("shutdown lets an answer under way end, and closes idle connections at once") {
  std::shared_ptr<Reply> pending;
  std::atomic<bool> arrived = false;
  auto server = Serve([&](Request, std::shared_ptr<Reply> reply) {
    pending = std::move(reply);
    arrived = true;
  });
  Client idle(server->port());
  Client client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(testing::Eventually([&] { return arrived.load(); }));
  std::string idle_was_told;
  std::thread answer([&] {
    idle_was_told = idle.ReadAll();  // until the drain has begun
    pending->Send(Response{200, {}, "done"});
  });
  absl::Time start = absl::Now();
  server->Shutdown(absl::Seconds(10));
  CHECK(absl::Now() - start < absl::Seconds(8));
  answer.join();
  CHECK(idle_was_told.empty());
  CHECK(absl::EndsWith(client.ReadAll(), "done"));
  server->Shutdown(absl::Seconds(10));
}

TEST_CASE("shutdown ends streams at its deadline, and late answers do nothing") {
  std::vector<std::shared_ptr<Reply>> streams;
  std::atomic<int> started = 0;
  std::atomic<int> gone = 0;
  ServerOptions options;
  options.threads = 1;
  auto server = Serve(
      [&](Request, std::shared_ptr<Reply> reply) {
        reply->OnGone([&] { ++gone; });
        reply->StartStream(Response{200, {}, ""});
        reply->Write("first");
        streams.push_back(std::move(reply));
        ++started;
      },
      options);
  Client one(server->port());
  Client two(server->port());
  for (Client* client : {&one, &two}) client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(testing::Eventually([&] { return started == 2; }));
  server->Shutdown(absl::Milliseconds(100));
  CHECK(gone == 2);
  CHECK(absl::StrContains(one.ReadAll(), "first"));
  server.reset();
  CHECK_FALSE(streams[0]->Write("late"));
  streams[1]->End();
}

TEST_CASE("a port in use is reported with its address") {
  auto server = Serve(Echo);
  auto second = HttpServer::Create(Echo);
  std::string address = absl::StrCat("127.0.0.1:", server->port());
  absl::Status status = second->Start(address);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(Reason(status) == "PORT_IN_USE");
  CHECK(std::string(status.message()).find(address) != std::string::npos);
  CHECK(Reason(HttpServer::Create(Echo)->Start("nonsense")) == "ADDRESS_MALFORMED");
  second->Shutdown(absl::ZeroDuration());
}

TEST_CASE("many clients at once are all answered") {
  auto server = Serve([](Request request, std::shared_ptr<Reply> reply) {
    std::thread([request = std::move(request), reply = std::move(reply)] {
      reply->Send(Response{200, {}, request.path + "|"});
    }).detach();
  });
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Client client(server->port());
      for (int i = 0; i < 50; ++i) {
        std::string path = absl::StrCat("/", t, "-", i);
        client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
        if (absl::EndsWith(client.ReadUntil("|"), "\r\n\r\n" + path + "|")) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 400);
}

TEST_CASE("who sends what makes no sense is read later, and who made sense so far is not") {
  gate::AddressBudgets budgets(gate::Budgets{.work_a_second = absl::Microseconds(400), .work_at_once = kCostOfRefusal});
  ServerOptions options;
  options.budgets = &budgets;
  auto server = Serve(
      [](const Request& request, const std::shared_ptr<Reply>& reply) {
        Response answer{200, {}, absl::StrCat("GET ", request.path, " |")};
        answer.for_nothing = request.path == "/bad";
        reply->Send(std::move(answer));
      },
      options);
  Client sound(server->port());
  const auto is_answered = [&] {
    sound.Send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
    return absl::EndsWith(sound.ReadUntil("|"), "GET /ok |");
  };
  CHECK(is_answered());
  const auto flood = [&] {
    Client client(server->port());
    client.Send("NO HTTP\r\n\r\n");
    client.EndInput();
    return client.ReadAll();
  };
  CHECK(absl::StartsWith(flood(), "HTTP/1.1 400"));
  CHECK(absl::StartsWith(flood(), "HTTP/1.1 400"));
  CHECK_FALSE(budgets.HasWork(gate::AddressKeyOf("127.0.0.1"), SteadyNow()));
  CHECK(is_answered());
  // Its turn comes: nothing is lost.
  CHECK(absl::StartsWith(flood(), "HTTP/1.1 400"));
  CHECK(is_answered());
  // So does that of a connection which goes on, as often as it comes to it.
  Client kept(server->port());
  kept.Send("GET /bad HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::EndsWith(kept.ReadUntil("|"), "GET /bad |"));
  kept.Send("GET /bad HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::EndsWith(kept.ReadUntil("|"), "GET /bad |"));
  kept.Send("GET /bad HTTP/1.1\r\nHost: x\r\n\r\nGET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(absl::EndsWith(kept.ReadUntil("|"), "GET /bad |"));
  CHECK(absl::EndsWith(kept.ReadUntil("|"), "GET /ok |"));
  CHECK(is_answered());
  // Where more wait than could have their turn in time, the rest are told so.
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(std::make_unique<Client>(server->port()));
  Client late(server->port());
  CHECK(absl::StrContains(late.ReadAll(), "ADDRESS_OVERDRAWN"));
  CHECK(is_answered());
}

TEST_CASE("a proxy goes on while one of those for whom it connects is refused") {
  gate::AddressBudgets budgets(gate::Budgets{.work_a_second = absl::Microseconds(1), .work_at_once = kCostOfRefusal});
  ServerOptions options;
  options.budgets = &budgets;
  options.client_of = [](const Request& request) { return request.headers.at("x-from"); };
  options.connects_for_others = [](const std::string& address) { return address == "127.0.0.1"; };
  auto server = Serve(
      [](const Request& request, const std::shared_ptr<Reply>& reply) {
        Response answer{400, {}, request.remote_address + "|"};
        answer.for_nothing = request.path == "/bad";
        reply->Send(std::move(answer));
      },
      options);
  Client proxy(server->port());
  const auto ask = [&](const std::string& path, const std::string& from) {
    proxy.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nX-From: ", from, "\r\n\r\n"));
    std::string head = proxy.ReadUntil("\r\n\r\n");
    const bool refused = absl::StartsWith(head, "HTTP/1.1 429");
    CHECK(absl::StrContains(head, "keep-alive"));
    return absl::StrCat(refused ? "refused " : "", proxy.ReadUntil(refused ? "}}\n" : "|"));
  };
  CHECK(ask("/bad", "192.0.2.1") == "192.0.2.1|");
  CHECK(absl::StrContains(ask("/good", "192.0.2.1"), "ADDRESS_OVERDRAWN"));
  for (int i = 0; i < 20; ++i) CHECK(ask("/good", "192.0.2.2") == "192.0.2.2|");
}

TEST_CASE("percent-encoding is undone exactly") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(PercentDecode(PercentEncode(all)) == all);
  CHECK(PercentDecode("a+b") == "a+b");
  CHECK_FALSE(PercentDecode("%2").has_value());
  CHECK(ParseTarget("http://host/x?y=1")->path == "/x");
  CHECK_FALSE(ParseTarget("x").has_value());
}

}  // namespace
}  // namespace chartly::http
