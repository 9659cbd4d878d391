#include "cli/lint/rule.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace chartly::cli {
namespace {

// Requirements are a letter and a number: E9 goes before E70.
std::pair<char, int> Order(const std::string& id) { return {id[0], std::atoi(id.c_str() + 1)}; }

}  // namespace

const std::vector<LintRule>& LintRules() {
  static const std::vector<LintRule>* const kRules = [] {
    auto* rules = new std::vector<LintRule>();
    for (auto part : {PodRules(), SecretRules(), UnitRules(), ImageRules(), UpkeepRules()}) {
      rules->insert(rules->end(), part.begin(), part.end());
    }
    std::sort(rules->begin(), rules->end(),
              [](const LintRule& a, const LintRule& b) { return Order(a.id) < Order(b.id); });
    return rules;
  }();
  return *kRules;
}

std::vector<LintFinding> Lint(const std::vector<Manifest>& manifests, const std::vector<std::string>& only) {
  std::vector<LintFinding> findings;
  for (const LintRule& rule : LintRules()) {
    if (!only.empty() && std::find(only.begin(), only.end(), rule.id) == only.end()) continue;
    LintReport report(rule.id, findings);
    rule.check(manifests, report);
  }
  std::stable_sort(findings.begin(), findings.end(), [](const LintFinding& a, const LintFinding& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  return findings;
}

}  // namespace chartly::cli
