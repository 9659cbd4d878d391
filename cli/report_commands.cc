// chartly report run
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct ReportOptions {
  std::vector<std::string> join;
  std::vector<std::string> inputs;
  std::vector<std::string> filters;
  std::string type = "table";
  std::string method = "pearson";
  int64_t limit = 1000;
};

// "PROFILE:EXPR" filters one side; anything else filters every side.
bool AppliesTo(const std::string& filter, const std::string& profile, std::string& expression) {
  bool named = absl::StartsWith(filter, absl::StrCat(profile, ":"));
  expression = named ? filter.substr(profile.size() + 1) : filter;
  return named;
}

absl::StatusOr<Json> InputJson(const std::string& input, const ReportOptions& options, std::vector<bool>& used) {
  size_t colon = input.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == input.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "INPUT_INVALID",
                 absl::StrCat("--input ", input, " must be PROFILE:MEASURE, as in sample-gdp:gdp.usd"));
  }
  std::string profile = input.substr(0, colon);
  Json filters = Json::Array();
  for (size_t i = 0; i < options.filters.size(); ++i) {
    std::string expression;
    bool named = AppliesTo(options.filters[i], profile, expression);
    bool names_another = false;
    for (const std::string& other : options.inputs) {
      std::string ignored;
      std::string other_profile = other.substr(0, other.find(':'));
      names_another =
          names_another || (other_profile != profile && AppliesTo(options.filters[i], other_profile, ignored));
    }
    if (names_another && !named) continue;
    used[i] = true;
    filters.Add(Json::Text(expression));
  }
  return Json::Object()
      .Set("profile_id", Json::Text(profile))
      .Set("measure", Json::Text(input.substr(colon + 1)))
      .Set("filter", std::move(filters));
}

absl::StatusOr<Json> RequestJson(const ReportOptions& options) {
  Json join = Json::Array();
  for (const std::string& dim : options.join) join.Add(Json::Text(dim));
  Json inputs = Json::Array();
  std::vector<bool> used(options.filters.size(), false);
  for (const std::string& input : options.inputs) {
    ASSIGN_OR_RETURN(Json json, InputJson(input, options, used));
    inputs.Add(std::move(json));
  }
  Json output = Json::Object();
  output.Set("type", Json::Text(options.type));
  if (options.type == "correlation") output.Set("method", Json::Text(options.method));
  Json request = Json::Object();
  request.Set("join", std::move(join)).Set("inputs", std::move(inputs));
  request.Set("window", Json::Object().Set("limit", Json::Integer(options.limit))).Set("output", std::move(output));
  return request;
}

void PrintSides(Session& session, const Json& answer) {
  Table table({"PROFILE", "MEASURE", "RECORDS", "WITHOUT VALUE", "WITHOUT PARTNER", "FOR EXAMPLE"});
  for (const Json& side : answer["sides"].items()) {
    std::string examples;
    for (const Json& example : side["unmatched_examples"].items()) {
      absl::StrAppend(&examples, examples.empty() ? "" : "; ", example.text());
    }
    table.Add({side["profile_id"].text(), side["measure"].text(), std::to_string(side["records"].integer()),
               std::to_string(side["null_measures"].integer()), std::to_string(side["unmatched"].integer()),
               Shorten(examples, 60)});
  }
  table.Print(session.out, "");
}

void PrintTable(Session& session, const Json& answer) {
  std::vector<std::string> header;
  for (const Json& column : answer["columns"].items()) header.push_back(column.text());
  Table table(header);
  for (const Json& row : answer["rows"].items()) {
    std::vector<std::string> cells;
    for (const Json& value : row["values"].items()) cells.push_back(value.text());
    table.Add(std::move(cells));
  }
  table.Print(session.out, "no rows: nothing has the same values in all join dims");
  if (answer["truncated"].boolean()) {
    session.err << "chartly: " << answer["rows"].items().size() << " of " << answer["row_count"].text()
                << " rows; raise --limit\n";
  }
}

std::string OrUndefined(const Json& figure) { return figure.is_null() ? "undefined" : figure.text(); }

absl::Status Run(Session& session, const ReportOptions& options) {
  ASSIGN_OR_RETURN(Json request, RequestJson(options));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Post("/api/reports", request));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  if (options.type == "correlation") {
    session.out << "n         " << answer["n"].integer() << "\npearson   " << OrUndefined(answer["pearson"])
                << "\nspearman  " << OrUndefined(answer["spearman"]) << "\n\n";
  } else {
    PrintTable(session, answer);
    session.out << "\n";
  }
  PrintSides(session, answer);
  for (const Json& warning : answer["warnings"].items()) session.err << "warning: " << warning.text() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddReportCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("report", "Join records of profiles and see how they go together");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<ReportOptions>();
  CLI::App* verb = AddVerb(noun, session, "run", "Answer a question over the newest version of each record",
                           [&session, options] { return Run(session, *options); });
  verb->add_option("--join", options->join,
                   "Dim that must be equal on all sides; left=right where the names differ. Repeatable")
      ->required()
      ->type_name("DIM")
      ->allow_extra_args(false);
  verb->add_option("--input", options->inputs, "One side: profile and measure. Repeatable")
      ->required()
      ->type_name("PROFILE:MEASURE")
      ->allow_extra_args(false);
  verb->add_option("--filter", options->filters, "Condition on every side, or after PROFILE: on that one. Repeatable")
      ->type_name("[PROFILE:]EXPR")
      ->allow_extra_args(false);
  verb->add_option("--type", options->type, "table: the joined rows; correlation: coefficients of the first two inputs")
      ->check(CLI::IsMember({"table", "correlation"}))
      ->type_name("TYPE")
      ->capture_default_str();
  verb->add_option("--method", options->method, "With correlation, the one that is meant; both are in the answer")
      ->check(CLI::IsMember({"pearson", "spearman"}))
      ->type_name("METHOD")
      ->capture_default_str();
  verb->add_option("--limit", options->limit, "Rows of the table at most; statistics use all")
      ->check(CLI::Range(1, 100000))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace chartly::cli
