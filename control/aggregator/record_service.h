// gRPC adapter of v1::RecordService. Thread-safe.
#ifndef CHARTLY_CONTROL_AGGREGATOR_RECORD_SERVICE_H_
#define CHARTLY_CONTROL_AGGREGATOR_RECORD_SERVICE_H_

#include "chartly/v1/aggregator.grpc.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/guard.h"
#include "common/rpc/tenants.h"
#include "control/aggregator/aggregator_tenant.h"

namespace chartly::aggregator {

class RecordService final : public v1::RecordService::Service {
 public:
  // All must outlive the service.
  RecordService(rpc::Tenants<AggregatorTenant>& tenants, const Clock& clock, const rpc::Authenticator& authenticator,
                rpc::AuditSink* audit);

  grpc::Status CreateResults(grpc::ServerContext* context, const v1::CreateResultsRequest* request,
                             v1::CreateResultsResponse* response) override;
  grpc::Status ListResults(grpc::ServerContext* context, const v1::ListResultsRequest* request,
                           v1::ListResultsResponse* response) override;
  grpc::Status GetResultsSummary(grpc::ServerContext* context, const v1::GetResultsSummaryRequest* request,
                                 v1::ResultsSummary* response) override;
  grpc::Status ListRecords(grpc::ServerContext* context, const v1::ListRecordsRequest* request,
                           v1::ListRecordsResponse* response) override;
  grpc::Status ExportRecords(grpc::ServerContext* context, const v1::ExportRecordsRequest* request,
                             grpc::ServerWriter<v1::ExportRecordsResponse>* writer) override;
  grpc::Status ExplainRecord(grpc::ServerContext* context, const v1::ExplainRecordRequest* request,
                             v1::ExplainRecordResponse* response) override;
  grpc::Status ListQuarantine(grpc::ServerContext* context, const v1::ListQuarantineRequest* request,
                              v1::ListQuarantineResponse* response) override;
  grpc::Status RedriveQuarantine(grpc::ServerContext* context, const v1::RedriveQuarantineRequest* request,
                                 v1::RedriveQuarantineResponse* response) override;
  grpc::Status DeleteRecords(grpc::ServerContext* context, const v1::DeleteRecordsRequest* request,
                             v1::Deletion* response) override;
  grpc::Status ListDeletions(grpc::ServerContext* context, const v1::ListDeletionsRequest* request,
                             v1::ListDeletionsResponse* response) override;
  grpc::Status SetLegalHold(grpc::ServerContext* context, const v1::SetLegalHoldRequest* request,
                            v1::LegalHold* response) override;
  grpc::Status ClearLegalHold(grpc::ServerContext* context, const v1::ClearLegalHoldRequest* request,
                              v1::ClearLegalHoldResponse* response) override;
  grpc::Status ListLegalHolds(grpc::ServerContext* context, const v1::ListLegalHoldsRequest* request,
                              v1::ListLegalHoldsResponse* response) override;
  grpc::Status GetStoreStats(grpc::ServerContext* context, const v1::GetStoreStatsRequest* request,
                             v1::StoreStats* response) override;
  grpc::Status VerifyStore(grpc::ServerContext* context, const v1::VerifyStoreRequest* request,
                           v1::VerifyStoreResponse* response) override;
  grpc::Status GetRunLedger(grpc::ServerContext* context, const v1::GetRunLedgerRequest* request,
                            v1::RunLedger* response) override;
  grpc::Status ScanBatches(grpc::ServerContext* context, const v1::ScanBatchesRequest* request,
                           grpc::ServerWriter<v1::ScanBatchesResponse>* writer) override;

 private:
  absl::StatusOr<v1::CreateResultsResponse> Store(const v1::CreateResultsRequest& request, const rpc::Caller& caller);

  rpc::Tenants<AggregatorTenant>& tenants_;
  const Clock& clock_;
  const rpc::Guard guard_;
};

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_RECORD_SERVICE_H_
