"""What the manifests would start is started: the same commands, arguments, settings, user and key file, on loopback."""

import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest
import yaml

from harness import BIN, FINAL, ROOT, Process, reserve, wait_until
from rendering import arguments, chart, component, load, of_kind, pod_spec, pods, template, workloads
from tools import need, run

USER = 10440


def free_offset():
    """How far to move the ports of the table, all together, so that each is free."""
    ports = [*range(8090, 8099), *range(8190, 8200), 9090]
    while True:
        offset = random.randint(7000, 23000)
        probes = []
        try:
            for port in ports:
                probes.append(socket.socket())
                probes[-1].bind(("127.0.0.1", port + offset))
            if all([reserve(port + offset) for port in ports]):
                return offset
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()


class Host:
    """One folder and one address that stand for the cluster: names of Services become ports of loopback."""

    def __init__(self, folder, objects):
        self.folder, self.objects, self.offset = folder, objects, free_offset()
        for part in ("bin", "key", "profiles"):
            (folder / part).mkdir()
        for program in ("chartly-control", "chartly-drone", "chartly"):
            if not (BIN / program).exists():
                pytest.skip(f"{program} is not built; ./dev build")
            shutil.copy2(BIN / program, folder / "bin")
        shutil.copytree(ROOT / "profiles", folder / "profiles", dirs_exist_ok=True)
        key = folder / "key" / "admin.key"
        key.write_text("chk_" + "5a" * 32 + "\n")
        if os.geteuid() == 0:
            # As a Secret with a group arrives: it belongs to root, and the group may read it.
            os.chown(key, 0, USER)
            key.chmod(0o440)
        else:
            key.chmod(0o600)
        backup = folder / "backup"
        backup.mkdir()
        if os.geteuid() == 0:
            os.chown(backup, USER, USER)
        self.processes = {each: self.process(each) for each in map(component, workloads(objects))}

    def local(self, text):
        text = re.sub(r"\bchartly-\w+:(\d+)", r"127.0.0.1:\1", text).replace("0.0.0.0", "127.0.0.1")
        text = re.sub(r"127\.0\.0\.1:(\d+)", lambda m: f"127.0.0.1:{int(m.group(1)) + self.offset}", text)
        return text

    def volume(self, name):
        """A new volume for a component, as the kubelet hands it over."""
        data = self.folder / "data" / name
        data.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(data, USER, USER)
        return data

    def paths(self, text, data):
        """Paths of a container as those of the host."""
        for inside, outside in (("/app/data", data), ("/app/backup", self.folder / "backup"),
                                ("/app/profiles", self.folder / "profiles"), ("/etc/chartly/key", self.folder / "key"),
                                ("/etc/chartly/issuer", self.folder / "issuer"), ("/etc/chartly/bucket", self.folder / "bucket"),
                                ("/etc/chartly/authority", self.folder / "authority")):
            text = text.replace(inside, str(outside))
        return text

    def process(self, name):
        [workload] = [each for each in workloads(self.objects) if component(each) == name]
        [container] = pod_spec(workload)["containers"]
        data, flags = self.volume(name), []
        for flag in arguments(self.objects, container, DRONE_ID="chartly-drone-0"):
            flags.append(self.paths(self.local(flag), data))
        process = Process(Path(container["command"][0]).name, self.folder / f"{name}.log", flags)
        process.prefix = self.prefix()
        process.probes = {path: f"http://127.0.0.1:{self.port(container, probe['httpGet']['port'])}{probe['httpGet']['path']}"
                          for path, probe in ((p, container[p]) for p in ("readinessProbe", "livenessProbe"))}
        return process

    def run_init(self, name):
        """What the init container of a component does, to its end."""
        [workload] = [each for each in workloads(self.objects) if component(each) == name]
        [container] = pod_spec(workload)["initContainers"]
        flags = [self.paths(self.local(flag), self.folder / "data" / name)
                 for flag in arguments(self.objects, container, DRONE_ID="chartly-drone-0")]
        return subprocess.run([*self.prefix(), str(self.folder / "bin" / Path(container["command"][0]).name), *flags],
                              capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"})

    def port(self, container, name):
        return self.offset + next(port["containerPort"] for port in container["ports"] if port["name"] == name)

    def prefix(self):
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
                "--bounding-set=-all"]

    def start(self, *names):
        """Starts the processes of these components, or of all."""
        for each in [self.processes[name] for name in names or self.processes]:
            with open(each.log_path, "ab") as log:
                each.process = subprocess.Popen([*each.prefix, str(self.folder / "bin" / each.name), *each.arguments],
                                                stdout=log, stderr=log, cwd=self.folder, env={"PATH": "/usr/bin:/bin"})

    def close(self):
        for each in self.processes.values():
            each.kill()

    def chartly(self, *command):
        return subprocess.run([str(self.folder / "bin/chartly"), *command], capture_output=True, text=True, timeout=60,
                              env={"CHARTLY_KEY_FILE": str(self.folder / "key/admin.key"), "CHARTLY_URL": self.url})

    @property
    def url(self):
        return f"http://127.0.0.1:{8090 + self.offset}"


def get(url):
    """Status and body; status 0 where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@contextlib.contextmanager
def host_of(objects):
    folder = Path(tempfile.mkdtemp(prefix="chartly-deploy-"))
    folder.chmod(0o755)
    made = Host(folder, objects)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def host():
    with host_of(chart("default")) as made:
        made.start()
        yield made


def test_A5_C37_what_the_chart_would_start_becomes_ready(host):
    def ready():
        for name, each in host.processes.items():
            assert each.alive(), f"{name} {each.arguments} ended:\n{each.tail()}"
        return all(get(url)[0] == 200 for each in host.processes.values() for url in each.probes.values())
    wait_until(ready, "every probe of every pod to answer 200")
    wait_until(lambda: json.loads(get(host.url + "/api/status")[1]).get("status") == "ok", "the parts to find each other")


def test_C43_the_addresses_of_the_seeds_answer(host):
    assert json.loads(get(host.url + "/health")[1])["status"] == "ok"
    status = json.loads(get(host.url + "/api/status")[1])
    assert {each["part"]: each["health"] for each in status["parts"]} == {
        name: "serving" for name in host.processes if name != "drone"}
    for path in ("/api/profiles", "/api/results/summary"):
        code, body = get(host.url + path)
        assert code == 200 and isinstance(json.loads(body), dict), path


def test_E67_people_sign_in_at_the_issuer_that_the_values_name():
    """The settings, the client's secret and the authority come as the chart gives them, and the shipped programs take
    them: the page offers the issuer, and the role of somebody who comes from there would follow from `roles`."""
    with host_of(chart("issuer")) as host:
        place = host.folder / "issuer"
        place.mkdir()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=authority of the issuer", "-keyout", os.devnull, "-out", place / "ca.crt")
        (place / "client-secret").write_text("not for everybody\n")
        for file in place.iterdir():
            if os.geteuid() == 0:
                os.chown(file, 0, USER)
            file.chmod(0o440)
        host.start("auth", "audit", "gateway")
        auth = host.processes["auth"]
        assert "--oidc-role=admin=platform, data" in auth.arguments

        def ways():
            assert auth.alive(), auth.tail()
            code, body = get(host.url + "/api/session/ways")
            return json.loads(body) if code == 200 else None
        assert wait_until(ways, "the ways to sign in")["issuer"] == "id.example"


def test_E67_parts_and_drones_show_certificates_of_the_authority_that_the_values_name():
    """The authority is made as the documents say and comes as a Secret does, to be read only. The drone joins as its
    pod would, and its run goes over TLS; without a certificate no port of gRPC says a word."""
    objects = load(template("--set", "rpcTls.authoritySecret=chartly-authority").stdout)
    with host_of(objects) as host:
        authority = host.folder / "authority"
        authority.mkdir()
        make_authority(authority)
        host.start(*(name for name in host.processes if name != "drone"))
        wait_until(lambda: get(host.url + "/health")[1].startswith('{"status":"ok"'), "the parts to find each other")
        assert not any(path.name.endswith(".pem") and path.name != "authority.pem" for path in authority.iterdir())
        [registry] = [each for each in workloads(objects) if component(each) == "registry"]
        with socket.create_connection(("127.0.0.1", host.port(pod_spec(registry)["containers"][0], "grpc")), 10) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            with contextlib.suppress(ConnectionError):
                assert not plain.recv(1).startswith(b"\0")

        drone = host.processes["drone"]
        assert not any(flag.startswith("--key-file") for flag in drone.arguments)
        for attempt in range(2):  # the second finds that it has joined
            done = host.run_init("drone")
            assert done.returncode == 0, done.stderr
        host.start("drone")
        profile = sorted((host.folder / "profiles/sample").glob("*.yaml"))[0]
        done = host.chartly("profile", "apply", str(profile))
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(lambda: [run for run in json.loads(get(host.url + "/api/runs")[1]).get("runs", [])
                            if run["status"] == "succeeded"], "a run over TLS")


def make_authority(folder):
    """As docs/deployment.md says; the files under the names and with the modes that the Secret gives them."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
        "-subj", "/CN=Chartly control plane", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
        "-addext", "keyUsage=critical,keyCertSign", "-keyout", folder / "tls.key", "-out", folder / "authority.pem")
    (folder / "authority.key").write_bytes((folder / "tls.key").read_bytes() + (folder / "authority.pem").read_bytes())
    (folder / "tls.key").unlink()
    for file in folder.iterdir():
        if os.geteuid() == 0:
            os.chown(file, 0, USER)
        file.chmod(0o440)


def test_E75_writes_need_the_key(host):
    request = urllib.request.Request(host.url + "/api/profiles", data=b"id: x", method="POST",
                                     headers={"Content-Type": "application/yaml"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 401


def test_O220_a_run_goes_from_the_drone_through_the_store_to_a_report(host):
    profiles = sorted(str(path) for path in (host.folder / "profiles/sample").glob("*.yaml"))
    done = host.chartly("profile", "apply", *profiles)
    assert done.returncode == 0, done.stdout + done.stderr

    def stored():
        runs = json.loads(get(host.url + "/api/runs")[1]).get("runs", [])
        good = {run["profile_id"] for run in runs if run["status"] == "succeeded"}
        assert not [run for run in runs if run["status"] in FINAL - {"succeeded"}], runs
        return len(good) == len(profiles)
    wait_until(stored, "a run of every sample profile")
    done = host.chartly("report", "run", "--join", "geo.name", "--join", "time.year", "--type", "correlation",
                        "--input", "sample-population:population.total", "--input", "sample-gdp:gdp.current_usd")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pearson" in done.stdout.lower()


def test_O221_what_helm_test_runs_succeeds(host):
    spec = dict(pods(host.objects))["Pod/chartly-smoke"]
    assert spec["restartPolicy"] == "Never"
    for container in spec["containers"]:
        done = host.chartly(*[host.local(argument) for argument in container["args"]])
        assert done.returncode == 0, f"{container['args']}\n{done.stdout}{done.stderr}"


def test_Q240_prometheus_reaches_all_and_no_alert_fires(host):
    prometheus = need("prometheus")
    [data] = [each["data"] for each in of_kind(host.objects, "ConfigMap")
              if each["metadata"]["name"] == "chartly-prometheus"]
    config = yaml.safe_load(data["prometheus.yml"].replace("/etc/prometheus/", f"{host.folder}/"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        [discovery] = job.pop("dns_sd_configs")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{discovery['port'] + host.offset}"]}]
    (host.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (host.folder / "alerts.yml").write_text(data["alerts.yml"])
    address = f"127.0.0.1:{9090 + host.offset}"
    with open(host.folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen([prometheus, f"--config.file={host.folder}/prometheus.yml", "--log.level=warn",
                                    f"--storage.tsdb.path={host.folder}/tsdb", f"--web.listen-address={address}"],
                                   stdout=log, stderr=log)
    try:
        def query(expression):
            code, body = get(f"http://{address}/api/v1/query?query=" + urllib.request.quote(expression))
            return json.loads(body)["data"]["result"] if code == 200 else []
        wait_until(lambda: len(query("up == 1")) == len(host.processes), "every target to be up")
        assert {each["metric"]["component"] for each in query("up")} == set(host.processes)
        # What the dashboards show is there: a counter of each side.
        wait_until(lambda: query('chartly_runs_total{component="coordinator", status="succeeded"}'), "the runs that ended")
        wait_until(lambda: query('chartly_rows_total{component="aggregator", outcome="stored"}'), "the rows that were stored")
        rules = json.loads(get(f"http://{address}/api/v1/rules")[1])["data"]["groups"][0]["rules"]
        assert {each["health"] for each in rules} <= {"ok", "unknown"} and len(rules) > 10
        assert [each["metric"]["alertname"] for each in query('ALERTS{alertstate="firing"}')] == []
    finally:
        process.terminate()
        process.wait(20)


def test_L149_the_processes_stop_within_their_grace(host):
    for name, each in host.processes.items():
        assert each.stop(limit=20) == 0, f"{name}:\n{each.tail()}"
