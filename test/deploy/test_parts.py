"""One table of parts: the code's, the documents', the chart's; and the flags that the programs really have."""

import functools
import itertools
import re
import subprocess

import pytest
import yaml

from harness import BIN
from rendering import CHART, arguments, containers, ident, part, pod_spec, pods, workloads
from tools import ROOT

TABLE = yaml.safe_load((CHART / "files/parts.yaml").read_text())


def documented():
    """name -> (port, admin port, plane) of docs/ports.md, which is generated from the code."""
    result = {}
    for line in (ROOT / "docs/ports.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[3].isdigit():
            result[cells[0]] = (int(cells[1]) if cells[1] else None, int(cells[3]), cells[4], cells[2].lower())
    return result


def test_C51_ports_of_the_chart_are_those_of_the_code():
    chart = {part["name"]: (part.get("port"), part["adminPort"], part["plane"], part.get("protocol", ""))
             for part in [*TABLE["parts"], TABLE["drone"]]}
    assert chart == documented() and len(chart) == 10


def test_C51_pods_and_services_use_the_ports_of_the_table(rendered):
    table = documented()
    for each in workloads(rendered):
        name = part(each)
        ports = {port["name"]: port["containerPort"] for port in pod_spec(each)["containers"][0]["ports"]}
        assert ports["admin"] == table[name][1], ident(each)
        if table[name][0]:
            assert ports[table[name][3]] == table[name][0], ident(each)
        flags = arguments(rendered, pod_spec(each)["containers"][0], DRONE_ID="d")
        assert f"--admin=0.0.0.0:{table[name][1]}" in flags
        for flag in flags:
            peer = re.fullmatch(r"--(?:peer=)?(\w+)=[^=]*:(\d+)", flag)
            if peer and peer.group(1) in table and table[peer.group(1)][0]:
                assert int(peer.group(2)) == table[peer.group(1)][0], flag


@functools.lru_cache(maxsize=None)
def known_flags(program, *verbs):
    path = BIN / program
    if not path.exists():
        pytest.skip(f"{program} is not built; ./dev build")
    text = "".join(subprocess.run([path, *verbs[:count], "--help"], capture_output=True, text=True, check=True).stdout
                   for count in range(len(verbs) + 1))
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


def test_F89_every_flag_of_a_manifest_exists(rendered):
    for where, spec in pods(rendered):
        for each in containers(spec):
            [command] = each["command"]
            assert command.startswith("/usr/bin/chartly"), where
            verbs = itertools.takewhile(re.compile("[a-z]+").fullmatch, each["args"])
            flags = known_flags(command.removeprefix("/usr/bin/"), *verbs)
            for argument in each["args"]:
                if argument.startswith("-"):
                    assert argument.split("=")[0] in flags, f"{where}: {argument}"


def test_B15_every_part_is_told_where_its_callees_are(rendered):
    calls = {part["name"]: set(part["calls"]) for part in [*TABLE["parts"], TABLE["drone"]]}
    for each in workloads(rendered):
        flags = arguments(rendered, pod_spec(each)["containers"][0], DRONE_ID="d")
        told = {re.match(r"--(?:peer=)?(\w+)=", flag).group(1) for flag in flags
                if re.match(r"--(peer=\w+|aggregator|coordinator|auth|audit)=", flag)}
        assert told == calls[part(each)], ident(each)
