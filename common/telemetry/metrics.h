// All metrics of all processes, in one table (metrics.cc), from which docs/metrics.md is generated. A metric that is
// not in the table cannot be used. Prometheus text comes from ScrapeMetrics. Thread-safe.
#ifndef CHARTLY_COMMON_TELEMETRY_METRICS_H_
#define CHARTLY_COMMON_TELEMETRY_METRICS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace chartly {

enum class MetricKind { kCounter, kGauge, kHistogram };

struct MetricInfo {
  const char* name;  // chartly_rpc_calls_total
  MetricKind kind;
  const char* label;  // name of its one label; empty if it has none
  const char* help;   // one sentence with the unit
};

const std::vector<MetricInfo>& Metrics();

// `name` must be in the table (checked); `label` is the value of its label, from a bounded set.
void Count(absl::string_view name, double by = 1, absl::string_view label = "");
void SetGauge(absl::string_view name, double value, absl::string_view label = "");
void Observe(absl::string_view name, double seconds, absl::string_view label = "");

// While it lives, counters and gauges of this thread also have the label "tenant": what a service does for one tenant
// does not pass for what it does for another. Histograms have not, for each is many series. The default tenant has no
// such label; of the others the first kMaxMetricTenants that a process counts for have their names, later ones are
// "others". They nest.
inline constexpr size_t kMaxMetricTenants = 64;
class MetricTenant {
 public:
  explicit MetricTenant(absl::string_view tenant);
  ~MetricTenant();
  MetricTenant(const MetricTenant&) = delete;
  MetricTenant& operator=(const MetricTenant&) = delete;
  // That of this thread, for a thread that it starts; empty for the default one.
  static std::string Current();

 private:
  const absl::string_view before_;
};

// The Prometheus exposition text.
std::string ScrapeMetrics();

}  // namespace chartly

#endif  // CHARTLY_COMMON_TELEMETRY_METRICS_H_
