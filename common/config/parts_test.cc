#include "common/config/parts.h"

#include <set>

#include "common/status/status.h"
#include "test/support/generated_doc.h"
#include "test/support/test.h"

namespace chartly {

TEST_CASE("every part has ports of its own") {
  std::set<int> ports = {kDroneAdminPort};
  for (const PartInfo& info : Parts()) {
    CHECK(ports.insert(info.port).second);
    CHECK(ports.insert(info.admin_port).second);
    CHECK(InfoOf(info.part).name == info.name);
  }
}

TEST_CASE("ports keep their distance from the gateway's") {
  CHECK(PortFor(InfoOf(Part::kRegistry), 8090) == 8091);
  CHECK(PortFor(InfoOf(Part::kReleases), 18090) == 18098);
  CHECK(AdminPortFor(InfoOf(Part::kAudit), 9090) == 9196);
  CHECK(DroneAdminPortFor(8090) == kDroneAdminPort);
  CHECK(PortFor(InfoOf(Part::kRegistry), 0) == 0);
}

TEST_CASE("a list of parts is read once each, in its order") {
  auto parts = ParseParts("reporter, registry,reporter");
  REQUIRE_OK(parts);
  CHECK(*parts == std::vector<Part>{Part::kReporter, Part::kRegistry});
  CHECK(ParseParts("all")->size() == Parts().size());
}

TEST_CASE("an unknown part is refused with the known ones") {
  auto parts = ParseParts("registry,storeage");
  CHECK(Reason(parts.status()) == "PART_UNKNOWN");
  CHECK(std::string(parts.status().message()).find("aggregator") != std::string::npos);
  CHECK(Reason(ParseParts(" , ").status()) == "PART_UNKNOWN");
}

TEST_CASE("docs/ports.md is the table of the code") {
  std::string text =
      "# Parts and ports\n\nThe defaults; with another `--listen` all ports move by the same distance. A part's admin "
      "port (`/health`, `/ready`, `/metrics`) is used when it runs in a process of its own; all parts in one process "
      "use "
      "the gateway's. Generated from `common/config/parts.cc`.\n\n"
      "| Part | Port | Protocol | Admin port | Plane | In the seed documents | What it does |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const PartInfo& info : Parts()) {
    text += std::string("| ") + info.name + " | " + std::to_string(info.port) +
            (info.part == Part::kGateway ? " | HTTP | " : " | gRPC | ") + std::to_string(info.admin_port) + " | " +
            info.plane + " | " + info.seed_name + " | " + info.description + " |\n";
  }
  text += "| drone |  |  | " + std::to_string(kDroneAdminPort) +
          " | data | connector hub, normalizer | fetches and delivers |\n";
  testing::CheckGeneratedDoc("docs/ports.md", text);
}

}  // namespace chartly
