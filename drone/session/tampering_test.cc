// A control plane that somebody else holds: it speaks the real protocol and orders what it likes. The drone runs what
// one of its keys signed, nothing older than before, and nothing that the owner of its host did not consent to.
#include <map>

#include "absl/strings/str_cat.h"
#include "common/profile/profile_parser.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/signing/profile_signature.h"
#include "common/status/status.h"
#include "drone/session/session.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using testing::Eventually;

PrivateKey KeyOf(char seed) { return PrivateKey::FromSeed(std::string(PrivateKey::kSeedBytes, seed)).value(); }

class TamperingControl final : public v1::CoordinatorService::Service {
 public:
  TamperingControl() {
    server_.Listen("127.0.0.1:0");
    server_.AddService(this);
    REQUIRE_OK(server_.Start());
  }
  ~TamperingControl() override { server_.Shutdown(absl::Seconds(1)); }
  grpc::Status RegisterDrone(grpc::ServerContext*, const v1::RegisterDroneRequest* request, v1::Drone* drone) override {
    absl::MutexLock lock(&mu_);
    drone->set_drone_id(request->drone_id());
    drone->set_epoch(++epoch_);
    drone->set_heartbeat_interval_ms(20);
    told_ = *request;
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    absl::MutexLock lock(&mu_);
    for (const v1::RunProgress& run : request->runs()) {
      orders_.erase(run.run_id());
      finished_[run.run_id()] = run.finished();
    }
    for (const auto& [id, order] : orders_) *response->add_orders() = order;
    return grpc::Status::OK;
  }
  void Order(const v1::RunOrder& order) {
    absl::MutexLock lock(&mu_);
    orders_[order.run_id()] = order;
  }
  bool Finished(const std::string& run_id) {
    return Eventually([&] {
      absl::MutexLock lock(&mu_);
      return finished_[run_id];
    });
  }
  v1::RegisterDroneRequest told() {
    absl::MutexLock lock(&mu_);
    return told_;
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_.ports()[0]); }

 private:
  absl::Mutex mu_;
  int64_t epoch_ = 0;
  std::map<std::string, v1::RunOrder> orders_;
  std::map<std::string, bool> finished_;
  v1::RegisterDroneRequest told_;
  rpc::RpcServer server_;
};

// A drone that trusts key 't', and the source that it may ask.
struct Host {
  testing::HttpFixture source;
  testing::TempDir dir;
  SystemClock clock;
  Consent consent;
  TamperingControl control;
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({"127.0.0.1/32"}));
  std::unique_ptr<Spool> spool;
  std::unique_ptr<ProfileTrust> trust;
  std::unique_ptr<KeptRevisions> good;
  std::unique_ptr<RunExecutor> executor;
  std::unique_ptr<Session> session;
  int runs = 0;

  Host() {
    source.Map("/people", {.status = 200, .body = R"([{"id":1},{"id":2}])", .headers = {}, .delay = {}, .raw = ""});
  }
  ~Host() { Stop(); }
  void Start(bool signed_only = true) {
    SpoolOptions spool_options;
    spool_options.path = dir.File("spool");
    spool = Spool::Open(spool_options).value();
    if (signed_only) trust = ProfileTrust::Open(dir.File("trusted"), {KeyOf('t').public_key()}, clock).value();
    good = std::make_unique<KeptRevisions>(KeptRevisions::Open(dir.File("good"), 1 << 20).value());
    RunExecutorDeps deps{*spool, *http, clock, dir.path(), "d1", nullptr};
    deps.consent = &consent;
    deps.trust = trust.get();
    deps.good = good.get();
    executor = std::make_unique<RunExecutor>(2, std::move(deps));
    SessionOptions options;
    options.drone_id = "d1";
    options.min_backoff = absl::Milliseconds(5);
    options.consent.add_profile_key_ids(KeyOf('t').public_key().id());
    session = std::make_unique<Session>(
        options, SessionDeps{rpc::MakeChannel(control.address(), ""), *spool, *executor, nullptr, nullptr});
    session->Start();
  }
  void Stop() {
    if (session) session->Shutdown();
    session.reset();
    executor.reset();
    trust.reset();
    good.reset();
    spool.reset();
  }
  std::string Text(int revision, const std::string& more = "", const std::string& path = "/people") {
    return absl::StrCat("id: people\nname: People\nversion: 1.0.", revision,
                        "\nsource:\n  type: http_rest\n  url: ", source.Url(path), "\n  format: json\n", more,
                        "mapping:\n  id: dims.id\n");
  }
  static v1::RunOrder OrderOf(const std::string& text) {
    v1::RunOrder order;
    order.set_profile_id("people");
    order.set_content(text);
    order.set_revision(absl::StrCat("profiles/people@", ContentHash(text)));
    return order;
  }
  static v1::RunOrder Signed(const std::string& text, int64_t counter, char key = 't',
                             const std::string& profile = "people") {
    v1::RunOrder order = OrderOf(text);
    *order.add_signatures() = SignProfile(KeyOf(key), {profile, ContentHash(text), counter});
    return order;
  }
  // How the run of an order ended.
  v1::RunEnd Run(v1::RunOrder order) {
    order.set_run_id(absl::StrCat("r", ++runs));
    control.Order(order);
    REQUIRE(control.Finished(order.run_id()));
    auto entries = spool->Read(1, size_t{1} << 30);
    REQUIRE_OK(entries);
    v1::RunEnd end;
    for (const SpoolEntry& entry : *entries) {
      if (entry.kind == EntryKind::kRunEnd) REQUIRE(end.ParseFromString(entry.payload));
    }
    REQUIRE(end.run_id() == order.run_id());
    return end;
  }
};

TEST_CASE("a drone with keys asks no source for a profile that is unsigned, altered or signed by somebody else") {
  Host host;
  host.Start();
  const std::string text = host.Text(1);
  CHECK(host.Run(Host::OrderOf(text)).error_reason() == "PROFILE_UNSIGNED");
  CHECK(host.Run(Host::Signed(text, 1, 'x')).error_reason() == "PROFILE_KEY_UNTRUSTED");
  CHECK(host.Run(Host::Signed(text, 1, 't', "others")).error_reason() == "PROFILE_SIGNATURE_INVALID");
  v1::RunOrder swapped = Host::Signed(text, 1, 'x');
  swapped.mutable_signatures(0)->set_key_id(KeyOf('t').public_key().id());
  CHECK(host.Run(swapped).error_reason() == "PROFILE_SIGNATURE_INVALID");
  v1::RunOrder altered = Host::Signed(text, 1);
  altered.set_content(host.Text(1, "", "/secrets"));
  CHECK(host.Run(altered).error_reason() == "PROFILE_ALTERED");
  altered.set_revision(absl::StrCat("profiles/people@", ContentHash(altered.content())));
  CHECK(host.Run(altered).error_reason() == "PROFILE_SIGNATURE_INVALID");
  v1::RunOrder raised = Host::Signed(text, 1);
  raised.mutable_signatures(0)->set_counter(99);
  CHECK(host.Run(raised).error_reason() == "PROFILE_SIGNATURE_INVALID");
  CHECK(host.source.Count() == 0);
  v1::RunEnd taken = host.Run(Host::Signed(text, 1));
  CHECK(taken.error_reason().empty());
  CHECK(taken.fetched() == 2);
  CHECK(host.source.Count() == 1);
  CHECK(host.control.told().consent().profile_key_ids(0) == KeyOf('t').public_key().id());
}

TEST_CASE("an older revision is refused over restarts, and the newest that ran well runs in its place") {
  Host host;
  host.Start();
  CHECK(host.Run(Host::Signed(host.Text(1), 1)).error_reason().empty());
  CHECK(host.Run(Host::Signed(host.Text(2), 2)).error_reason().empty());
  CHECK(host.Run(Host::Signed(host.Text(3), 3)).error_reason().empty());
  for (bool restart : {false, true}) {
    if (restart) {
      host.Stop();
      host.Start();
    }
    v1::RunEnd end = host.Run(Host::Signed(host.Text(1), 1));
    CHECK(end.error_reason() == "PROFILE_DOWNGRADED");
    CHECK(end.truncated());
    CHECK(end.revision() == Host::OrderOf(host.Text(3)).revision());
    CHECK(end.error().find("the last good one") != std::string::npos);
    CHECK(end.fetched() == 2);
  }
  // A rollout that goes back by itself: one step, to what ran well here.
  v1::RunEnd one_step = host.Run(Host::OrderOf(host.Text(2)));
  CHECK(one_step.error_reason().empty());
  CHECK(one_step.revision() == Host::OrderOf(host.Text(2)).revision());
  v1::RunEnd back = host.Run(Host::Signed(host.Text(1), 4));
  CHECK(back.error_reason().empty());
  CHECK(back.revision() == Host::OrderOf(host.Text(1)).revision());
}

TEST_CASE("no signature widens what the owner of the host consents to") {
  Host host;
  host.consent.hosts = {"127.0.0.1"};
  host.consent.max_bytes = 1 << 20;
  host.Start();
  CHECK(host.Run(Host::Signed(host.Text(1, "", "/people") + "limits: {max_bytes: 1MiB}\n", 1)).error_reason().empty());
  const int asked = host.source.Count();
  int64_t counter = 1;
  for (const std::string& text : {
           host.Text(2) + "limits: {max_bytes: 2MiB}\n",
           host.Text(2, "  egress: {allow: [127.0.0.1, elsewhere.example]}\n") + "limits: {max_bytes: 1MiB}\n",
           std::string(
               "id: people\nname: n\nversion: 1.0.2\nsource: {type: http_rest, url: \"http://elsewhere.example/\","
               " format: json}\nlimits: {max_bytes: 1MiB}\nmapping: {id: dims.id}\n"),
           host.Text(2,
                     "  auth: {type: oauth2, client_id: u, token_url: \"http://elsewhere.example/token\", "
                     "secretRef: {name: a, key: b}}\n") +
               "limits: {max_bytes: 1MiB}\n",
       }) {
    INFO(text);
    v1::RunEnd end = host.Run(Host::Signed(text, ++counter));
    CHECK(end.error_reason() == "CONSENT_DENIED");
    // The revision before still runs: that one is consented to.
    CHECK(end.truncated());
    CHECK(end.fetched() == 2);
  }
  CHECK(host.source.Count() == asked + 4);
  // A key that profiles do not have does nothing but break them.
  CHECK(host.Run(Host::Signed(host.Text(2) + "consent: {hosts: [elsewhere.example]}\n", ++counter)).error_reason() ==
        "PROFILE_INVALID");
}

TEST_CASE("without keys, a revision that this drone does not understand is followed by the last good one") {
  Host host;
  host.Start(/*signed_only=*/false);
  v1::RunEnd unknown = host.Run(Host::OrderOf(host.Text(1) + "teleport: {to: mars}\n"));
  CHECK(unknown.error_reason() == "PROFILE_INVALID");
  CHECK_FALSE(unknown.truncated());
  CHECK(host.Run(Host::OrderOf(host.Text(1))).error_reason().empty());
  host.Stop();
  host.Start(/*signed_only=*/false);
  v1::RunEnd end = host.Run(Host::OrderOf(host.Text(2) + "teleport: {to: mars}\n"));
  CHECK(end.error_reason() == "PROFILE_INVALID");
  CHECK(end.truncated());
  CHECK(end.revision() == Host::OrderOf(host.Text(1)).revision());
  CHECK(end.fetched() == 2);
}

}  // namespace
}  // namespace chartly::drone
