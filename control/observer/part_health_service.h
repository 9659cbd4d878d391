// The gRPC face of a process for how its parts do. Thread-safe.
#ifndef CHARTLY_CONTROL_OBSERVER_PART_HEALTH_SERVICE_H_
#define CHARTLY_CONTROL_OBSERVER_PART_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "chartly/v1/observer.grpc.pb.h"
#include "common/rpc/guard.h"

namespace chartly::observer {

// How a part of this process does, by its name. NotFound (PART_NOT_HERE); FailedPrecondition (NOT_SERVING) while the
// process starts or ends. Called from any thread.
using ConditionOfPart = std::function<absl::StatusOr<v1::PartCondition>(const std::string& part)>;

class PartHealthService final : public v1::PartHealthService::Service {
 public:
  // Authenticator and sink must outlive the service; the sink hears of refusals, and may be null.
  PartHealthService(ConditionOfPart condition, const rpc::Authenticator& authenticator, rpc::AuditSink* audit)
      : condition_(std::move(condition)), guard_("chartly.v1.PartHealthService", authenticator, audit) {}

  grpc::Status GetPartCondition(grpc::ServerContext* context, const v1::GetPartConditionRequest* request,
                                v1::PartCondition* response) override {
    return guard_.Unary(context, "GetPartCondition", *request, response,
                        [&](const rpc::Caller&) { return condition_(request->part()); });
  }

 private:
  const ConditionOfPart condition_;
  const rpc::Guard guard_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_PART_HEALTH_SERVICE_H_
