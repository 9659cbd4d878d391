// What goes on while a node is emptied or lost: where replicas are, and which of them may go.
#include <initializer_list>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/lint/rule.h"

namespace chartly::cli {
namespace {

using Manifests = std::vector<Manifest>;

constexpr char kNode[] = "kubernetes.io/hostname";

bool IsKeptApart(const Manifest& workload) {
  const YamlNode* pod = workload.pod();
  const auto by_node = [&](const YamlNode& term) {
    return TextAt(&term, {"topologyKey"}) == kNode &&
           Selects(Look(&term, {"labelSelector", "matchLabels"}), workload.pod_labels());
  };
  for (const YamlNode& constraint : ItemsAt(pod, {"topologySpreadConstraints"})) {
    if (by_node(constraint)) return true;
  }
  const YamlNode* apart = Look(pod, {"affinity", "podAntiAffinity"});
  for (const YamlNode& term : ItemsAt(apart, {"requiredDuringSchedulingIgnoredDuringExecution"})) {
    if (by_node(term)) return true;
  }
  for (const YamlNode& wish : ItemsAt(apart, {"preferredDuringSchedulingIgnoredDuringExecution"})) {
    const YamlNode* term = Look(&wish, {"podAffinityTerm"});
    if (term != nullptr && by_node(*term)) return true;
  }
  return false;
}

struct Replicas {
  int least = 1;
  int most = 1;
};

int NumberAt(const YamlNode* node, std::initializer_list<absl::string_view> path, int otherwise) {
  int number = 0;
  return absl::SimpleAtoi(TextAt(node, path), &number) ? number : otherwise;
}

// How many pods a workload wants, by itself or by its autoscaler.
Replicas ReplicasOf(const Manifests& manifests, const Manifest& workload) {
  for (const Manifest& scaler : manifests) {
    const YamlNode* target = Look(&scaler.root, {"spec", "scaleTargetRef"});
    if (scaler.kind() != "HorizontalPodAutoscaler" ||
        absl::StrCat(TextAt(target, {"kind"}), "/", TextAt(target, {"name"})) != workload.name()) {
      continue;
    }
    const int least = NumberAt(&scaler.root, {"spec", "minReplicas"}, 1);
    return {least, NumberAt(&scaler.root, {"spec", "maxReplicas"}, least)};
  }
  const int replicas = NumberAt(&workload.root, {"spec", "replicas"}, 1);
  return {replicas, replicas};
}

void Spread(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() != "Deployment" && manifest.kind() != "StatefulSet") continue;
    if (ReplicasOf(manifests, manifest).most < 2 || IsKeptApart(manifest)) continue;
    report.Add(manifest, Look(&manifest.root, {"spec", "replicas"}),
               absl::StrCat("its replicas may all be on one node; keep them apart by ", kNode,
                            ", with topologySpreadConstraints or affinity.podAntiAffinity"));
  }
}

// Whether a budget lets no pod go: of none at a time, or of as many as there are.
bool LetsNoneGo(const YamlNode* least, const YamlNode* most, int replicas) {
  if (most != nullptr) return most->text == "0" || most->text == "0%";
  int kept = 0;
  return least->text == "100%" || (absl::SimpleAtoi(least->text, &kept) && kept >= replicas);
}

void Budgets(const Manifests& manifests, LintReport& report) {
  for (const Manifest& budget : manifests) {
    if (budget.kind() != "PodDisruptionBudget") continue;
    const YamlNode* selector = Look(&budget.root, {"spec", "selector", "matchLabels"});
    bool found = false;
    int replicas = 0;
    for (const Manifest& manifest : manifests) {
      if (!manifest.is_workload() || !Selects(selector, manifest.pod_labels())) continue;
      found = true;
      replicas += ReplicasOf(manifests, manifest).least;
    }
    if (!found) report.Add(budget, selector, "the budget finds no pods; select those of its part");
    const YamlNode* most = Look(&budget.root, {"spec", "maxUnavailable"});
    const YamlNode* least = Look(&budget.root, {"spec", "minAvailable"});
    if (most == nullptr && least == nullptr) {
      report.Add(budget, Look(&budget.root, {"spec"}), "the budget has no number; set maxUnavailable: 1");
    } else if (LetsNoneGo(least, most, replicas)) {
      report.Add(budget, most != nullptr ? most : least,
                 "the budget lets no pod go, so that its node can never be emptied; set maxUnavailable: 1");
    }
    const YamlNode* unready = Look(&budget.root, {"spec", "unhealthyPodEvictionPolicy"});
    if (unready == nullptr || unready->text != "AlwaysAllow") {
      report.Add(budget, unready != nullptr ? unready : Look(&budget.root, {"spec"}),
                 "a pod that does not become ready holds up its node; set unhealthyPodEvictionPolicy: AlwaysAllow");
    }
  }
}

}  // namespace

std::vector<LintRule> UpkeepRules() {
  return {{"C48", "replicas are kept apart by node", Spread},
          {"U284", "a budget never holds up the upkeep of a node", Budgets}};
}

}  // namespace chartly::cli
