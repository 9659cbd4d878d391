"""Who may talk to whom: the policies, the table of calls, and the calls that the code makes are one graph."""

import re

import pytest
import yaml

from rendering import CHART, chart, component, of_kind, overlay, raw, workloads
from tools import ROOT

TABLE = yaml.safe_load((CHART / "files/parts.yaml").read_text())
PORTS = {part["name"]: part["port"] for part in TABLE["parts"]}
GRAPH = {(part["name"], called) for part in [*TABLE["parts"], TABLE["drone"]] for called in part["calls"]}


def selected(objects, selector):
    """The components that a selector of pods finds."""
    wanted = selector.get("matchLabels", {}).items()
    return {component(each) for each in workloads(objects)
            if wanted <= each["spec"]["template"]["metadata"]["labels"].items()}


def allowed(objects, source, target, port):
    """Whether the policies let pods of `source` reach pods of `target` at `port`, as Kubernetes reads them."""
    def side(subject, other, direction):
        rules, isolated = [], False
        for policy in of_kind(objects, "NetworkPolicy"):
            spec = policy["spec"]
            if subject in selected(objects, spec["podSelector"]) and direction.capitalize() in spec["policyTypes"]:
                isolated = True
                rules += spec.get(direction, [])
        if not isolated:
            return True
        for rule in rules:
            peers = rule.get("from" if direction == "ingress" else "to")
            by_peer = peers is None or any(other in selected(objects, peer["podSelector"]) for peer in peers
                                           if "podSelector" in peer)
            by_port = "ports" not in rule or any(p["port"] == port for p in rule["ports"])
            if by_peer and by_port:
                return True
        return False
    return side(source, target, "egress") and side(target, source, "ingress")


@pytest.mark.parametrize("objects", [raw, lambda: chart("prod"), lambda: chart("default"), lambda: overlay("default-deny")],
                         ids=["raw", "prod", "default", "default-deny"])
def test_B15_E69_policies_allow_the_declared_calls_and_no_other(objects):
    objects = objects()
    names = [component(each) for each in workloads(objects)]
    open_calls = {(source, target) for source in names for target in PORTS if source != target
                  and allowed(objects, source, target, PORTS[target])}
    assert open_calls == GRAPH


def test_B15_nobody_in_the_release_reaches_an_admin_port():
    objects = chart("prod")
    admin = {part["name"]: part["adminPort"] for part in [*TABLE["parts"], TABLE["drone"]]}
    names = [component(each) for each in workloads(objects)]
    assert not [(a, b) for a in names for b in names if a != b and allowed(objects, a, b, admin[b])]


def test_E69_prod_and_staging_refuse_what_nothing_allows():
    for name, wanted in (("dev", False), ("staging", True), ("prod", True)):
        denies = [each for each in of_kind(chart(name), "NetworkPolicy") if component(each) == "default-deny"]
        assert bool(denies) == wanted
        for each in denies:
            assert not {"ingress", "egress"} & set(each["spec"])


def test_B15_the_table_lists_the_calls_that_the_code_makes():
    made = set()
    for part in PORTS:
        text = "".join(path.read_text() for path in (ROOT / "control" / part).glob("*.cc") if "_test" not in path.name)
        made |= {(part, name.lower()) for name in re.findall(r"Channel\((?:chartly::)?Part::k([A-Z][a-z]+)\)", text)}
    sink = (ROOT / "common/rpc/audit_sink.cc").read_text()
    assert "Channel(Part::kAudit)" in sink
    opened = re.findall(r"case Part::k(\w+): {(.*?)return Wrap", (ROOT / "control/control.cc").read_text(), re.S)
    made |= {(part.lower(), "audit") for part, text in opened if re.search(r"\bsink\b", text)}
    # Every part asks the auth part about keys that it does not know.
    assert "Channel(Part::kAuth)" in (ROOT / "common/rpc/credential_directory.cc").read_text()
    made |= {(part, "auth") for part in PORTS}
    # The gateway serves the routes of every part, and the observer asks every part how it is.
    made |= {("gateway", part) for part in PORTS if part != "gateway"}
    made |= {("observer", part) for part in PORTS if part != "observer"}
    flags = (ROOT / "drone/drone_flags.cc").read_text()
    made |= {("drone", name.lower()) for name in re.findall(r"Locate\(\*gateway, Part::k(\w+),", flags)}
    assert {(caller, called) for caller, called in made if caller != called} == GRAPH
