// chartly profile shadow: what another text would make of what the next run fetches.
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/profile_files.h"
#include "cli/profile_path.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr std::chrono::milliseconds kLookAgain(300);
constexpr size_t kDiffWidth = 40;

struct ShadowOptions {
  std::string profile;
  std::string file;
  bool wait = false;
};

std::string Counts(const Json& counts) {
  auto number = [](const Json& value) { return value.is_null() ? "0" : value.text(); };
  return absl::StrCat(number(counts["records"]), " records, ", number(counts["filtered"]), " filtered, ",
                      number(counts["quarantined"]), " in quarantine");
}

void PrintRecords(Session& session, const Json& records, const char* what) {
  for (const Json& record : records.items()) {
    session.out << what << " " << record["key"].text() << ": " << record["fields"].text() << "\n";
  }
}

void PrintResult(Session& session, const Json& result) {
  session.out << "running " << Counts(result["running"]) << "\ntried   " << Counts(result["shadow"]) << "\nsame "
              << result["same"].integer() << ", changed " << result["changed"].integer() << ", lost "
              << result["lost"].integer() << ", new " << result["added"].integer();
  if (result["uncompared"].integer() > 0) session.out << ", not compared " << result["uncompared"].integer();
  session.out << "\n";
  Table fields({"FIELD", "RECORDS", "KEY", "BEFORE", "AFTER"});
  for (const Json& field : result["fields"].items()) {
    std::string name = field["field"].text();
    std::string records = field["records"].text();
    if (field["examples"].items().empty()) fields.Add({name, records, "", "", ""});
    for (const Json& example : field["examples"].items()) {
      fields.Add({name, records, Shorten(example["key"].text(), kDiffWidth),
                  Shorten(example["before"].text(), kDiffWidth), Shorten(example["after"].text(), kDiffWidth)});
      name.clear();
      records.clear();
    }
  }
  if (!fields.empty()) fields.Print(session.out, "");
  PrintRecords(session, result["lost_records"], "lost");
  PrintRecords(session, result["added_records"], "new");
  for (const Json& rows : result["quarantines"].items()) {
    session.out << "quarantine " << rows["reason"].text() << " " << rows["field"].text() << ": " << rows["rows"].text()
                << " rows, such as: " << rows["message"].text() << "\n";
  }
}

absl::Status Print(Session& session, const Json& shadow) {
  const std::string state = shadow["state"].text();
  if (session.json()) {
    session.PrintJson(shadow);
  } else {
    session.out << shadow["profile_id"].text() << " " << shadow["version"].text() << " is " << state;
    if (!shadow["run_id"].text().empty()) session.out << " in run " << shadow["run_id"].text();
    session.out << (state == "waiting" ? " for the next run\n" : "\n");
    if (!shadow["message"].text().empty()) session.out << "because " << shadow["message"].text() << "\n";
    if (!shadow["result"].is_null()) PrintResult(session, shadow["result"]);
  }
  if (state != "failed") return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, shadow["reason"].text(),
               absl::StrCat("the text was not tried: ", shadow["message"].text()));
}

absl::StatusOr<Json> Ask(Session& session, const ShadowOptions& options) {
  ASSIGN_OR_RETURN(std::vector<ProfileFile> files, ReadProfileFiles(session, {options.file}));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  return api->PostBytes(absl::StrCat(ProfilePath(options.profile), ":shadow"), {{"Content-Type", "application/yaml"}},
                        files[0].text);
}

absl::Status Shadow(Session& session, const ShadowOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  const std::string path = absl::StrCat("/api/shadows/", PercentEncode(options.profile));
  absl::StatusOr<Json> shadow = options.file.empty() ? api->Get(path) : Ask(session, options);
  RETURN_IF_ERROR(shadow.status());
  auto open = [&] {
    const std::string state = (*shadow)["state"].text();
    return state == "waiting" || state == "running";
  };
  while (options.wait && open()) {
    std::this_thread::sleep_for(kLookAgain);
    shadow = api->Get(path);
    RETURN_IF_ERROR(shadow.status());
  }
  return Print(session, *shadow);
}

}  // namespace

void AddProfileShadow(CLI::App& noun, Session& session) {
  auto options = std::make_shared<ShadowOptions>();
  CLI::App* verb = AddVerb(noun, session, "shadow",
                           "Try another text over what the next run fetches, storing nothing, and show what differs",
                           [&session, options] { return Shadow(session, *options); });
  verb->add_option("PROFILE", options->profile, "Id of the profile")->required();
  verb->add_option("--file", options->file, "The text to try; without it, what came of the last one is shown")
      ->type_name("FILE");
  verb->add_flag("--wait", options->wait, "Wait until a run has tried it");
}

}  // namespace chartly::cli
