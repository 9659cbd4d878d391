// The one way into a service method: identity, access rule, metrics, audit and error conversion for every call.
//
// A service adapter has one Guard and writes each method as
//   return guard_.Unary(context, "GetProfile", *request, response,
//                       [&](const rpc::Caller&) { return logic_.GetProfile(*request); });
// where the lambda gives absl::StatusOr<Response>. The access rule comes from the proto option of the method; a method
// without one is refused, and so is one that does not say how it deals with callers that are bound to projects. A
// change that the audit log does not take is not made: before an audited call its start is
// recorded, and after it how it ended. Thread-safe.
#ifndef CHARTLY_COMMON_RPC_GUARD_H_
#define CHARTLY_COMMON_RPC_GUARD_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "chartly/v1/options.pb.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/profile_fields.h"
#include "common/rpc/tenants.h"
#include "common/telemetry/metrics.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::rpc {

inline constexpr char kApiKeyMetadata[] = "x-api-key";
inline constexpr char kRequestIdMetadata[] = "x-request-id";
// Of whoever asked the gateway. Believed as such only from a part of the same process.
inline constexpr char kAddressMetadata[] = "x-chartly-address";
// The tenant that a part of the control plane calls for. Believed only of whoever has the admin key of the deployment;
// nobody else may name another tenant than its own. The gateway hands on none.
inline constexpr char kTenantMetadata[] = "x-chartly-tenant";

class Guard {
 public:
  // `service` is ServiceName::descriptor of the messages, e.g. FindService("chartly.v1.RegistryService"). The
  // authenticator, sink and tenants must outlive the guard; a null sink records nothing (the audit service itself,
  // tests). A service that states no tenants is of the default tenant alone: it refuses every other one with
  // PermissionDenied (TENANT_NOT_SERVED).
  Guard(absl::string_view service, const Authenticator& authenticator, AuditSink* audit, TenantDoor* tenants = nullptr);

  template <typename Response, typename Fn>
  grpc::Status Unary(grpc::ServerContext* context, absl::string_view method, const google::protobuf::Message& request,
                     Response* response, Fn&& fn) const {
    absl::Time start = absl::Now();
    Caller caller;
    absl::Status admitted = Admit(context, method, caller, &request);
    if (admitted.ok()) admitted = RecordStart(method, caller, request);
    if (!admitted.ok()) return Finish(method, start, caller, nullptr, admitted);
    const MetricTenant metrics(caller.tenant);
    absl::StatusOr<Response> result = fn(static_cast<const Caller&>(caller));
    if (result.ok()) *response = *std::move(result);
    return Finish(method, start, caller, &request, result.status());
  }

  // For streaming methods; the lambda gives absl::Status.
  template <typename Fn>
  grpc::Status Stream(grpc::ServerContext* context, absl::string_view method, Fn&& fn) const {
    absl::Time start = absl::Now();
    Caller caller;
    absl::Status admitted = Admit(context, method, caller);
    if (!admitted.ok()) return Finish(method, start, caller, nullptr, admitted);
    const MetricTenant metrics(caller.tenant);
    absl::Status status = fn(static_cast<const Caller&>(caller));
    return Finish(method, start, caller, nullptr, status);
  }

  // The same for one that hands out a file: that is recorded, beforehand and with how it ended.
  template <typename Fn>
  grpc::Status Export(grpc::ServerContext* context, absl::string_view method, const google::protobuf::Message& request,
                      Fn&& fn) const {
    absl::Time start = absl::Now();
    Caller caller;
    absl::Status admitted = Admit(context, method, caller, &request);
    if (admitted.ok()) admitted = RecordStart(method, caller, request);
    if (!admitted.ok()) return Finish(method, start, caller, nullptr, admitted);
    const MetricTenant metrics(caller.tenant);
    absl::Status status = fn(static_cast<const Caller&>(caller));
    return Finish(method, start, caller, &request, status);
  }

  // The two halves of the above, for a reactor: Admit when the call begins, Finish for the status it ends with. Admit
  // fills in the caller as far as it is known, also of a call that it refuses, which it records. Without the request a
  // bound caller is refused where profiles would be named in it. Finish records how an audited call ended if it gets
  // the request.
  absl::Status Admit(const grpc::ServerContextBase* context, absl::string_view method, Caller& caller,
                     const google::protobuf::Message* request = nullptr) const;
  grpc::Status Finish(absl::string_view method, absl::Time start, const Caller& caller,
                      const google::protobuf::Message* request, const absl::Status& status) const;
  // Finish without waiting for the audit log: `done` is called once, perhaps before this returns, when the call is
  // recorded. The request is not needed after the return.
  void FinishLater(absl::string_view method, absl::Time start, const Caller& caller,
                   const google::protobuf::Message& request, const absl::Status& status,
                   std::function<void(const grpc::Status&)> done) const;

 private:
  struct Rule {
    v1::Access access = v1::ACCESS_UNSPECIFIED;
    bool audited = false;
    v1::Binding binding = v1::BINDING_UNSPECIFIED;
    ProfileFields profiles = {};
  };

  absl::Status Identify(const grpc::ServerContextBase& context, const Rule& rule, absl::string_view method,
                        Caller& caller) const;
  // That a bound caller names profiles of its projects alone, and one at least where the method is about named ones.
  static absl::Status CheckProjects(const Rule& rule, const Caller& caller, absl::string_view method,
                                    const google::protobuf::Message* request);
  absl::Status RecordStart(absl::string_view method, const Caller& caller,
                           const google::protobuf::Message& request) const;
  void NoteEnd(absl::string_view method, absl::Time start, const Caller& caller, const absl::Status& status) const;
  // What to record of a call that ended; none if it is not audited. A refusal of what anybody may call is counted
  // instead.
  std::optional<AuditEntry> EndOf(absl::string_view method, const Caller& caller,
                                  const google::protobuf::Message& request, const absl::Status& status) const;
  AuditEntry EntryOf(absl::string_view method, const Caller& caller, const google::protobuf::Message* request,
                     absl::string_view outcome) const;

  std::string service_;
  const Authenticator& authenticator_;
  AuditSink* audit_;
  TenantDoor* tenants_;
  std::map<std::string, Rule, std::less<>> rules_;
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_GUARD_H_
