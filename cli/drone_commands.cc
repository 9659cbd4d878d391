// chartly drone list | drain
#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

std::vector<std::string> DroneHeader() {
  return {"DRONE", "STATE", "VERSION", "CAPACITY", "SPOOL", "LAST SEEN", "FINDINGS", "SIGNED BY", "LABELS"};
}

std::vector<std::string> DroneRow(const Json& drone) {
  std::string labels;
  for (const auto& [name, value] : drone["labels"].members()) {
    absl::StrAppend(&labels, labels.empty() ? "" : ",", name, "=", value.text());
  }
  std::string findings;
  for (const Json& finding : drone["findings"].items()) {
    absl::StrAppend(&findings, findings.empty() ? "" : ",", finding.text());
  }
  // The keys by one of which a profile must be signed to run there.
  std::string keys;
  for (const Json& key : drone["consent"]["profile_key_ids"].items()) {
    absl::StrAppend(&keys, keys.empty() ? "" : ",", key.text());
  }
  return {drone["drone_id"].text(),
          drone["state"].text(),
          drone["version"].text(),
          drone["capacity"].text(),
          FormatBytes(drone["spool_bytes"].integer()),
          ShortTime(drone["last_seen"].text()),
          findings,
          keys.empty() ? "any" : keys,
          labels};
}

absl::Status Drain(Session& session, const std::string& id) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json drone, api->Post(absl::StrCat("/api/drones/", PercentEncode(id), ":drain"), Json::Object()));
  if (session.json()) {
    session.PrintJson(drone);
    return absl::OkStatus();
  }
  Table table(DroneHeader());
  table.Add(DroneRow(drone));
  table.Print(session.out, "");
  return absl::OkStatus();
}

}  // namespace

void AddDroneCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("drone", "See drones and take them out of work");
  noun.require_subcommand(1)->fallthrough();
  AddVerb(noun, session, "list", "List drones with their state", [&session] {
    return PrintListing(session, {.path = "/api/drones",
                                  .query = {},
                                  .size_param = "page_size",
                                  .field = "drones",
                                  .header = DroneHeader(),
                                  .row = DroneRow,
                                  .if_empty = "no drones yet; start one with: chartly-drone"});
  });
  AddDroneJoin(noun, session);
  auto id = std::make_shared<std::string>();
  AddVerb(noun, session, "drain", "Let a drone end its runs and give it no new ones",
          [&session, id] { return Drain(session, *id); })
      ->add_option("DRONE", *id, "Id of the drone")
      ->required();
}

}  // namespace chartly::cli
