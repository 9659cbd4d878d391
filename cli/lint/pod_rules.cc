// What a container may do: users, files, the host, the kernel, the API of the cluster.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/lint/quantity.h"
#include "cli/lint/rule.h"

namespace chartly::cli {
namespace {

using Manifests = std::vector<Manifest>;

// What the charts below charts/infrastructure label their pods with.
constexpr char kBeside[] = "chartly-infrastructure";

// Ports below it are for processes with CAP_NET_BIND_SERVICE.
constexpr int kFirstFreePort = 1024;

void EachPod(const Manifests& manifests, const std::function<void(const Manifest&, const YamlNode& pod)>& check) {
  for (const Manifest& manifest : manifests) {
    if (const YamlNode* pod = manifest.pod()) check(manifest, *pod);
  }
}

void EachContainer(const Manifests& manifests,
                   const std::function<void(const Manifest&, const YamlNode& pod, const YamlNode& container)>& check) {
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode& pod) {
    for (const YamlNode* container : ContainersOf(pod)) check(manifest, pod, *container);
  });
}

std::string Of(const YamlNode& container) { return absl::StrCat("container ", TextAt(&container, {"name"}), " "); }

// A setting of the container, or where it has none, of its pod: so the API server reads it.
const YamlNode* Context(const YamlNode& pod, const YamlNode& container, absl::string_view setting) {
  const YamlNode* own = Look(&container, {"securityContext", setting});
  return own != nullptr ? own : Look(&pod, {"securityContext", setting});
}

bool IsPlain(const YamlNode* node, absl::string_view word) {
  return node != nullptr && !node->quoted && node->text == word;
}

void NotRoot(const Manifests& manifests, LintReport& report) {
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode& pod, const YamlNode& container) {
    const YamlNode* non_root = Context(pod, container, "runAsNonRoot");
    if (!IsPlain(non_root, "true")) {
      report.Add(manifest, non_root ? non_root : &container,
                 Of(container) + "may run as root; set securityContext.runAsNonRoot: true");
    }
    const YamlNode* user = Context(pod, container, "runAsUser");
    if (IsPlain(user, "0")) report.Add(manifest, user, Of(container) + "runs as user 0; give it a number of its own");
  });
}

// The numbers may be left to the platform (OpenShift gives them); where they are set, they are one number.
void OneUser(const Manifests& manifests, LintReport& report) {
  std::map<std::string, int> seen;
  auto numbers = [](const YamlNode& pod, const YamlNode& container) {
    std::vector<const YamlNode*> nodes = {Look(&pod, {"securityContext", "fsGroup"})};
    for (absl::string_view setting : {"runAsUser", "runAsGroup"}) nodes.push_back(Context(pod, container, setting));
    nodes.erase(std::remove(nodes.begin(), nodes.end(), nullptr), nodes.end());
    return nodes;
  };
  EachContainer(manifests, [&](const Manifest&, const YamlNode& pod, const YamlNode& container) {
    for (const YamlNode* number : numbers(pod, container)) ++seen[number->text];
  });
  if (seen.size() < 2) return;
  const std::string usual = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
                              return a.second < b.second;
                            })->first;
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode& pod, const YamlNode& container) {
    for (const YamlNode* number : numbers(pod, container)) {
      if (number->text == usual) continue;
      report.Add(manifest, number,
                 absl::StrCat(Of(container), "has user or group ", number->text, " where others have ", usual,
                              "; use one number for runAsUser, runAsGroup and fsGroup"));
    }
  });
}

void ReadOnlyRoot(const Manifests& manifests, LintReport& report) {
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& container) {
    if (IsTrue(&container, {"securityContext", "readOnlyRootFilesystem"})) return;
    report.Add(manifest, &container,
               Of(container) + "can write to its image; set securityContext.readOnlyRootFilesystem: true");
  });
}

void DeclaredPaths(const Manifests& manifests, LintReport& report) {
  static const std::vector<std::string>* const kPaths =
      new std::vector<std::string>{"/tmp", "/app/data", "/app/backup", "/var/lib/grafana", "/prometheus"};
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode& pod) {
    for (const YamlNode& volume : ItemsAt(&pod, {"volumes"})) {
      const std::string name = TextAt(&volume, {"name"});
      if (const YamlNode* path = Look(&volume, {"hostPath"})) {
        report.Add(manifest, path, absl::StrCat("volume ", name, " is a path of the node; use a claim or an emptyDir"));
      }
      const YamlNode* scratch = Look(&volume, {"emptyDir"});
      if (scratch != nullptr && TextAt(scratch, {"sizeLimit"}).empty()) {
        report.Add(manifest, scratch, absl::StrCat("volume ", name, " has no bound; set emptyDir.sizeLimit"));
      }
    }
  });
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& container) {
    for (const YamlNode& mount : ItemsAt(&container, {"volumeMounts"})) {
      const std::string path = TextAt(&mount, {"mountPath"});
      if (IsTrue(&mount, {"readOnly"}) || std::find(kPaths->begin(), kPaths->end(), path) != kPaths->end()) continue;
      report.Add(manifest, &mount,
                 absl::StrCat(Of(container), "may write to ", path,
                              ", which is no declared path; mount it readOnly, or use /tmp, /app/data or /app/backup"));
    }
  });
}

void ByItself(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    const std::string kind = manifest.kind();
    if (kind == "Service") {
      const std::string type = TextAt(&manifest.root, {"spec", "type"});
      if (!type.empty() && type != "ClusterIP") {
        report.Add(
            manifest, Look(&manifest.root, {"spec", "type"}),
            absl::StrCat("a Service of type ", type, " exposes the part; use ClusterIP and an explicit Ingress"));
      }
      if (const YamlNode* addresses = Look(&manifest.root, {"spec", "externalIPs"})) {
        report.Add(manifest, addresses, "externalIPs expose the part; leave them out");
      }
    }
    if (kind == "Ingress" && manifest.component() != "gateway") {
      report.Add(manifest, nullptr, "only the gateway may be reached from outside; take this Ingress away");
    }
  }
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode& pod) {
    for (absl::string_view setting : {"hostNetwork", "hostPID", "hostIPC"}) {
      if (IsTrue(&pod, {setting})) {
        report.Add(manifest, Look(&pod, {setting}),
                   absl::StrCat("the pods share the node (", setting, "); take it away"));
      }
    }
    if (!IsFalse(&pod, {"enableServiceLinks"})) {
      report.Add(manifest, &pod,
                 "the pods get variables of every Service of the namespace, which may be taken for "
                 "settings; set enableServiceLinks: false");
    }
    for (const YamlNode* container : ContainersOf(pod)) {
      for (const YamlNode& port : ItemsAt(container, {"ports"})) {
        if (const YamlNode* host = Look(&port, {"hostPort"})) {
          report.Add(manifest, host, Of(*container) + "takes a port of the node; leave hostPort out");
        }
      }
    }
  });
}

// What the policies that select the pods of a workload have a say on: "Ingress", "Egress".
std::set<std::string> GuardedDirections(const Manifests& manifests, const Manifest& workload) {
  std::set<std::string> directions;
  for (const Manifest& policy : manifests) {
    if (policy.kind() != "NetworkPolicy") continue;
    const YamlNode* selector = Look(&policy.root, {"spec", "podSelector"});
    const bool everyone = selector != nullptr && selector->entries.empty();
    if (!everyone && !Selects(Look(selector, {"matchLabels"}), workload.pod_labels())) continue;
    for (const YamlNode& type : ItemsAt(&policy.root, {"spec", "policyTypes"})) directions.insert(type.text);
  }
  return directions;
}

void DenyByDefault(const Manifests& manifests, LintReport& report) {
  const bool policies = std::any_of(manifests.begin(), manifests.end(),
                                    [](const Manifest& manifest) { return manifest.kind() == "NetworkPolicy"; });
  if (!policies) return;
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode&) {
    const std::set<std::string> directions = GuardedDirections(manifests, manifest);
    for (const char* direction : {"Ingress", "Egress"}) {
      if (directions.count(direction) > 0) continue;
      report.Add(manifest, nullptr,
                 absl::StrCat("no policy says what its pods may do in the direction ", direction,
                              ", so all is open; add one that selects them, or one with "
                              "podSelector: {} that denies all"));
    }
  });
}

void Seccomp(const Manifests& manifests, LintReport& report) {
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode& pod, const YamlNode& container) {
    const YamlNode* profile = Context(pod, container, "seccompProfile");
    if (TextAt(profile, {"type"}) == "RuntimeDefault") return;
    report.Add(manifest, profile ? profile : &container,
               Of(container) + "has no seccomp filter; set securityContext.seccompProfile.type: RuntimeDefault");
  });
}

void NoNewPrivileges(const Manifests& manifests, LintReport& report) {
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode& pod) {
    for (const YamlNode& sysctl : ItemsAt(&pod, {"securityContext", "sysctls"})) {
      report.Add(manifest, &sysctl,
                 absl::StrCat("the pods set ", TextAt(&sysctl, {"name"}), " of the kernel; leave sysctls out"));
    }
  });
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& container) {
    if (!IsFalse(&container, {"securityContext", "allowPrivilegeEscalation"})) {
      report.Add(manifest, &container,
                 Of(container) + "may gain privileges; set securityContext.allowPrivilegeEscalation: false");
    }
    if (IsTrue(&container, {"securityContext", "privileged"})) {
      report.Add(manifest, &container, Of(container) + "is privileged; take it away");
    }
  });
}

void NoCapabilities(const Manifests& manifests, LintReport& report) {
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& container) {
    const std::vector<YamlNode>& drop = ItemsAt(&container, {"securityContext", "capabilities", "drop"});
    const bool all = std::any_of(drop.begin(), drop.end(), [](const YamlNode& node) { return node.text == "ALL"; });
    if (!all) {
      report.Add(manifest, &container,
                 Of(container) + "keeps capabilities; set securityContext.capabilities.drop: [ALL]");
    }
    for (const YamlNode& added : ItemsAt(&container, {"securityContext", "capabilities", "add"})) {
      report.Add(manifest, &added, absl::StrCat(Of(container), "adds the capability ", added.text, "; take it away"));
    }
    for (const YamlNode& port : ItemsAt(&container, {"ports"})) {
      const YamlNode* number = Look(&port, {"containerPort"});
      int value = 0;
      if (number == nullptr || !absl::SimpleAtoi(number->text, &value) || value >= kFirstFreePort) continue;
      report.Add(manifest, number,
                 absl::StrCat(Of(container), "listens at ", value, ", which takes a capability; use a port from ",
                              kFirstFreePort, " on"));
    }
  });
}

void NoToken(const Manifests& manifests, LintReport& report) {
  EachPod(manifests, [&](const Manifest& manifest, const YamlNode& pod) {
    if (!IsFalse(&pod, {"automountServiceAccountToken"})) {
      report.Add(manifest, &pod, "the pods get a token of the cluster; set automountServiceAccountToken: false");
    }
    // The one opens readiness gates, where that is asked for; the other compares what runs with what is declared.
    if (manifest.component() == "observer" || manifest.component() == "drift") return;
    for (const YamlNode& volume : ItemsAt(&pod, {"volumes"})) {
      for (const YamlNode& source : ItemsAt(&volume, {"projected", "sources"})) {
        const YamlNode* token = Look(&source, {"serviceAccountToken"});
        if (token == nullptr) continue;
        report.Add(manifest, token,
                   "the pods mount a token of the cluster; only the observer and what looks for drift may");
      }
    }
  });
}

void Bounded(const Manifests& manifests, LintReport& report) {
  EachContainer(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& container) {
    for (absl::string_view resource : {"cpu", "memory"}) {
      const std::optional<double> request = ParseQuantity(TextAt(&container, {"resources", "requests", resource}));
      const std::optional<double> limit = ParseQuantity(TextAt(&container, {"resources", "limits", resource}));
      if (!request || !limit || *request <= 0) {
        report.Add(manifest, &container,
                   absl::StrCat(Of(container), "asks for no ", resource,
                                " or has no limit of it; set "
                                "resources.requests.",
                                resource, " and resources.limits.", resource));
      } else if (*request > *limit) {
        report.Add(manifest, Look(&container, {"resources", "requests", resource}),
                   absl::StrCat(Of(container), "asks for more ", resource, " than its limit; it can never be placed"));
      }
    }
  });
}

// A port that the container does not have, neither by name nor by number; nullptr if it has it, or none is named.
const YamlNode* UnknownPort(const YamlNode& container, absl::string_view probe) {
  for (absl::string_view way : {"httpGet", "tcpSocket", "grpc"}) {
    const YamlNode* port = Look(&container, {probe, way, "port"});
    if (port == nullptr) continue;
    const std::vector<YamlNode>& ports = ItemsAt(&container, {"ports"});
    const bool known = std::any_of(ports.begin(), ports.end(), [port](const YamlNode& own) {
      return TextAt(&own, {"name"}) == port->text || TextAt(&own, {"containerPort"}) == port->text;
    });
    return known ? nullptr : port;
  }
  return nullptr;
}

void Probes(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    if (!manifest.is_workload()) continue;
    // What runs beside Chartly has no such paths.
    const bool beside = TextAt(manifest.pod_labels(), {"app.kubernetes.io/part-of"}) == kBeside;
    for (const YamlNode& container : ItemsAt(manifest.pod(), {"containers"})) {
      for (const auto& [probe, path] : {std::pair<absl::string_view, absl::string_view>{"startupProbe", "/ready"},
                                        {"readinessProbe", "/ready"},
                                        {"livenessProbe", "/health"}}) {
        if (const YamlNode* port = UnknownPort(container, probe)) {
          report.Add(manifest, port,
                     absl::StrCat(Of(container), "'s ", probe, " asks the port ", port->text,
                                  ", which it does not have; name one of its ports"));
        }
        const std::string asked = TextAt(&container, {probe, "httpGet", "path"});
        if (asked == path || (beside && Look(&container, {probe}) != nullptr)) continue;
        report.Add(manifest, Look(&container, {probe}) ? Look(&container, {probe}) : &container,
                   asked.empty() ? absl::StrCat(Of(container), "has no ", probe, "; ask ", path)
                                 : absl::StrCat(Of(container), "'s ", probe, " asks ", asked, "; it is to ask ", path));
      }
    }
  }
}

}  // namespace

std::vector<LintRule> PodRules() {
  return {{"E62", "no container runs as root", NotRoot},
          {"E63", "users and groups are one number", OneUser},
          {"E64", "the root filesystem is read-only", ReadOnlyRoot},
          {"E65", "what is writable is declared and bounded", DeclaredPaths},
          {"E68", "nothing is exposed by itself", ByItself},
          {"E69", "where there are network policies, no pod is left out of them", DenyByDefault},
          {"E71", "seccomp is RuntimeDefault", Seccomp},
          {"E72", "no container gains privileges, and no pod sets up the kernel", NoNewPrivileges},
          {"E73", "no container has capabilities, or needs one for its ports", NoCapabilities},
          {"E74", "no pod gets a token of the cluster", NoToken},
          {"F91", "probes ask /ready and /health, at a port of their container", Probes},
          {"F92", "requests and limits are set, and requests are within limits", Bounded}};
}

}  // namespace chartly::cli
