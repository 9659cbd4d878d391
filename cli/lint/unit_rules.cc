// How the objects of one part fit together: labels, selectors, Services, autoscaling, paths.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/lint/rule.h"

namespace chartly::cli {
namespace {

using Manifests = std::vector<Manifest>;

// Other files may hold the accounts: what names one that is not here is wrong only where there are any.
void Accounts(const Manifests& manifests, LintReport& report) {
  std::set<std::string> accounts;
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() == "ServiceAccount") accounts.insert(manifest.name());
  }
  for (const Manifest& manifest : manifests) {
    if (!manifest.has_pods()) continue;
    if (const YamlNode* old = Look(manifest.pod(), {"serviceAccount"})) {
      report.Add(manifest, old, "serviceAccount is the deprecated name of this field; use serviceAccountName");
    }
    const YamlNode* named = Look(manifest.pod(), {"serviceAccountName"});
    if (named == nullptr || named->text == "default" || accounts.empty()) continue;
    if (accounts.count(absl::StrCat("ServiceAccount/", named->text)) > 0) continue;
    report.Add(manifest, named,
               absl::StrCat("the account ", named->text, " is not here, and without it no pod starts; render it too"));
  }
}

void Whole(const Manifests& manifests, LintReport& report) {
  Accounts(manifests, report);
  for (const Manifest& manifest : manifests) {
    const std::string component = manifest.component();
    if (!manifest.is_workload() || component.empty()) continue;
    for (absl::string_view kind : {"Service", "ConfigMap"}) {
      const bool there = std::any_of(manifests.begin(), manifests.end(), [&](const Manifest& other) {
        return other.kind() == kind && other.component() == component;
      });
      if (!there)
        report.Add(manifest, nullptr, absl::StrCat("the part ", component, " has no ", kind, "; render it with it"));
    }
  }
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() != "Service") continue;
    const YamlNode* selector = Look(&manifest.root, {"spec", "selector"});
    const bool found = std::any_of(manifests.begin(), manifests.end(), [&](const Manifest& other) {
      return other.is_workload() && Selects(selector, other.pod_labels());
    });
    if (!found)
      report.Add(manifest, selector, "the Service finds no pods; its workload is missing, or its selector is wrong");
  }
}

void StableSelectors(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    const bool service = manifest.kind() == "Service";
    if (!service && !manifest.is_workload()) continue;
    const YamlNode* selector = service ? Look(&manifest.root, {"spec", "selector"})
                                       : Look(&manifest.root, {"spec", "selector", "matchLabels"});
    if (selector == nullptr) continue;
    for (const YamlEntry& entry : selector->entries) {
      if (entry.key != "app.kubernetes.io/version" && entry.key != "helm.sh/chart") continue;
      report.Add(manifest, &entry.value,
                 absl::StrCat("the selector holds ", entry.key,
                              ", which changes with each release; "
                              "select by name, instance and component"));
    }
    if (!service && !Selects(selector, manifest.pod_labels())) {
      report.Add(manifest, selector, "the selector does not find the workload's own pods; use their labels");
    }
  }
}

void StandardLabels(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() == "Namespace" || manifest.kind() == "Kustomization") continue;
    std::vector<std::string> missing;
    for (absl::string_view name : {"name", "instance", "component", "part-of", "version", "managed-by"}) {
      const std::string label = absl::StrCat("app.kubernetes.io/", name);
      if (TextAt(&manifest.root, {"metadata", "labels", label}).empty()) missing.push_back(label);
    }
    if (missing.empty()) continue;
    report.Add(manifest, Look(&manifest.root, {"metadata"}),
               absl::StrCat("the object lacks the labels ", absl::StrJoin(missing, ", "), "; add them"));
  }
}

void ReplicasOfAutoscaler(const Manifests& manifests, LintReport& report) {
  for (const Manifest& scaler : manifests) {
    if (scaler.kind() != "HorizontalPodAutoscaler") continue;
    const std::string target = absl::StrCat(TextAt(&scaler.root, {"spec", "scaleTargetRef", "kind"}), "/",
                                            TextAt(&scaler.root, {"spec", "scaleTargetRef", "name"}));
    const auto found = std::find_if(manifests.begin(), manifests.end(),
                                    [&](const Manifest& manifest) { return manifest.name() == target; });
    if (found == manifests.end()) {
      report.Add(scaler, nullptr, absl::StrCat("it scales ", target, ", which is not here"));
    } else if (const YamlNode* replicas = Look(&found->root, {"spec", "replicas"})) {
      report.Add(*found, replicas,
                 "an autoscaler sets the replicas, and each apply would set them back; leave replicas out");
    }
  }
}

void OneComponent(const Manifests& manifests, LintReport& report) {
  for (const Manifest& service : manifests) {
    if (service.kind() != "Service") continue;
    const YamlNode* selector = Look(&service.root, {"spec", "selector"});
    std::set<std::string> components;
    std::set<std::string> ports;
    for (const Manifest& manifest : manifests) {
      if (!manifest.is_workload() || !Selects(selector, manifest.pod_labels())) continue;
      components.insert(TextAt(manifest.pod_labels(), {"app.kubernetes.io/component"}));
      for (const YamlNode* container : ContainersOf(*manifest.pod())) {
        for (const YamlNode& port : ItemsAt(container, {"ports"})) {
          ports.insert(TextAt(&port, {"name"}));
          ports.insert(TextAt(&port, {"containerPort"}));
        }
      }
    }
    if (components.size() > 1) {
      report.Add(service, selector,
                 absl::StrCat("the Service finds the pods of ", absl::StrJoin(components, " and "),
                              "; add app.kubernetes.io/component to its selector"));
    }
    if (components.empty()) continue;
    for (const YamlNode& port : ItemsAt(&service.root, {"spec", "ports"})) {
      const YamlNode* target = Look(&port, {"targetPort"});
      if (target == nullptr || ports.count(target->text) > 0) continue;
      report.Add(service, target, absl::StrCat("no container of its pods has a port ", target->text));
    }
  }
}

void IngressPaths(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    if (manifest.kind() != "Ingress") continue;
    std::set<std::string> seen;
    for (const YamlNode& rule : ItemsAt(&manifest.root, {"spec", "rules"})) {
      for (const YamlNode& path : ItemsAt(&rule, {"http", "paths"})) {
        const std::string type = TextAt(&path, {"pathType"});
        if (type != "Prefix" && type != "Exact") {
          report.Add(manifest, &path,
                     "what this path matches is left to the controller; set pathType: Prefix or Exact");
        }
        const std::string key = absl::StrCat(TextAt(&rule, {"host"}), " ", TextAt(&path, {"path"}));
        if (!seen.insert(key).second) {
          report.Add(manifest, &path, absl::StrCat("the path ", TextAt(&path, {"path"}), " stands here twice"));
        }
      }
    }
  }
}

}  // namespace

std::vector<LintRule> UnitRules() {
  return {{"F76", "every part has its workload, Service, ConfigMap and account", Whole},
          {"F77", "selectors are stable and find their pods", StableSelectors},
          {"F79", "what an autoscaler scales has no number of replicas", ReplicasOfAutoscaler},
          {"F90", "every object has the standard labels", StandardLabels},
          {"G102", "each Service finds the pods of one component", OneComponent},
          {"G103", "paths of an Ingress are explicit", IngressPaths}};
}

}  // namespace chartly::cli
