#include "common/rpc/access.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/profile_fields.h"
#include "common/status/status.h"

namespace chartly::rpc {
namespace {

// The least role for a rule of the ladder; kNone for the other rules.
Role LeastRole(v1::Access access) {
  switch (access) {
    case v1::ACCESS_VIEWER:
      return Role::kViewer;
    case v1::ACCESS_OPERATOR:
      return Role::kOperator;
    case v1::ACCESS_PUBLISHER:
      return Role::kPublisher;
    case v1::ACCESS_ADMIN:
      return Role::kAdmin;
    default:
      return Role::kNone;
  }
}

bool Permits(v1::Access access, const Caller& caller) {
  const bool deployment = caller.kind == CallerKind::kDeployment;
  switch (access) {
    case v1::ACCESS_PUBLIC:
    case v1::ACCESS_SIGNED:
      return true;
    case v1::ACCESS_DRONE:
      return deployment || caller.kind == CallerKind::kDrone;
    case v1::ACCESS_INTERNAL:
      return deployment && caller.role == Role::kAdmin;
    default:
      return LeastRole(access) != Role::kNone && caller.role >= LeastRole(access);
  }
}

absl::Status Refusal(v1::Access access, const Caller& caller, absl::string_view method) {
  absl::StatusCode code = absl::StatusCode::kPermissionDenied;
  absl::string_view reason;
  std::string message;
  if (access == v1::ACCESS_UNSPECIFIED) {
    reason = "METHOD_WITHOUT_RULE";
    message = absl::StrCat(method, " states no access rule and is refused");
  } else if (caller.kind == CallerKind::kAnonymous) {
    code = absl::StatusCode::kUnauthenticated;
    reason = "API_KEY_REQUIRED";
    message = absl::StrCat(method, " needs an API key; send it as X-API-Key (x-api-key metadata on gRPC)");
  } else if (LeastRole(access) == Role::kNone) {
    reason = "NOT_FOR_CALLERS";
    message = absl::StrCat(method, " is for ", access == v1::ACCESS_DRONE ? "drones" : "parts of the control plane");
  } else {
    reason = "ROLE_TOO_LOW";
    message = absl::StrCat(method, " needs the role ", AccessName(access), "; ", caller.principal, " has ",
                           RoleName(caller.role));
  }
  return Error(code, reason, message, {{"method", method}, {"access", AccessName(access)}});
}

}  // namespace

v1::Access AccessOf(const google::protobuf::MethodDescriptor& method) {
  return method.options().GetExtension(v1::access);
}

bool IsAudited(const google::protobuf::MethodDescriptor& method) {
  const v1::Access access = AccessOf(method);
  // A file that leaves the system is recorded whoever may have it.
  if (!method.options().GetExtension(v1::raw_answer_field).empty()) return true;
  return access != v1::ACCESS_VIEWER && access != v1::ACCESS_PUBLIC && !method.options().GetExtension(v1::unaudited);
}

v1::Binding BindingOf(const google::protobuf::MethodDescriptor& method) {
  if (LeastRole(AccessOf(method)) == Role::kNone) return v1::BINDING_FREE;
  return method.options().GetExtension(v1::binding);
}

absl::string_view BindingName(v1::Binding binding) {
  switch (binding) {
    case v1::BINDING_FREE:
      return "free";
    case v1::BINDING_NAMED:
      return "named";
    case v1::BINDING_SOUGHT:
      return "sought";
    case v1::BINDING_REFUSED:
      return "refused";
    default:
      return "none";
  }
}

absl::Status CheckBinding(v1::Binding binding, const Caller& caller, absl::string_view method) {
  if (!caller.projects.bound()) return absl::OkStatus();
  if (binding == v1::BINDING_FREE || binding == v1::BINDING_NAMED || binding == v1::BINDING_SOUGHT) {
    return absl::OkStatus();
  }
  if (binding == v1::BINDING_REFUSED) {
    return Error(absl::StatusCode::kPermissionDenied, "PROJECTS_NOT_SERVED",
                 absl::StrCat(method, " is about more than the profiles of some projects, and ", caller.principal,
                              " is bound to ", caller.projects.Text(), "; use a key that is not bound"),
                 {{"method", method}});
  }
  return Error(absl::StatusCode::kPermissionDenied, "METHOD_WITHOUT_RULE",
               absl::StrCat(method, " does not say how it deals with bound callers and refuses them"),
               {{"method", method}});
}

bool NeedsNoCredential(v1::Access access) { return access == v1::ACCESS_PUBLIC || access == v1::ACCESS_SIGNED; }

absl::Status CheckAccess(v1::Access access, const Caller& caller, absl::string_view method) {
  return Permits(access, caller) ? absl::OkStatus() : Refusal(access, caller, method);
}

absl::string_view AccessName(v1::Access access) {
  switch (access) {
    case v1::ACCESS_VIEWER:
      return "viewer";
    case v1::ACCESS_OPERATOR:
      return "operator";
    case v1::ACCESS_PUBLISHER:
      return "publisher";
    case v1::ACCESS_ADMIN:
      return "admin";
    case v1::ACCESS_DRONE:
      return "drone";
    case v1::ACCESS_INTERNAL:
      return "internal";
    case v1::ACCESS_SIGNED:
      return "signed";
    case v1::ACCESS_PUBLIC:
      return "public";
    default:
      return "none";
  }
}

absl::Status CheckServicesHaveRules(const std::vector<std::string>& services) {
  const auto& pool = *google::protobuf::DescriptorPool::generated_pool();
  std::vector<std::string> without;
  for (const std::string& name : services) {
    const google::protobuf::ServiceDescriptor* service = pool.FindServiceByName(name);
    if (service == nullptr || !absl::StartsWith(name, "chartly.v1.")) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *service->method(i);
      const bool decided = AccessOf(method) != v1::ACCESS_UNSPECIFIED && BindingOf(method) != v1::BINDING_UNSPECIFIED;
      if (!decided || !ProfileFields(method).complete()) without.push_back(method.full_name());
    }
  }
  if (without.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "METHOD_WITHOUT_RULE",
               absl::StrCat("access, binding or profile_fields are not stated by ", absl::StrJoin(without, ", ")));
}

}  // namespace chartly::rpc
