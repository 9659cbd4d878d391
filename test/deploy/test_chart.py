"""The chart as a chart: its files, its values and what they refuse."""

import json
import re

import pytest
import yaml

from rendering import (CHART, DIGEST, ENVIRONMENTS, KUBE_VERSION, VARIANTS, chart, component, helm, ident, load, of_kind,
                       pods, template, workloads)
from raw_manifests import HOOKS
from tools import ROOT, need, run

TABLE = yaml.safe_load((CHART / "files/parts.yaml").read_text())
PARTS = [part["name"] for part in TABLE["parts"]]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def refused(*arguments):
    done = template(*arguments, check=False)
    assert done.returncode != 0, f"{arguments} was rendered"
    return done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
def test_G95_lint_finds_nothing(variant):
    done = helm("lint", "--strict", "--kube-version", KUBE_VERSION, CHART, *VARIANTS[variant])
    findings = [line for line in done.stdout.splitlines() if re.match(r"\[(WARNING|ERROR)\]", line)]
    assert findings == [], findings


def test_G95_every_part_has_a_template_of_its_own():
    names = {path.stem for path in (CHART / "templates").glob("*.yaml")}
    assert set(PARTS) | {"drone", "monitoring"} <= names


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_G96_every_environment_has_values(environment):
    assert yaml.safe_load((CHART / f"values-{environment}.yaml").read_text())


def nodes(schema, path="values"):
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for name, each in schema.get("definitions", {}).items():
        yield from nodes(each, name)
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"], f"{path}[]")


def test_G96_the_schema_knows_and_describes_every_key():
    faults = []
    for path, node in nodes(SCHEMA):
        if "properties" in node and node.get("additionalProperties") is not False:
            faults.append(f"{path} takes unknown keys")
        faults += [f"{path}.{name} has no description" for name, each in node.get("properties", {}).items()
                   if not each.get("description", "").endswith(".")]
    assert faults == []


@pytest.mark.parametrize("setting", [
    "gateway.apiKey=abc", "keys.adminKey=abc", "password=abc", "registry.secretValue=abc"])
def test_G97_values_have_no_place_for_a_secret(setting):
    assert "additional properties" in refused("--set", setting).lower()


@pytest.mark.parametrize("setting", [
    "image.tag=latest", "image.tag=main", "image.tag=0.1.0", "image.digest=sha256:abc", "image.repository=chartly:latest"])
def test_P223_224_moving_tags_are_refused(setting):
    assert "image" in refused("--set", setting)


@pytest.mark.parametrize("setting", [
    "security.user=0", "security.readOnlyRootFilesystem=false", "registry.replicas=2", "gateway.resources.limits=null",
    "drone.kind=ReplicaSet", "ingress.paths[0].path=api", "logLevel=loud", "imagePullPolicy=Always"])
def test_D59_no_overlay_weakens_what_must_hold(setting):
    assert "schema" in refused("--set", setting)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_J141_staging_and_prod_need_a_digest(environment):
    assert "image.digest" in refused("-f", CHART / f"values-{environment}.yaml")


def test_J141_prod_runs_what_staging_ran():
    images = {name: {c["image"] for _, spec in pods(chart(name)) for c in spec["containers"]}
              for name in ("staging", "prod")}
    assert images["staging"] == images["prod"]
    assert all(image.endswith(f"@{DIGEST}") for image in images["prod"])


def test_G98_no_function_of_chance_or_time():
    banned = re.compile(r"\b(rand\w*|uuidv4|now|ago|date\w*|shuffle|gen(CA|Signed|SelfSigned|Private)\w*|htpasswd|"
                        r"encryptAES|bcrypt|lookup|getHostByName)\b")
    faults = []
    for path in sorted((CHART / "templates").rglob("*")):
        for action in re.findall(r"{{(.*?)}}", path.read_text(), re.S) if path.is_file() else []:
            code = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", action, flags=re.S)
            faults += [f"{path.name}: {found.group(0)}" for found in banned.finditer(code)]
    assert faults == []


@pytest.mark.parametrize("variant", ENVIRONMENTS)
def test_A4_G98_rendering_twice_gives_the_same_bytes(variant):
    texts = {template(*VARIANTS[variant]).stdout for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize("part", [*PARTS, "drone"])
def test_G101_each_component_can_be_left_out(part):
    address = [] if part == "drone" else ["--set", f"{part}.address={part}.example:9000"]
    objects = load(template("--set", f"{part}.enabled=false", *address).stdout)
    left = {component(each) for each in workloads(objects)}
    assert left == {*PARTS, "drone"} - {part}


def test_G101_a_part_that_is_left_out_needs_an_address():
    assert "registry.address" in refused("--set", "registry.enabled=false")


def test_G105_autoscaling_takes_the_replicas_over():
    objects = load(template("--set", "gateway.autoscaling.enabled=true").stdout)
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    assert [each["spec"]["scaleTargetRef"]["name"] for each in scalers] == ["chartly-gateway"]
    replicas = {component(each): each["spec"].get("replicas") for each in of_kind(objects, "Deployment")}
    assert replicas == {"gateway": None, "observer": 1}


def test_F79_F80_autoscalers_and_policies_are_options():
    assert not of_kind(chart("default"), "HorizontalPodAutoscaler")
    assert of_kind(chart("prod"), "HorizontalPodAutoscaler")
    assert of_kind(chart("default"), "NetworkPolicy")
    assert not of_kind(chart("bare"), "NetworkPolicy", "PodDisruptionBudget")


def test_G103_the_gateway_takes_tls_from_a_secret_and_the_smoke_test_trusts_it():
    [gateway] = [each for each in of_kind(chart("tls"), "Deployment") if component(each) == "gateway"]
    pod = gateway["spec"]["template"]["spec"]
    assert {"--tls-cert=/etc/chartly/tls/tls.crt", "--tls-key=/etc/chartly/tls/tls.key"} <= set(pod["containers"][0]["args"])
    [volume] = [each["secret"] for each in pod["volumes"] if each["name"] == "tls"]
    assert volume["secretName"] == "chartly-gateway-tls" and [i["key"] for i in volume["items"]] == ["tls.crt", "tls.key"]
    [service] = [each for each in of_kind(chart("tls"), "Service") if each["metadata"]["name"] == "chartly-gateway"]
    assert service["spec"]["ports"][0]["appProtocol"] == "https"
    [smoke] = [each for each in of_kind(chart("tls"), "Pod") if component(each) == "smoke"]
    for container in smoke["spec"]["containers"]:
        assert "--url=https://chartly-gateway:8090" in container["args"] and "--ca-file=/etc/chartly/tls/ca.crt" in container["args"]
    [volume] = [each["secret"] for each in smoke["spec"]["volumes"] if each["name"] == "tls"]
    assert [i["key"] for i in volume["items"]] == ["ca.crt"]  # a test needs no key


def test_G103_the_ingress_leads_to_the_gateway_alone():
    assert not of_kind(chart("prod"), "Ingress")
    [ingress] = of_kind(chart("ingress"), "Ingress")
    [rule] = ingress["spec"]["rules"]
    assert rule["host"] == "chartly.example"
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {"chartly-gateway"}
    assert all(path["pathType"] in ("Exact", "Prefix") for path in rule["http"]["paths"])
    assert "ingress.host" in refused("--set", "ingress.enabled=true")


def test_D61_later_values_win(tmp_path):
    environment, application = tmp_path / "values-x.yaml", "gateway.replicas=7"
    environment.write_text("gateway: {replicas: 5}\nobserver: {replicas: 3}\n")
    objects = load(template("-f", environment, "--set", application).stdout)
    replicas = {component(each): each["spec"]["replicas"] for each in of_kind(objects, "Deployment")}
    assert replicas == {"gateway": 7, "observer": 3}


def test_D58_configuration_is_immutable_and_named_after_its_content():
    def configs(*arguments):
        return {component(each): each["metadata"]["name"] for each in of_kind(load(template(*arguments).stdout), "ConfigMap")
                if each.get("immutable")}
    before, after = configs(), configs("--set", "registry.logLevel=debug")
    assert set(before) == {*PARTS, "drone"}
    assert {name for name in before if before[name] != after[name]} == {"registry"}


def test_C49_two_releases_do_not_meet():
    first, second = (load(template(release=name, namespace=name).stdout) for name in ("one", "two"))
    assert not {ident(each) for each in first} & {ident(each) for each in second}
    assert {each["metadata"]["namespace"] for each in first} == {"one"}
    cluster_wide = {"Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass",
                    "CustomResourceDefinition", "PersistentVolume"}
    assert not {each["kind"] for each in first} & cluster_wide


@pytest.mark.parametrize("version, wanted", [("1.29.0", False), ("1.30.0", True), ("1.34.2", True), ("1.33.1+k3s1", True),
                                             ("1.31.5-gke.100", True)])
def test_C50_versions_of_kubernetes(version, wanted):
    done = run(need("helm"), "template", "chartly", CHART, "--kube-version", version, check=False)
    assert (done.returncode == 0) == wanted, done.stderr


def guardrails(name):
    """How many hard guards an environment has."""
    objects = chart(name)
    return {
        "pinned": all("@sha256:" in c["image"] for _, spec in pods(objects) for c in spec["containers"]),
        "default deny": any(component(each) == "default-deny" for each in of_kind(objects, "NetworkPolicy")),
        "several gateways": "replicas" not in next(each for each in of_kind(objects, "Deployment"))["spec"]
                            or next(each for each in of_kind(objects, "Deployment"))["spec"]["replicas"] > 1,
        "policies": len(of_kind(objects, "NetworkPolicy")) > 0,
        "budgets": len(of_kind(objects, "PodDisruptionBudget")) > 0,
    }


def test_D52_guards_only_grow_from_dev_to_prod():
    dev, staging, prod = (guardrails(name) for name in ENVIRONMENTS)
    assert all(dev[guard] <= staging[guard] <= prod[guard] for guard in dev), (dev, staging, prod)
    assert all(prod.values())


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (left, right) in enumerate(zip(a, b)):
            yield from differences(left, right, f"{path}[{i}]")
    elif a != b:
        yield path


def test_D52_staging_differs_from_prod_only_in_size():
    allowed = re.compile(r"\.resources\.|\.replicas$|\.storage$|^\.(dedupeMemory|storeMemory|memory|spoolBytes)"
                         r"|\.(DEDUPE_MEMORY|STORE_MEMORY|REPORT_MEMORY|SPOOL_BYTES)$|\.configMapRef\.name$|\.sizeLimit$")

    def by_name(name):
        result = {}
        for each in chart(name):
            key = re.sub(r"-[0-9a-f]{10}$", "", ident(each))
            each["metadata"].pop("name")
            result[key] = each
        return {key: each for key, each in result.items() if each["kind"] != "HorizontalPodAutoscaler"}
    faults = [path for path in differences(by_name("staging"), by_name("prod")) if not allowed.search(path)]
    assert faults == []


def test_G100_promotion_changes_no_template():
    # One chart for all environments: nothing in it asks which one it is.
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            assert not re.search(r"\b(staging|prod|production)\b", path.read_text()), path


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_C48_prod_has_several_of_what_can_have_several(name):
    for each in of_kind(chart(name), "Deployment"):
        scalers = {s["spec"]["scaleTargetRef"]["name"]: s["spec"]["minReplicas"]
                   for s in of_kind(chart(name), "HorizontalPodAutoscaler")}
        assert each["spec"].get("replicas", scalers.get(each["metadata"]["name"], 0)) >= 2, ident(each)


def test_F86_every_object_names_its_commit_where_one_is_given():
    for each in chart("labelled"):
        if component(each) not in HOOKS:
            assert each["metadata"]["annotations"]["chartly.io/commit"].startswith("0123456789abcdef"), ident(each)


def test_G95_the_notes_say_what_to_do_next():
    done = helm("install", "chartly", CHART, "--namespace", "chartly", "--dry-run=client", "--kube-version", KUBE_VERSION,
                check=False)
    text = done.stdout
    if done.returncode != 0:  # without a cluster, helm of some versions cannot render notes
        text = (CHART / "templates/NOTES.txt").read_text()
    for wanted in ("helm test", "create secret generic", "port-forward"):
        assert wanted in text


def test_J140_the_chart_has_the_version_of_the_programs():
    version = re.search(r"project\(chartly VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version
