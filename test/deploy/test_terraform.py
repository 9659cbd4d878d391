"""The Terraform contracts: valid without any provider, tested, stable, and turned into values of the chart."""

import json
import os
import re
import shutil

import pytest

from rendering import of_kind, load, template
from tools import ROOT, need, run

MODULES = sorted(path for path in (ROOT / "terraform/modules").iterdir() if path.is_dir())
INTERFACES = ROOT / "test/deploy/terraform_interfaces.json"
SPECS = {"vpc": "vpc", "eks": "cluster", "rds": "db", "redis": "redis", "s3": "bucket", "gateway": "gateway"}


def terraform(*arguments, folder, check=True):
    environment = {**os.environ, "TF_DATA_DIR": str(folder / ".data"), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    environment.pop("TF_CLI_CONFIG_FILE", None)
    return run(need("tofu", "terraform"), f"-chdir={folder}", *arguments, check=check, env=environment)


@pytest.fixture
def copied(tmp_path):
    """The folder of all modules in a place that may be written to."""
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    return tmp_path / "terraform"


def sources(module):
    return "\n".join(path.read_text() for path in sorted(module.glob("*.tf")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_H117_modules_are_valid_and_their_tests_pass(module, copied):
    folder = copied / "modules" / module.name
    terraform("init", "-backend=false", "-no-color", folder=folder)
    terraform("validate", "-no-color", folder=folder)
    done = terraform("test", "-no-color", folder=folder)
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
    assert passed >= 3 and failed == 0
    runs = re.findall(r'run "([^"]+)"', "".join(path.read_text() for path in module.glob("tests/*.hcl")))
    assert len(runs) == passed


def test_H117_a_planted_fault_fails_a_test(copied):
    path = copied / "modules/vpc/main.tf"
    path.write_text(path.read_text().replace("cidrsubnet(var.cidr, 3, i)", "cidrsubnet(var.cidr, 3, 0)"))
    terraform("init", "-backend=false", folder=path.parent)
    assert terraform("test", "-no-color", folder=path.parent, check=False).returncode != 0


def test_H117_files_are_in_the_usual_format():
    terraform("fmt", "-check", "-recursive", "-diff", folder=ROOT / "terraform")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_H111_B12_no_module_knows_a_provider(module):
    text = sources(module)
    assert not re.search(r"required_providers|^\s*provider\s|^\s*(resource|data)\s", text, re.M)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_A8_H108_H109_modules_hold_nothing_of_services(module):
    names = re.findall(r'^(?:variable|output) "(\w+)"', sources(module), re.M)
    assert not [name for name in names if re.search(r"image|replica|deployment|container", name)]
    if module.name in SPECS:
        spec = SPECS[module.name]
        assert {f"{spec}_spec", f"{spec}_spec_versioned"} == set(re.findall(r'^output "(\w+)"', sources(module), re.M))


def test_B11_variables_and_outputs_name_no_provider():
    words = re.compile(r"\b(aws|azure|gcp|arn|ami|vpc_id|ec2|iam|gke|aks)\b", re.I)
    for module in MODULES:
        text = re.sub(r"#.*", "", sources(module))
        assert not words.search(text), module.name


def test_E66_no_module_takes_a_credential():
    for module in MODULES:
        names = re.findall(r'^variable "(\w+)"', sources(module), re.M)
        assert not [n for n in names if re.search(r"password|token|key|secret", n) and not re.search(r"_secret$", n)]


def interface(module):
    """Variables with type and default, and outputs, each in one line."""
    text = re.sub(r"(^|\s)#.*", "", sources(module))
    result = {"version": re.search(r'contract_version = "([^"]+)"', text).group(1), "inputs": {}, "outputs": []}
    for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        kind = re.search(r"^  type\s*=\s*(.*?)(?=^  (?:default|validation|description|nullable)\b|\Z)", body, re.M | re.S)
        result["inputs"][name] = {"type": " ".join(kind.group(1).split()),
                                  "optional": bool(re.search(r"^  default\s*=", body, re.M))}
        assert re.search(r'description = "[^"]+\."', body), f"{module.name}.{name} has no description"
    result["outputs"] = sorted(re.findall(r'^output "(\w+)"', text, re.M))
    return result


def breaks(old, new):
    """What of `old` a caller could miss in `new`."""
    found = [f"input {name} is gone" for name in old["inputs"] if name not in new["inputs"]]
    found += [f"input {name} has another type" for name in old["inputs"] if name in new["inputs"]
              and old["inputs"][name]["type"] != new["inputs"][name]["type"]]
    found += [f"input {name} is asked for" for name, each in new["inputs"].items() if not each["optional"]
              and (name not in old["inputs"] or old["inputs"][name]["optional"])]
    return found + [f"output {name} is gone" for name in old["outputs"] if name not in new["outputs"]]


def test_H110_interfaces_change_only_with_their_version():
    recorded = json.loads(INTERFACES.read_text())
    assert set(recorded) == {module.name for module in MODULES}
    for module in MODULES:
        old, new = recorded[module.name], interface(module)
        if breaks(old, new):
            assert int(new["version"].split(".")[0]) > int(old["version"].split(".")[0]), (module.name, breaks(old, new))
        assert old == new, f"{module.name} changed: record it in {INTERFACES.name}, with a new contract_version"


def test_H110_a_removed_output_counts_as_a_break():
    old = interface(MODULES[0])
    assert breaks(old, {**old, "outputs": old["outputs"][1:]})
    assert breaks(old, {**old, "inputs": {}})
    assert not breaks(old, {**old, "outputs": [*old["outputs"], "more"]})


def test_H112_H120_outputs_become_values_of_the_chart_without_a_hand(copied, tmp_path):
    folder = copied / "examples/overlay"
    terraform("init", "-backend=false", folder=folder)
    terraform("apply", "-auto-approve", "-no-color", folder=folder)
    outputs = json.loads(terraform("output", "-json", folder=folder).stdout)
    before, after = outputs["contract"], outputs["network"]
    assert before["type"] == after["type"], "an overlay must not change the shape"
    assert before["value"]["network_id"] is None and after["value"]["network_id"] == "network-of-chartly-prod"
    values = tmp_path / "values.json"
    values.write_text(terraform("output", "-json", "helm_values", folder=folder).stdout)
    objects = load(template("-f", values).stdout)
    claims = [claim for each in of_kind(objects, "StatefulSet") for claim in each["spec"]["volumeClaimTemplates"]]
    assert {claim["spec"]["storageClassName"] for claim in claims} == {"fast-disk"}
    [ingress] = of_kind(objects, "Ingress")
    assert ingress["spec"]["ingressClassName"] == "edge"
    # U285: one table of routes for Terraform and Helm.
    assert [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]] == ["/"]
    assert ingress["spec"]["tls"][0]["hosts"] == ["chartly.example.org"]


def test_E66_the_state_holds_no_secret(copied):
    folder = copied / "examples/overlay"
    terraform("init", "-backend=false", folder=folder)
    terraform("apply", "-auto-approve", "-no-color", folder=folder)
    text = (folder / "terraform.tfstate").read_text()
    assert not re.search(r"chk_[0-9a-f]{16}|-----BEGIN|password", text, re.I)
