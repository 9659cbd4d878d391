#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "chartly/v1/coordinator.grpc.pb.h"
#include "chartly/v1/observer.grpc.pb.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/http/raw_client_for_test.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/guard.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/gateway/gateway_component.h"
#include "control/gateway/guess_limiter.h"
#include "test/support/test.h"

namespace chartly::gateway {
namespace {

using http::RawClientForTest;

constexpr char kWithKey[] = "X-API-Key: secret\r\n";

std::string Metadata(const grpc::ServerContext& context, const std::string& key) {
  auto found = context.client_metadata().find(key);
  return found == context.client_metadata().end() ? "" : std::string(found->second.data(), found->second.size());
}

grpc::Status Refuse(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  return rpc::ToGrpcStatus(Error(code, reason, message, {{"profile", "missing"}}));
}

class TestRegistry final : public v1::RegistryService::Service {
 public:
  grpc::Status GetProfile(grpc::ServerContext* context, const v1::GetProfileRequest* request,
                          v1::Profile* response) override {
    if (request->name() == "profiles/missing") {
      return Refuse(absl::StatusCode::kNotFound, "PROFILE_NOT_FOUND", "no profile missing");
    }
    if (request->name() == "profiles/busy" && --busy >= 0) {
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "Server Threadpool Exhausted"};  // as gRPC itself says it
    }
    response->set_name(request->name());
    response->set_description(Metadata(*context, "x-request-id"));
    response->set_display_name(Metadata(*context, "x-principal"));
    return grpc::Status::OK;
  }
  grpc::Status ListProfiles(grpc::ServerContext*, const v1::ListProfilesRequest* request,
                            v1::ListProfilesResponse* response) override {
    response->set_next_page_token(absl::StrCat(request->page_size(), "/", request->page_token()));
    return grpc::Status::OK;
  }
  grpc::Status CreateProfile(grpc::ServerContext* context, const v1::CreateProfileRequest* request,
                             v1::Profile* response) override {
    if (Metadata(*context, "x-api-key") != "secret") {
      return Refuse(absl::StatusCode::kUnauthenticated, "API_KEY_UNKNOWN", "no such key");
    }
    response->set_content(request->content());
    response->set_display_name(request->filename());
    response->set_paused(request->validate_only());
    return grpc::Status::OK;
  }
  grpc::Status SetProfileSchedule(grpc::ServerContext*, const v1::SetProfileScheduleRequest* request,
                                  v1::Profile* response) override {
    response->set_name(request->name());
    response->set_description(request->interval());
    response->set_enabled(request->enabled());
    return grpc::Status::OK;
  }
  grpc::Status DeleteProfile(grpc::ServerContext*, const v1::DeleteProfileRequest*, google::protobuf::Empty*) override {
    return grpc::Status::OK;
  }
  std::atomic<int> busy = 0;
};

class TestCoordinator final : public v1::CoordinatorService::Service {
 public:
  grpc::Status ReceiveWebhook(grpc::ServerContext* context, const v1::ReceiveWebhookRequest* request,
                              v1::ReceiveWebhookResponse* response) override {
    if (request->profile() == "full") {
      return rpc::ToGrpcStatus(
          Error(absl::StatusCode::kResourceExhausted, "WEBHOOK_BACKLOG_FULL", "full", {{"retry_after_seconds", "60"}}));
    }
    if (request->profile() == "large") {
      return Refuse(absl::StatusCode::kResourceExhausted, "WEBHOOK_TOO_LARGE", "too large");
    }
    response->set_webhook_id(absl::StrCat(request->profile(), "|", request->webhook_id(), "|",
                                          request->webhook_timestamp(), "|", request->webhook_signature(), "|",
                                          request->content_type(), "|", request->body().size(), "|",
                                          Metadata(*context, "x-api-key")));
    return grpc::Status::OK;
  }
  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::Event>* writer) override {
    if (request->last_event_id() == "bad") {
      return Refuse(absl::StatusCode::kInvalidArgument, "EVENT_ID_INVALID", "not an event id");
    }
    int64_t id = 0;
    if (!request->last_event_id().empty() && !absl::SimpleAtoi(request->last_event_id(), &id)) return {};
    for (int i = 0; i < 2; ++i) {
      v1::Event event;
      event.set_id(absl::StrCat(++id));
      event.mutable_run()->set_run_id(absl::StrCat("r", id));
      event.mutable_run()->set_status(v1::RUN_STATUS_RUNNING);
      writer->Write(event);
    }
    if (request->last_event_id() == "50") return Refuse(absl::StatusCode::kInternal, "BROKEN", "broken midway");
    ++open;
    testing::Eventually([&] { return context->IsCancelled(); });
    --open;
    return grpc::Status::CANCELLED;
  }
  std::atomic<int> open = 0;
};

class TestRecords final : public v1::RecordService::Service {
 public:
  grpc::Status CreateResults(grpc::ServerContext*, const v1::CreateResultsRequest* request,
                             v1::CreateResultsResponse* response) override {
    response->set_inserted_records(request->data_size());
    return grpc::Status::OK;
  }
  grpc::Status ListRecords(grpc::ServerContext*, const v1::ListRecordsRequest* request,
                           v1::ListRecordsResponse* response) override {
    v1::Record& record = *response->add_records();
    record.set_id(
        absl::StrCat(request->filter_size(), request->all_versions() ? "all" : "newest", request->as_of().seconds()));
    (*record.mutable_measures())["v"].set_decimal("12.50");
    return grpc::Status::OK;
  }
  // 64 pieces for the profile "large", else one; the run "broken" fails after them, the run "none" before.
  grpc::Status ExportRecords(grpc::ServerContext*, const v1::ExportRecordsRequest* request,
                             grpc::ServerWriter<v1::ExportRecordsResponse>* writer) override {
    if (request->run_id() == "none") return Refuse(absl::StatusCode::kNotFound, "RECORDS_NOT_FOUND", "nothing");
    v1::ExportRecordsResponse piece;
    piece.set_content_type("text/csv");
    piece.set_file_name("p.csv");
    piece.set_data(std::string(256 << 10, 'd'));
    for (int i = 0; i < (request->profile_id() == "large" ? 64 : 1); ++i) {
      if (!writer->Write(piece)) {
        left = true;
        return grpc::Status::CANCELLED;
      }
      ++written;
    }
    if (request->run_id() == "broken") return Refuse(absl::StatusCode::kDataLoss, "STORE_CORRUPT", "damaged");
    return grpc::Status::OK;
  }
  std::atomic<int> written = 0;
  std::atomic<bool> left = false;
};

class TestObserver final : public v1::ObserverService::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::SystemStatus* response) override {
    auto& part = *response->add_parts();
    part.set_part("registry");
    part.set_health(failing ? v1::PART_HEALTH_UNREACHABLE : v1::PART_HEALTH_SERVING);
    return grpc::Status::OK;
  }
  std::atomic<bool> failing = false;
};

class RecordingSink final : public rpc::AuditSink {
 public:
  absl::Status Record(const rpc::AuditEntry&) override { return absl::OkStatus(); }
  void Refused(const rpc::AuditEntry& entry) override {
    absl::MutexLock lock(&mu_);
    refusals_.push_back(entry);
  }
  std::vector<rpc::AuditEntry> Take() {
    absl::MutexLock lock(&mu_);
    return std::exchange(refusals_, {});
  }

 private:
  absl::Mutex mu_;
  std::vector<rpc::AuditEntry> refusals_ ABSL_GUARDED_BY(mu_);
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};

// The whole stack: a gateway, and parts in this process behind real gRPC.
class Stack {
 public:
  Stack() : peers_({{Part::kReporter, "127.0.0.1:1"}}, "") {
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{&registry, &coordinator, &records, &observer}) {
      server_.AddService(service);
    }
    REQUIRE_OK(server_.Start());
    for (Part part : {Part::kRegistry, Part::kCoordinator, Part::kAggregator, Part::kObserver}) {
      peers_.SetLocal(part, server_);
    }
    GatewayConfig config;
    config.listen = "127.0.0.1:0";
    config.heartbeat_interval = absl::Milliseconds(100);
    config.max_event_streams = 2;
    auto opened = GatewayComponent::Open(config, peers_, {"test", "1", nullptr, [] { return true; }}, &sink);
    REQUIRE_OK(opened);
    gateway = *std::move(opened);
  }
  ~Stack() {
    gateway.reset();
    server_.Shutdown(absl::Seconds(5));
  }

  Answer Ask(const std::string& line, const std::string& headers = "", const std::string& body = "") {
    RawClientForTest client(gateway->port());
    std::string length = body.empty() ? "" : absl::StrCat("Content-Length: ", body.size(), "\r\n");
    client.Send(absl::StrCat(line, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", length, headers, "\r\n", body));
    Answer answer;
    answer.head = client.ReadUntil("\r\n\r\n");
    answer.body = client.ReadAll();
    if (answer.head.size() > 12) answer.status = std::stoi(answer.head.substr(9, 3));
    return answer;
  }

  TestRegistry registry;
  TestCoordinator coordinator;
  TestRecords records;
  TestObserver observer;
  RecordingSink sink;
  std::unique_ptr<GatewayComponent> gateway;

 private:
  rpc::RpcServer server_;
  rpc::Peers peers_;
};

bool Has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(absl::StrContains(text, part));
  return absl::StrContains(text, part);
}

TEST_CASE("a signed route takes any bytes and the headers of its annotation, and asks for no key") {
  Stack stack;
  std::string headers =
      "webhook-id: msg_1\r\nWebhook-Timestamp: 1700000000\r\nwebhook-signature: v1,AAAA v1,BBBB\r\n"
      "Content-Type: text/csv\r\nAuthorization: Basic c2VjcmV0\r\n";
  Answer answer = stack.Ask("POST /api/webhooks/sensors", headers, std::string("a\xff\0b", 4));
  CHECK(answer.status == 200);
  CHECK(absl::StrContains(answer.body, "sensors|msg_1|1700000000|v1,AAAA v1,BBBB|text/csv|4|\""));
  Answer full = stack.Ask("POST /api/webhooks/full", headers, "{}");
  CHECK(full.status == 429);
  CHECK(absl::StrContains(full.head, "Retry-After: 60\r\n"));
  CHECK(stack.Ask("POST /api/webhooks/large", headers, "{}").status == 413);
}

TEST_CASE("a read goes through to its part and back as JSON") {
  Stack stack;
  Answer answer = stack.Ask("GET /api/profiles/x%2Dy", "X-Request-ID: my-id.1\r\nX-Principal: admin\r\n");
  CHECK(answer.status == 200);
  Has(answer.body, R"("name":"profiles/x-y")");
  Has(answer.body, R"("description":"my-id.1")");
  Has(answer.body, R"("display_name":"")");  // X-Principal is not handed on
  Has(answer.head, "X-Request-Id: my-id.1\r\n");
  Has(answer.head, "Content-Type: application/json\r\n");
  CHECK_FALSE(absl::StrContains(answer.head, "Access-Control"));
  Has(stack.Ask("GET /api/profiles?page_size=7&page_token=a%20b").body, R"("next_page_token":"7/a b")");
  Answer records =
      stack.Ask("GET /api/records?profile_id=p&filter=a%3E1&filter=b&all_versions=true&as_of=2026-01-31T09:00:00Z");
  Has(records.body, R"("id":"2all1769850000")");
  Has(records.body, R"("measures":{"v":12.50})");
  CHECK(stack.Ask("HEAD /api/profiles").body.empty());
  CHECK(stack.Ask("DELETE /api/profiles/x", kWithKey).body == "{}\n");
}

TEST_CASE("a streamed body comes as it is, names its type, and never ends well if it broke off") {
  Stack stack;
  Answer whole = stack.Ask("GET /api/records:export?profile_id=p&format=csv");
  CHECK(whole.status == 200);
  Has(whole.head, "Content-Type: text/csv\r\n");
  Has(whole.head, "Content-Disposition: attachment; filename=\"p.csv\"\r\n");
  Has(whole.head, "Transfer-Encoding: chunked");
  CHECK(whole.body == absl::StrCat("40000\r\n", std::string(256 << 10, 'd'), "\r\n0\r\n\r\n"));
  Answer none = stack.Ask("GET /api/records:export?run_id=none");
  CHECK(none.status == 404);
  Has(none.body, "RECORDS_NOT_FOUND");
  Answer broken = stack.Ask("GET /api/records:export?run_id=broken");
  CHECK(broken.status == 200);
  CHECK_FALSE(absl::EndsWith(broken.body, "0\r\n\r\n"));
  CHECK(stack.Ask("GET /api/records:export?format=tea").status == 400);
}

TEST_CASE("a slow reader of a body holds back the part that writes, and one that leaves ends it") {
  Stack stack;
  RawClientForTest client(stack.gateway->port(), 4096);
  client.Send("GET /api/records:export?profile_id=large HTTP/1.0\r\nHost: x\r\n\r\n");
  Has(client.ReadUntil("\r\n\r\n"), "200 OK");
  SECTION("slow") {
    CHECK(client.ReadAll().size() == size_t{64} * (256 << 10));
    CHECK(stack.records.written == 64);
  }
  SECTION("left") {
    client.Close();
    CHECK(testing::Eventually([&] { return stack.records.left.load(); }));
    CHECK(stack.records.written < 64);
  }
}

TEST_CASE("an insane request id is replaced") {
  Stack stack;
  Answer answer = stack.Ask("GET /api/profiles/x", "X-Request-ID: a b<script>\r\n");
  CHECK_FALSE(absl::StrContains(answer.head, "script"));
  Has(answer.head, "X-Request-Id: ");
}

TEST_CASE("writes carry the key of the caller, either way, and without one go no further") {
  Stack stack;
  Answer without = stack.Ask("POST /api/profiles", "", "id: x\n");
  CHECK(without.status == 401);
  Has(without.body, R"("code":"UNAUTHENTICATED")");
  Has(without.body, R"("reason":"API_KEY_REQUIRED")");
  for (const char* header : {"X-API-Key: secret\r\n", "Authorization: Bearer secret\r\n"}) {
    CHECK(stack.Ask("POST /api/profiles", header, "id: x\n").status == 200);
  }
  CHECK(stack.Ask("POST /api/profiles", "Authorization: Basic c2VjcmV0\r\n", "id: x\n").status == 401);
  CHECK(stack.Ask("POST /api/profiles", "X-API-Key: s\xC3\xA9\r\n", "id: x\n").status == 401);
}

TEST_CASE("an address that shows wrong keys waits before another one is looked at") {
  Stack stack;
  for (int i = 0; i < GuessLimiter::kBurst; ++i) {
    REQUIRE(stack.Ask("POST /api/profiles", "X-API-Key: wrong\r\n", "id: x\n").status == 401);
  }
  Answer slowed = stack.Ask("POST /api/profiles", kWithKey, "id: x\n");
  CHECK(slowed.status == 429);
  Has(slowed.head, "Retry-After: ");
  CHECK(stack.Ask("GET /api/profiles/x").status == 200);
}

TEST_CASE("what the gateway refuses by itself is recorded, what it hands on is left to the part") {
  Stack stack;
  const auto refused = [&](const std::string& line, const std::string& headers, const std::string& action,
                           const std::string& outcome) {
    stack.Ask(line, "X-Request-Id: r-1\r\n" + headers, "{}");
    const std::vector<rpc::AuditEntry> entries = stack.sink.Take();
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].action == action);
    CHECK(entries[0].outcome == outcome);
    CHECK(entries[0].actor == "anonymous");
    CHECK(entries[0].tenant == "default");
    CHECK(entries[0].request_id == "r-1");
    CHECK(entries[0].address == "127.0.0.1");
  };
  const std::string session = absl::StrCat("Cookie: chartly_session=chs_", std::string(64, '0'), "\r\n");
  refused("DELETE /api/profiles/x", "", "RegistryService.DeleteProfile", "UNAUTHENTICATED");
  refused("GET /api/profiles", absl::StrCat(kWithKey, kWithKey), "RegistryService.ListProfiles", "UNAUTHENTICATED");
  refused("POST /api/profiles", session, "RegistryService.CreateProfile", "PERMISSION_DENIED");
  refused("POST /api/session", "Content-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n", "AuthService.SignIn",
          "PERMISSION_DENIED");
  // A mistake, a route that is none, a key that the part refuses.
  CHECK(stack.Ask("POST /api/session", "Content-Type: text/plain\r\n", "x").status == 400);
  CHECK(stack.Ask("GET /api/none").status == 404);
  CHECK(stack.Ask("POST /api/profiles", "X-API-Key: wrong\r\n", "{}").status == 401);
  CHECK(stack.Ask("GET /api/profiles").status == 200);
  CHECK(stack.sink.Take().empty());
}

TEST_CASE("a raw body is taken as text whatever its type says") {
  Stack stack;
  Answer answer =
      stack.Ask("POST /api/profiles?validate_only=true",
                "X-API-Key: secret\r\nX-Filename: a.yaml\r\nContent-Type: application/json\r\n", "{\"id\": \"x\"}");
  Has(answer.body, R"("content":"{\"id\": \"x\"}")");
  Has(answer.body, R"("display_name":"a.yaml")");
  Has(answer.body, R"("paused":true)");
  Has(stack.Ask("POST /api/profiles", "X-API-Key: secret\r\n", "\xFF").body, "TEXT_NOT_UTF8");
}

TEST_CASE("a JSON body fills the message, the path wins, no body is an empty object") {
  Stack stack;
  Answer answer = stack.Ask("POST /api/profiles/x:setSchedule", kWithKey,
                            R"({"interval":"5m","enabled":true,"name":"profiles/y"})");
  Has(answer.body, R"("name":"profiles/x")");
  Has(answer.body, R"("description":"5m")");
  Has(answer.body, R"("enabled":true)");
  CHECK(stack.Ask("POST /api/profiles/x:setSchedule", kWithKey).status == 200);
  Has(stack.Ask("POST /api/results", kWithKey, R"({"profile_id":"p","data":[{"dims.a":1},{"dims":{"a":2}}]})").body,
      R"("inserted_records":2)");
}

TEST_CASE("errors carry code, reason, details and request id under the right HTTP status") {
  Stack stack;
  Answer missing = stack.Ask("GET /api/profiles/missing", "X-Request-Id: q\r\n");
  CHECK(missing.status == 404);
  CHECK(
      missing.body ==
      R"({"error":{"code":"NOT_FOUND","message":"no profile missing","reason":"PROFILE_NOT_FOUND","request_id":"q","details":{"profile":"missing"}}})"
      "\n");
  Answer typo = stack.Ask("GET /api/profiles?page_sise=7");
  CHECK(typo.status == 400);
  Has(typo.body, "did you mean page_size?");
  CHECK(stack.Ask("GET /api/profiles?page_size=x").status == 400);
  CHECK(stack.Ask("GET /api/profiles?page_size=1&page_size=2").status == 400);
  CHECK(stack.Ask("POST /api/results", kWithKey, "{").status == 400);
  CHECK(stack.Ask("GET /api/nothing").status == 404);
  Answer method = stack.Ask("PATCH /api/profiles");
  CHECK(method.status == 405);
  Has(method.head, "Allow: GET, HEAD, OPTIONS, POST\r\n");
  Answer options = stack.Ask("OPTIONS /api/profiles");
  CHECK(options.status == 204);
  Has(options.head, "Allow: ");
  CHECK(stack.Ask("PUT /api/profiles/x", kWithKey, "id: x").status == 501);
  Answer unreachable = stack.Ask("POST /api/reports", "", "{}");
  CHECK(unreachable.status == 503);
  Has(unreachable.body, R"("reason":"PART_UNREACHABLE")");
  Answer large =
      stack.Ask("POST /api/results", kWithKey, absl::StrCat(R"({"run_id":")", std::string(9 << 20, 'x'), "\"}"));
  CHECK(large.status == 413);
  Has(large.body, "MESSAGE_TOO_LARGE");
}

TEST_CASE("a part without a free thread is asked again for a moment, then its caller is told to come back") {
  Stack stack;
  stack.registry.busy = 3;
  Answer answer = stack.Ask("GET /api/profiles/busy", "X-Request-Id: q\r\n");
  CHECK(answer.status == 200);
  Has(answer.body, R"("description":"q")");
  stack.registry.busy = 1000;
  Answer refused = stack.Ask("GET /api/profiles/busy");
  CHECK(refused.status == 503);
  Has(refused.body, R"("reason":"PART_BUSY")");
  Has(refused.head, "Retry-After: 1\r\n");
  CHECK(stack.registry.busy == 994);
}

TEST_CASE("a stream arrives as events and resumes after the last id") {
  Stack stack;
  RawClientForTest client(stack.gateway->port());
  client.Send("GET /api/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 41\r\n\r\n");
  Has(client.ReadUntil("\r\n\r\n"), "Content-Type: text/event-stream\r\n");
  std::string first = client.ReadUntil("}}\n\n");
  Has(first, R"(id: 42)"
             "\nevent: run\n"
             R"(data: {"id":"42","run":{"name":"","run_id":"r42")");
  Has(first, R"("status":"running")");
  Has(client.ReadUntil("}}\n\n"), "id: 43\n");
  Has(client.ReadUntil(": heartbeat\n\n"), ": heartbeat\n\n");
  client.Close();
  CHECK(testing::Eventually([&] { return stack.coordinator.open == 0; }));
}

TEST_CASE("a stream that is refused is a plain error, one that breaks says so") {
  Stack stack;
  Answer refused = stack.Ask("GET /api/events?last_event_id=bad");
  CHECK(refused.status == 400);
  Has(refused.body, "EVENT_ID_INVALID");
  Answer broken = stack.Ask("GET /api/events?last_event_id=50");
  CHECK(broken.status == 200);
  Has(broken.body, "id: 52\n");
  Has(broken.body, "event: stream_error\ndata: {\"error\":{\"code\":\"INTERNAL\",\"message\":\"broken midway\"");
  CHECK(stack.Ask("HEAD /api/events").status == 200);
}

TEST_CASE("streams over the limit are refused, and shutdown ends the others at once") {
  Stack stack;
  RawClientForTest one(stack.gateway->port());
  RawClientForTest two(stack.gateway->port());
  for (RawClientForTest* client : {&one, &two}) {
    client->Send("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n");
    client->ReadUntil("id: 2\n");
  }
  CHECK(stack.Ask("GET /api/events").status == 429);
  absl::Time start = absl::Now();
  stack.gateway->Shutdown(absl::Seconds(10));
  CHECK(absl::Now() - start < absl::Seconds(5));
  CHECK(absl::EndsWith(one.ReadAll(), "0\r\n\r\n"));
  CHECK_FALSE(stack.gateway->Health().empty());
}

TEST_CASE("health rolls up all parts, ready, metrics, document and page answer") {
  Stack stack;
  Answer good = stack.Ask("GET /health");
  CHECK(good.status == 200);
  Has(good.body, R"({"status":"ok","process":"test","version":"1","services":{"registry":{"status":"ok"}}})");
  stack.observer.failing = true;
  CHECK(stack.Ask("GET /health").status == 503);
  CHECK(stack.Ask("GET /ready").status == 200);
  CHECK(stack.Ask("POST /health").status == 405);
  Has(stack.Ask("GET /metrics").body, "chartly_http_requests_total");
  Has(stack.Ask("GET /api/openapi.json").body, "\"/api/profiles/{profile}:pause\"");
  Answer page = stack.Ask("GET /");
  if (page.status == 404) {
    Has(page.body, "PAGE_NOT_BUILT");
  } else {
    CHECK(page.status == 200);
    Has(page.head, "Content-Security-Policy: default-src 'self'");
    size_t etag = page.head.find("ETag: ") + 6;
    std::string tag = page.head.substr(etag, page.head.find("\r\n", etag) - etag);
    CHECK(stack.Ask("GET /", "If-None-Match: " + tag + "\r\n").status == 304);
    CHECK(stack.Ask("POST /").status == 405);
  }
  CHECK(stack.Ask("GET /nothing").status == 404);
}

}  // namespace
}  // namespace chartly::gateway
