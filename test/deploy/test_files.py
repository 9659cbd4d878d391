"""Scripts and YAML files as text."""

import re
import subprocess

import pytest

from tools import ROOT, need, run

YAMLLINT = """
extends: default
rules:
  document-start: disable
  line-length:
    max: 170
    allow-non-breakable-words: true
    ignore: contract.yaml
  braces: {max-spaces-inside: 1}
  brackets: {max-spaces-inside: 1}
  comments: {min-spaces-from-content: 1}
  indentation: {spaces: 2, indent-sequences: consistent}
  truthy: {check-keys: false}
"""


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in out.splitlines() if (ROOT / line).is_file()]


def test_C42_shellcheck_finds_nothing():
    scripts = [ROOT / "dev", ROOT / ".ci/run", ROOT / ".ci/release", *tracked("*.sh")]
    run(need("shellcheck"), "--severity=warning", "--shell=bash", *scripts)


def test_F83_yamllint_finds_nothing():
    files = [path for path in tracked("*.yaml", "*.yml", "*Kustomization") if "/templates/" not in str(path)
             and path.relative_to(ROOT).parts[0] in ("charts", "deploy", "terraform", "test")
             and "deploy/k8s/3-monitoring" not in str(path) and "test/e2e" not in str(path)]
    assert len(files) > 10
    run(need("yamllint"), "--strict", "-d", YAMLLINT, *files)


@pytest.mark.parametrize("word", ["kubectl edit", "kubectl set image", "kubectl patch", "kubectl rollout restart"])
def test_F85_P226_nothing_tells_to_change_a_cluster_by_hand(word):
    faults = [path for path in tracked("*.md", "*.sh", "*.ps1", "*.yaml", "*.txt", "dev")
              if "docs/adr" not in str(path) and word in path.read_text(errors="replace")]
    assert faults == []


SECRETS = re.compile(r"chk_[0-9a-f]{32}|-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30}|"
                     r"xox[abp]-[0-9A-Za-z-]{20}|eyJ[A-Za-z0-9_-]{20,}\.eyJ")


def test_E66_no_file_that_is_deployed_or_read_by_people_holds_a_secret():
    faults = [f"{path}: {found.group(0)[:12]}…" for path in tracked("charts", "deploy", "terraform", "docs", "profiles", "*.md", "dev")
              for found in SECRETS.finditer(path.read_text(errors="replace"))]
    assert faults == []


@pytest.mark.parametrize("planted", ["chk_" + "0f" * 32, "-----BEGIN RSA " + "PRIVATE KEY-----", "AKIA" + "A1" * 8,
                                     "ghp_" + "a1B2" * 9, "eyJ" + "a" * 24 + ".eyJ" + "b" * 8])
def test_E66_a_planted_secret_is_found(planted):
    assert SECRETS.search(f"key: {planted}\n")
