"""What the version before left: its data folders and its messages, kept in test/deploy/previous, and how they are kept anew.

  previous.py keep BIN API   puts what the programs of the folder BIN write, and the protos of the folder API, in their place.
                             Run it with those of a release: from then on the next version is held to it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).parent / "previous"
GOOGLE = ["/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis",
          "/usr/share/gocode/src/github.com/googleapis/googleapis", "/usr/lib/python3/dist-packages", "/usr/include"]
FINAL = {"succeeded", "partial", "failed", "cancelled"}
HTTP_RULE = "72295728"  # the number of google.api.http among the options of a method
SPOOLED = "sample-gdp"


# --- messages ---

def parse(lines):
    """protoc's text of a message as [(name, text or the same of an inner message)]."""
    found = []
    for line in lines:
        line = line.strip()
        if line == "}":
            return found
        if line.endswith("{"):
            found.append((line[:-1].strip(), parse(lines)))
        else:
            name, _, text = line.partition(": ")
            found.append((name, text.strip('"')))
    return found


def every(message, name):
    return [value for key, value in message if key == name]


def one(message, name, default=""):
    return next(iter(every(message, name)), default)


def flat(message):
    return " ".join(f"{name} {{{flat(value)}}}" if isinstance(value, list) else f"{name}={value}" for name, value in message)


def of_enum(enum, scope):
    for value in every(enum, "value"):
        yield f"enum {scope}.{one(enum, 'name')} {one(value, 'number', '0')} {one(value, 'name')}"


def of_message(message, scope):
    name = f"{scope}.{one(message, 'name')}"
    for field in every(message, "field"):
        said = " ".join(one(field, each) for each in ("number", "name", "label", "type", "type_name"))
        yield f"field {name} {said}".rstrip()
    for each in every(message, "nested_type"):
        yield from of_message(each, name)
    for each in every(message, "enum_type"):
        yield from of_enum(each, name)


def messages(api=ROOT / "api"):
    """Every field, value and method of the protos, a line each: what two versions have to agree on."""
    include = [f"-I{path}" for path in [api, *GOOGLE] if Path(path).is_dir()]
    files = [str(path.relative_to(api)) for path in sorted(Path(api).rglob("*.proto"))]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        subprocess.run(["protoc", *include, f"--descriptor_set_out={made}", *files], check=True, capture_output=True, text=True)
        with open(made, "rb") as text:
            done = subprocess.run(["protoc", *include, "--decode=google.protobuf.FileDescriptorSet", "google/protobuf/descriptor.proto"],
                                  stdin=text, check=True, capture_output=True)
    lines = []
    for file in every(parse(iter(done.stdout.decode().splitlines())), "file"):
        scope = one(file, "package")
        for each in every(file, "message_type"):
            lines += of_message(each, scope)
        for each in every(file, "enum_type"):
            lines += of_enum(each, scope)
        for service in every(file, "service"):
            for method in every(service, "method"):
                streams = "".join(side[0] for side in ("client", "server") if one(method, f"{side}_streaming") == "true")
                rule = flat(one(one(method, "options", []), HTTP_RULE, []))
                lines.append(f"method {scope}.{one(service, 'name')}.{one(method, 'name')} {one(method, 'input_type')} "
                             f"{one(method, 'output_type')} {streams or '-'} {rule}".rstrip())
    return sorted(lines)


# --- data ---

def listed(cluster, path, field, **query):
    """Everything of a listing, page by page."""
    found, token = [], ""
    while True:
        answer = cluster.call("GET", f"{path}?" + urllib.parse.urlencode({**query, **({"page_token": token} if token else {})}), key=cluster.key)
        found += answer.get(field, [])
        token = answer.get("next_page_token", "")
        if not token:
            return found


def state(cluster):
    """What a control plane answers that its next version has to answer, too."""
    names = sorted(each["id"] for each in listed(cluster, "/api/profiles", "profiles"))
    return {
        "profiles": {each["id"]: each["revision"] for each in listed(cluster, "/api/profiles", "profiles")},
        "records": {name: sorted([json.dumps([each["dims"], each["measures"]], sort_keys=True), each["provenance"]["run_id"]]
                                 for each in listed(cluster, "/api/records", "records", profile_id=name)) for name in names},
        "runs": {each["run_id"]: [each["profile_id"], each["status"]] for each in listed(cluster, "/api/runs", "runs")
                 if each["status"] in FINAL},
        "keys": sorted(each["name"] for each in listed(cluster, "/api/keys", "keys")),
        "deployments": listed(cluster, "/api/deployments", "deployments"),
        "changes": [[each["action"], each["subject"], each["outcome"]] for each in reversed(listed(cluster, "/api/audit/events", "events"))],
    }


def spooled(cluster, name):
    """How many bytes lie in the spool of a drone; less than none while it does not say."""
    admin = next(argument for argument in reversed(cluster.drones[name].arguments) if re.fullmatch(r"127\.0\.0\.1:\d+", argument))
    try:
        with urllib.request.urlopen(f"http://{admin}/metrics", timeout=60) as response:
            found = re.search(r"^chartly_spool_bytes(?:{[^}]*})? (\S+)$", response.read().decode(), re.M)
    except OSError:
        return -1.0
    return float(found.group(1)) if found else -1.0


def keep_data(folder):
    from harness import Cluster, wait_until  # once CHARTLY_BIN is set
    cluster = Cluster(folder, split=True)
    try:
        cluster.drone(source_dir=ROOT / "profiles")
        for path in sorted((ROOT / "profiles/sample").glob("*.yaml")):
            cluster.create_profile(path.read_text())
        for name in ("sample-co2", "sample-gdp", "sample-population"):
            assert cluster.run_to_end(name)["status"] == "succeeded", name
        cluster.post("/api/keys", {"key_id": "reader", "role": "viewer"})
        number = cluster.post("/api/deployments", {"release_version": "1.0.0", "environment": "dev", "commit": "a" * 40,
                                                   "image_digest": "sha256:" + "a" * 64, "builder": "urn:ci"})["name"].split("/")[1]
        cluster.post(f"/api/deployments/{number}:conclude", {"smoke_evidence": "run 7", "handed_to": "the watch"})
        # Some of it is in files that were finished, some in the logs of the stores.
        cluster.kill_control()
        cluster.start_control()
        assert cluster.run_to_end("sample-co2")["status"] == "succeeded"
        known = state(cluster)
        # What a drone fetches while nobody stores it stays in its spool.
        [aggregator] = [each for each in cluster.controls if "aggregator" in each.arguments]
        aggregator.kill()
        known["spooled_run"] = wait_until(lambda: cluster.run_now(SPOOLED), "a run to begin")
        wait_until(lambda: spooled(cluster, "d1") > 0, "the spool to hold something")
        return known
    finally:
        cluster.close()


def keep(api):
    KEPT.mkdir(exist_ok=True)
    (KEPT / "messages.txt").write_text("\n".join(messages(api)) + "\n")
    folder = Path(tempfile.mkdtemp(prefix="chartly-previous-"))
    try:
        known = keep_data(folder)
        with tarfile.open(KEPT / "data.tar.xz", "w:xz") as archive:
            for path in sorted(folder.rglob("*")):
                # The log of a process, and that of RocksDB, say nothing of the data.
                if path.is_file() and path.suffix != ".log" or path.suffix == ".log" and path.name[0].isdigit():
                    if not path.name.startswith("LOG"):
                        archive.add(path, path.relative_to(folder), recursive=False)
        (KEPT / "state.json").write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] != ["keep"] or len(sys.argv) != 4:
        sys.exit(__doc__)
    os.environ["CHARTLY_BIN"] = sys.argv[2]
    keep(sys.argv[3])
