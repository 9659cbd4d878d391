"""The logs of a deployment in one folder: from a real API with the rights of whoever asks, and from elsewhere by files."""

import contextlib
import json
import subprocess
import urllib.request

import pytest
import yaml

from harness import cli, free_ports, wait_until
from rendering import CHART
from test_api_rig import QUICK, install, namespace, upgrade  # noqa: F401: a fixture
from test_promotion import good, ledger  # noqa: F401: a fixture

# What somebody needs who collects logs; nothing of Chartly has it.
READER = """apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: logs}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [list]}
  - {apiGroups: [""], resources: [pods/log], verbs: [get]}
"""


@pytest.fixture
def reader(rig, namespace, tmp_path):  # noqa: F811
    """The options by which an account reaches the cluster that may read logs and do nothing else."""
    rig.kubectl("create", "serviceaccount", "reader", "--namespace", namespace)
    (tmp_path / "role.yaml").write_text(READER)
    rig.kubectl("apply", "--namespace", namespace, "-f", tmp_path / "role.yaml")
    rig.kubectl("create", "rolebinding", "logs", "--role=logs", f"--serviceaccount={namespace}:reader", "--namespace", namespace)
    (tmp_path / "token").write_text(rig.kubectl("create", "token", "reader", "--namespace", namespace).stdout)
    return ["--namespace", namespace, "--kube-url", f"https://127.0.0.1:{rig.port}", "--kube-token-file", tmp_path / "token",
            "--kube-ca-file", rig.folder / "certificates/apiserver.crt"]


def collect(ledger, number, folder, *options):  # noqa: F811
    done = cli("deployment", "logs", number, "--out", folder, "--output", "json", *options,
               env={"CHARTLY_URL": ledger.url, "CHARTLY_KEY_FILE": str(ledger.key_file)})
    return done, json.loads(done.stdout) if done.stdout else {}


def open_here(ledger):  # noqa: F811
    """A deployment of the version that the chart installs, of an image that it names without a digest."""
    made = good(ledger.open("0.1.0", "dev"))
    return made["name"].split("/")[1]


def log_of(ledger):  # noqa: F811
    """What a control plane logged, and as one would that failed at a request."""
    return ledger.controls[0].log_path.read_text() + (
        '2026-11-22T17:00:00.000Z error call failed process=chartly-control method="CreateKey" code="INTERNAL" '
        'error="disk" request_id="lost-request-7"\n')


def test_Q237_Q238_the_logs_of_a_deployment_are_one_folder_with_versions_and_request_ids(rig, namespace, ledger, reader, tmp_path):  # noqa: F811
    install(rig, namespace, *QUICK)
    number, text = open_here(ledger), log_of(ledger)
    gateway = rig.pods(namespace, "gateway")[0]["metadata"]["name"]
    rig.kubelet.logs[(namespace, gateway, "gateway")] = text + "warn asked Authorization: Bearer abcdefghijkl0123\n"
    # A pod of another version, which is not of this deployment.
    upgrade(rig, namespace, *QUICK, "--set", "canary.enabled=true,canary.tag=v0.2.0", "--no-hooks")
    rig.settle(namespace)
    done, bundle = collect(ledger, number, tmp_path / "logs", *reader)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "logs/bundle.json").read_text()) == bundle
    assert bundle["deployment"]["release_version"] == "0.1.0" and bundle["deployment"]["commit"] == "a" * 40
    wanted = {each["metadata"]["name"] for each in rig.pods(namespace) if "canary" not in each["metadata"]["name"]}
    assert {each["pod"] for each in bundle["logs"]} >= wanted and {each["version"] for each in bundle["logs"]} == {"0.1.0"}
    assert not [each for each in bundle["logs"] if "canary" in each["pod"]]
    [log] = [each for each in bundle["logs"] if each["pod"] == gateway]
    assert log["image"] == "chartly:v0.1.0" and log["component"] == "gateway" and log["redacted"] == 1
    kept = (tmp_path / "logs" / log["file"]).read_text()
    assert kept.endswith("asked Authorization: Bearer [redacted]\n") and "lost-request-7" in kept
    assert kept.count("\n") == text.count("\n") + 1
    assert {"request_id": "lost-request-7", "files": [log["file"]]} in bundle["requests"]
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    # Where nothing runs, and where nobody may ask, no folder is made.
    other = [*reader]
    other[1] = "default"
    done, _ = collect(ledger, number, tmp_path / "more", *other)
    assert done.returncode == 4 and "forbidden" in done.stderr and not (tmp_path / "more").exists()


def test_Q237_with_a_proxy_anybody_collects_with_the_rights_that_he_has(rig, namespace, ledger, tmp_path):  # noqa: F811
    install(rig, namespace, *QUICK, "--set", ",".join(f"{part}.enabled=false,{part}.address=x.example:9000" for part in ("reporter", "releases")))
    number = open_here(ledger)
    [port] = free_ports(1)
    proxy = subprocess.Popen([*rig.programs["kubectl"], "proxy", f"--port={port}"], env=rig.env, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/version"), "the proxy")
        many = "".join(f"info line {i}\n" for i in range(20000))
        registry = rig.pods(namespace, "registry")[0]["metadata"]["name"]
        rig.kubelet.logs[(namespace, registry, "registry")] = many
        done, bundle = collect(ledger, number, tmp_path / "logs", "--namespace", namespace, "--kube-url", f"http://127.0.0.1:{port}",
                               "--bytes-max", "64KB")
        assert done.returncode == 0, done.stderr
        [log] = [each for each in bundle["logs"] if each["pod"] == registry]
        assert log["lines"] + log["older_lines_left_out"] == 20000 and log["older_lines_left_out"] > 10000
        kept = (tmp_path / "logs" / log["file"]).read_text()
        assert kept.endswith("info line 19999\n") and sum(each["bytes"] for each in bundle["logs"]) <= 64 * 1024
    finally:
        proxy.kill()
        proxy.wait()


def answers(url):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(url, timeout=10).status == 200
    return False


def test_Q237_logs_of_compose_and_of_a_host_are_taken_from_files(ledger, tmp_path):  # noqa: F811
    number = open_here(ledger)
    log = tmp_path / "control.log"
    log.write_text(log_of(ledger) + "control-1  | X-API-Key: 0123456789abcdef\n")
    done, bundle = collect(ledger, number, tmp_path / "logs", "--log", f"control={log}")
    assert done.returncode == 0, done.stderr
    assert {"request_id": "lost-request-7", "files": ["files/control.log"]} in bundle["requests"]
    assert (tmp_path / "logs/files/control.log").read_text().endswith("X-API-Key: [redacted]\n")
    done, _ = collect(ledger, number, tmp_path / "more")
    assert done.returncode == 1 and "kubectl proxy" in done.stderr and not (tmp_path / "more").exists()


def test_Q237_no_part_of_chartly_may_read_logs():
    texts = [path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()]
    assert not [text for text in texts if "pods/log" in text]
    assert yaml.safe_load(READER)["rules"][1]["resources"] == ["pods/log"]
