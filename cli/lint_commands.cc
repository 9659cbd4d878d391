// chartly lint deploy: the hard rules of a deployment over rendered manifests; needs no server and no cluster.
#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/lint/rule.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

struct LintArguments {
  std::vector<std::string> paths;
  std::vector<std::string> rules;
  bool list = false;
};

Json FindingJson(const LintFinding& finding) {
  return Json::Object()
      .Set("rule", Json::Text(finding.rule))
      .Set("file", Json::Text(finding.file))
      .Set("line", Json::Integer(finding.line))
      .Set("object", Json::Text(finding.object))
      .Set("message", Json::Text(finding.message));
}

absl::Status ListRules(Session& session) {
  if (session.json()) {
    Json rules = Json::Array();
    for (const LintRule& rule : LintRules()) {
      rules.Add(Json::Object().Set("rule", Json::Text(rule.id)).Set("demand", Json::Text(rule.demand)));
    }
    session.PrintJson(Json::Object().Set("rules", std::move(rules)));
    return absl::OkStatus();
  }
  Table table({"RULE", "DEMANDS"});
  for (const LintRule& rule : LintRules()) table.Add({rule.id, rule.demand});
  table.Print(session.out, "");
  return absl::OkStatus();
}

absl::Status CheckNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const bool known =
        std::any_of(LintRules().begin(), LintRules().end(), [&name](const LintRule& rule) { return name == rule.id; });
    if (known) continue;
    return Error(absl::StatusCode::kInvalidArgument, "RULE_UNKNOWN",
                 absl::StrCat("there is no rule ", name, "; chartly lint deploy --list names all"));
  }
  return absl::OkStatus();
}

absl::Status LintDeploy(Session& session, const LintArguments& arguments) {
  if (arguments.list) return ListRules(session);
  RETURN_IF_ERROR(CheckNames(arguments.rules));
  if (arguments.paths.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_NONE",
                 "name files or folders of rendered manifests, or - for standard input");
  }
  ASSIGN_OR_RETURN(std::vector<Manifest> manifests, ReadManifests(arguments.paths, std::cin));
  const std::vector<LintFinding> findings = Lint(manifests, arguments.rules);
  if (session.json()) {
    Json list = Json::Array();
    for (const LintFinding& finding : findings) list.Add(FindingJson(finding));
    session.PrintJson(Json::Object()
                          .Set("objects", Json::Integer(static_cast<int64_t>(manifests.size())))
                          .Set("findings", std::move(list)));
  } else {
    for (const LintFinding& finding : findings) {
      session.out << finding.file << ":" << finding.line << ": " << finding.rule << " " << finding.object << ": "
                  << finding.message << "\n";
    }
    if (findings.empty()) session.out << manifests.size() << " objects, nothing found\n";
  }
  if (findings.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "DEPLOYMENT_FAULTS",
               absl::StrCat(findings.size(), findings.size() == 1 ? " finding in " : " findings in ", manifests.size(),
                            " objects"));
}

}  // namespace

void AddLintCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("lint", "Check what is to be deployed");
  noun.require_subcommand(1)->fallthrough();
  auto arguments = std::make_shared<LintArguments>();
  CLI::App& verb = *AddVerb(noun, session, "deploy",
                            "Check rendered Kubernetes manifests against the rules of docs/deployment-requirements.md",
                            [&session, arguments] { return LintDeploy(session, *arguments); });
  verb.add_option("PATH", arguments->paths, "Files or folders of rendered manifests; - is standard input");
  verb.add_option("--rule", arguments->rules, "Only these rules, as E62,E64")->delimiter(',')->type_name("ID");
  verb.add_flag("--list", arguments->list, "Name all rules and end");
}

}  // namespace chartly::cli
