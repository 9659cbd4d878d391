"""Scrape configuration, alerts and dashboards: valid, tested, and about metrics that exist."""

import json
import re

import pytest
import yaml

from rendering import CHART, chart, component, of_kind, workloads
from tools import ROOT, need, run

ALERTS = CHART / "files/alerts.yml"
DASHBOARDS = sorted((CHART / "files/dashboards").glob("*.json"))
# What Prometheus makes itself.
BUILT_IN = {"up"}
# What Argo CD tells at its own /metrics (operator-manual/metrics of its documentation), and the labels that are asked for.
ARGO_CD = {"argocd_app_info": {"project", "name", "sync_status", "health_status"},
           "argocd_app_sync_total": {"project", "name", "phase"}, "argocd_app_sync_duration_seconds_total": {"project", "name"}}


def config_maps(variant="default"):
    return {each["metadata"]["name"]: each["data"] for each in of_kind(chart(variant), "ConfigMap")}


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels():
    return [(path.stem, panel) for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]


def analyses():
    """What a canary is judged by."""
    return [(metric["name"], metric["provider"]["prometheus"]["query"]) for each in yaml.safe_load_all((ROOT / "deploy/rollouts/canary.yaml").read_text())
            if each["kind"] == "AnalysisTemplate" for metric in each["spec"]["metrics"]]


def expressions():
    yield from (("canary: " + name, query) for name, query in analyses())
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for name, panel in panels():
        for target in panel["targets"]:
            yield f"{name}: {panel['title']}", target["expr"]


def metrics_of(expression):
    """Names of metrics, without the endings that histograms add."""
    for word in re.findall(r"(?<![\w\"])(chartly_\w+|argocd_\w+|up)(?=[\s{\[)=]|$)", expression):
        yield re.sub(r"_(bucket|sum|count)$", "", word)


def documented_metrics():
    return {match.group(1): match.group(2) for match in
            re.finditer(r"^\| `(chartly_\w+)` \| \w+ \| (?:`(\w+)`)? ?\|", (ROOT / "docs/metrics.md").read_text(), re.M)}


def test_Q241_prometheus_takes_its_configuration(tmp_path):
    data = config_maps()["chartly-prometheus"]
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    run(need("promtool"), "check", "config", "--syntax-only", tmp_path / "prometheus.yml")
    run(need("promtool"), "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "alerts.yml")


def test_Q240_every_component_is_scraped_at_its_admin_port():
    config = yaml.safe_load(config_maps()["chartly-prometheus"]["prometheus.yml"])
    services = {each["metadata"]["name"]: each for each in of_kind(chart("default"), "Service")}
    scraped = {}
    for job in config["scrape_configs"]:
        [discovery] = job["dns_sd_configs"]
        [name] = discovery["names"]
        service = services[name]
        # Headless: a name gives the address of each pod, ready or not.
        assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
        assert [port["port"] for port in service["spec"]["ports"]] == [discovery["port"]]
        labels = {r["target_label"]: r["replacement"] for r in job["relabel_configs"]}
        scraped[labels["component"]] = labels["plane"]
    assert scraped == {component(each): each["metadata"]["labels"]["chartly.io/plane"] for each in workloads(chart("default"))}


def test_Q240_what_is_left_out_is_not_scraped():
    from rendering import load, template
    data = load(template("--set", "drone.enabled=false").stdout)
    [config] = [each["data"]["prometheus.yml"] for each in of_kind(data, "ConfigMap")
                if each["metadata"]["name"] == "chartly-prometheus"]
    assert "chartly-drone" not in config


def test_L160_the_sample_of_a_canary_goes_in_steps_and_is_judged_by_metrics_that_exist():
    rollout, template = yaml.safe_load_all((ROOT / "deploy/rollouts/canary.yaml").read_text())
    [deployment] = [each for each in workloads(chart("default")) if each["metadata"]["name"] == rollout["spec"]["workloadRef"]["name"]]
    assert deployment["kind"] == rollout["spec"]["workloadRef"]["kind"]
    assert rollout["spec"]["selector"] == deployment["spec"]["selector"]
    canary = rollout["spec"]["strategy"]["canary"]
    weights = [step["setWeight"] for step in canary["steps"] if "setWeight" in step]
    assert weights == sorted(set(weights)) and 0 < weights[0] <= 25 and weights[-1] < 100
    # After every weight there is time to look, and looking begins with the first.
    assert ["pause" in step for step in canary["steps"]] == [False, True] * len(weights) and canary["analysis"]["startingStep"] == 1
    assert [each["templateName"] for each in canary["analysis"]["templates"]] == [template["metadata"]["name"]]
    assert {name for name, _ in analyses()} == {"errors", "latency", "parts"}
    jobs = {job["job_name"] for job in yaml.safe_load(config_maps()["chartly-prometheus"]["prometheus.yml"])["scrape_configs"]}
    assert "chartly-gateway" in jobs


def test_Q248_alerts_fire_on_what_they_are_for_and_only_then():
    run(need("promtool"), "test", "rules", ROOT / "test/deploy/alerts_test.yml")


def test_Q248_every_alert_is_tested_both_ways():
    text = (ROOT / "test/deploy/alerts_test.yml").read_text()
    names = {rule["alert"] for rule in rules()}
    assert set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", text)) == names
    assert set(re.findall(r'ALERTS\{alertname="(\w+)", alertstate="firing"', text)) == names


def test_Q233_Q234_Q235_Q236_every_signal_has_an_alert_that_says_what_to_do():
    signals = {rule["labels"]["signal"] for rule in rules()}
    assert {"readiness", "errors", "latency", "backpressure", "audit", "data", "fleet", "freshness", "drift", "sync"} == signals
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["action"], rule["alert"]


def test_Q242_every_expression_parses(tmp_path):
    recorded = [{"record": f"test:expression_{i}", "expr": expression} for i, (_, expression) in enumerate(expressions())]
    path = tmp_path / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    run(need("promtool"), "check", "rules", path)
    path.write_text(path.read_text().replace("rate(", "rat(", 1))
    assert run(need("promtool"), "check", "rules", path, check=False).returncode != 0


def test_Q242_every_metric_exists():
    known, faults = documented_metrics(), []
    assert len(known) > 20
    for where, expression in expressions():
        used = list(metrics_of(expression))
        assert used, f"{where} asks for nothing"
        faults += [f"{where}: {name}" for name in used if name not in known and name not in BUILT_IN | set(ARGO_CD)]
    assert faults == []


def test_Q242_every_metric_that_is_shown_is_set_by_a_program():
    code = "".join(path.read_text() for folder in ("common", "control", "drone") for path in (ROOT / folder).rglob("*.cc")
                   if not path.name.endswith("_test.cc") and path.name != "metrics.cc")
    shown = {name for _, expression in expressions() for name in metrics_of(expression)} - BUILT_IN - set(ARGO_CD)
    assert {name for name in shown if f'"{name}"' not in code} == set()


def test_Q242_every_label_is_one_that_the_metric_has():
    own = documented_metrics()
    given = {"component", "plane", "instance", "job", "le"}
    for where, expression in expressions():
        for name, matchers in re.findall(r"(chartly_\w+)\{([^}]*)\}", expression):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                assert label in given or label == own[base], f"{where}: {name} has no label {label}"
        for name, matchers in re.findall(r"(argocd_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= ARGO_CD[name], f"{where}: {name}"


def test_Q243_argo_cd_is_scraped_where_its_address_is_given(tmp_path):
    from rendering import load, template
    made = load(template("--set", "monitoring.argocdMetrics=argocd-metrics.argocd:8082").stdout)
    [data] = [each["data"] for each in of_kind(made, "ConfigMap") if each["metadata"]["name"] == "chartly-prometheus"]
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    run(need("promtool"), "check", "config", "--syntax-only", tmp_path / "prometheus.yml")
    [job] = [each for each in yaml.safe_load(data["prometheus.yml"])["scrape_configs"] if each["job_name"] == "argocd"]
    assert job["static_configs"] == [{"targets": ["argocd-metrics.argocd:8082"]}]
    assert "argocd" not in config_maps()["chartly-prometheus"]["prometheus.yml"]


def test_Q243_synchronisation_health_drift_duration_and_failures_are_shown_and_raise_alerts():
    shown = [target["expr"] for name, panel in panels() if name == "deployment" for target in panel["targets"]]
    for metric in (*ARGO_CD, "chartly_drift_findings", "chartly_drift_checked_seconds", "chartly_build_info"):
        assert any(re.search(rf"\b{metric}\b", each) for each in shown), metric
    for label in ("sync_status", "health_status"):
        assert any(f"by (project, {label}) (argocd_app_info" in each for each in shown)
    raised = " ".join(rule["expr"] for rule in rules())
    assert all(word in raised for word in ("argocd_app_sync_total", 'health_status=~"', 'sync_status="OutOfSync"', 'environment="prod"'))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_Q242_dashboards_are_whole(path):
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"] == f"chartly-{path.stem}" and dashboard["editable"] is False
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) > 4
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        for target in [panel, *panel["targets"]]:
            assert target["datasource"] == {"type": "prometheus", "uid": "chartly-prometheus"}


def test_Q242_grafana_is_given_its_data_source_and_dashboards():
    maps = config_maps()
    [source] = yaml.safe_load(maps["chartly-grafana"]["datasources.yaml"])["datasources"]
    assert (source["uid"], source["type"]) == ("chartly-prometheus", "prometheus")
    [provider] = yaml.safe_load(maps["chartly-grafana"]["dashboards.yaml"])["providers"]
    assert provider["type"] == "file" and provider["allowUiUpdates"] is False
    assert {name.removesuffix(".json") for name in maps["chartly-dashboards"]} == {"platform", "fleet", "freshness", "deployment"}
    for text in maps["chartly-dashboards"].values():
        json.loads(text)


def test_E62_no_dashboard_is_too_large_for_a_config_map():
    assert sum(len(text) for text in config_maps()["chartly-dashboards"].values()) < 900_000
