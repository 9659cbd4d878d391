"""What belongs to which layer and to which environment, and in what environments differ."""

import copy
import fnmatch
import json
import random
import re
import sys

import pytest
import yaml

from rendering import CHART, ENVIRONMENTS, ROOT
from test_argocd import ARGOCD, applications
from test_files import tracked
from tools import need, run

sys.path.insert(0, str(ROOT / "deploy/gitops"))
import env_diff  # noqa: E402

LAYERS = yaml.safe_load((ROOT / "deploy/layers.yaml").read_text())


def layers_of(path):
    return [layer for layer, patterns in LAYERS.items() if any(matches(path, pattern) for pattern in patterns)]


def matches(path, pattern):
    if pattern.endswith("/**"):
        return path.startswith(pattern[:-2])
    return fnmatch.fnmatch(path, pattern) and path.count("/") == pattern.count("/")


def files(layer=None):
    found = [str(path.relative_to(ROOT)) for path in tracked("terraform", "charts", "deploy", "profiles", ".ci", "dev")]
    return [path for path in found if layer in (None, *layers_of(path)[:1])]


def test_A7_every_file_belongs_to_one_layer():
    assert {path: layers_of(path) for path in files() if len(layers_of(path)) != 1} == {}
    assert all(files(layer) for layer in LAYERS)
    unused = [pattern for patterns in LAYERS.values() for pattern in patterns if not any(matches(path, pattern) for path in files())]
    assert unused == []


# What only another layer may say.
FOREIGN = {
    "manifests": re.compile(r"\b(aws_|google_|azurerm_)\w+|^\s*(resource|provider) \"", re.M),
    "profiles": re.compile(r"^(apiVersion|kind):|\bkubernetes\b", re.M),
    "workflows": re.compile(r"^apiVersion: |^ *kind: (Deployment|StatefulSet|Service|ConfigMap)$", re.M),
    "infrastructure": re.compile(r"^(apiVersion|kind):|\bimage(_tag|_digest)\b", re.M),
}


@pytest.mark.parametrize("layer", FOREIGN)
def test_A8_no_layer_says_what_another_has_to(layer):
    faults = {path: found.group(0) for path in files(layer) if (found := FOREIGN[layer].search((ROOT / path).read_text()))}
    assert faults == {}


@pytest.mark.parametrize("layer, planted", [
    ("manifests", "  bucket: aws_s3_bucket.this"), ("profiles", "kind: Deployment"), ("workflows", "cat <<X\napiVersion: v1\nX"),
    ("infrastructure", "image_tag = \"v1\"")])
def test_A8_what_is_planted_in_a_layer_is_found(layer, planted):
    assert FOREIGN[layer].search(f"first\n{planted}\n")


# --- environments ---

def used_by(environment):
    """The files that say what one environment is, without what all have in common."""
    own = set()
    for each in applications(environment).values():
        source = each["spec"]["source"]
        if "path" not in source:
            continue
        folder = ROOT / source["path"]
        if (folder / "Chart.yaml").exists():
            own |= {folder / name for name in source["helm"]["valueFiles"] if name != "values.yaml"}
        else:
            own |= {path for path in folder.rglob("*") if path.is_file()}
    own |= {path for path in (ARGOCD / environment).rglob("*") if path.is_file()}
    return own | {ARGOCD / f"flux/{environment}.yaml"}


def test_D54_no_file_is_shared_between_environments_but_the_base():
    used = {each: used_by(each) for each in ENVIRONMENTS}
    for environment, paths in used.items():
        assert CHART / f"values-{environment}.yaml" in paths and len(paths) > 10
        for other in ENVIRONMENTS:
            assert other == environment or not paths & used[other]
            # Nor does one name what is another's.
            for path in paths:
                assert other == environment or not re.search(rf"\bchartly-{other}\b|values-{other}\b|argocd/{other}\b", path.read_text()), path
    base = {path for path in ARGOCD.rglob("*.yaml") if not any(path in paths for paths in used.values())}
    assert base == {ARGOCD / "health.yaml"}


@pytest.fixture(scope="module")
def rendered():
    return {each: env_diff.render(each, [need("helm")]) for each in ENVIRONMENTS}


def test_U277_what_differs_between_environments_is_classed(rendered):
    found = list(env_diff.diff(rendered["staging"], rendered["prod"]))
    assert found and {each["class"] for each in found} == {"allowed"}
    classes = {each["class"]: each["object"] for each in env_diff.diff(rendered["dev"], rendered["prod"]) if each["class"] != "allowed"}
    # Dev has no policy that denies by default; nothing else.
    assert classes == {"security": "NetworkPolicy/chartly-default-deny"}


@pytest.mark.parametrize("change, wanted", [
    (lambda pod: pod["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False), "security"),
    (lambda pod: pod.update(automountServiceAccountToken=True), "security"),
    (lambda pod: pod["containers"][0]["args"].append("--anonymous-role=admin"), "unexpected"),
    (lambda pod: pod["containers"][0].update(command=["/bin/other"]), "unexpected"),
    (lambda pod: pod["containers"][0]["resources"]["limits"].update(memory="9Gi"), "allowed"),
])
def test_U277_a_planted_difference_gets_its_class(rendered, change, wanted):
    other = copy.deepcopy(rendered["prod"])
    change(other["Deployment", "chartly-gateway"]["spec"]["template"]["spec"])
    assert {each["class"] for each in env_diff.diff(rendered["prod"], other)} == {wanted}


def test_U277_nothing_differs_from_itself_and_both_ways_say_the_same(rendered):
    chance = random.Random(5)
    for environment in ENVIRONMENTS:
        assert list(env_diff.diff(rendered[environment], copy.deepcopy(rendered[environment]))) == []
    for _ in range(20):
        one, other = (copy.deepcopy(rendered[chance.choice(ENVIRONMENTS)]) for _ in range(2))
        for objects in (one, other):
            for gone in chance.sample(sorted(objects), 3):
                del objects[gone]
        there = [(each["object"], each["path"], each["class"], json.dumps(each["one"]), json.dumps(each["other"])) for each in env_diff.diff(one, other)]
        back = [(each["object"], each["path"], each["class"], json.dumps(each["other"]), json.dumps(each["one"])) for each in env_diff.diff(other, one)]
        assert there == back


def test_U277_the_command_ends_with_whether_all_is_allowed():
    tool, helm = ROOT / "deploy/gitops/env_diff.py", ["--helm", need("helm")]
    assert run(tool, *helm, "staging", "prod").stdout.count("\n") > 5
    done = run(tool, *helm, "dev", "prod", check=False)
    assert done.returncode == 1 and '"class": "security"' in done.stdout
    assert run(tool, *helm, "nowhere", "prod", check=False).returncode == 2


# --- references ---

REFERENCES = ["https://argo-cd.readthedocs.io/", "https://helm.sh/docs/chart_best_practices/",
              "https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"]


def test_U286_references_are_kept_and_the_chart_follows_the_practices_of_helm():
    text = (ROOT / "docs/deployment.md").read_text()
    assert [each for each in REFERENCES if f"({each})" not in text] == []
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert re.fullmatch(r"[a-z][a-z0-9-]*", chart["name"]) and re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", chart["version"])
    # Values begin with a small letter and are written in one word; templates are named with dashes, partials with an underscore,
    # and what they define belongs to the chart.
    names = [name for path in CHART.glob("values*.yaml") for name in keys(yaml.safe_load(path.read_text()))]
    assert [name for name in names if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name)] == []
    for path in (CHART / "templates").rglob("*"):
        if path.is_file() and path.name != "NOTES.txt":
            assert re.fullmatch(r"[a-z0-9-]+\.yaml|_[a-z]+\.tpl", path.name), path.name
            assert all(name.startswith("chartly.") for name in re.findall(r'define "([^"]+)"', path.read_text())), path.name
            assert "\t" not in path.read_text(), path.name


def keys(value):
    """Names of settings; below resources, selectors and the like stand names of others."""
    for name, inner in value.items():
        yield name
        if isinstance(inner, dict) and name not in ("requests", "limits", "commonAnnotations", "nodeSelector"):
            yield from keys(inner)
