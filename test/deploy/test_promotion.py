"""The way of a release from dev to prod, in the ledger of the shipped binaries and by its commands."""

import json
import re
import time
import urllib.request

import pytest

from harness import BIN, ApiError, Cluster, cli
from test_release import image

CI = "https://ci.example.org/chartly"
ENVIRONMENTS = ["dev", "staging", "prod"]


@pytest.fixture
def ledger(tmp_path):
    if not (BIN / "chartly-control").exists():
        pytest.skip("chartly-control is not built; ./dev build")
    made = Ledger(tmp_path)
    yield made
    made.close()


class Ledger(Cluster):
    """A control plane, and the keys of two people who publish."""

    def __init__(self, folder):
        super().__init__(folder)
        self.keys = {name: self.post("/api/keys", {"key_id": name, "role": "publisher"})["secret"] for name in ("ada", "rae")}

    def version(self):
        return self.get("/health")["version"]

    def as_(self, name, *arguments):
        """A command of somebody, and what it answers."""
        path = self.folder / f"{name}.key"
        path.write_text(self.keys[name])
        path.chmod(0o600)
        return cli("deployment", *arguments, "--output", "json", env={"CHARTLY_URL": self.url, "CHARTLY_KEY_FILE": str(path)})

    def open(self, version, environment, letter="a", builder=CI, more=(), name="ada"):
        statement = self.folder / "statement.json"
        statement.write_text(json.dumps({
            "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": f"chartly:v{version}", "digest": {"sha256": letter * 64}}],
            "predicate": {"buildDefinition": {"resolvedDependencies": [{"name": "source", "digest": {"gitCommit": letter * 40}}]},
                          "runDetails": {"builder": {"id": builder}}}}))
        return self.as_(name, "open", "--release", version, "--env", environment, "--provenance", statement, *more)

    def ship(self, version, environment, letter="a", more=(), smoke=("--evidence", "run 7")):
        """A release, opened, approved and concluded."""
        made = good(self.open(version, environment, letter, more=more))
        number = made["name"].split("/")[1]
        if made["state"] == "pending":
            good(self.as_("rae", "approve", number, "--image-digest", made["image_digest"]))
        return good(self.as_("ada", "conclude", number, *smoke, "--handed-to", "the watch"))

    def events(self):
        listed = self.call("GET", "/api/audit/events?page_size=1000", key=self.key)["events"]
        return [(each["action"].removeprefix("ReleasesService."), each["actor"], each["subject"], each["outcome"])
                for each in reversed(listed) if each["action"].startswith("ReleasesService.")]


def good(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(done, why):
    assert done.returncode != 0 and why in done.stderr, done.stderr or done.stdout


def test_A6_K145_K146_K147_K148_a_release_goes_from_dev_to_prod_with_its_tests_its_approval_and_its_record(ledger):
    version = ledger.version()
    refused(ledger.open(version, "staging"), "it goes there first")
    refused(ledger.open(version, "prod"), "it goes there first")
    # Opened is not enough: what counts is that the smoke test passed.
    number = good(ledger.open(version, "dev"))["name"].split("/")[1]
    refused(ledger.open(version, "staging"), "it goes there first")
    refused(ledger.as_("ada", "conclude", number, "--handed-to", "the watch"), "--smoke")
    # The smoke test of the command asks what is deployed: here, this control plane.
    ended = good(ledger.as_("ada", "conclude", number, "--smoke", ledger.url, "--handed-to", "the watch"))
    assert ended["state"] == "completed" and f"answered ok with version {version}" in ended["smoke_evidence"]
    ledger.ship(version, "staging", smoke=("--smoke", ledger.url))
    made = good(ledger.open(version, "prod"))
    number = made["name"].split("/")[1]
    assert made["state"] == "pending"
    refused(ledger.as_("ada", "conclude", number, "--smoke", ledger.url, "--handed-to", "the watch"), "is pending")
    refused(ledger.as_("ada", "approve", number, "--image-digest", image("a")), "somebody else has to approve it")
    refused(ledger.as_("rae", "approve", number, "--image-digest", image("b")), "an approval names the image that it is for")
    approved = good(ledger.as_("rae", "approve", number, "--image-digest", image("a")))
    assert approved["approved_by"] == "keys/rae" and approved["opened_by"] == "keys/ada"
    good(ledger.as_("ada", "conclude", number, "--smoke", ledger.url, "--handed-to", "the watch"))
    assert {each["release_version"] for each in ledger.get("/api/environments")["environments"]} == {version}
    # Who did what, and what was refused, is in the audit log.
    name = f"deployments/{number}"
    done = [event for event in ledger.events() if event[2] == name and event[3] != "STARTED"]
    assert done == [("ConcludeDeployment", "keys/ada", name, "FAILED_PRECONDITION"), ("ApproveDeployment", "keys/ada", name, "PERMISSION_DENIED"),
                    ("ApproveDeployment", "keys/rae", name, "FAILED_PRECONDITION"), ("ApproveDeployment", "keys/rae", name, "OK"),
                    ("ConcludeDeployment", "keys/ada", name, "OK")]
    verified = ledger.cli("audit", "list")
    assert verified.returncode == 0 and "ApproveDeployment" in verified.stdout


def test_K148_a_smoke_test_that_fails_concludes_nothing(ledger):
    made = good(ledger.open("9.9.9", "dev"))
    number = made["name"].split("/")[1]
    refused(ledger.as_("ada", "conclude", number, "--smoke", ledger.url, "--handed-to", "the watch"), "not ok with 9.9.9")
    refused(ledger.as_("ada", "conclude", number, "--smoke", "http://127.0.0.1:1", "--handed-to", "the watch"), "SMOKE_FAILED")
    assert ledger.get(f"/api/deployments/{number}")["state"] == "active"
    good(ledger.as_("ada", "shelve", number, "--reason", "its smoke test fails"))
    refused(ledger.open("9.9.9", "staging"), "it goes there first")


def test_K143_P228_a_version_is_built_once(ledger):
    ledger.ship("1.0.0", "dev", "a")
    for environment in ("dev", "staging"):
        refused(ledger.open("1.0.0", environment, "b"), "what is built anew needs a new version")
    assert good(ledger.open("1.0.0", "staging", "a"))["image_digest"] == image("a")
    # After a restart it is known, too.
    ledger.kill_control()
    ledger.start_control()
    refused(ledger.open("1.0.0", "dev", "b"), "what is built anew needs a new version")
    ledger.ship("1.0.1", "dev", "b")


def test_I138_nothing_that_was_built_on_a_desk_reaches_prod(ledger):
    local = "urn:chartly:builder:local"
    for environment in ("dev", "staging"):
        made = good(ledger.open("1.0.0", environment, builder=local))
        good(ledger.as_("ada", "conclude", made["name"].split("/")[1], "--evidence", "run 7", "--handed-to", "the watch"))
    refused(ledger.open("1.0.0", "prod", builder=local), "built on a desk")
    refused(ledger.open("1.0.0", "prod", builder=CI), "needs a new version")
    for environment in ENVIRONMENTS:
        ledger.ship("1.0.1", environment, "b")


def test_I139_every_deployment_resolves_to_commit_and_digest(ledger):
    for missing in ("commit", "image_digest"):
        body = {"release_version": "1.0.0", "environment": "dev", "commit": "a" * 40, "image_digest": image("a")}
        body.pop(missing)
        with pytest.raises(ApiError) as error:
            ledger.post("/api/deployments", body)
        assert error.value.status == 400 and error.value.error["reason"] == f"{missing.upper()}_INVALID"
    (ledger.folder / "empty.json").write_text("{}")
    refused(ledger.as_("ada", "open", "--release", "1.0.0", "--env", "dev", "--provenance", ledger.folder / "empty.json"), "no statement of provenance")
    for version, letter in (("1.0.0", "a"), ("1.1.0", "b")):
        for environment in ENVIRONMENTS:
            ledger.ship(version, environment, letter)
    listed = ledger.get("/api/deployments")["deployments"]
    assert len(listed) == 6
    for each in listed:
        assert (each["commit"], each["image_digest"]) == {"1.0.0": ("a" * 40, image("a")), "1.1.0": ("b" * 40, image("b"))}[each["release_version"]]


def test_D56_P231_releases_go_forward_and_every_deployment_has_a_way_back(ledger):
    names = {}
    for version, letter in (("1.0.0", "a"), ("1.1.0", "b")):
        for environment in ENVIRONMENTS:
            made = ledger.ship(version, environment, letter)
            # The way back is what the environment had; the first one had nothing.
            assert made.get("rollback_deployment", "") == names.get(environment, "")
            names[environment] = made["name"]
    refused(ledger.open("1.0.0", "prod", "a"), "say why in rollback_reason")
    refused(ledger.open("0.9.0", "dev", "c"), "releases go forward only")
    refused(ledger.open("0.9.0", "dev", "c", more=("--rollback-reason", "a feeling")), "never ran in dev")
    begun = time.monotonic()
    back = ledger.ship("1.0.0", "prod", "a", more=("--rollback-reason", "1.1.0 answers with errors"))
    took = time.monotonic() - begun
    # Nothing was built, and nothing else was asked for: the same image as the first time.
    assert back["image_digest"] == image("a") and back["rollback_reason"] == "1.1.0 answers with errors" and took < 120
    shown = ledger.cli("deployment", "environments").stdout
    assert re.search(r"^prod +1\.0\.0 ", shown, re.M) and re.search(r"^staging +1\.1\.0 ", shown, re.M)
    # And forward again, since staging has it.
    assert ledger.ship("1.1.0", "prod", "b")["rollback_deployment"] == back["name"]


STRATEGIES = {"standard": ("rolling", "low"), "critical": ("blue_green", "medium"), "risky": ("canary", "low"),
              "schema": ("canary", "low"), "breaking": ("recreate", "high")}


def test_L161_L165_a_strategy_is_chosen_by_the_kind_of_change_and_kept(ledger):
    made = good(ledger.open("1.0.0", "dev"))
    assert (made["change"], made["strategy"], made["risk"]) == ("standard", "rolling", "low")
    for number, (kind, (strategy, risk)) in enumerate(STRATEGIES.items()):
        made = good(ledger.open(f"1.1.{number}", "dev", "abcdef"[number], more=("--change", kind)))
        assert (made["change"], made["strategy"], made["risk"]) == (kind, strategy, risk)
    # What does not fit is refused, and the refusal says what does.
    refused(ledger.open("1.2.0", "dev", "b", more=("--change", "schema", "--strategy", "rolling")), "use canary")
    refused(ledger.open("1.2.0", "dev", "b", more=("--change", "breaking", "--strategy", "blue-green")), "use recreate")
    refused(ledger.open("1.2.0", "dev", "b", more=("--strategy", "recreate")), "use rolling or blue_green or canary")
    refused(ledger.open("1.2.0", "dev", "b", more=("--change", "huge")), "is not one of")
    # A release changes the same wherever it goes, and nobody has to say it again; the ledger keeps it.
    more = ("--change", "critical", "--strategy", "canary")
    number = good(ledger.open("1.2.0", "dev", "b", more=more))["name"].split("/")[1]
    good(ledger.as_("ada", "conclude", number, "--evidence", "run 7", "--handed-to", "the watch"))
    ledger.kill_control()
    ledger.start_control()
    refused(ledger.open("1.2.0", "staging", "b", more=("--change", "standard")), "was opened before as a change of kind critical")
    number = good(ledger.open("1.2.0", "staging", "b"))["name"].split("/")[1]
    kept = ledger.get(f"/api/deployments/{number}")
    assert (kept["change"], kept["strategy"], kept["risk"]) == ("critical", "blue_green", "medium")


def test_P230_every_deployment_is_handed_over(ledger):
    number = good(ledger.open("1.0.0", "dev"))["name"].split("/")[1]
    refused(ledger.as_("ada", "conclude", number, "--evidence", "run 7"), "--handed-to")
    with pytest.raises(ApiError) as error:
        ledger.post(f"/api/deployments/{number}:conclude", {"smoke_evidence": "run 7"})
    assert error.value.error["reason"] == "HANDOVER_REQUIRED"
    assert good(ledger.as_("ada", "conclude", number, "--evidence", "run 7", "--handed-to", "the watch"))["handed_to"] == "the watch"


def test_Q238_every_process_tells_its_version(ledger):
    ledger.drone()
    drone = next(iter(ledger.drones.values()))
    admin = next(argument for argument in reversed(drone.arguments) if re.fullmatch(r"127\.0\.0\.1:\d+", argument))
    version = ledger.version()

    def told(address):
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
                return re.findall(r"^chartly_build_info\{(.*)\} 1$", response.read().decode(), re.M)
        except OSError:
            return []
    for address in (f"127.0.0.1:{ledger.admin['gateway']}", admin):
        end = time.monotonic() + 30
        while not (found := told(address)) and time.monotonic() < end:
            time.sleep(0.05)
        assert found == [f'version="{version}"'], address


def test_Q239_the_id_of_a_request_is_in_its_answer_and_in_the_log_of_every_part_that_it_changed_something_in(tmp_path):
    split = Cluster(tmp_path, split=True)
    try:
        for number, environment in enumerate(("dev", "production")):
            body = {"release_version": "1.0.0", "environment": environment, "commit": "a" * 40, "image_digest": image("a")}
            wanted = f"a-request-{number}"
            try:
                split.post("/api/deployments", body, headers={"X-Request-Id": wanted})
            except ApiError as error:
                assert error.error["request_id"] == wanted and environment == "production"
            # Through the gateway to the releases part, and from there to the audit part, which are processes of their own.
            events = split.call("GET", "/api/audit/events?page_size=1000", key=split.key)["events"]
            assert [each["outcome"] for each in events if each["request_id"] == wanted][-1] == "STARTED"
            assert len([each for each in events if each["request_id"] == wanted]) == 2
    finally:
        split.close()
