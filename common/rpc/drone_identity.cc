#include "common/rpc/drone_identity.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace chartly::rpc {
namespace {

constexpr char kPrefix[] = "spiffe://chartly/drone/";

}  // namespace

std::string UriOf(const DroneIdentity& identity) {
  return absl::StrCat(kPrefix, identity.drone_id, "/", identity.enrollment);
}

DroneIdentity ParseDroneIdentity(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, kPrefix)) return {};
  const std::vector<absl::string_view> parts = absl::StrSplit(uri, '/');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) return {};
  return {std::string(parts[0]), std::string(parts[1])};
}

}  // namespace chartly::rpc
