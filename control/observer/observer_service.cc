#include "control/observer/observer_service.h"

namespace chartly::observer {

grpc::Status ObserverService::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                                        v1::SystemStatus* response) {
  return guard_.Unary(context, "GetStatus", *request, response,
                      [&](const rpc::Caller&) { return absl::StatusOr<v1::SystemStatus>(observer_.GetStatus()); });
}

}  // namespace chartly::observer
