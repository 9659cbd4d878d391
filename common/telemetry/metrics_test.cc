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

TEST_CASE("docs/metrics.md is the table of the code") {
  std::string text =
      "# Metrics\n\nServed by every process at `/metrics` in the Prometheus text format. Generated from "
      "`common/telemetry/metrics.cc`.\n\n| Metric | Kind | Label | What it says |\n|---|---|---|---|\n";
  const char* kinds[] = {"counter", "gauge", "histogram"};
  for (const MetricInfo& info : Metrics()) {
    text += std::string("| `") + info.name + "` | " + kinds[static_cast<int>(info.kind)] + " | " +
            (info.label[0] != 0 ? "`" + std::string(info.label) + "`" : "") + " | " + info.help + " |\n";
  }
  testing::CheckGeneratedDoc("docs/metrics.md", text);
}

}  // namespace chartly
