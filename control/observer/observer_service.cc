#include "control/observer/observer_service.h"

namespace chartly::observer {

grpc::Status ObserverService::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                                        v1::SystemStatus* response) {
  return guard_.Unary(context, "GetStatus", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::SystemStatus> {
                        v1::SystemStatus status = observer_.GetStatus();
                        if (caller.tenant == rpc::kDefaultTenant) return status;
                        // Where parts are, and why one fails, is for those who run the deployment.
                        for (v1::PartStatus& part : *status.mutable_parts()) {
                          part.clear_address();
                          part.clear_message();
                        }
                        return status;
                      });
}

}  // namespace chartly::observer
