"""Every rule is broken once: a test that would not notice proves nothing."""

import copy
import re

import pytest
import yaml

import test_objects as rules
from rendering import component, of_kind, pod_spec, raw, workloads

GATEWAY = "gateway"


def workload(objects, name=GATEWAY):
    return next(each for each in workloads(objects) if component(each) == name)


def container(objects, name=GATEWAY):
    return pod_spec(workload(objects, name))["containers"][0]


def service(objects, name=GATEWAY):
    return next(each for each in of_kind(objects, "Service") if component(each) == name)


def put(*path_and_value, of=container):
    """A mutation that sets a value in the container (or whatever `of` finds) of the gateway."""
    *path, value = path_and_value

    def mutate(objects):
        target = of(objects)
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
    return mutate


def drop(*path, of=container):
    def mutate(objects):
        target = of(objects)
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]
    return mutate


def pod(objects):
    return pod_spec(workload(objects))


def add(text):
    return lambda objects: objects.append(yaml.safe_load(text))


def without(kind, name):
    def mutate(objects):
        objects[:] = [each for each in objects if not (each["kind"] == kind and component(each) == name)]
    return mutate


def env(name, value):
    return lambda objects: container(objects).setdefault("env", []).append({"name": name, "value": value})


def host_path(objects):
    pod(objects)["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    container(objects)["volumeMounts"].append({"name": "host", "mountPath": "/host", "readOnly": True})


def writes_elsewhere(objects):
    container(objects)["volumeMounts"].append({"name": "tmp", "mountPath": "/var"})


def setting(part, name, value):
    def mutate(objects):
        next(each for each in of_kind(objects, "ConfigMap") if component(each) == part)["data"][name] = value
    return mutate


MUTATIONS = {
    "E62 root": (rules.test_E62_no_container_runs_as_root, put("securityContext", "runAsNonRoot", False)),
    "E63 another user": (rules.test_E63_users_and_groups_are_one_number, put("securityContext", "runAsUser", 1000)),
    "E64 writable root": (rules.test_E64_the_root_filesystem_is_read_only, put("securityContext", "readOnlyRootFilesystem", False)),
    "E65 host path": (rules.test_E65_what_is_writable_is_declared_and_bounded, host_path),
    "E65 undeclared path": (rules.test_E65_what_is_writable_is_declared_and_bounded, writes_elsewhere),
    "C47 scratch data": (rules.test_C47_what_must_last_is_on_a_claim,
                         put("spec", "volumeClaimTemplates", [], of=lambda o: workload(o, "registry"))),
    "C47 two owners": (rules.test_C47_what_must_last_is_on_a_claim, put("spec", "replicas", 2, of=lambda o: workload(o, "audit"))),
    "E66 a Secret": (rules.test_E66_no_object_holds_a_secret,
                     add("{apiVersion: v1, kind: Secret, metadata: {name: s, labels: {}}, stringData: {a: b}}")),
    "E66 a key in a value": (rules.test_E66_no_object_holds_a_secret, setting("aggregator", "EXTRA", "chk_" + "0123456789abcdef" * 4)),
    "E66 a password": (rules.test_E66_no_object_holds_a_secret, setting("aggregator", "EXTRA", "password=correct-horse-battery")),
    "E66 random text": (rules.test_E66_no_object_holds_a_secret, setting("aggregator", "EXTRA", "qX7zL0pV9cRt2YbN5mKw8JhG4fDs1AeU3iOoPl6")),
    "E67 a key as text": (rules.test_E67_secrets_come_by_reference, env("REGISTRY_API_KEY", "abc")),
    "E68 a node port": (rules.test_E68_nothing_is_exposed_by_itself, put("spec", "type", "NodePort", of=service)),
    "E68 the host's network": (rules.test_E68_nothing_is_exposed_by_itself, put("hostNetwork", True, of=pod)),
    "E68 another ingress": (rules.test_E68_nothing_is_exposed_by_itself,
                            add("{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, labels: "
                                "{app.kubernetes.io/component: registry}}, spec: {}}")),
    "E68 service links": (rules.test_E68_pods_know_no_addresses_but_their_own, put("enableServiceLinks", True, of=pod)),
    "E71 no seccomp": (rules.test_E71_E72_E73_the_pods_meet_restricted,
                       put("securityContext", "seccompProfile", {"type": "Unconfined"})),
    "E72 escalation": (rules.test_E71_E72_E73_the_pods_meet_restricted, put("securityContext", "allowPrivilegeEscalation", True)),
    "E73 a capability": (rules.test_E71_E72_E73_the_pods_meet_restricted,
                         put("securityContext", "capabilities", {"drop": ["ALL"], "add": ["NET_RAW"]})),
    "E74 a token": (rules.test_E74_no_pod_gets_a_token_of_the_cluster, put("automountServiceAccountToken", True, of=pod)),
    "B27 one account for two": (rules.test_B27_B28_every_component_has_an_account_without_rights,
                                put("serviceAccountName", "chartly-registry", of=pod)),
    "B28 rights": (rules.test_B27_B28_every_component_has_an_account_without_rights,
                   add("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r, labels: {}}}")),
    "F76 no Service": (rules.test_F76_F77_F78_F89_every_component_has_its_units, without("Service", "auth")),
    "F76 a part is missing": (rules.test_F76_F77_F78_F89_every_component_has_its_units, without("StatefulSet", "releases")),
    "F77 a selector of two": (rules.test_F77_G102_every_service_finds_the_pods_of_one_component,
                              put("spec", "selector", {"app.kubernetes.io/name": "chartly"}, of=service)),
    "F77 a port of nobody": (rules.test_F77_G102_every_service_finds_the_pods_of_one_component,
                             lambda o: service(o)["spec"]["ports"][0].update(targetPort="web")),
    "F77 a version in a selector": (rules.test_F77_selectors_hold_nothing_that_changes,
                                    put("spec", "selector", "matchLabels", "app.kubernetes.io/version", "0.1.0", of=workload)),
    "F90 a missing label": (rules.test_F90_every_object_has_the_standard_labels,
                            drop("metadata", "labels", "app.kubernetes.io/part-of", of=service)),
    "F90 another version": (rules.test_F90_every_object_has_the_standard_labels, put("image", "chartly:v9.9.9")),
    "B25 another plane": (rules.test_B25_B26_B27_every_workload_belongs_to_one_plane,
                          put("spec", "template", "metadata", "labels", "chartly.io/plane", "data", of=workload)),
    "F91 liveness asks readiness": (rules.test_F91_probes_ask_the_admin_port, put("livenessProbe", "httpGet", "path", "/ready")),
    "F91 no startup probe": (rules.test_F91_probes_ask_the_admin_port, drop("startupProbe")),
    "F92 no limit": (rules.test_F92_resources_are_set_and_bounded, drop("resources", "limits", "memory")),
    "F92 a request above its limit": (rules.test_F92_resources_are_set_and_bounded, put("resources", "requests", "cpu", "64")),
    "F92 an index above the limit": (rules.test_F92_the_bounds_of_memory_fit_below_the_limit,
                                     setting("aggregator", "DEDUPE_MEMORY", "64GB")),
    "F92 reports above the limit": (rules.test_F92_the_bounds_of_memory_fit_below_the_limit,
                                    setting("reporter", "REPORT_MEMORY", "64GB")),
    "L155 less before more": (rules.test_B13_L151_L155_rollouts_are_controlled,
                              put("spec", "strategy", {"type": "Recreate"}, of=workload)),
    "B13 no history": (rules.test_B13_L151_L155_rollouts_are_controlled, put("spec", "revisionHistoryLimit", 0, of=workload)),
    "C48 not spread": (rules.test_C48_replicas_are_spread_over_nodes_and_zones, put("topologySpreadConstraints", [], of=pod)),
    "U284 a budget that blocks": (rules.test_U284_a_budget_never_holds_up_the_upkeep_of_a_node,
                                  put("spec", "maxUnavailable", 0, of=lambda o: of_kind(o, "PodDisruptionBudget")[0])),
    "U284 a budget that waits for a broken pod": (rules.test_U284_a_budget_never_holds_up_the_upkeep_of_a_node,
                                                  drop("spec", "unhealthyPodEvictionPolicy",
                                                       of=lambda o: of_kind(o, "PodDisruptionBudget")[0])),
    "P223 latest": (rules.test_P223_P224_P225_images_are_versions_and_not_pulled_again, put("image", "chartly:latest")),
    "P224 a branch": (rules.test_P223_P224_P225_images_are_versions_and_not_pulled_again, put("image", "chartly:main")),
    "P224 no tag": (rules.test_P223_P224_P225_images_are_versions_and_not_pulled_again, put("image", "chartly")),
    "P225 pulled again": (rules.test_P223_P224_P225_images_are_versions_and_not_pulled_again, put("imagePullPolicy", "Always")),
    "P227 restarted by hand": (rules.test_P227_no_pod_is_marked_for_a_restart_by_hand,
                               put("spec", "template", "metadata", "annotations",
                                   {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}, of=workload)),
    "B11 a provider": (rules.test_B11_nothing_assumes_a_provider,
                       put("metadata", "annotations", {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}, of=service)),
    "B11 a storage class": (rules.test_B11_nothing_assumes_a_provider,
                            put("spec", "volumeClaimTemplates", 0, "spec", "storageClassName", "gp3", of=lambda o: workload(o, "audit"))),
    "Q241 an operator": (rules.test_Q241_no_operator_is_needed,
                         add("{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m, labels: {}}}")),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_E70_a_broken_rule_is_found(name):
    rule, mutate = MUTATIONS[name]
    rule(raw())
    objects = copy.deepcopy(raw())
    mutate(objects)
    # A missing key is a finding, too: the rule asks for what is not there.
    with pytest.raises((AssertionError, KeyError, ValueError)):
        rule(objects)


def test_E70_every_rule_is_broken_once():
    broken = {rule.__name__ for rule, _ in MUTATIONS.values()}
    there = {name for name in dir(rules) if re.match(r"test_[A-Z]\d", name)}
    assert there == broken
