"""Image, compose files, scripts and units as text: what they must say, without an engine."""

import os
import re
import subprocess

import pytest
import yaml

from harness import BIN
from rendering import CHART
from test_parts import documented, known_flags
from tools import ROOT, need, run

COMPOSE = ROOT / "deploy/compose"
FILES = ["docker-compose.control.yml", "docker-compose.drone.yml"]
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()
TWINS = {"control-plane-up.sh": "deploy-control.ps1", "drone-up.sh": "start-drone.ps1", "stop-all.sh": "stop-all.ps1",
         "reset-data.sh": "reset-data.ps1"}


def services():
    return {name: each for file in FILES for name, each in yaml.safe_load((COMPOSE / file).read_text())["services"].items()}


def test_C39_C41_C42_the_files_of_the_seeds_are_there():
    for name in [*FILES, *TWINS, *TWINS.values()]:
        assert (COMPOSE / name).is_file(), name
    for name in TWINS:
        assert os.access(COMPOSE / name, os.X_OK), name
    assert list((ROOT / "profiles/government").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES)
def test_C39_U280_compose_takes_the_files(file):
    run(need("docker-compose"), "--file", COMPOSE / file, "config", "--quiet")


def test_C39_the_gateway_takes_tls_with_one_file_more(tmp_path):
    files = ["--file", COMPOSE / FILES[0], "--file", COMPOSE / "docker-compose.tls.yml"]
    environment = {**os.environ, "CHARTLY_TLS_DIR": str(tmp_path), "CHARTLY_TLS_NAME": "gateway.test"}
    shown = subprocess.run([need("docker-compose"), *files, "config"], env=environment, capture_output=True, text=True, check=True)
    control = yaml.safe_load(shown.stdout)["services"]["control"]
    assert control["environment"]["CHARTLY_TLS_CERT"].startswith("/etc/chartly/tls/")
    # The two generations of compose write a mount in two ways.
    [mount] = [each for each in control["volumes"] if "/etc/chartly/tls" in str(each)]
    assert mount == f"{tmp_path}:/etc/chartly/tls:ro" or (mount["source"] == str(tmp_path) and mount["read_only"])
    without = subprocess.run([need("docker-compose"), *files, "config"], env=os.environ, capture_output=True, text=True)
    assert without.returncode != 0 and "CHARTLY_TLS_" in without.stderr


def test_E62_E64_E72_E73_services_are_hardened():
    for name, each in services().items():
        assert each["user"] == "10440:10440" and each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"] and each["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(each), name
        assert each["mem_limit"] and each["pids_limit"], name


def test_E65_C47_what_is_written_is_declared():
    for name, each in services().items():
        assert [volume.split(":")[1] for volume in each["volumes"]] == ["/app/data"], name
        assert [mount.split(":")[0] for mount in each["tmpfs"]] == ["/tmp"], name


def test_E68_C51_ports_are_those_of_the_table_and_on_loopback():
    table = documented()
    wanted = [port for port, *_ in table.values() if port]
    published = [re.fullmatch(r"\$\{CHARTLY_BIND:-127\.0\.0\.1\}:(\d+):(\d+)", port).groups() for port in services()["control"]["ports"]]
    assert [int(a) for a, _ in published] == [int(b) for _, b in published] == wanted
    assert not any("ports" in services()[name] for name in ("drone", "join"))
    assert f"--admin=127.0.0.1:{table['drone'][1]}" in services()["drone"]["command"]


def test_P223_P225_images_are_versions():
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    for each in services().values():
        assert each["image"] == f"${{CHARTLY_IMAGE:-chartly:v{version}}}" and "pull_policy" not in each


def test_C40_every_flag_of_the_compose_files_exists():
    for each in services().values():
        program, *words = each["command"]
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        assert flags <= known_flags(program.removeprefix("/usr/bin/"), *(word for word in words if word.isalpha()))


def test_E67_no_variable_turns_tls_off_and_no_drone_has_a_key():
    control, drone, join = (services()[name] for name in ("control", "drone", "join"))
    assert "--rpc-tls" in control["command"] and "--identity-dir=/app/data/identity" in drone["command"]
    assert drone["depends_on"] == {"join": {"condition": "service_completed_successfully"}}
    assert not [word for each in (drone, join) for word in [*each["command"], *each["environment"]] if "key" in word.lower()]
    for script in ("drone-up.sh", "start-drone.ps1"):
        assert "admin.key" not in (COMPOSE / script).read_text()


def test_E63_the_image_has_the_user_of_the_chart_and_the_ports_of_the_table():
    security = yaml.safe_load((CHART / "values.yaml").read_text())["security"]
    assert f"USER {security['user']}:{security['group']}\n" in DOCKERFILE
    exposed = [int(port) for port in re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.M).group(1).split()]
    assert exposed == [port for port, *_ in documented().values() if port] + [documented()["gateway"][1]]
    last = DOCKERFILE[DOCKERFILE.index("FROM scratch"):]
    assert "RUN" not in last and "debian:trixie-slim" in DOCKERFILE


@pytest.mark.parametrize("script", sorted(TWINS))
def test_C42_scripts_are_clean(script):
    run(need("shellcheck"), "--external-sources", f"--source-path={ROOT}", "--severity=warning", COMPOSE / script)


def test_C41_the_twins_take_the_same_and_do_the_same():
    # No PowerShell is at hand: their flags and the commands that they give to the engine are compared.
    for shell, power in TWINS.items():
        a, b = (COMPOSE / shell).read_text(), (COMPOSE / power).read_text()
        flags_a = {flag.replace("-", "") for flag in re.findall(r"^    --([a-z-]+)\)", a, re.M)} | (
            {"yes"} if "--yes)" in a else set())
        flags_b = {name.lower() for name in re.findall(r"\[(?:string|switch)\]\$(\w+)", b)}
        assert flags_a == flags_b, power
        verbs_a = re.findall(r"^(?:control|drone) (up|down)", a, re.M)
        verbs_b = re.findall(r"^\s*Invoke-(?:Control|Drone) (up|down)", b, re.M)
        assert verbs_a == verbs_b, power


def test_C42_scripts_without_an_engine_say_so():
    for script in sorted(set(TWINS) - {"drone-up.sh"}):
        done = subprocess.run([COMPOSE / script], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere/docker.sock"})
        assert done.returncode != 0
        assert "no Docker engine answers" in done.stderr or "not found" in done.stderr


def test_C42_a_drone_needs_to_know_its_control_plane():
    done = subprocess.run([COMPOSE / "drone-up.sh"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--control-plane http://localhost:8090" in done.stderr


def test_C42_E67_a_token_does_not_leave_the_host_in_the_clear():
    for url in ("http://edge.example:8090", "http://10.0.0.7:8090", "http://127.0.0.1@edge.example", "http://127.0.0.1.example/"):
        done = subprocess.run([COMPOSE / "drone-up.sh", "--control-plane", url], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "would send the token in the clear" in done.stderr, url


def test_E67_E68_the_gateway_is_opened_to_other_hosts_with_tls_only():
    def up(**variables):  # as far as the engine
        return subprocess.run(["bash", "-c", ". ./lib.sh; docker() { return 1; }; compose() { echo composed; }; control up"],
                              cwd=COMPOSE, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], **variables})
    assert up().stdout == up(CHARTLY_BIND="127.0.0.7").stdout == "composed\n"
    assert up(CHARTLY_BIND="0.0.0.0", CHARTLY_TLS_DIR="/tls", CHARTLY_TLS_NAME="gateway.test").stdout == "composed\n"
    opened = up(CHARTLY_BIND="0.0.0.0")
    assert opened.returncode != 0 and opened.stdout == "" and "CHARTLY_TLS_DIR" in opened.stderr


UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_C46_units_are_hardened_and_their_flags_exist(unit):
    text = unit.read_text()
    settings = dict(line.split("=", 1) for line in text.replace("\\\n", " ").splitlines()
                    if re.match(r"[A-Z]\w+=", line))
    for name, value in {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
                        "PrivateDevices": "yes", "CapabilityBoundingSet": "", "ProtectKernelTunables": "yes",
                        "ProtectKernelModules": "yes", "ProtectControlGroups": "yes", "RestrictSUIDSGID": "yes",
                        "LockPersonality": "yes", "SystemCallArchitectures": "native", "MemoryDenyWriteExecute": "yes",
                        "RestrictNamespaces": "yes", "RestrictRealtime": "yes", "UMask": "0077"}.items():
        assert settings.get(name) == value, f"{unit.name}: {name}"
    assert settings["User"] == "chartly" and settings["StateDirectory"].startswith("chartly")
    program, *flags = settings["ExecStart"].split()
    known = known_flags(program.removeprefix("/usr/bin/"))
    assert {flag.split("=")[0] for flag in flags if flag.startswith("--")} <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_C46_systemd_takes_the_units(unit, tmp_path):
    analyze = need("systemd-analyze")
    copied = tmp_path / unit.name
    copied.write_text(unit.read_text().replace("/usr/bin/chartly", f"{BIN}/chartly"))
    done = run(analyze, "verify", "--man=no", copied, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []
    done = run(analyze, "security", "--offline=yes", "--threshold=30", copied, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]
