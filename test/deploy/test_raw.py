"""The raw manifests and the overlays on them."""

import re

import pytest

from raw_manifests import files, overlay_files, without_helm
from rendering import OVERLAYS, RAW, chart, component, ident, load, of_kind, overlay, overlays, pod_spec, pods, raw, template, workloads


def by_ident(objects):
    result = {ident(each): each for each in objects}
    assert len(result) == len(objects), "two objects of one name"
    return result


def test_C38_G99_raw_manifests_say_what_the_chart_says():
    from_chart = by_ident([each for each in map(without_helm, chart("default")) if each])
    by_hand = by_ident(raw())
    assert set(by_hand) - set(from_chart) == {"Namespace/chartly"}
    assert set(from_chart) <= set(by_hand)
    for name, each in from_chart.items():
        assert by_hand[name] == each, f"{name} differs from the chart; run ./dev manifests"


def test_F82_the_files_are_as_they_are_written():
    made = files()
    there = {str(path.relative_to(RAW)): path.read_text() for path in RAW.rglob("*") if path.is_file() and path.suffix != ".md"}
    assert {name for name in there if there[name] != made.get(name)} == set(), "run ./dev manifests"
    for name, text in overlay_files().items():
        assert (OVERLAYS / name).read_text() == text, f"{name}: run ./dev manifests"
    assert {name.split("/")[0] for name in there} == {"1-namespaces", "2-services", "3-monitoring", "Kustomization"}


def test_F83_raw_manifests_have_no_templating():
    for path in RAW.rglob("*.yaml"):
        # Prometheus puts labels into the words of an alert; that text is data, not a template of ours.
        if path.parent.name != "3-monitoring":
            assert not re.search(r"{{|\$\{|\$\(KUSTOMIZE", path.read_text()), path


def test_F87_F94_files_in_their_order_begin_with_the_namespace():
    objects = raw()
    assert objects[0]["kind"] == "Namespace"
    assert all(each["metadata"]["namespace"] == "chartly" for each in objects[1:])
    for each in workloads(objects):
        before = [ident(o) for o in objects[:objects.index(each)]]
        assert f"ServiceAccount/{each['metadata']['name']}" in before


def test_F87_the_namespace_asks_for_restricted_pods():
    labels = raw()[0]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}


def test_C50_openshift_gives_the_users():
    for where, spec in pods(overlay("openshift")):
        for context in (spec["securityContext"], *(c["securityContext"] for c in spec["containers"])):
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context), where


def test_E69_the_overlay_denies_by_default():
    denies = [each for each in of_kind(overlay("default-deny"), "NetworkPolicy") if each["spec"]["podSelector"] == {}]
    assert len(denies) == 1
    assert denies[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(denies[0]["spec"])


def test_D60_a_tenant_has_a_namespace_and_a_share_of_its_own():
    objects = overlay("tenant")
    assert {each["metadata"].get("namespace") for each in objects} == {None, "chartly-tenant-a"}
    [namespace] = of_kind(objects, "Namespace")
    assert namespace["metadata"]["name"] == "chartly-tenant-a"
    [quota] = of_kind(objects, "ResourceQuota")
    assert quota["spec"]["hard"]["services.loadbalancers"] == "0"
    for each in workloads(objects):
        assert each["spec"]["template"]["metadata"]["labels"]["chartly.io/tenant"] == "tenant-a"


def test_D60_the_share_of_a_tenant_holds_its_pods_during_a_rollout():
    from test_objects import amount
    objects = overlay("tenant")
    [quota] = of_kind(objects, "ResourceQuota")
    for kind in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            needed = [amount(c["resources"][kind][resource]) for _, spec in pods(objects) for c in spec["containers"]]
            # One more pod of the largest component at a time.
            assert sum(needed) + max(needed) <= amount(quota["spec"]["hard"][f"{kind}.{resource}"]), f"{kind}.{resource}"


def test_C38_S260_the_overlay_of_backups_says_what_the_chart_says():
    wanted = by_ident([each for each in map(without_helm, load(template("--set", "backup.enabled=true").stdout)) if each])
    found = by_ident(overlay("backup"))
    assert set(found) - set(wanted) == {"Namespace/chartly", *(name for name in found if "observer-" in name and "ConfigMap" in name)}
    for name, each in found.items():
        if each["kind"] in ("CronJob", "PersistentVolumeClaim", "ServiceAccount", "NetworkPolicy"):
            assert each == wanted[name], name
        if each["kind"] in ("StatefulSet", "Deployment"):
            [[ours], [theirs]] = (pod_spec(side[name])["containers"] for side in (found, wanted))
            # How many backups stay is a setting of the chart.
            assert set(theirs["args"]) - set(ours["args"]) <= {"--backup-keep=$(BACKUP_KEEP)"} and set(ours["args"]) <= set(theirs["args"])
            for [one, other] in ((ours["volumeMounts"], theirs["volumeMounts"]),
                                 (pod_spec(each)["volumes"], pod_spec(wanted[name])["volumes"])):
                assert {m["name"]: m for m in one} == {m["name"]: m for m in other}, name


@pytest.mark.parametrize("name", overlays())
def test_D59_no_overlay_takes_an_object_away(name):
    assert {(each["kind"], component(each)) for each in raw()} <= {(each["kind"], component(each)) for each in overlay(name)}
