#include "common/rpc/guard.h"

#include <grpc/grpc_security_constants.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
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

// The address of gRPC without its kind and port: "ipv4:192.0.2.7:4711" is "192.0.2.7". Empty in this process.
std::string HostOf(absl::string_view peer) {
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return "";
  std::string host(peer.substr(0, peer.rfind(':')));
  return absl::StrReplaceAll(host, {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
}

// Who called from where. What a gateway in another process says of its caller is told as what it is: its word.
std::string AddressOf(const grpc::ServerContextBase& context) {
  const std::string peer = HostOf(context.peer());
  const absl::string_view told = MetadataOf(context, kAddressMetadata);
  if (peer.empty() || told.empty()) return peer.empty() ? std::string(told) : peer;
  return absl::StrCat(told, " by ", peer);
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

// The tenant of the call: the caller's own, unless it is a part that calls for another.
absl::Status TakeTenant(const grpc::ServerContextBase& context, Caller& caller) {
  const size_t told = context.client_metadata().count(kTenantMetadata);
  if (told == 0) return absl::OkStatus();
  const absl::string_view tenant = MetadataOf(context, kTenantMetadata);
  const bool may = caller.kind == CallerKind::kDeployment && caller.role == Role::kAdmin;
  if (told == 1 && IsTenant(tenant) && (may || tenant == caller.tenant)) {
    caller.tenant = std::string(tenant);
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kPermissionDenied, "TENANT_NOT_YOURS",
               absl::StrCat(caller.principal, " works in its own tenant only; leave ", kTenantMetadata, " out"));
}

// A drone that was let in and then spoke for another one is refused like any other, whatever the method records.
bool SpokeForAnother(const absl::Status& status) { return Reason(status) == "NOT_YOUR_DRONE"; }

std::string CodeName(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

}  // namespace

Guard::Guard(absl::string_view service, const Authenticator& authenticator, AuditSink* audit, TenantDoor* tenants)
    : service_(service), authenticator_(authenticator), audit_(audit), tenants_(tenants) {
  const google::protobuf::ServiceDescriptor* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service_);
  if (descriptor == nullptr) return;  // every method is then refused as unknown
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const google::protobuf::MethodDescriptor& method = *descriptor->method(i);
    rules_[method.name()] = Rule{AccessOf(method), IsAudited(method), BindingOf(method), ProfileFields(method)};
  }
}

absl::Status Guard::Identify(const grpc::ServerContextBase& context, const Rule& rule, absl::string_view method,
                             Caller& caller) const {
  const v1::Access access = rule.access;
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
  known.address = std::move(caller.address);
  caller = std::move(known);
  RETURN_IF_ERROR(TakeTenant(context, caller));
  RETURN_IF_ERROR(CheckAccess(access, caller, method));
  RETURN_IF_ERROR(CheckBinding(rule.binding, caller, method));
  if (tenants_ != nullptr) return tenants_->Admit(caller.tenant);
  if (caller.tenant == kDefaultTenant) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "TENANT_NOT_SERVED",
               absl::StrCat(method, " is about the whole deployment, and for its own tenant alone"));
}

// Names alone decide, so that the answer tells nothing of what is there.
absl::Status Guard::CheckProjects(const Rule& rule, const Caller& caller, absl::string_view method,
                                  const google::protobuf::Message* request) {
  if (!caller.projects.bound()) return absl::OkStatus();
  if (request == nullptr) {
    return rule.profiles.none() ? absl::OkStatus() : CheckBinding(v1::BINDING_UNSPECIFIED, caller, method);
  }
  const std::vector<std::string> named = rule.profiles.In(*request);
  for (const std::string& profile_id : named) {
    if (!caller.projects.Includes(profile_id)) return NotYourProject(caller.principal, caller.projects, profile_id);
  }
  const bool is_missing = named.empty() && rule.binding == v1::BINDING_NAMED;
  return is_missing ? NotYourProject(caller.principal, caller.projects, "") : absl::OkStatus();
}

absl::Status Guard::Admit(const grpc::ServerContextBase* context, absl::string_view method, Caller& caller,
                          const google::protobuf::Message* request) const {
  auto rule = rules_.find(method);
  static const Rule kNone;
  const Rule& known = rule == rules_.end() ? kNone : rule->second;
  caller.request_id = std::string(MetadataOf(*context, kRequestIdMetadata));
  caller.address = AddressOf(*context);
  absl::Status status = Identify(*context, known, method, caller);
  const google::protobuf::Message* subject = status.ok() ? request : nullptr;
  if (status.ok()) status = CheckProjects(known, caller, method, request);
  if (status.ok()) return status;
  Count("chartly_auth_refusals_total", 1, Reason(status));
  if (audit_ != nullptr) audit_->Refused(EntryOf(method, caller, subject, CodeName(status)));
  return status;
}

AuditEntry Guard::EntryOf(absl::string_view method, const Caller& caller, const google::protobuf::Message* request,
                          absl::string_view outcome) const {
  AuditEntry entry;
  entry.actor = caller.principal;
  entry.action = absl::StrCat(service_.substr(service_.rfind('.') + 1), ".", method);
  if (request != nullptr) entry.subject = SubjectOf(*request);
  entry.outcome = std::string(outcome);
  entry.request_id = caller.request_id;
  entry.tenant = caller.tenant;
  entry.address = caller.address;
  entry.detail = ProjectsDetail(caller);
  return entry;
}

absl::Status Guard::RecordStart(absl::string_view method, const Caller& caller,
                                const google::protobuf::Message& request) const {
  auto rule = rules_.find(method);
  if (audit_ == nullptr || rule == rules_.end() || !rule->second.audited) return absl::OkStatus();
  // What proves itself in the method is anybody's call until then. What drones do by themselves is no decision of
  // anybody: the fleet goes on while the log is away.
  const v1::Access access = rule->second.access;
  if (NeedsNoCredential(access) || access == v1::ACCESS_DRONE) return absl::OkStatus();
  return audit_->Record(EntryOf(method, caller, &request, kAuditStarted));
}

std::optional<AuditEntry> Guard::EndOf(absl::string_view method, const Caller& caller,
                                       const google::protobuf::Message& request, const absl::Status& status) const {
  auto rule = rules_.find(method);
  if (audit_ == nullptr || rule == rules_.end()) return std::nullopt;
  const bool spoke_for_another = SpokeForAnother(status);
  if (!rule->second.audited && !spoke_for_another) return std::nullopt;
  AuditEntry entry = EntryOf(method, caller, &request, CodeName(status));
  // What can be said again and again at no cost is counted, and does not fill the disk.
  const bool is_refusal = spoke_for_another || (!status.ok() && NeedsNoCredential(rule->second.access));
  if (!is_refusal) return entry;
  audit_->Refused(entry);
  return std::nullopt;
}

void Guard::NoteEnd(absl::string_view method, absl::Time start, const Caller& caller,
                    const absl::Status& status) const {
  std::string code = CodeName(status);
  Count("chartly_rpc_calls_total", 1, code);
  Observe("chartly_rpc_seconds", absl::ToDoubleSeconds(absl::Now() - start), method);
  if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDataLoss) {
    LogError("call failed", {{"method", std::string(method)},
                             {"code", code},
                             {"error", std::string(status.message())},
                             {"request_id", caller.request_id}});
  }
}

grpc::Status Guard::Finish(absl::string_view method, absl::Time start, const Caller& caller,
                           const google::protobuf::Message* request, const absl::Status& status) const {
  NoteEnd(method, start, caller, status);
  if (request == nullptr) {
    if (audit_ != nullptr && SpokeForAnother(status)) {
      audit_->Refused(EntryOf(method, caller, nullptr, CodeName(status)));
    }
    return ToGrpcStatus(status);
  }
  // The start is recorded: that the end is not can be seen there.
  if (std::optional<AuditEntry> entry = EndOf(method, caller, *request, status)) audit_->Record(*entry).IgnoreError();
  return ToGrpcStatus(status);
}

void Guard::FinishLater(absl::string_view method, absl::Time start, const Caller& caller,
                        const google::protobuf::Message& request, const absl::Status& status,
                        std::function<void(const grpc::Status&)> done) const {
  NoteEnd(method, start, caller, status);
  std::optional<AuditEntry> entry = EndOf(method, caller, request, status);
  if (!entry) return done(ToGrpcStatus(status));
  audit_->RecordLater(*entry, [done = std::move(done), end = ToGrpcStatus(status)] { done(end); });
}

}  // namespace chartly::rpc
