// The hard rules of a deployment as checks over rendered objects. Their ids are those of
// docs/deployment-requirements.md. Pure and thread-safe.
#ifndef CHARTLY_CLI_LINT_RULE_H_
#define CHARTLY_CLI_LINT_RULE_H_

#include <string>
#include <utility>
#include <vector>

#include "cli/lint/manifest.h"

namespace chartly::cli {

struct LintFinding {
  std::string rule;
  std::string file;
  int line = 0;
  std::string object;   // "StatefulSet/chartly-registry"
  std::string message;  // what is wrong and how to mend it
};

// Where a rule puts what it finds.
class LintReport {
 public:
  LintReport(std::string rule, std::vector<LintFinding>& findings) : rule_(std::move(rule)), findings_(findings) {}
  // `at` is the node that is wrong, or the nearest that there is.
  void Add(const Manifest& manifest, const YamlNode* at, std::string message) {
    findings_.push_back(
        {rule_, manifest.file, at == nullptr ? manifest.root.line : at->line, manifest.name(), std::move(message)});
  }

 private:
  std::string rule_;
  std::vector<LintFinding>& findings_;
};

struct LintRule {
  const char* id;
  const char* demand;  // what holds where the rule is kept
  // Sees all objects, since some rules are about how they fit together.
  void (*check)(const std::vector<Manifest>& manifests, LintReport& report);
};

// Each file of rules gives its own.
std::vector<LintRule> PodRules();     // what a container may do
std::vector<LintRule> SecretRules();  // secrets stay out of objects
std::vector<LintRule> UnitRules();    // how objects of one part fit together
std::vector<LintRule> ImageRules();   // what is run, and what hides it
std::vector<LintRule> UpkeepRules();  // what goes on while a node is emptied

// All of them, by id.
const std::vector<LintRule>& LintRules();

// What the rules find, by file and line. `only` are ids; empty: all rules.
std::vector<LintFinding> Lint(const std::vector<Manifest>& manifests, const std::vector<std::string>& only);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LINT_RULE_H_
