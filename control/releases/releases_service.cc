#include "control/releases/releases_service.h"

namespace chartly::releases {

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

}  // namespace chartly::releases
