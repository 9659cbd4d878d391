#include "common/telemetry/metrics.h"

#include <set>

#include "test/support/generated_doc.h"
#include "test/support/test.h"

namespace chartly {

TEST_CASE("every metric has a name of its own, a unit in its help, and the prefix") {
  std::set<std::string> names;
  for (const MetricInfo& info : Metrics()) {
    CHECK(names.insert(info.name).second);
    CHECK(std::string(info.name).rfind("chartly_", 0) == 0);
    CHECK(std::string(info.help).back() == '.');
  }
}

TEST_CASE("counts and labels appear in the exposition text") {
  Count("chartly_runs_total", 2, "succeeded");
  SetGauge("chartly_profiles", 7);
  Observe("chartly_ingest_commit_seconds", 0.002);
  std::string text = ScrapeMetrics();
  CHECK(text.find("chartly_runs_total{status=\"succeeded\"} 2") != std::string::npos);
  CHECK(text.find("chartly_profiles 7") != std::string::npos);
  CHECK(text.find("chartly_ingest_commit_seconds_bucket") != std::string::npos);
}

TEST_CASE("what is counted for a tenant has its name, and histograms and the default tenant have none") {
  {
    const MetricTenant acme("acme");
    SetGauge("chartly_profiles", 3);
    Count("chartly_rollouts_total", 1, "aborted");
    Observe("chartly_report_seconds", 0.002);
    const MetricTenant none("default");
    SetGauge("chartly_runs_active", 9);
    CHECK(MetricTenant::Current().empty());
  }
  SetGauge("chartly_profiles", 8);
  const std::string text = ScrapeMetrics();
  CHECK(text.find("chartly_profiles{tenant=\"acme\"} 3") != std::string::npos);
  CHECK(text.find("chartly_profiles 8") != std::string::npos);
  CHECK(text.find("chartly_rollouts_total{state=\"aborted\",tenant=\"acme\"} 1") != std::string::npos);
  CHECK(text.find("chartly_runs_active 9") != std::string::npos);
  CHECK(text.find("chartly_report_seconds_count 1") != std::string::npos);
}

TEST_CASE("a process names so many tenants in its metrics and no more") {
  for (size_t i = 0; i < 2 * kMaxMetricTenants; ++i) {
    const std::string name = "t" + std::to_string(i);
    const MetricTenant tenant(name);
    Count("chartly_redriven_rows_total", 1, "left");
  }
  const std::string text = ScrapeMetrics();
  size_t series = 0;
  for (size_t at = text.find("chartly_redriven_rows_total{"); at != std::string::npos;
       at = text.find("chartly_redriven_rows_total{", at + 1)) {
    ++series;
  }
  CHECK(series <= kMaxMetricTenants + 1);
  CHECK(text.find("chartly_redriven_rows_total{outcome=\"left\",tenant=\"others\"}") != std::string::npos);
}

TEST_CASE("docs/metrics.md is the table of the code") {
  std::string text =
      "# Metrics\n\nServed by every process at `/metrics` in the Prometheus text format. Generated from "
      "`common/telemetry/metrics.cc`.\n\nWhat is done for another tenant than the default one also has the label "
      "`tenant`: counters and gauges, not histograms. At most 64 are named a process; the rest are `others`."
      "\n\n| Metric | Kind | Label | What it says |\n|---|---|---|---|\n";
  const char* kinds[] = {"counter", "gauge", "histogram"};
  for (const MetricInfo& info : Metrics()) {
    text += std::string("| `") + info.name + "` | " + kinds[static_cast<int>(info.kind)] + " | " +
            (info.label[0] != 0 ? "`" + std::string(info.label) + "`" : "") + " | " + info.help + " |\n";
  }
  testing::CheckGeneratedDoc("docs/metrics.md", text);
}

}  // namespace chartly
