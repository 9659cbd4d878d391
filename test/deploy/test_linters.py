"""What linters of others say about every rendering."""

import subprocess
from pathlib import Path

import pytest
import yaml

from rendering import BESIDE, VARIANTS, beside_text, chart_text, overlay_text, overlays, raw
from tools import CACHE, need

TEXTS = {f"chart:{name}": lambda name=name: chart_text(name) for name in VARIANTS}
TEXTS |= {f"overlay:{name}": lambda name=name: overlay_text(name) for name in overlays()}
TEXTS |= {f"beside:{name}": lambda name=name: beside_text(name) for name in BESIDE}
TEXTS["raw"] = lambda: yaml.safe_dump_all(raw())

# Findings that are accepted, each with its reason.
ACCEPTED = {
    "container-image-pull-policy": "Always would hide what version runs and is an anti-pattern of the contract; images "
                                   "are named by version and digest instead",
    "deployment-replicas": "one replica is the default for trying out; staging and prod have at least two, which "
                           "test_C48_prod_has_several_of_what_can_have_several holds",
    "container-security-context-user-group-id": "only in the renderings for OpenShift, which gives the numbers itself",
    "deployment-has-poddisruptionbudget": "only where the operator has turned budgets off",
    "statefulset-has-poddisruptionbudget": "only where the operator has turned budgets off",
    "pod-networkpolicy": "only where the operator has turned policies off",
}
ONLY = {
    "container-security-context-user-group-id": {"chart:openshift", "overlay:openshift"},
    "deployment-has-poddisruptionbudget": {"chart:bare", "beside:nginx:bare"},
    "statefulset-has-poddisruptionbudget": {"chart:bare", "beside:postgresql:bare"},
    "pod-networkpolicy": {"chart:bare", "beside:nginx:bare", "beside:postgresql:bare"},
    "deployment-replicas": set(TEXTS) - {"chart:staging", "chart:prod", "beside:nginx:prod"},
}


def schema_faults(text, version):
    python = CACHE / "venv/bin/python"
    if not python.exists():
        pytest.skip("kubernetes-validate is not installed; ./dev setup --deploy")
    done = subprocess.run([python, Path(__file__).parent / "validate_objects.py", version], input=text,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", TEXTS)
def test_U274_G107_the_schemas_of_the_api_take_every_object(name):
    assert schema_faults(TEXTS[name](), "1.32") == []


@pytest.mark.parametrize("version", ["1.30", "1.31", "1.33", "1.34", "1.35", "1.36"])
def test_C50_the_schemas_of_other_versions_take_prod(version):
    assert schema_faults(TEXTS["chart:prod"](), version) == []


def test_U274_a_planted_fault_is_found_by_the_schemas():
    text = TEXTS["raw"]().replace("livenessProbe:", "livenesProbe:", 1)
    assert len(schema_faults(text, "1.32")) == 1


def scores(text):
    """(check, object) of every finding of kube-score that is not fine."""
    import json
    done = subprocess.run([need("kube-score"), "score", "-", "--output-format", "json", "--kubernetes-version", "v1.32"],
                          input=text, capture_output=True, text=True, timeout=300)
    found = []
    for each in json.loads(done.stdout):
        for check in each["checks"] or []:
            if not check["skipped"] and check["grade"] < 10:
                found.append((check["check"]["id"], each["object_name"]))
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_F76_G107_kube_score_finds_only_what_is_accepted(name):
    faults = [(check, where) for check, where in scores(TEXTS[name]())
              if check not in ACCEPTED or name not in ONLY.get(check, {name})]
    assert faults == []


def test_F76_planted_faults_are_found_by_kube_score():
    text = TEXTS["raw"]()
    for good, bad, check in [
            ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "container-security-context-readonlyrootfilesystem"),
            (":v0.1.0", ":latest", "container-image-tag"),
            ("privileged: false", "privileged: true", "container-security-context-privileged")]:
        assert good in text
        assert check in {found for found, _ in scores(text.replace(good, bad, 1))}
