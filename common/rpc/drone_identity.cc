#include "common/rpc/drone_identity.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/rpc/key_token.h"

namespace chartly::rpc {
namespace {

constexpr char kUriPrefix[] = "spiffe://chartly/";
constexpr char kTenant[] = "tenant/";
constexpr char kDrone[] = "drone/";

}  // namespace

std::string UriOf(const DroneIdentity& identity) {
  const std::string tenant = identity.tenant == kDefaultTenant ? "" : absl::StrCat(kTenant, identity.tenant, "/");
  return absl::StrCat(kUriPrefix, tenant, kDrone, identity.drone_id, "/", identity.enrollment);
}

DroneIdentity ParseDroneIdentity(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, kUriPrefix)) return {};
  DroneIdentity identity;
  if (absl::ConsumePrefix(&uri, kTenant)) {
    const size_t end = uri.find('/');
    if (end == uri.npos || !IsKeyId(uri.substr(0, end))) return {};
    identity.tenant = std::string(uri.substr(0, end));
    uri.remove_prefix(end + 1);
  }
  if (!absl::ConsumePrefix(&uri, kDrone)) return {};
  const std::vector<absl::string_view> parts = absl::StrSplit(uri, '/');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) return {};
  identity.drone_id = std::string(parts[0]);
  identity.enrollment = std::string(parts[1]);
  return identity;
}

}  // namespace chartly::rpc
