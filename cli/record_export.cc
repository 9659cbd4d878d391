// chartly records export
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct ExportOptions {
  std::string profile;
  std::string run;
  std::vector<std::string> filters;
  std::vector<std::string> fields;
  bool all_versions = false;
  std::string as_of;
  std::string format = "ndjson";
  bool guard_formulas = false;
  bool float_decimals = false;
  std::string to;
};

Query ExportQuery(const ExportOptions& options) {
  Query query = {{"profile_id", options.profile}, {"run_id", options.run}, {"format", options.format}};
  for (const std::string& filter : options.filters) query.emplace_back("filter", filter);
  for (const std::string& field : options.fields) query.emplace_back("fields", field);
  query.emplace_back("all_versions", options.all_versions ? "true" : "");
  query.emplace_back("as_of", options.as_of);
  query.emplace_back("guard_formulas", options.guard_formulas ? "true" : "");
  query.emplace_back("float_decimals", options.float_decimals ? "true" : "");
  return query;
}

// Counts records as they come by: line ends that stand in no quotes.
class LineCounter {
 public:
  explicit LineCounter(bool csv) : csv_(csv), lines_(csv ? -1 : 0) {}
  void Take(absl::string_view piece) {
    for (char c : piece) {
      if (c == '"' && csv_) quoted_ = !quoted_;
      if (c == '\n' && !quoted_) ++lines_;
    }
  }
  int64_t records() const { return std::max<int64_t>(lines_, 0); }

 private:
  const bool csv_;
  bool quoted_ = false;
  int64_t lines_;
};

// How many records the export will hold, as far as that is known beforehand.
int64_t ExpectedRecords(ApiClient& api, const ExportOptions& options) {
  if (!options.run.empty() || !options.filters.empty() || options.format == "parquet") return 0;
  absl::StatusOr<Json> summary = api.Get("/api/results/summary");
  if (!summary.ok()) return 0;
  for (const Json& profile : (*summary)["profiles"].items()) {
    if (profile["profile_id"].text() == options.profile) return profile["count"].integer();
  }
  return 0;
}

struct Exported {
  int64_t records = 0;
  int64_t bytes = 0;
};

absl::StatusOr<Exported> ExportTo(Session& session, const ExportOptions& options, std::ostream& to) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Progress progress(session.err, "records", options.to.empty() ? 0 : ExpectedRecords(*api, options));
  LineCounter lines(options.format == "csv");
  Exported exported;
  RETURN_IF_ERROR(api->Download("/api/records:export", ExportQuery(options), [&](absl::string_view piece) {
    if (options.format != "parquet") lines.Take(piece);
    exported.bytes += static_cast<int64_t>(piece.size());
    exported.records = lines.records();
    to.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (!options.to.empty()) progress.Show(exported.records, exported.bytes);
    return to.good();
  }));
  to.flush();
  if (!to.good())
    return Error(absl::StatusCode::kDataLoss, "WRITE_FAILED", "cannot write the export; is the disk full?");
  return exported;
}

// The file appears under its name once it is whole.
absl::Status ExportToFile(Session& session, const ExportOptions& options) {
  std::string partial = options.to + ".part";
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  if (!file) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", partial));
  }
  absl::StatusOr<Exported> exported = ExportTo(session, options, file);
  file.close();
  if (exported.ok() && std::rename(partial.c_str(), options.to.c_str()) == 0) {
    if (options.format != "parquet") session.err << exported->records << " records, ";
    session.err << exported->bytes << " bytes in " << options.to << "\n";
    return absl::OkStatus();
  }
  std::remove(partial.c_str());
  if (!exported.ok()) return Annotate(exported.status(), options.to);
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", options.to));
}

absl::Status Export(Session& session, const ExportOptions& options) {
  if (!options.to.empty()) return ExportToFile(session, options);
  bool on_terminal = &session.out == &std::cout && ::isatty(STDOUT_FILENO) == 1;
  if (on_terminal && options.format == "parquet") {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_REQUIRED", "Parquet is no text; name a file with --to");
  }
  return ExportTo(session, options, session.out).status();
}

}  // namespace

void AddRecordExport(CLI::App& noun, Session& session) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App& verb = *AddVerb(noun, session, "export", "Write the records of a profile to a file",
                            [&session, options] { return Export(session, *options); });
  verb.add_option("PROFILE", options->profile, "Id of the profile")->required();
  verb.add_option("--format", options->format, "ndjson: a record a line; csv: a table; parquet: a table with types")
      ->check(CLI::IsMember({"ndjson", "csv", "parquet"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  verb.add_option("--to", options->to, "File to write; standard output without it")->type_name("FILE");
  verb.add_option("--filter", options->filters, "Condition such as 'dims.time.year >= 2000'; all given ones must hold")
      ->type_name("EXPR")
      ->allow_extra_args(false);
  verb.add_option("--fields", options->fields, "Columns in this order: 'dims.geo.iso,measures,id,provenance'")
      ->type_name("NAMES")
      ->allow_extra_args(false);
  verb.add_option("--run", options->run, "Only what this run gave, duplicates of earlier records included")
      ->type_name("RUN");
  verb.add_flag("--all-versions", options->all_versions, "All versions of each record, not only the newest");
  verb.add_option("--as-of", options->as_of, "What was known then: a time such as 2026-01-31T09:00:00Z")
      ->type_name("TIME");
  verb.add_flag("--guard-formulas", options->guard_formulas, "csv: an apostrophe before text that begins with = + - @");
  verb.add_flag("--float-decimals", options->float_decimals, "parquet: decimals as doubles instead of exactly");
}

}  // namespace chartly::cli
