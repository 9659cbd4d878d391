#include "control/reporter/reporter_service.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/reporter/record_batches.h"
#include "control/reporter/report_file.h"
#include "control/reporter/report_plan.h"
#include "control/reporter/report_suggester.h"

namespace chartly::reporter {
namespace {

// The gateway takes pieces of at most 512 KiB.
constexpr size_t kPieceBytes = size_t{128} << 10;

absl::Status WriteFile(const Table& table, const v1::ExportReportRequest& request,
                       grpc::ServerWriter<v1::ExportReportResponse>& writer) {
  bool json = request.format() == v1::REPORT_FORMAT_NDJSON;
  v1::ExportReportResponse piece;
  piece.set_content_type(json ? "application/x-ndjson" : "text/csv; charset=utf-8; header=present");
  piece.set_file_name(json ? "report.ndjson" : "report.csv");
  if (!json) AppendCsvHeader(table, request.guard_formulas(), *piece.mutable_data());
  for (size_t row = 0; row < table.rows; ++row) {
    if (json) {
      AppendJsonRow(table, row, *piece.mutable_data());
    } else {
      AppendCsvRow(table, row, request.guard_formulas(), *piece.mutable_data());
    }
    if (piece.data().size() < kPieceBytes) continue;
    if (!writer.Write(piece)) return Error(absl::StatusCode::kCancelled, "REPORT_CANCELLED", "the caller went away");
    piece.Clear();
  }
  if (!writer.Write(piece)) return Error(absl::StatusCode::kCancelled, "REPORT_CANCELLED", "the caller went away");
  return absl::OkStatus();
}

}  // namespace

ReporterService::ReporterService(ReportRunner& runner, rpc::Tenants<ReporterTenant>& tenants, Clock& clock,
                                 absl::Duration scan_timeout, const rpc::Authenticator& authenticator,
                                 rpc::AuditSink* audit)
    : runner_(runner),
      tenants_(tenants),
      clock_(clock),
      scan_timeout_(scan_timeout),
      guard_("chartly.v1.ReporterService", authenticator, audit, &tenants) {}

grpc::Status ReporterService::RunReport(grpc::ServerContext* context, const v1::RunReportRequest* request,
                                        v1::RunReportResponse* response) {
  return guard_.Unary(context, "RunReport", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::RunReportResponse> {
                        ASSIGN_OR_RETURN(ReportPlan plan, PlanReport(*request));
                        absl::Time start = absl::Now();
                        absl::Time as_of =
                            request->has_as_of() ? FromTimestamp(request->as_of()) : absl::InfiniteFuture();
                        RecordBatches batches(tenants_.Of(caller).peers, context, scan_timeout_, as_of);
                        absl::StatusOr<v1::RunReportResponse> answer = runner_.Run(plan, batches);
                        Observe("chartly_report_seconds", absl::ToDoubleSeconds(absl::Now() - start));
                        if (answer.ok()) Count("chartly_report_rows_total", static_cast<double>(answer->row_count()));
                        Count("chartly_reports_total", 1, absl::StatusCodeToString(answer.status().code()));
                        return answer;
                      });
}

grpc::Status ReporterService::ExportReport(grpc::ServerContext* context, const v1::ExportReportRequest* request,
                                           grpc::ServerWriter<v1::ExportReportResponse>* writer) {
  return guard_.Export(context, "ExportReport", *request, [&](const rpc::Caller& caller) -> absl::Status {
    if (!v1::ReportFormat_IsValid(request->format())) {
      return Error(absl::StatusCode::kInvalidArgument, "REPORT_FIELD_INVALID",
                   "format is not known; use csv or ndjson");
    }
    v1::RunReportRequest question = request->report();
    question.clear_window();
    question.clear_output();
    absl::StatusOr<ReportPlan> plan = PlanReport(question);
    if (!plan.ok()) return Annotate(plan.status(), "report");
    absl::Time as_of = question.has_as_of() ? FromTimestamp(question.as_of()) : absl::InfiniteFuture();
    RecordBatches batches(tenants_.Of(caller).peers, context, scan_timeout_, as_of);
    return runner_.RunTable(*plan, batches, [&](const Table& table) { return WriteFile(table, *request, *writer); });
  });
}

grpc::Status ReporterService::SuggestReports(grpc::ServerContext* context, const v1::SuggestReportsRequest* request,
                                             v1::SuggestReportsResponse* response) {
  return guard_.Unary(
      context, "SuggestReports", *request, response,
      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::SuggestReportsResponse> {
        if (request->limit() < 0) {
          return Error(absl::StatusCode::kInvalidArgument, "REPORT_FIELD_INVALID", "limit must be 0 (10) or more");
        }
        RecordBatches batches(tenants_.Of(caller).peers, context, scan_timeout_, absl::InfiniteFuture());
        std::vector<std::string> profiles(request->profile_id().begin(), request->profile_id().end());
        if (profiles.empty()) {
          ASSIGN_OR_RETURN(profiles, batches.Profiles());
          profiles.erase(std::remove_if(profiles.begin(), profiles.end(),
                                        [&](const std::string& id) { return !caller.projects.Includes(id); }),
                         profiles.end());
        }
        int32_t limit = request->limit() == 0 ? kDefaultSuggestions : std::min(request->limit(), kMaxSuggestions);
        return reporter::SuggestReports(profiles, limit, runner_, batches);
      });
}

grpc::Status ReporterService::ListReports(grpc::ServerContext* context, const v1::ListReportsRequest* request,
                                          v1::ListReportsResponse* response) {
  return guard_.Unary(context, "ListReports", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).book.List(*request, caller.projects);
  });
}

grpc::Status ReporterService::GetReport(grpc::ServerContext* context, const v1::GetReportRequest* request,
                                        v1::SavedReport* response) {
  return guard_.Unary(context, "GetReport", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).book.Get(*request, caller.projects);
  });
}

grpc::Status ReporterService::SaveReport(grpc::ServerContext* context, const v1::SaveReportRequest* request,
                                         v1::SavedReport* response) {
  return guard_.Unary(context, "SaveReport", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).book.Save(*request, caller.projects);
  });
}

grpc::Status ReporterService::DeleteReport(grpc::ServerContext* context, const v1::DeleteReportRequest* request,
                                           google::protobuf::Empty* response) {
  return guard_.Unary(context, "DeleteReport", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<google::protobuf::Empty> {
                        RETURN_IF_ERROR(tenants_.Of(caller).book.Delete(request->name(), caller.projects));
                        return google::protobuf::Empty();
                      });
}

grpc::Status ReporterService::RunSavedReport(grpc::ServerContext* context, const v1::RunSavedReportRequest* request,
                                             v1::ReportRun* response) {
  return guard_.Unary(context, "RunSavedReport", *request, response, [&](const rpc::Caller& caller) {
    absl::Time as_of = clock_.Now();
    RecordBatches batches(tenants_.Of(caller).peers, context, scan_timeout_, as_of);
    return tenants_.Of(caller).desk.Run(request->name(), "manual", as_of, batches, caller.projects);
  });
}

grpc::Status ReporterService::ListReportRuns(grpc::ServerContext* context, const v1::ListReportRunsRequest* request,
                                             v1::ListReportRunsResponse* response) {
  return guard_.Unary(context, "ListReportRuns", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).book.ListRuns(*request, caller.projects);
  });
}

grpc::Status ReporterService::GetReportRun(grpc::ServerContext* context, const v1::GetReportRunRequest* request,
                                           v1::ReportRun* response) {
  return guard_.Unary(context, "GetReportRun", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).book.GetRun(request->name(), caller.projects);
  });
}

}  // namespace chartly::reporter
