#include "common/rpc/guard.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {
namespace {

std::string MetadataOf(const grpc::ServerContextBase& context, const char* key) {
  auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

// What the request is about, for the audit log: the first of the naming fields that is set.
std::string SubjectOf(const google::protobuf::Message& request) {
  static constexpr const char* kNaming[] = {"name",     "parent", "profile",         "profile_id",
                                            "drone_id", "run_id", "release_version", "filename"};
  const google::protobuf::Descriptor* descriptor = request.GetDescriptor();
  for (const char* field_name : kNaming) {
    const google::protobuf::FieldDescriptor* field = descriptor->FindFieldByName(field_name);
    if (field == nullptr || field->is_repeated() || field->cpp_type() != field->CPPTYPE_STRING) continue;
    std::string value = request.GetReflection()->GetString(request, field);
    if (!value.empty()) return value;
  }
  return "";
}

std::string CodeName(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

}  // namespace

Guard::Guard(absl::string_view service, const Authenticator& authenticator, AuditSink* audit)
    : service_(service), authenticator_(authenticator), audit_(audit) {
  const google::protobuf::ServiceDescriptor* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service_);
  if (descriptor == nullptr) return;  // every method is then refused as unknown
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const google::protobuf::MethodDescriptor& method = *descriptor->method(i);
    v1::Access access = method.options().GetExtension(v1::access);
    bool audited = access == v1::ACCESS_WRITE && !method.options().GetExtension(v1::unaudited);
    rules_[method.name()] = Rule{access, audited};
  }
}

absl::StatusOr<Caller> Guard::Admit(const grpc::ServerContextBase* context, absl::string_view method) const {
  auto rule = rules_.find(std::string(method));
  v1::Access access = rule == rules_.end() ? v1::ACCESS_UNSPECIFIED : rule->second.access;
  if (access == v1::ACCESS_UNSPECIFIED) {
    return Error(absl::StatusCode::kPermissionDenied, "METHOD_WITHOUT_RULE",
                 absl::StrCat(service_, ".", method, " states no access rule and is refused"));
  }
  if (access == v1::ACCESS_SIGNED) {
    Caller signer;
    signer.request_id = MetadataOf(*context, kRequestIdMetadata);
    return signer;
  }
  ASSIGN_OR_RETURN(Caller caller, authenticator_.Authenticate(MetadataOf(*context, kApiKeyMetadata)));
  caller.request_id = MetadataOf(*context, kRequestIdMetadata);
  if (access != v1::ACCESS_READ && !caller.can_write) {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_REQUIRED",
                 absl::StrCat(method, " needs an API key; send it as X-API-Key (x-api-key metadata on gRPC)"),
                 {{"method", std::string(method)}});
  }
  return caller;
}

grpc::Status Guard::Finish(absl::string_view method, absl::Time start, const Caller& caller,
                           const google::protobuf::Message* request, const absl::Status& status) const {
  std::string code = CodeName(status);
  Count("chartly_rpc_calls_total", 1, code);
  Observe("chartly_rpc_seconds", absl::ToDoubleSeconds(absl::Now() - start), method);
  auto rule = rules_.find(std::string(method));
  if (audit_ != nullptr && request != nullptr && rule != rules_.end() && rule->second.audited) {
    audit_->Record({caller.principal, absl::StrCat(service_.substr(service_.rfind('.') + 1), ".", method),
                    SubjectOf(*request), code, caller.request_id});
  }
  if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDataLoss) {
    LogError("call failed", {{"method", std::string(method)},
                             {"code", code},
                             {"error", std::string(status.message())},
                             {"request_id", caller.request_id}});
  }
  return ToGrpcStatus(status);
}

}  // namespace chartly::rpc
