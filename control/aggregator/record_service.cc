#include "control/aggregator/record_service.h"

#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/deletion_list.h"
#include "control/aggregator/posted_results.h"

namespace chartly::aggregator {
namespace {

std::string NewPostId() {
  std::random_device random;
  return absl::StrCat("post-", absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8));
}

// Ids of runs are of the whole tenant.
absl::Status RunTaken(const std::string& run_id) {
  return Error(absl::StatusCode::kAlreadyExists, "RUN_EXISTS",
               absl::StrCat("the run id ", run_id, " is taken; choose another, or leave it out"), {{"run", run_id}});
}

}  // namespace

RecordService::RecordService(rpc::Tenants<AggregatorTenant>& tenants, const Clock& clock,
                             const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
    : tenants_(tenants), clock_(clock), guard_("chartly.v1.RecordService", authenticator, audit, &tenants) {}

absl::StatusOr<v1::CreateResultsResponse> RecordService::Store(const v1::CreateResultsRequest& request,
                                                               const rpc::Caller& caller) {
  std::string run_id = request.run_id().empty() ? NewPostId() : request.run_id();
  RETURN_IF_ERROR(CheckName("run_id", run_id));
  if (caller.projects.bound()) {
    ASSIGN_OR_RETURN(const std::optional<RunState> run, tenants_.Of(caller).store().Run(run_id));
    if (run.has_value() && !caller.projects.Includes(run->profile_id())) return RunTaken(run_id);
  }
  ASSIGN_OR_RETURN(std::vector<std::string> batches,
                   BuildPostedBatches(request, run_id, absl::ToUnixMicros(clock_.Now()), caller.tenant));
  CommitRequest commit;
  for (std::string& batch : batches) {
    ASSIGN_OR_RETURN(PreparedBatch prepared, PrepareBatch(std::move(batch), caller.tenant));
    commit.batches.push_back(std::move(prepared));
  }
  CommitResult result = tenants_.Of(caller).committer().Commit(std::move(commit));
  RETURN_IF_ERROR(result.status);
  v1::CreateResultsResponse response;
  response.set_inserted_results(result.stored > 0 ? 1 : 0);
  response.set_inserted_records(result.stored);
  response.set_deduped_records(result.duplicate);
  response.set_run_id(run_id);
  return response;
}

grpc::Status RecordService::CreateResults(grpc::ServerContext* context, const v1::CreateResultsRequest* request,
                                          v1::CreateResultsResponse* response) {
  return guard_.Unary(context, "CreateResults", *request, response,
                      [&](const rpc::Caller& caller) { return Store(*request, caller); });
}

grpc::Status RecordService::ListResults(grpc::ServerContext* context, const v1::ListResultsRequest* request,
                                        v1::ListResultsResponse* response) {
  return guard_.Unary(context, "ListResults", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).query().ListResults(*request, caller.projects);
  });
}

grpc::Status RecordService::GetResultsSummary(grpc::ServerContext* context, const v1::GetResultsSummaryRequest* request,
                                              v1::ResultsSummary* response) {
  return guard_.Unary(context, "GetResultsSummary", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).query().Summary(caller.projects); });
}

grpc::Status RecordService::ListRecords(grpc::ServerContext* context, const v1::ListRecordsRequest* request,
                                        v1::ListRecordsResponse* response) {
  return guard_.Unary(context, "ListRecords", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).query().ListRecords(*request, [context] { return context->IsCancelled(); });
  });
}

grpc::Status RecordService::ExportRecords(grpc::ServerContext* context, const v1::ExportRecordsRequest* request,
                                          grpc::ServerWriter<v1::ExportRecordsResponse>* writer) {
  return guard_.Export(context, "ExportRecords", *request, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).exports().Run(
        *request, [context] { return context->IsCancelled(); },
        [&](const v1::ExportRecordsResponse& piece) { return writer->Write(piece); }, caller.projects);
  });
}

grpc::Status RecordService::ExplainRecord(grpc::ServerContext* context, const v1::ExplainRecordRequest* request,
                                          v1::ExplainRecordResponse* response) {
  return guard_.Unary(context, "ExplainRecord", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).explainer().Explain(*request, [context] { return context->IsCancelled(); });
  });
}

grpc::Status RecordService::ListQuarantine(grpc::ServerContext* context, const v1::ListQuarantineRequest* request,
                                           v1::ListQuarantineResponse* response) {
  return guard_.Unary(context, "ListQuarantine", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).query().ListQuarantine(*request, caller.projects);
  });
}

grpc::Status RecordService::RedriveQuarantine(grpc::ServerContext* context, const v1::RedriveQuarantineRequest* request,
                                              v1::RedriveQuarantineResponse* response) {
  return guard_.Unary(context, "RedriveQuarantine", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).redriver().Redrive(*request); });
}

grpc::Status RecordService::DeleteRecords(grpc::ServerContext* context, const v1::DeleteRecordsRequest* request,
                                          v1::Deletion* response) {
  return guard_.Unary(context, "DeleteRecords", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).eraser().Delete(*request, caller.principal);
  });
}

grpc::Status RecordService::ListDeletions(grpc::ServerContext* context, const v1::ListDeletionsRequest* request,
                                          v1::ListDeletionsResponse* response) {
  return guard_.Unary(context, "ListDeletions", *request, response, [&](const rpc::Caller& caller) {
    return aggregator::ListDeletions(tenants_.Of(caller).store(), *request, caller.projects);
  });
}

grpc::Status RecordService::SetLegalHold(grpc::ServerContext* context, const v1::SetLegalHoldRequest* request,
                                         v1::LegalHold* response) {
  return guard_.Unary(context, "SetLegalHold", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).eraser().SetHold(*request, caller.principal);
  });
}

grpc::Status RecordService::ClearLegalHold(grpc::ServerContext* context, const v1::ClearLegalHoldRequest* request,
                                           v1::ClearLegalHoldResponse* response) {
  return guard_.Unary(context, "ClearLegalHold", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).eraser().ClearHold(*request); });
}

grpc::Status RecordService::ListLegalHolds(grpc::ServerContext* context, const v1::ListLegalHoldsRequest* request,
                                           v1::ListLegalHoldsResponse* response) {
  return guard_.Unary(context, "ListLegalHolds", *request, response, [&](const rpc::Caller& caller) {
    return aggregator::ListLegalHolds(tenants_.Of(caller).store(), *request, caller.projects);
  });
}

grpc::Status RecordService::GetStoreStats(grpc::ServerContext* context, const v1::GetStoreStatsRequest* request,
                                          v1::StoreStats* response) {
  return guard_.Unary(context, "GetStoreStats", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).inspector().Stats(*request); });
}

grpc::Status RecordService::VerifyStore(grpc::ServerContext* context, const v1::VerifyStoreRequest* request,
                                        v1::VerifyStoreResponse* response) {
  return guard_.Unary(context, "VerifyStore", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).inspector().Verify(*request); });
}

grpc::Status RecordService::GetRunLedger(grpc::ServerContext* context, const v1::GetRunLedgerRequest* request,
                                         v1::RunLedger* response) {
  return guard_.Unary(context, "GetRunLedger", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).query().Ledger(request->name(), caller.projects);
  });
}

grpc::Status RecordService::ScanBatches(grpc::ServerContext* context, const v1::ScanBatchesRequest* request,
                                        grpc::ServerWriter<v1::ScanBatchesResponse>* writer) {
  return guard_.Stream(context, "ScanBatches", [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).query().ScanBatches(
        *request, [&](const v1::ScanBatchesResponse& batch) { return writer->Write(batch); });
  });
}

}  // namespace chartly::aggregator
