// The parts of the control plane with their default ports: the one table that code, compose, chart and docs use.
#ifndef CHARTLY_COMMON_CONFIG_PARTS_H_
#define CHARTLY_COMMON_CONFIG_PARTS_H_

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

inline constexpr char kVersion[] = "0.1.0";

enum class Part { kGateway, kRegistry, kAggregator, kCoordinator, kReporter, kAuth, kAudit, kObserver, kReleases };

struct PartInfo {
  Part part;
  const char* name;       // "registry"
  const char* service;    // proto service asked for its health; empty for the gateway
  int port;               // HTTP for the gateway, gRPC for the others
  int admin_port;         // /health /ready /metrics when it runs in a process of its own
  const char* plane;      // "control" or "data"
  const char* seed_name;  // what the seed documents call it
  const char* description;
};

const std::array<PartInfo, 9>& Parts();
const PartInfo& InfoOf(Part part);
// The admin port of the drone.
inline constexpr int kDroneAdminPort = 8199;

// Where a part listens when the gateway is at `gateway_port`: the defaults keep their distance from 8090, so that two
// installations on one host differ in one number. 0 (any free port) stays 0.
int PortFor(const PartInfo& info, int gateway_port);
int AdminPortFor(const PartInfo& info, int gateway_port);
int DroneAdminPortFor(int gateway_port);

// "all", or a comma-separated list of names. InvalidArgument (PART_UNKNOWN) names the known ones.
absl::StatusOr<std::vector<Part>> ParseParts(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CONFIG_PARTS_H_
