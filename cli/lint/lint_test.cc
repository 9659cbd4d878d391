#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/lint/quantity.h"
#include "cli/lint/rule.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::cli {
namespace {

constexpr char kLabels[] =
    "{app.kubernetes.io/name: chartly, app.kubernetes.io/instance: c, app.kubernetes.io/component: gateway, "
    "app.kubernetes.io/part-of: chartly, app.kubernetes.io/version: 1.2.3, app.kubernetes.io/managed-by: Helm}";
constexpr char kSelector[] =
    "{app.kubernetes.io/name: chartly, app.kubernetes.io/instance: c, app.kubernetes.io/component: gateway}";

// A part as every rule wants it.
std::string Good() {
  return absl::StrReplaceAll(R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: LABELS}
spec:
  selector: {matchLabels: SELECTOR}
  template:
    metadata:
      labels: LABELS
    spec:
      serviceAccountName: web
      automountServiceAccountToken: false
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: SELECTOR}}
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 10440, runAsGroup: 10440, fsGroup: 10440}
      containers:
        - name: web
          image: registry.example:5000/chartly:v1.2.3
          imagePullPolicy: IfNotPresent
          env:
            - name: ADMIN_KEY
              valueFrom: {secretKeyRef: {name: keys, key: admin}}
          ports: [{name: http, containerPort: 8090}]
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {cpu: "1", memory: 1Gi}
          startupProbe: {httpGet: {path: /ready, port: http}}
          readinessProbe: {httpGet: {path: /ready, port: http}}
          livenessProbe: {httpGet: {path: /health, port: http}}
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            seccompProfile: {type: RuntimeDefault}
            capabilities: {drop: [ALL]}
          volumeMounts: [{name: scratch, mountPath: /tmp}]
      volumes: [{name: scratch, emptyDir: {sizeLimit: 1Gi}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: LABELS}
spec:
  type: ClusterIP
  selector: SELECTOR
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, labels: LABELS}
data:
  LISTEN: 0.0.0.0:8090
  legend: "{{part}} of ${cluster}"
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, labels: LABELS}
spec: {scaleTargetRef: {kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 4}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, labels: LABELS}
spec: {maxUnavailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow, selector: {matchLabels: SELECTOR}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, labels: LABELS}
automountServiceAccountToken: false
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, labels: LABELS}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, labels: LABELS}
spec:
  rules:
    - host: chartly.example
      http: {paths: [{path: /, pathType: Prefix}]}
)",
                             {{"LABELS", kLabels}, {"SELECTOR", kSelector}});
}

std::vector<Manifest> Read(const std::string& text) {
  std::istringstream input(text);
  auto manifests = ReadManifests({"-"}, input);
  INFO(manifests.status().message());
  REQUIRE(manifests.ok());
  return *std::move(manifests);
}

struct Fault {
  std::string rule;
  std::string good;  // a piece of Good()
  std::string bad;   // what takes its place
};

const Fault kFaults[] = {
    {"C48", "topologyKey: kubernetes.io/hostname", "topologyKey: topology.kubernetes.io/zone"},
    {"C48", "labelSelector: {matchLabels: {app.kubernetes.io/name: chartly",
     "labelSelector: {matchLabels: {app: other"},
    {"E62", "runAsNonRoot: true", "runAsNonRoot: false"},
    {"E62", "runAsUser: 10440", "runAsUser: 0"},
    {"E63", "fsGroup: 10440", "fsGroup: 1000"},
    {"E64", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
    {"E65", "emptyDir: {sizeLimit: 1Gi}", "hostPath: {path: /}"},
    {"E65", "emptyDir: {sizeLimit: 1Gi}", "emptyDir: {}"},
    {"E65", "mountPath: /tmp", "mountPath: /var"},
    {"E66", "LISTEN: 0.0.0.0:8090", "LISTEN: chk_0123456789abcdef"},
    {"E66", "LISTEN: 0.0.0.0:8090", "LISTEN: password=correct-horse-battery"},
    {"E66", "LISTEN: 0.0.0.0:8090", "LISTEN: qX7zL0pV9cRt2YbN5mKw8JhG4fDs1AeU3iOoPl6"},
    {"E66", "kind: ConfigMap", "kind: Secret"},
    {"E67", "valueFrom: {secretKeyRef: {name: keys, key: admin}}", "value: abc"},
    {"E68", "type: ClusterIP", "type: NodePort"},
    {"E68", "enableServiceLinks: false", "enableServiceLinks: true"},
    {"E68", "enableServiceLinks: false", "hostNetwork: true"},
    {"E68", "containerPort: 8090}", "containerPort: 8090, hostPort: 80}"},
    {"E69", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]"},
    {"E71", "type: RuntimeDefault", "type: Unconfined"},
    {"E72", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"},
    {"E72", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: 'false'"},
    {"E72", "fsGroup: 10440}", "fsGroup: 10440, sysctls: [{name: kernel.msgmax, value: '65536'}]}"},
    {"E73", "drop: [ALL]", "drop: [NET_RAW]"},
    {"E73", "containerPort: 8090", "containerPort: 22"},
    {"E73", "drop: [ALL]", "drop: [ALL], add: [NET_RAW]"},
    {"E74", "automountServiceAccountToken: false", "automountServiceAccountToken: true"},
    {"E74", "emptyDir: {sizeLimit: 1Gi}", "projected: {sources: [{serviceAccountToken: {path: token}}]}"},
    {"F76", "kind: ConfigMap", "kind: Lease"},
    {"F76", "kind: ServiceAccount\nmetadata: {name: web", "kind: ServiceAccount\nmetadata: {name: other"},
    {"F76", "serviceAccountName: web", "serviceAccount: web"},
    {"F77", "selector: {matchLabels: {", "selector: {matchLabels: {app.kubernetes.io/version: 1.2.3, "},
    {"F77", "selector: {matchLabels: {app.kubernetes.io/name: chartly",
     "selector: {matchLabels: {app.kubernetes.io/name: other"},
    {"F78", "LISTEN: 0.0.0.0:8090", "admin_password: hunter2"},
    {"F79", "selector: {matchLabels", "replicas: 2\n  selector: {matchLabels"},
    {"F83", "imagePullPolicy: IfNotPresent", "imagePullPolicy: ${POLICY}"},
    {"F83", "env:\n", "env:\n            - {name: ADMIN_KEY, value: ''}\n"},
    {"F90", "kind: Service\nmetadata: {name: web, labels: {app.kubernetes.io/name: chartly, ",
     "kind: Service\nmetadata: {name: web, labels: {"},
    {"F91", "livenessProbe: {httpGet: {path: /health", "livenessProbe: {httpGet: {path: /ready"},
    {"F91", "startupProbe", "otherProbe"},
    {"F91", "startupProbe: {httpGet: {path: /ready, port: http}}",
     "startupProbe: {httpGet: {path: /ready, port: admin}}"},
    {"F91", "readinessProbe: {httpGet: {path: /ready, port: http}}", "readinessProbe: {grpc: {port: 8091}}"},
    {"F92", "requests: {cpu: 100m", "requests: {cpu: 64"},
    {"F92", "limits: {cpu: \"1\", memory: 1Gi}", "limits: {cpu: \"1\"}"},
    {"G102", "targetPort: http", "targetPort: web"},
    {"G103", ", pathType: Prefix", ""},
    {"P223", "chartly:v1.2.3", "chartly:latest"},
    {"P224", "chartly:v1.2.3", "chartly:main"},
    {"P224", "chartly:v1.2.3", "chartly"},
    {"P225", "IfNotPresent", "Always"},
    {"P227", "    metadata:\n", "    metadata:\n      annotations: {kubectl.kubernetes.io/restartedAt: now}\n"},
    {"P228", "chartly:v1.2.3", "chartly:v1.3.0"},
    {"U284", "maxUnavailable: 1", "maxUnavailable: 0"},
    {"U284", "maxUnavailable: 1", "minAvailable: 2"},
    {"U284", "maxUnavailable: 1", "minAvailable: 100%"},
    {"U284", "maxUnavailable: 1, ", ""},
    {"U284", "unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: IfHealthyBudget"},
    {"U284", "unhealthyPodEvictionPolicy: AlwaysAllow, ", ""},
    {"U284", "AlwaysAllow, selector: {matchLabels: {app.kubernetes.io/name: chartly",
     "AlwaysAllow, selector: {matchLabels: {app: other"},
};

TEST_CASE("What keeps all rules has no finding") {
  std::vector<LintFinding> findings = Lint(Read(Good()), {});
  for (const LintFinding& finding : findings) UNSCOPED_INFO(finding.rule << " " << finding.message);
  CHECK(findings.empty());
}

TEST_CASE("What runs beside Chartly has probes of its own, but has them") {
  const std::string beside = absl::StrReplaceAll(
      Good(), {{"app.kubernetes.io/part-of: chartly,", "app.kubernetes.io/part-of: chartly-infrastructure,"},
               {"livenessProbe: {httpGet: {path: /health, port: http}}", "livenessProbe: {exec: {command: [ask]}}"}});
  CHECK(Lint(Read(beside), {"F91"}).empty());
  CHECK(Lint(Read(absl::StrReplaceAll(beside, {{"livenessProbe", "otherProbe"}})), {"F91"}).size() == 1);
}

TEST_CASE("Each rule finds what breaks it, at its object, and says how to mend it") {
  std::set<std::string> broken;
  for (const Fault& fault : kFaults) {
    INFO(fault.rule << ": " << fault.bad);
    std::string text = Good();
    const size_t at = text.find(fault.good);
    REQUIRE(at != std::string::npos);
    text.replace(at, fault.good.size(), fault.bad);
    std::vector<LintFinding> findings = Lint(Read(text), {fault.rule});
    REQUIRE_FALSE(findings.empty());
    CHECK(findings[0].rule == fault.rule);
    CHECK(findings[0].line > 0);
    CHECK(findings[0].object.find('/') != std::string::npos);
    broken.insert(fault.rule);
  }
  for (const LintRule& rule : LintRules()) {
    INFO(rule.id << " is broken by no fault of this test");
    CHECK(broken.count(rule.id) == 1);
  }
}

TEST_CASE("Replicas that a preference keeps apart, and one that has no other, are spread enough") {
  const std::string constraints =
      "topologySpreadConstraints:\n        - {maxSkew: 1, topologyKey: kubernetes.io/hostname";
  const std::string preferred = absl::StrReplaceAll(
      Good(), {{constraints,
                "affinity:\n        podAntiAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution:\n"
                "          - weight: 100\n            podAffinityTerm: {topologyKey: kubernetes.io/hostname"}});
  CHECK(Lint(Read(preferred), {"C48"}).empty());
  const std::string one =
      absl::StrReplaceAll(Good(), {{constraints, "x:\n        - {a: b"}, {", minReplicas: 2, maxReplicas: 4", ""}});
  CHECK(Lint(Read(one), {"C48"}).empty());
}

TEST_CASE("A budget that keeps fewer than there are lets one go") {
  CHECK(Lint(Read(absl::StrReplaceAll(Good(), {{"maxUnavailable: 1", "minAvailable: 1"}})), {"U284"}).empty());
}

TEST_CASE("Files without accounts name those of other files") {
  const std::string without = absl::StrReplaceAll(Good(), {{"kind: ServiceAccount", "kind: Lease"}});
  CHECK(Lint(Read(without), {"F76"}).empty());
}

TEST_CASE("A secret that is found is not shown") {
  std::string text = absl::StrReplaceAll(Good(), {{"0.0.0.0:8090", "chk_0123456789abcdef"}});
  for (const LintFinding& finding : Lint(Read(text), {})) {
    CHECK(finding.message.find("0123456789abcdef") == std::string::npos);
  }
}

TEST_CASE("A Service that finds the pods of two parts is found") {
  std::string other =
      absl::StrReplaceAll(Good(), {{"component: gateway", "component: other"}, {"name: web", "name: two"}});
  std::string both = absl::StrReplaceAll(absl::StrCat(Good(), "---\n", other),
                                         {{", app.kubernetes.io/component: gateway}\n  ports", "}\n  ports"}});
  REQUIRE_FALSE(Lint(Read(both), {"G102"}).empty());
}

TEST_CASE("The line is that of the fault, in the document where it stands") {
  const std::string text =
      "kind: Namespace\nmetadata: {name: a}\n---\nkind: Service\nmetadata: {name: b}\nspec:\n"
      "  type: NodePort\n";
  std::vector<LintFinding> findings = Lint(Read(text), {"E68"});
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].line == 7);
  CHECK(findings[0].object == "Service/b");
}

TEST_CASE("Objects of a List are looked at") {
  CHECK(Lint(Read("kind: List\nitems:\n- kind: Service\n  spec: {type: NodePort}\n"), {"E68"}).size() == 1);
}

TEST_CASE("What is no manifest is refused with its place") {
  for (const auto& [text, reason] : {std::pair<std::string, std::string>{"a: b\n", "MANIFEST_INVALID"},
                                     {"kind: [", "MANIFEST_INVALID"},
                                     {"kind: A\nkind: B\n", "MANIFEST_INVALID"},
                                     {"", "MANIFEST_NONE"},
                                     {"# nothing\n---\n", "MANIFEST_NONE"}}) {
    INFO(text);
    std::istringstream input(text);
    CHECK(Reason(ReadManifests({"-"}, input).status()) == reason);
  }
  std::istringstream input;
  CHECK(Reason(ReadManifests({"no/such/file.yaml"}, input).status()) == "MANIFEST_NOT_FOUND");
}

TEST_CASE("Amounts are read as Kubernetes writes them") {
  CHECK(ParseQuantity("500m") == 0.5);
  CHECK(ParseQuantity("1Gi") == 1073741824.0);
  CHECK(ParseQuantity("2G") == 2e9);
  CHECK(ParseQuantity("1e3") == 1000.0);
  for (const char* text : {"", "Mi", "-1", "nan", "inf", "1 Gi", "1Zi"}) {
    INFO(text);
    CHECK_FALSE(ParseQuantity(text).has_value());
  }
}

}  // namespace
}  // namespace chartly::cli
