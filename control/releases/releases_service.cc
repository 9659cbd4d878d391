#include "control/releases/releases_service.h"

#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace chartly::releases {
namespace {

constexpr int kDetailedFindings = 5;  // that an entry of the audit log names
constexpr size_t kDetailBytes = 200;  // of each

std::string DetailOf(const v1::Environment& environment) {
  std::string detail = absl::StrCat("compared with ", environment.checked_commit());
  for (int i = 0; i < environment.drift_size() && i < kDetailedFindings; ++i) {
    const v1::DriftFinding& finding = environment.drift(i);
    absl::StrAppend(&detail, "; ", finding.object(), " ", finding.kind(), finding.detail().empty() ? "" : ": ",
                    CutAtCharacter(finding.detail(), kDetailBytes));
  }
  if (environment.drift_count() > kDetailedFindings) {
    absl::StrAppend(&detail, "; and ", environment.drift_count() - kDetailedFindings, " more");
  }
  return detail;
}

}  // namespace

grpc::Status ReleasesService::OpenDeployment(grpc::ServerContext* context, const v1::OpenDeploymentRequest* request,
                                             v1::Deployment* response) {
  return guard_.Unary(context, "OpenDeployment", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).ledger.Open(*request, caller.principal);
  });
}

grpc::Status ReleasesService::GetDeployment(grpc::ServerContext* context, const v1::GetDeploymentRequest* request,
                                            v1::Deployment* response) {
  return guard_.Unary(context, "GetDeployment", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.Get(*request); });
}

grpc::Status ReleasesService::ListDeployments(grpc::ServerContext* context, const v1::ListDeploymentsRequest* request,
                                              v1::ListDeploymentsResponse* response) {
  return guard_.Unary(context, "ListDeployments", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.List(*request); });
}

grpc::Status ReleasesService::ShelveDeployment(grpc::ServerContext* context, const v1::ShelveDeploymentRequest* request,
                                               v1::Deployment* response) {
  return guard_.Unary(context, "ShelveDeployment", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.Shelve(*request); });
}

grpc::Status ReleasesService::ResumeDeployment(grpc::ServerContext* context, const v1::ResumeDeploymentRequest* request,
                                               v1::Deployment* response) {
  return guard_.Unary(context, "ResumeDeployment", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.Resume(*request); });
}

grpc::Status ReleasesService::ConcludeDeployment(grpc::ServerContext* context,
                                                 const v1::ConcludeDeploymentRequest* request,
                                                 v1::Deployment* response) {
  return guard_.Unary(context, "ConcludeDeployment", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.Conclude(*request); });
}

grpc::Status ReleasesService::ApproveDeployment(grpc::ServerContext* context,
                                                const v1::ApproveDeploymentRequest* request, v1::Deployment* response) {
  return guard_.Unary(context, "ApproveDeployment", *request, response, [&](const rpc::Caller& caller) {
    return tenants_.Of(caller).ledger.Approve(*request, caller.principal);
  });
}

grpc::Status ReleasesService::ListEnvironments(grpc::ServerContext* context, const v1::ListEnvironmentsRequest* request,
                                               v1::ListEnvironmentsResponse* response) {
  return guard_.Unary(context, "ListEnvironments", *request, response,
                      [&](const rpc::Caller& caller) { return tenants_.Of(caller).ledger.ListEnvironments(); });
}

grpc::Status ReleasesService::ReportDrift(grpc::ServerContext* context, const v1::ReportDriftRequest* request,
                                          v1::Environment* response) {
  return guard_.Unary(context, "ReportDrift", *request, response, [&](const rpc::Caller& caller) {
    // What changes is recorded before it is kept, as for every change.
    return tenants_.Of(caller).ledger.ReportDrift(*request,
                                                  [&](absl::string_view what, const v1::Environment& environment) {
                                                    if (audit_ == nullptr) return absl::OkStatus();
                                                    rpc::AuditEntry entry;
                                                    entry.actor = caller.principal;
                                                    entry.action = absl::StrCat("ReleasesService.", what);
                                                    entry.subject = environment.name();
                                                    entry.outcome = "OK";
                                                    entry.request_id = caller.request_id;
                                                    entry.tenant = caller.tenant;
                                                    entry.address = caller.address;
                                                    entry.detail = DetailOf(environment);
                                                    return audit_->Record(entry);
                                                  });
  });
}

}  // namespace chartly::releases
