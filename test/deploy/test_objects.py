"""Rules over every object of every rendering: raw manifests, the chart in all its variants, and the overlays."""

import math
import re

from rendering import WORKLOADS, component, containers, ident, is_canary, of_kind, part, pod_spec, pods, workloads

PLANES = {"gateway": "control", "registry": "control", "coordinator": "control", "auth": "control", "audit": "control",
          "observer": "control", "releases": "control", "aggregator": "data", "reporter": "data", "drone": "data"}
KEEPS_STATE = {"registry", "aggregator", "coordinator", "auth", "audit", "releases"}
STANDARD = {"name", "instance", "component", "part-of", "version", "managed-by"}


def every_container(objects):
    for where, spec in pods(objects):
        for each in containers(spec):
            yield f"{where} {each['name']}", spec, each


def faults_of(checks):
    faults = [name for name, good in checks if not good]
    assert faults == []


def test_E62_no_container_runs_as_root(rendered):
    faults_of((where, spec["securityContext"]["runAsNonRoot"] is True and each["securityContext"]["runAsNonRoot"] is True)
              for where, spec, each in every_container(rendered))


def test_E63_users_and_groups_are_one_number(rendered_with_user):
    for where, spec, each in every_container(rendered_with_user):
        context = spec["securityContext"]
        numbers = {context["runAsUser"], context["runAsGroup"], context["fsGroup"],
                   each["securityContext"]["runAsUser"], each["securityContext"]["runAsGroup"]}
        assert numbers == {10440}, where


def test_E64_the_root_filesystem_is_read_only(rendered):
    faults_of((where, each["securityContext"]["readOnlyRootFilesystem"] is True)
              for where, _, each in every_container(rendered))


def test_E65_what_is_writable_is_declared_and_bounded(rendered):
    for where, spec, each in every_container(rendered):
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for mount in each.get("volumeMounts", []):
            volume = volumes.get(mount["name"], {})
            assert "hostPath" not in volume, where
            if mount.get("readOnly"):
                continue
            assert mount["mountPath"] in ("/tmp", "/app/data", "/app/backup"), f"{where} writes to {mount['mountPath']}"
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], f"{where} {mount['name']} is not bounded"


def test_C47_what_must_last_is_on_a_claim(rendered):
    for each in workloads(rendered):
        if component(each) in KEEPS_STATE:
            assert each["kind"] == "StatefulSet", ident(each)
            # None while a backup is restored.
            assert each["spec"]["replicas"] in (0, 1), f"{ident(each)}: embedded storage has one owner"
            [claim] = each["spec"]["volumeClaimTemplates"]
            [container] = pod_spec(each)["containers"]
            assert {"name": claim["metadata"]["name"], "mountPath": "/app/data"} in container["volumeMounts"]
            assert each["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"


def test_E66_no_object_holds_a_secret(rendered):
    assert not of_kind(rendered, "Secret")
    shapes = re.compile(r"chk_[0-9a-f]{16}|-----BEGIN|AKIA[0-9A-Z]{16}|(password|token|api_?key|secret)\s*[:=]\s*['\"]?[\w+/-]{12,}",
                        re.I)

    def texts(value):
        if isinstance(value, dict):
            for each in value.values():
                yield from texts(each)
        elif isinstance(value, list):
            for each in value:
                yield from texts(each)
        elif isinstance(value, str):
            yield value

    def entropy(text):
        return -sum(text.count(c) / len(text) * math.log2(text.count(c) / len(text)) for c in set(text))
    for each in rendered:
        each = {**each, "metadata": {}}
        for text in texts(each):
            assert not shapes.search(text), f"{each['kind']}: {text[:80]}"
            for word in re.findall(r"[A-Za-z0-9+/_]{32,}", re.sub(r"@sha256:[0-9a-f]{64}", "", text)):
                assert entropy(word) < 4.3, f"{each['kind']}: {word} looks like a secret"


def test_E67_secrets_come_by_reference(rendered):
    for where, spec, each in every_container(rendered):
        for variable in each.get("env", []):
            if re.search(r"KEY|TOKEN|PASSWORD|SECRET", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], where


def test_E68_nothing_is_exposed_by_itself(rendered):
    for each in of_kind(rendered, "Service"):
        assert each["spec"]["type"] == "ClusterIP", ident(each)
        assert not each["spec"].get("externalIPs"), ident(each)
    for each in of_kind(rendered, "Ingress"):
        assert component(each) == "gateway"
    for where, spec in pods(rendered):
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), where
        assert not any(port.get("hostPort") for each in containers(spec) for port in each.get("ports", [])), where


def test_E71_E72_E73_the_pods_meet_restricted(rendered):
    for where, spec, each in every_container(rendered):
        context = each["securityContext"]
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert context["allowPrivilegeEscalation"] is False and context["privileged"] is False, where
        assert context["capabilities"] == {"drop": ["ALL"]}, where
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}, where


def test_E74_no_pod_gets_a_token_of_the_cluster(rendered):
    faults_of((where, spec["automountServiceAccountToken"] is False) for where, spec in pods(rendered))
    faults_of((ident(each), each["automountServiceAccountToken"] is False) for each in of_kind(rendered, "ServiceAccount"))
    # By no other way either, but for the observer where it opens readiness gates.
    holders = {where for where, spec in pods(rendered) for volume in spec.get("volumes", [])
               for source in volume.get("projected", {}).get("sources", []) if "serviceAccountToken" in source}
    assert holders == ({"Deployment/chartly-observer"} if of_kind(rendered, "Role") else set())


def test_B27_B28_every_component_has_an_account_without_rights(rendered):
    accounts = {each["metadata"]["name"] for each in of_kind(rendered, "ServiceAccount")}
    used = [pod_spec(each)["serviceAccountName"] for each in of_kind(rendered, *WORKLOADS, "CronJob") if not is_canary(each)]
    assert set(used) == accounts and len(used) == len(set(used))
    assert not of_kind(rendered, "ClusterRole", "ClusterRoleBinding")
    if not any(pod_spec(each).get("readinessGates") for each in workloads(rendered)):
        assert not of_kind(rendered, "Role", "RoleBinding")


def test_F76_F77_F78_F89_every_component_has_its_units(rendered):
    assert {part(each) for each in workloads(rendered)} == set(PLANES)
    for name in {component(each) for each in workloads(rendered)}:
        own = [each for each in rendered if component(each) == name]
        kinds = {each["kind"] for each in own}
        assert {"Service", "ConfigMap", "ServiceAccount"} <= kinds, name
        ports = {port["name"] for each in own if each["kind"] == "Service" for port in each["spec"]["ports"]}
        assert "admin" in ports and (name == "drone" or {"http", "grpc"} & ports), name


def test_F77_G102_every_service_finds_the_pods_of_one_component(rendered):
    for each in of_kind(rendered, "Service"):
        selector = each["spec"]["selector"].items()
        found = [w for w in workloads(rendered) if selector <= w["spec"]["template"]["metadata"]["labels"].items()]
        assert {component(w) for w in found} == {component(each)}, ident(each)
        [workload] = [w for w in found if not is_canary(w)]
        names = {port["name"] for c in pod_spec(workload)["containers"] for port in c["ports"]}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= names, ident(each)


def test_F77_selectors_hold_nothing_that_changes(rendered):
    stable = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "component")}
    for each in workloads(rendered):
        own = {"chartly.io/track"} if is_canary(each) else set()
        assert set(each["spec"]["selector"]["matchLabels"]) == stable | own, ident(each)


def test_F90_every_object_has_the_standard_labels(rendered):
    for each in rendered:
        labels = each["metadata"]["labels"]
        missing = STANDARD - {name.removeprefix("app.kubernetes.io/") for name in labels}
        assert not missing, f"{ident(each)} lacks {missing}"
        assert labels["app.kubernetes.io/part-of"] == "chartly"
    for each in workloads(rendered):
        image = pod_spec(each)["containers"][0]["image"]
        version = each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"]
        assert f":v{version}" in image, ident(each)


def test_B25_B26_B27_every_workload_belongs_to_one_plane(rendered):
    for each in workloads(rendered):
        for labels in (each["metadata"]["labels"], each["spec"]["template"]["metadata"]["labels"]):
            assert labels["chartly.io/plane"] == PLANES[part(each)], ident(each)


def test_F91_probes_ask_the_admin_port(rendered):
    for each in workloads(rendered):
        for container in pod_spec(each)["containers"]:
            for probe, path in (("startupProbe", "/ready"), ("readinessProbe", "/ready"), ("livenessProbe", "/health")):
                assert container[probe]["httpGet"]["path"] == path, ident(each)
                assert container[probe]["httpGet"]["port"] == "admin", ident(each)


def amount(text):
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 1e-3, "KB": 2**10, "MB": 2**20, "GB": 2**30}
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * units.get(unit, 1)


def test_F92_resources_are_set_and_bounded(rendered):
    for where, _, each in every_container(rendered):
        requests, limits = each["resources"]["requests"], each["resources"]["limits"]
        for kind in ("cpu", "memory", "ephemeral-storage"):
            assert 0 < amount(requests[kind]) <= amount(limits[kind]), f"{where} {kind}"


def test_F92_the_bounds_of_memory_fit_below_the_limit(rendered):
    maps = {component(each): each["data"] for each in of_kind(rendered, "ConfigMap")}
    for each in workloads(rendered):
        [container] = pod_spec(each)["containers"]
        limit = amount(container["resources"]["limits"]["memory"])
        if component(each) == "aggregator":
            data = maps["aggregator"]
            assert amount(data["DEDUPE_MEMORY"]) + amount(data["STORE_MEMORY"]) <= 0.7 * limit
        if component(each) == "reporter":
            assert amount(maps["reporter"]["REPORT_MEMORY"]) <= 0.7 * limit
        if component(each) == "drone" and each["kind"] == "StatefulSet":
            claim = each["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
            assert amount(maps["drone"]["SPOOL_BYTES"]) + amount(maps["drone"]["CAPTURE_BYTES"]) < amount(claim)


def test_B13_L151_L155_rollouts_are_controlled(rendered):
    for each in workloads(rendered):
        spec = each["spec"]
        assert spec["revisionHistoryLimit"] >= 2 and spec["minReadySeconds"] >= 0, ident(each)
        if each["kind"] == "Deployment":
            assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
            assert spec["progressDeadlineSeconds"] > 0, ident(each)
        else:
            assert spec["updateStrategy"]["type"] == "RollingUpdate", ident(each)
        # A part drains within 10 s.
        assert pod_spec(each)["terminationGracePeriodSeconds"] >= 20, ident(each)


def test_C48_replicas_are_spread_over_nodes_and_zones(rendered):
    for each in workloads(rendered):
        if each["kind"] == "DaemonSet":
            continue
        spread = pod_spec(each)["topologySpreadConstraints"]
        assert [s["topologyKey"] for s in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        for constraint in spread:
            selector = constraint["labelSelector"]["matchLabels"].items()
            assert selector <= each["spec"]["template"]["metadata"]["labels"].items(), ident(each)


def test_U284_a_budget_never_holds_up_the_upkeep_of_a_node(rendered):
    for each in of_kind(rendered, "PodDisruptionBudget"):
        assert each["spec"]["maxUnavailable"] == 1 and "minAvailable" not in each["spec"], ident(each)
        assert each["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", ident(each)
        found = [w for w in workloads(rendered) if component(w) == component(each)]
        selector = each["spec"]["selector"]["matchLabels"].items()
        assert found and all(selector <= w["spec"]["template"]["metadata"]["labels"].items() for w in found)


def test_P223_P224_P225_images_are_versions_and_not_pulled_again(rendered):
    for where, _, each in every_container(rendered):
        assert re.fullmatch(r"[^@:]+(:[0-9]+)?[^@:]*:v\d+\.\d+\.\d+[^@:]*(@sha256:[0-9a-f]{64})?", each["image"]), where
        assert each["imagePullPolicy"] == "IfNotPresent", where


def test_P227_no_pod_is_marked_for_a_restart_by_hand(rendered):
    for each in workloads(rendered):
        annotations = each["spec"]["template"]["metadata"].get("annotations", {})
        assert "kubectl.kubernetes.io/restartedAt" not in annotations, ident(each)


def test_B11_nothing_assumes_a_provider(rendered):
    words = re.compile(r"amazonaws|\baws\b|eks\.|azure|googleapis|\bgke\b|\bgcp\b|gp[23]\b|pd-ssd", re.I)
    for each in rendered:
        assert not words.search(str({**each, "data": {}})), ident(each)
        assert "storageClassName" not in str(each), ident(each)


def test_Q241_no_operator_is_needed(rendered):
    assert not [ident(each) for each in rendered if "monitoring.coreos.com" in each["apiVersion"]]


def test_E68_pods_know_no_addresses_but_their_own(rendered):
    # With service links, a Service called chartly-data would set CHARTLY_DATA_… for every pod.
    faults_of((where, spec["enableServiceLinks"] is False) for where, spec in pods(rendered))
