"""chartly lint deploy over every rendering, and over planted faults, beside a linter of others."""

import copy
import functools
import json
import os
import subprocess

import pytest
import yaml

from rendering import BESIDE, ENVIRONMENTS, VARIANTS, beside_text, chart_text, overlay_text, overlays, raw
from test_linters import scores
from test_mutations import MUTATIONS
from tools import ROOT, need, run

CHARTLY = os.path.join(os.environ.get("CHARTLY_BIN", ROOT / "build/bin"), "chartly")
TEXTS = {f"chart:{name}": lambda name=name: chart_text(name) for name in VARIANTS}
TEXTS |= {f"overlay:{name}": lambda name=name: overlay_text(name) for name in overlays()}
TEXTS |= {f"beside:{name}": lambda name=name: beside_text(name) for name in BESIDE}
TEXTS["raw"] = lambda: yaml.safe_dump_all(raw())
TEXTS |= {f"drift:{name}": lambda name=name: run(need("kubectl"), "kustomize", ROOT / f"deploy/argocd/{name}/drift").stdout for name in ENVIRONMENTS}

# What the linter must say of a fault that test_mutations.py plants. Rules of other parts of the contract (how parts of
# Chartly must be deployed, not what is forbidden) have tests and no rule of the linter.
RULE_OF = {name: name.split()[0] for name in MUTATIONS if name[0] in "EFGP"}
RULE_OF |= {"F76 a part is missing": "F76", "F77 a port of nobody": "G102", "F77 a selector of two": "G102",
            "F90 another version": "P228", "U284 a budget that blocks": "U284"}
NO_RULE = dict.fromkeys(["F92 an index above the limit", "F92 reports above the limit"], "settings of one part")

# Faults that kube-score knows, too, and what it calls them.
THEIRS = {"E63 another user": "container-security-context-user-group-id",
          "E64 writable root": "container-security-context-readonlyrootfilesystem",
          "P223 latest": "container-image-tag",
          "P224 no tag": "container-image-tag",
          "F92 no limit": "container-resources"}


def lint(text, *arguments):
    done = subprocess.run([CHARTLY, "lint", "deploy", "-", "--output", "json", *arguments], input=text,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 2), done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert (done.returncode == 2) == bool(findings)
    return findings


@pytest.mark.parametrize("name", TEXTS)
def test_E70_G107_the_linter_finds_nothing_in_what_is_shipped(name):
    assert lint(TEXTS[name]()) == []


@functools.lru_cache(maxsize=1)
def unbroken_scores():
    return scores(yaml.safe_dump_all(raw()))


def planted(name):
    objects = copy.deepcopy(raw())
    MUTATIONS[name][1](objects)
    return yaml.safe_dump_all(objects)


@pytest.mark.parametrize("name", sorted(set(RULE_OF) - set(NO_RULE)))
def test_E70_the_linter_finds_a_planted_fault(name):
    found = {finding["rule"] for finding in lint(planted(name))}
    assert RULE_OF[name] in found


@pytest.mark.parametrize("name", THEIRS)
def test_E70_the_linter_agrees_with_kube_score(name):
    before = {check for check, _ in unbroken_scores()}
    after = [check for check, _ in scores(planted(name))]
    assert THEIRS[name] in after and THEIRS[name] not in before
    assert RULE_OF[name] in {finding["rule"] for finding in lint(planted(name))}


def test_E70_findings_stand_at_their_lines_in_folders():
    done = subprocess.run([CHARTLY, "lint", "deploy", str(ROOT / "deploy/k8s/2-services")], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0 and "nothing found" in done.stdout, done.stdout + done.stderr
