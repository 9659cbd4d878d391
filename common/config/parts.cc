#include "common/config/parts.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly {

const std::array<PartInfo, 9>& Parts() {
  static constexpr std::array<PartInfo, 9> kParts = {{
      {Part::kGateway, "gateway", "", 8090, 8190, "control", "gateway", "REST, events and the page for browsers"},
      {Part::kRegistry, "registry", "chartly.v1.RegistryService", 8091, 8191, "control", "registry, profiles",
       "profiles and their revisions"},
      {Part::kAggregator, "aggregator", "chartly.v1.RecordService", 8092, 8192, "data", "storage",
       "takes and stores records"},
      {Part::kCoordinator, "coordinator", "chartly.v1.CoordinatorService", 8093, 8193, "control", "orchestrator",
       "drones, schedules and runs"},
      {Part::kReporter, "reporter", "chartly.v1.ReporterService", 8094, 8194, "data", "analytics",
       "tables, joins and correlations"},
      {Part::kAuth, "auth", "chartly.v1.AuthService", 8095, 8195, "control", "auth", "who a caller is"},
      {Part::kAudit, "audit", "chartly.v1.AuditService", 8096, 8196, "control", "audit", "the log of every change"},
      {Part::kObserver, "observer", "chartly.v1.ObserverService", 8097, 8197, "control", "observer",
       "health of all parts"},
      {Part::kReleases, "releases", "chartly.v1.ReleasesService", 8098, 8198, "control", "deployment lifecycle",
       "the ledger of deployments"},
  }};
  return kParts;
}

const PartInfo& InfoOf(Part part) {
  return *std::find_if(Parts().begin(), Parts().end(), [&](const PartInfo& info) { return info.part == part; });
}

namespace {

int Moved(int port, int gateway_port) {
  return gateway_port == 0 ? 0 : port + gateway_port - InfoOf(Part::kGateway).port;
}

}  // namespace

int PortFor(const PartInfo& info, int gateway_port) { return Moved(info.port, gateway_port); }
int AdminPortFor(const PartInfo& info, int gateway_port) { return Moved(info.admin_port, gateway_port); }
int DroneAdminPortFor(int gateway_port) { return Moved(kDroneAdminPort, gateway_port); }

absl::StatusOr<std::vector<Part>> ParseParts(absl::string_view text) {
  std::vector<Part> parts;
  std::vector<std::string> names;
  for (const PartInfo& info : Parts()) names.push_back(info.name);
  if (text == "all") {
    for (const PartInfo& info : Parts()) parts.push_back(info.part);
    return parts;
  }
  for (absl::string_view piece : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    absl::string_view name = absl::StripAsciiWhitespace(piece);
    auto found = std::find_if(Parts().begin(), Parts().end(), [&](const PartInfo& info) { return name == info.name; });
    if (found == Parts().end()) {
      return Error(absl::StatusCode::kInvalidArgument, "PART_UNKNOWN",
                   absl::StrCat("unknown service '", name, "'; use all, or a list of: ", absl::StrJoin(names, ", ")),
                   {{"part", name}});
    }
    if (std::find(parts.begin(), parts.end(), found->part) == parts.end()) parts.push_back(found->part);
  }
  if (parts.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "PART_UNKNOWN",
                 absl::StrCat("no service named; use all, or a list of: ", absl::StrJoin(names, ", ")));
  }
  return parts;
}

}  // namespace chartly
