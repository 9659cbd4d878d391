#include "control/reporter/reporter_component.h"

#include "absl/strings/str_cat.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/batch/batch.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::reporter {
namespace {

// Streams one batch of `rows` rows a profile: x grows, y falls.
class FixedRecords final : public v1::RecordService::Service {
 public:
  grpc::Status ScanBatches(grpc::ServerContext* context, const v1::ScanBatchesRequest* request,
                           grpc::ServerWriter<v1::ScanBatchesResponse>* writer) override {
    if (request->profile_id() == "none") return grpc::Status::OK;
    if (request->profile_id() == "gone") return grpc::Status(grpc::StatusCode::UNAVAILABLE, "store is shut");
    if (request->profile_id() == "slow") testing::Eventually([&] { return context->IsCancelled(); });
    BatchBuilder builder;
    size_t key = builder.AddColumn(Role::kDim, "t");
    size_t number = builder.AddColumn(Role::kMeasure, "v");
    for (uint32_t i = 0; i < 100; ++i) {
      builder.BeginRow(1, i + 1);
      builder.SetInteger(key, i);
      builder.SetInteger(number, request->profile_id() == "x" ? i : -int64_t{i});
      builder.EndRow();
    }
    v1::ScanBatchesResponse response;
    response.set_batch(*builder.Finish());
    writer->Write(response);
    return grpc::Status::OK;
  }
};

struct Process {
  Process() {
    absl::StatusOr<std::unique_ptr<ReporterComponent>> opened =
        ReporterComponent::Open({dir.path()}, authenticator, nullptr, peers, clock);
    REQUIRE_OK(opened);
    component = *std::move(opened);
    server.Listen("127.0.0.1:0");
    server.AddService(&records);
    for (grpc::Service* service : component->services()) server.AddService(service);
    REQUIRE_OK(server.Start());
    peers.SetLocal(Part::kAggregator, server);
    REQUIRE_OK(component->Start());
  }
  ~Process() {
    component->Shutdown();
    server.Shutdown(absl::Seconds(2));
  }
  absl::StatusOr<v1::RunReportResponse> Ask(const std::string& left, const std::string& right,
                                            absl::Duration timeout = absl::Seconds(10)) {
    v1::RunReportRequest request;
    request.add_join("dims.t");
    for (const std::string& profile : {left, right}) {
      v1::ReportInput& input = *request.add_inputs();
      input.set_profile_id(profile);
      input.set_measure("v");
    }
    grpc::ClientContext context;
    rpc::Prepare(context, timeout);
    v1::RunReportResponse answer;
    auto stub = v1::ReporterService::NewStub(rpc::MakeChannel(absl::StrCat("127.0.0.1:", server.ports()[0]), ""));
    absl::Status status = rpc::FromGrpcStatus(stub->RunReport(&context, request, &answer));
    if (!status.ok()) return status;
    return answer;
  }
  testing::TempDir dir;
  rpc::KeyAuthenticator authenticator{{{"parts", "key-of-the-parts"}}};
  rpc::Peers peers{{}, "key-of-the-parts"};
  SystemClock clock;
  FixedRecords records;
  rpc::RpcServer server;
  std::unique_ptr<ReporterComponent> component;
};

}  // namespace

TEST_CASE("a report is answered over gRPC from the batches of the aggregator, without a key") {
  Process process;
  absl::StatusOr<v1::RunReportResponse> answer = process.Ask("x", "y");
  REQUIRE_OK(answer);
  CHECK(answer->n() == 100);
  CHECK(answer->pearson() == -1.0);
  CHECK(answer->spearman() == -1.0);
  CHECK(answer->rows_size() == 100);
  CHECK(process.component->Health() == "");
}

TEST_CASE("an aggregator that fails is named with the input that needed it") {
  Process process;
  absl::Status status = process.Ask("x", "gone").status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(status.message()).find("inputs[1] gone") != std::string::npos);
  absl::StatusOr<v1::RunReportResponse> empty = process.Ask("x", "none");
  REQUIRE_OK(empty);
  CHECK(empty->row_count() == 0);
  CHECK(empty->sides(0).unmatched() == 100);
}

TEST_CASE("a report ends when its caller gives up") {
  Process process;
  absl::Time start = absl::Now();
  absl::Status status = process.Ask("slow", "x", absl::Milliseconds(200)).status();
  CHECK(status.code() == absl::StatusCode::kDeadlineExceeded);
  process.server.Shutdown(absl::Seconds(10));  // waits for the handler, which must have noticed
  CHECK(absl::Now() - start < absl::Seconds(3));
}

TEST_CASE("limits that make no sense are refused at start") {
  rpc::KeyAuthenticator authenticator({});
  rpc::Peers peers({}, "");
  SystemClock clock;
  ReporterConfig config;
  config.limits.rows_max = 0;
  CHECK(Reason(ReporterComponent::Open(config, authenticator, nullptr, peers, clock).status()) == "CONFIG_INVALID");
}

}  // namespace chartly::reporter
