#include "common/rpc/guard.h"

#include <grpc/grpc_security_constants.h>

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/access.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {
namespace {

absl::string_view MetadataOf(const grpc::ServerContextBase& context, const char* key) {
  auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return absl::string_view(found->second.data(), found->second.size());
}

// Who the certificate of the connection is for; empty unless it names exactly one.
absl::string_view IdentityOf(const grpc::AuthContext* connection) {
  if (connection == nullptr) return "";
  const std::vector<grpc::string_ref> names = connection->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  return names.size() == 1 ? absl::string_view(names[0].data(), names[0].size()) : "";
}

// Refusals that may go to the audit log: enough to see an attack, not enough to be one.
class RefusalBudget {
 public:
  bool Take() {
    absl::MutexLock lock(&mu_);
    const absl::Time now = absl::Now();
    if (now - since_ >= absl::Seconds(1)) {
      since_ = now;
      left_ = kEachSecond;
    }
    return left_ > 0 && left_-- > 0;
  }

 private:
  static constexpr int kEachSecond = 20;
  absl::Mutex mu_;
  absl::Time since_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  int left_ ABSL_GUARDED_BY(mu_) = 0;
};

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
    rules_[method.name()] = Rule{AccessOf(method), IsAudited(method)};
  }
}

absl::Status Guard::Identify(const grpc::ServerContextBase& context, v1::Access access, absl::string_view method,
                             Caller& caller) const {
  // The proof of such a call is in its request; a key that happens to be with it is none of ours.
  if (access == v1::ACCESS_SIGNED) return absl::OkStatus();
  // A call with two keys could be one caller to this check and another one to the next.
  if (context.client_metadata().count(kApiKeyMetadata) > 1) {
    return Error(absl::StatusCode::kUnauthenticated, "API_KEY_MALFORMED", "the call carries more than one API key");
  }
  const std::shared_ptr<const grpc::AuthContext> connection = context.auth_context();
  const Credentials credentials{MetadataOf(context, kApiKeyMetadata), IdentityOf(connection.get())};
  ASSIGN_OR_RETURN(Caller known, authenticator_.Authenticate(credentials));
  known.request_id = std::move(caller.request_id);
  caller = std::move(known);
  return CheckAccess(access, caller, method);
}

absl::Status Guard::Admit(const grpc::ServerContextBase* context, absl::string_view method, Caller& caller) const {
  auto rule = rules_.find(method);
  const Rule known = rule == rules_.end() ? Rule() : rule->second;
  caller.request_id = std::string(MetadataOf(*context, kRequestIdMetadata));
  absl::Status status = Identify(*context, known.access, method, caller);
  if (!status.ok()) NoteRefusal(method, known.audited, caller, status);
  return status;
}

// Calls of audited methods are written when they end, refused or not.
void Guard::NoteRefusal(absl::string_view method, bool audited, const Caller& caller,
                        const absl::Status& status) const {
  static auto* budget = new RefusalBudget;
  const std::string reason = Reason(status);
  Count("chartly_auth_refusals_total", 1, reason);
  if (audited || audit_ == nullptr || reason == "API_KEY_REQUIRED" || !budget->Take()) return;
  audit_->Record({caller.principal, absl::StrCat(service_.substr(service_.rfind('.') + 1), ".", method), "",
                  CodeName(status), caller.request_id});
}

grpc::Status Guard::Finish(absl::string_view method, absl::Time start, const Caller& caller,
                           const google::protobuf::Message* request, const absl::Status& status) const {
  std::string code = CodeName(status);
  Count("chartly_rpc_calls_total", 1, code);
  Observe("chartly_rpc_seconds", absl::ToDoubleSeconds(absl::Now() - start), method);
  auto rule = rules_.find(method);
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
