"""A control plane that was taken over, against the shipped drone: what is unsigned, older or altered is refused with the
reason told back and in the log, nothing is fetched for it, and nothing widens what the owner of the host consents to."""

import base64
import hashlib
import json

import pytest

from harness import Process, cli, free_ports, wait_until
from hostile_control import HostileControl

PROFILE = """id: people
name: people
version: 1.0.{revision}
source: {{type: http_rest, url: "{url}{path}", format: json{source}}}
limits: {{max_bytes: {max_bytes}}}
mapping:
  n: dims.n
"""


class Host:
    """A drone that requires signatures by a key which its control plane does not have."""

    def __init__(self, control, source, folder):
        self.control, self.source, self.folder = control, source, folder
        source.routes["/rows"] = lambda _query: (200, "application/json", b'[{"n": 1}, {"n": 2}]')
        source.routes["/secrets"] = source.routes["/rows"]
        for key in ("owner", "thief"):
            assert cli("profile", "keygen", folder / key).returncode == 0
        (folder / "consent.yaml").write_text("hosts: [127.0.0.1]\npaths: [in]\nmax_bytes: 1MiB\n")
        admin = free_ports(1)[0]
        self.drone = Process("chartly-drone", folder / "drone.log", [
            "--id", "d1", "--data", folder / "drone", "--coordinator", control.address, "--aggregator", control.address,
            "--auth", control.address, "--control-plane", f"http://{control.address}", "--source-dir", folder,
            "--admin", f"127.0.0.1:{admin}", "--egress-allow=127.0.0.1/32", "--profile-keys", folder / "owner.pub",
            "--consent", folder / "consent.yaml"]).start()

    def text(self, revision, path="/rows", url=None, source="", max_bytes="1MiB"):
        return PROFILE.format(revision=revision, url=url or self.source.url, path=path, source=source, max_bytes=max_bytes)

    def sign(self, text, counter, key="owner"):
        file = self.folder / "people.yaml"
        file.write_text(text)
        (self.folder / "people.yaml.sig").unlink(missing_ok=True)
        signed = cli("profile", "sign", "--key", self.folder / key, "--counter", str(counter), file)
        assert signed.returncode == 0, signed.stderr
        lines = dict(line.split(" ", 1) for line in (self.folder / "people.yaml.sig").read_text().splitlines() if " " in line)
        return self.control.message("ProfileSignature")(
            key_id=lines["key"], signature=base64.b64decode(lines["signature"]), counter=int(lines["counter"]))

    def run(self, text, *signatures, revision=None):
        revision = revision or f"profiles/people@sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        return self.control.order("people", text, revision, signatures)

    def fetched(self):
        return sum(self.source.hits.values())

    def log(self):
        return self.drone.log_path.read_text()


@pytest.fixture
def host(source, tmp_path):
    control = HostileControl(tmp_path)
    made = Host(control, source, tmp_path)
    wait_until(lambda: control.told, "the drone to register")
    yield made
    made.drone.kill()
    control.close()


def test_what_is_unsigned_altered_or_signed_by_somebody_else_is_refused_and_nothing_is_fetched(host):
    text = host.text(1)
    signature = host.sign(text, 1)
    altered = host.text(1, path="/secrets")
    raised = type(signature)()
    raised.CopyFrom(signature)
    raised.counter = 99
    true_revision = f"profiles/people@sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    for reason, end in {
        "PROFILE_UNSIGNED": host.run(text),
        "PROFILE_KEY_UNTRUSTED": host.run(text, host.sign(text, 1, key="thief")),
        "PROFILE_ALTERED": host.run(altered, signature, revision=true_revision),
        "PROFILE_SIGNATURE_INVALID": host.run(altered, signature),
    }.items():
        assert (end.error_reason, end.fetched, end.truncated) == (reason, 0, False), end
        assert end.error and reason in host.log()
    assert host.run(text, raised).error_reason == "PROFILE_SIGNATURE_INVALID"
    assert host.fetched() == 0
    taken = host.run(text, signature)
    assert (taken.error_reason, taken.fetched) == ("", 2) and host.fetched() == 1
    # The control plane was told beforehand what the drone would take.
    assert list(host.control.told.consent.profile_key_ids) == [signature.key_id]
    assert host.log().count("profile refused") == 5


def test_an_older_revision_is_refused_beyond_the_one_way_back(host):
    signatures = {}
    for revision in (1, 2, 3):
        signatures[revision] = host.sign(host.text(revision), revision)
        assert host.run(host.text(revision), signatures[revision]).error_reason == ""
    fetched = host.fetched()
    older = host.run(host.text(1, path="/rows"), signatures[1])
    assert older.error_reason == "PROFILE_DOWNGRADED" and "PROFILE_DOWNGRADED" in host.log()
    # What runs in its place is the newest that ran well.
    assert older.truncated and older.revision.endswith(hashlib.sha256(host.text(3).encode()).hexdigest())
    assert host.fetched() == fetched + 1 and host.source.hits == {"/rows": fetched + 1}
    # A rollout that goes back: the one before it, and after that nothing older still.
    assert host.run(host.text(2)).error_reason == ""
    assert host.run(host.text(1), signatures[1]).error_reason == "PROFILE_DOWNGRADED"


def test_no_signature_widens_what_the_owner_consents_to(host):
    elsewhere = "http://localhost:9"
    wider = [
        host.text(2, max_bytes="2MiB"),
        host.text(2, url=elsewhere),
        host.text(2, source=", egress: {allow: [127.0.0.1, elsewhere.example]}"),
        host.text(2, source=f', auth: {{type: oauth2, client_id: u, token_url: "{elsewhere}/token", '
                            "secretRef: {name: a, key: b}}"),
        "id: people\nname: p\nversion: 1.0.2\nsource: {type: file, path: out/rows.csv, format: csv}\n"
        "limits: {max_bytes: 1MiB}\nmapping: {n: dims.n}\n",
    ]
    for counter, text in enumerate(wider, 1):
        end = host.run(text, host.sign(text, counter))
        assert (end.error_reason, end.fetched) == ("CONSENT_DENIED", 0), end
    assert host.log().count("CONSENT_DENIED") >= len(wider)
    assert host.fetched() == 0


def test_a_plan_shows_what_a_drone_will_refuse(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", b"[]")
    consent = tmp_path / "consent.yaml"
    consent.write_text("hosts: [127.0.0.1]\npaths: [in]\nmax_bytes: 1MiB\n")
    assert cli("profile", "keygen", tmp_path / "owner").returncode == 0
    single.drone(flags=["--consent", consent, "--profile-keys", tmp_path / "owner.pub"], source_dir=tmp_path)
    wait_until(lambda: single.get("/api/drones/stats")["active"] == 1, "the drone")
    folder = tmp_path / "profiles"
    folder.mkdir()
    base = "id: {id}\nname: n\nversion: 1.0.0\nschedule: {{enabled: false}}\nmapping: {{n: dims.n}}\n"
    files = {
        "host": f'source: {{type: http_rest, url: "{source.url.replace("127.0.0.1", "localhost")}/rows", format: json}}\n'
                "limits: {max_bytes: 1MiB}\n",
        "bytes": f'source: {{type: http_rest, url: "{source.url}/rows", format: json}}\nlimits: {{max_bytes: 2MiB}}\n',
        "path": "source: {type: file, path: out/rows.json, format: json}\nlimits: {max_bytes: 1MiB}\n",
        "fits": f'source: {{type: http_rest, url: "{source.url}/rows", format: json}}\nlimits: {{max_bytes: 1MiB}}\n',
        "unsigned": f'source: {{type: http_rest, url: "{source.url}/rows", format: json}}\nlimits: {{max_bytes: 1MiB}}\n',
    }
    for name, text in files.items():
        file = folder / f"{name}.yaml"
        file.write_text(base.format(id=name) + text)
        if name != "unsigned":
            assert cli("profile", "sign", "--key", tmp_path / "owner", file).returncode == 0
    planned = single.cli("profile", "plan", folder, "-o", "json")
    assert planned.returncode == 0, planned.stderr
    refusals = {r["profile_id"]: r["reason"] for r in json.loads(planned.stdout)["drones"][0]["refusals"]}
    assert refusals == {"host": "CONSENT_DENIED", "bytes": "CONSENT_DENIED", "path": "CONSENT_DENIED",
                        "unsigned": "PROFILE_UNSIGNED"}
    shown = single.cli("profile", "plan", folder).stdout
    assert all(f"will refuse {name}" in shown for name in refusals)
    listed = single.cli("drone", "list").stdout
    assert "SIGNED BY" in listed and single.get("/api/drones/d1")["consent"]["profile_key_ids"][0] in listed


def test_a_rollout_goes_back_on_drones_that_require_signatures(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", json.dumps([{"n": n, "v": n} for n in range(9)]).encode())
    assert cli("profile", "keygen", tmp_path / "owner").returncode == 0
    single.drone(flags=["--profile-keys", tmp_path / "owner.pub"])
    file = tmp_path / "people.yaml"

    def apply(version, value):
        file.write_text(f'id: people\nname: n\nversion: {version}\nschedule: {{enabled: false}}\n'
                        f'source: {{type: http_rest, url: "{source.url}/rows", format: json}}\n'
                        f"rollout: {{rings: [100%]}}\nmapping: {{n: dims.n, {value}: measures.v}}\n")
        (tmp_path / "people.yaml.sig").unlink(missing_ok=True)
        for command in (["sign", "--key", tmp_path / "owner", file], ["apply", "--allow-breaking", file]):
            done = single.cli("profile", *command)
            assert done.returncode == 0, done.stderr

    apply("1.0.0", "v")
    good = single.run_to_end("people")
    assert good["status"] == "succeeded", good
    apply("1.1.0", "vv")
    wait_until(lambda: single.get("/api/profiles/people/status").get("rollout"), "the rollout to begin")
    bad = single.run_to_end("people")
    assert bad["status"] == "succeeded" and bad["revision"] != good["revision"]
    wait_until(lambda: single.get("/api/rollouts/people")["state"] == "rolled_back", "the rollout to go back")
    back = single.run_to_end("people")
    assert (back["status"], back.get("error_reason", "")) == ("succeeded", ""), back
    assert back["revision"] == good["revision"]
