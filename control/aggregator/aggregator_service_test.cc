#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "control/aggregator/aggregator_batches_test.h"
#include "control/aggregator/aggregator_component.h"

namespace chartly::aggregator {
namespace {

using testing::Eventually;
using testing::TempDir;

class Server {
 public:
  explicit Server(const std::string& path) {
    AggregatorConfig config;
    config.data_dir = path;
    config.memory_bytes = size_t{8} << 20;
    auto opened = AggregatorComponent::Open(config, authenticator_, nullptr, peers_);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    server_.Listen("127.0.0.1:0");
    for (grpc::Service* service : component->services()) server_.AddService(service);
    REQUIRE_OK(server_.Start());
    address_ = "127.0.0.1:" + std::to_string(server_.ports().at(0));
    channel = rpc::MakeChannel(address_, "secret");
    records = v1::RecordService::NewStub(channel);
  }
  ~Server() {
    component->Shutdown();
    server_.Shutdown(absl::Seconds(5));
  }
  std::string address_;
  rpc::KeyAuthenticator authenticator_{{{"drone", "secret"}}};
  rpc::Peers peers_{{}, ""};
  std::unique_ptr<AggregatorComponent> component;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::RecordService::Stub> records;

 private:
  rpc::RpcServer server_;
};

// The drone's side of a stream.
class Stream {
 public:
  Stream(Server& server, int64_t epoch, std::shared_ptr<grpc::Channel> channel = nullptr)
      : stub_(v1::IngestService::NewStub(channel == nullptr ? server.channel : channel)) {
    context_.set_wait_for_ready(true);
    stream_ = stub_->Ingest(&context_);
    v1::IngestRequest request;
    request.mutable_hello()->set_drone_id("d1");
    request.mutable_hello()->set_spool_id("s");
    request.mutable_hello()->set_epoch(epoch);
    stream_->Write(request);
  }
  int64_t Welcome() {
    v1::IngestResponse response;
    return stream_->Read(&response) && response.has_welcome() ? response.welcome().durable_seq() : -1;
  }
  bool SendBytes(int64_t seq, std::string batch) {
    v1::IngestRequest request;
    request.mutable_entry()->set_seq(seq);
    *request.mutable_entry()->mutable_batch() = std::move(batch);
    return stream_->Write(request);
  }
  // Reads acks until `seq` is covered; says whether it was.
  bool Acked(int64_t seq) {
    v1::IngestResponse response;
    while (stream_->Read(&response)) {
      if (response.ack().seq() >= seq) return true;
    }
    return false;
  }
  absl::Status End() {
    stream_->WritesDone();
    v1::IngestResponse response;
    while (stream_->Read(&response)) {
    }
    return rpc::FromGrpcStatus(stream_->Finish());
  }

 private:
  std::unique_ptr<v1::IngestService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::IngestRequest, v1::IngestResponse>> stream_;
};

std::string Rows(int64_t first, int count, const std::string& run = "r1") {
  TestBatch batch;
  batch.run_id = run;
  for (int i = 0; i < count; ++i) batch.rows.emplace_back(first + i, i);
  return Pack(batch);
}

int64_t TotalRecords(Server& server) {
  grpc::ClientContext context;
  v1::ResultsSummary summary;
  REQUIRE(server.records->GetResultsSummary(&context, {}, &summary).ok());
  return summary.total_results();
}

TEST_CASE("a stream is welcomed, acked, and goes on where it was after a restart") {
  TempDir dir;
  {
    Server server(dir.path());
    Stream stream(server, 1);
    CHECK(stream.Welcome() == 0);
    for (int64_t seq = 1; seq <= 50; ++seq) REQUIRE(stream.SendBytes(seq, Rows(seq * 100, 100)));
    CHECK(stream.Acked(50));
    CHECK_OK(stream.End());
    CHECK(TotalRecords(server) == 5000);
  }
  Server server(dir.path());
  Stream stream(server, 2);
  CHECK(stream.Welcome() == 50);
  REQUIRE(stream.SendBytes(49, Rows(4900, 100)));  // a resend changes nothing
  REQUIRE(stream.SendBytes(51, Rows(5100, 100)));
  CHECK(stream.Acked(51));
  CHECK(TotalRecords(server) == 5100);
  CHECK(server.component->Health().empty());
}

TEST_CASE("drones of one id are numbered, deduplicated and kept in their own tenant, also after a restart") {
  TempDir dir;
  const std::vector<std::string> tenants = {"default", "acme", "globex"};
  auto rows = [](const std::string& tenant, int count) {
    TestBatch batch;
    batch.tenant = tenant;
    for (int i = 0; i < count; ++i) batch.rows.emplace_back(i, i);
    return Pack(batch);
  };
  auto total = [](Server& server, const std::string& tenant) {
    grpc::ClientContext context;
    v1::ResultsSummary summary;
    auto stub = v1::RecordService::NewStub(rpc::MakeChannel(server.address_, "secret", {}, tenant));
    REQUIRE(stub->GetResultsSummary(&context, {}, &summary).ok());
    return summary.total_results();
  };
  {
    Server server(dir.path());
    int count = 10;
    for (const std::string& tenant : tenants) {
      INFO(tenant);
      Stream stream(server, 1, rpc::MakeChannel(server.address_, "secret", {}, tenant));
      CHECK(stream.Welcome() == 0);  // whatever the others sent
      REQUIRE(stream.SendBytes(1, rows(tenant, count)));
      CHECK(stream.Acked(1));
      CHECK_OK(stream.End());
      count += 10;
    }
  }
  Server server(dir.path());
  int count = 10;
  for (const std::string& tenant : tenants) {
    INFO(tenant);
    CHECK(total(server, tenant) == count);
    Stream stream(server, 2, rpc::MakeChannel(server.address_, "secret", {}, tenant));
    CHECK(stream.Welcome() == 1);
    // What another tenant fetched is not taken for one's own, nor by mistake.
    REQUIRE(stream.SendBytes(2, rows(tenant == "acme" ? "globex" : "acme", 5)));
    CHECK(Reason(stream.End()) == "TENANT_UNKNOWN");
    CHECK(total(server, tenant) == count);
    count += 10;
  }
  CHECK(total(server, "nobody") == 0);
}

TEST_CASE("half-closing after the last entry still gets all acks") {
  TempDir dir;
  Server server(dir.path());
  Stream stream(server, 1);
  for (int64_t seq = 1; seq <= 20; ++seq) REQUIRE(stream.SendBytes(seq, Rows(seq * 10, 10)));
  CHECK_OK(stream.End());
  CHECK(TotalRecords(server) == 200);
}

TEST_CASE("what is wrong with a stream is told by its status") {
  TempDir dir;
  Server server(dir.path());
  SECTION("a gap") {
    Stream stream(server, 1);
    stream.SendBytes(2, Rows(1, 1));
    absl::Status status = stream.End();
    CHECK(status.code() == absl::StatusCode::kOutOfRange);
    CHECK(Reason(status) == "INGEST_GAP");
  }
  SECTION("a damaged batch") {
    Stream stream(server, 1);
    std::string bytes = Rows(1, 100);
    bytes[bytes.size() / 2] ^= 1;
    stream.SendBytes(1, bytes);
    CHECK(stream.End().code() == absl::StatusCode::kDataLoss);
    CHECK(TotalRecords(server) == 0);
  }
  SECTION("an old epoch, also of a stream that was open before") {
    Stream old(server, 1);
    CHECK(old.Welcome() == 0);
    Stream fresh(server, 2);
    CHECK(fresh.Welcome() == 0);
    old.SendBytes(1, Rows(1, 1));
    CHECK(Reason(old.End()) == "EPOCH_FENCED");
    CHECK(Reason(Stream(server, 1).End()) == "EPOCH_FENCED");
    CHECK_OK(fresh.End());
  }
  SECTION("no key, or a wrong one") {
    Stream anonymous(server, 1, rpc::MakeChannel(server.address_, ""));
    CHECK(anonymous.End().code() == absl::StatusCode::kUnauthenticated);
    Stream stranger(server, 1, rpc::MakeChannel(server.address_, "guess"));
    CHECK(stranger.End().code() == absl::StatusCode::kUnauthenticated);
  }
  SECTION("an entry before the hello's answer is fine, a second hello is not") {
    Stream stream(server, 1);
    stream.SendBytes(1, Rows(1, 1));
    CHECK_OK(stream.End());
  }
}

TEST_CASE("a stopping aggregator ends open streams at once and keeps what it acked") {
  TempDir dir;
  {
    Server server(dir.path());
    Stream stream(server, 1);
    CHECK(stream.Welcome() == 0);
    REQUIRE(stream.SendBytes(1, Rows(1, 10)));
    CHECK(stream.Acked(1));
    server.component->Shutdown();
    absl::Status status = stream.End();
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(Reason(status) == "AGGREGATOR_STOPPING");
  }
  Server server(dir.path());
  CHECK(TotalRecords(server) == 10);
}

absl::StatusOr<v1::CreateResultsResponse> Post(Server& server, const v1::CreateResultsRequest& request) {
  grpc::ClientContext context;
  v1::CreateResultsResponse response;
  grpc::Status status = server.records->CreateResults(&context, request, &response);
  if (!status.ok()) return rpc::FromGrpcStatus(status);
  return response;
}

TEST_CASE("posted records are stored exactly, once, and all or none") {
  TempDir dir;
  Server server(dir.path());
  v1::CreateResultsRequest request;
  request.set_profile_id("posted");
  v1::ResultRecord& record = *request.add_data();
  (*record.mutable_dims())["geo.iso"].set_text("DE");
  (*record.mutable_dims())["measures.rate"].set_decimal("12.50");
  (*record.mutable_measures())["count"].set_integer(9007199254740993);
  auto stored = Post(server, request);
  REQUIRE_OK(stored);
  CHECK(stored->inserted_results() == 1);
  CHECK(stored->inserted_records() == 1);
  CHECK(!stored->run_id().empty());
  auto again = Post(server, request);
  REQUIRE_OK(again);
  CHECK(again->inserted_results() == 0);
  CHECK(again->deduped_records() == 1);

  (*request.add_data()->mutable_measures())["count"].set_float_(std::nan(""));
  auto refused = Post(server, request);
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(refused.status().message()).find("data[1]") != std::string::npos);
  CHECK(TotalRecords(server) == 1);

  grpc::ClientContext context;
  v1::ListRecordsRequest list;
  list.set_run_id(again->run_id());
  v1::ListRecordsResponse page;
  REQUIRE(server.records->ListRecords(&context, list, &page).ok());
  REQUIRE(page.records_size() == 1);
  CHECK(page.records(0).measures().at("rate").decimal() == "12.50");
  CHECK(page.records(0).measures().at("count").integer() == 9007199254740993);
  CHECK(page.records(0).dims().at("geo.iso").text() == "DE");
  CHECK(page.records(0).provenance().run_id() == stored->run_id());
}

TEST_CASE("a hundred thousand posted records are one commit") {
  TempDir dir;
  Server server(dir.path());
  v1::CreateResultsRequest request;
  request.set_profile_id("posted");
  request.set_run_id("bulk");
  for (int i = 0; i < 100000; ++i) {
    v1::ResultRecord& record = *request.add_data();
    (*record.mutable_dims())["n"].set_integer(i);
    (*record.mutable_measures())["v"].set_integer(i % 7);
  }
  auto stored = Post(server, request);
  REQUIRE_OK(stored);
  CHECK(stored->inserted_records() == 100000);
  CHECK(TotalRecords(server) == 100000);
}

TEST_CASE("on a full disk ingest is refused, nothing is lost, and it goes on by itself") {
  TempDir dir;
  if (::geteuid() != 0 || ::mount("none", dir.path().c_str(), "tmpfs", 0, "size=32m") != 0) {
    std::cout << "skipped: a full disk needs root to mount a small tmpfs\n";
    return;
  }
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{dir.path()};
  Server server(dir.path());
  int64_t acked = 0;
  {
    std::ofstream(dir.File("filler")) << std::string(20 << 20, 'f');
    Stream stream(server, 1);
    CHECK(stream.Welcome() == 0);
    int64_t seq = 0;
    while (seq < 400 && stream.SendBytes(seq + 1, Rows(seq * 5000, 5000)) && stream.Acked(seq + 1)) acked = ++seq;
    absl::Status status = stream.End();
    CHECK(status.code() == absl::StatusCode::kResourceExhausted);
    CHECK(Reason(status) == "STORE_FULL");
    CHECK(server.component->Health().empty());
    CHECK(!server.component->Amiss().empty());
  }
  CHECK(TotalRecords(server) == acked * 5000);
  std::filesystem::remove(dir.File("filler"));
  CHECK(Eventually([&] {
    Stream stream(server, 1);
    if (stream.Welcome() != acked) return false;
    return stream.SendBytes(acked + 1, Rows(acked * 5000, 5000)) && stream.Acked(acked + 1);
  }));
  CHECK(TotalRecords(server) == (acked + 1) * 5000);
}

}  // namespace
}  // namespace chartly::aggregator
