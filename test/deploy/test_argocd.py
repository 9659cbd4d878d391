"""GitOps: the tree of applications, its order, who may sync what, and the verdicts on health."""

import re
import subprocess

import pytest
import yaml

from rendering import CHART, ENVIRONMENTS, KUBE_VERSION, chart_text, component, load, of_kind, workloads
from tools import ROOT, need, run

ARGOCD = ROOT / "deploy/argocd"
TREE = {
    "01-infrastructure": ["namespaces", "postgresql", "redis", "ingress-nginx", "cert-manager"],
    "02-observability": ["prometheus", "loki", "tempo"],
    "03-backend": ["chartly", "drift"],
    "04-frontend": ["page"],
}
WAVES = {"root": 0, "01-infrastructure": 1, "02-observability": 2, "03-backend": 3, "04-frontend": 4, "namespaces": 0,
         "postgresql": 1, "redis": 1, "ingress-nginx": 1, "cert-manager": 1, "prometheus": 2, "loki": 2, "tempo": 2,
         "chartly": 3, "drift": 3, "page": 4}


def objects(environment):
    return [each for path in sorted((ARGOCD / environment).rglob("*.yaml")) for each in load(path.read_text())]


def applications(environment):
    return {each["metadata"]["name"].removeprefix(f"{environment}-"): each for each in of_kind(objects(environment), "Application")}


def children(environment, name):
    """What an application makes: the applications in the folder of its source."""
    folder = ROOT / applications(environment)[name]["spec"]["source"]["path"]
    return [each["metadata"]["name"].removeprefix(f"{environment}-") for path in sorted(folder.glob("*.yaml"))
            for each in of_kind(load(path.read_text()), "Application")]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_I126_the_root_makes_the_groups_and_they_make_the_rest(environment):
    assert children(environment, "root") == list(TREE)
    assert {group: children(environment, group) for group in TREE} == TREE
    for each in applications(environment).values():
        source = each["spec"]["source"]
        if "path" in source:
            assert (ROOT / source["path"]).is_dir(), source["path"]
        else:
            assert re.fullmatch(r"\d+\.\d+\.\d+", source["targetRevision"]), "a chart of others is named by its version"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_D57_I127_dev_and_staging_sync_by_themselves_and_prod_waits(environment):
    for name, each in applications(environment).items():
        policy = each["spec"]["syncPolicy"]
        if environment == "prod":
            assert "automated" not in policy and "Prune=confirm" in policy["syncOptions"], name
        else:
            assert policy["automated"] == {"prune": True, "selfHeal": True}, name
        assert "PruneLast=true" in policy["syncOptions"], name
    for each in of_kind(objects(environment), "Namespace"):
        assert each["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_I128_I129_waves_are_those_of_the_table(environment):
    found = applications(environment)
    for name, each in found.items():
        wave = each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        assert isinstance(wave, str) and int(wave) == WAVES[name], name
    for each in objects(environment):
        assert isinstance(each["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"), str)
    for group in TREE:
        for child in children(environment, group):
            assert WAVES[child] <= WAVES[group], f"{child} waits for what comes after its group"


def test_D53_D55_environments_share_nothing():
    seen = {}
    for environment in ENVIRONMENTS:
        [project] = of_kind(objects(environment), "AppProject")
        own = {each["namespace"] for each in project["spec"]["destinations"]} - {"argocd"}
        hosts = {host for each in of_kind(objects(environment), "Ingress") for tls in each["spec"]["tls"] for host in tls["hosts"]}
        namespaces = {each["metadata"]["name"] for each in of_kind(objects(environment), "Namespace")}
        assert own == namespaces
        seen[environment] = own | hosts | {project["metadata"]["name"]}
        for name, each in applications(environment).items():
            assert each["spec"]["project"] == project["metadata"]["name"]
            assert each["spec"]["destination"]["namespace"] in own | {"argocd"}, name
            repository = each["spec"]["source"]["repoURL"]
            assert repository in project["spec"]["sourceRepos"]
        assert {"group": "", "kind": "Secret"} in project["spec"]["namespaceResourceBlacklist"]
    for a in ENVIRONMENTS:
        for b in ENVIRONMENTS:
            assert a == b or not seen[a] & seen[b]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_D61_the_backend_renders_as_the_application_says(environment):
    application = applications(environment)["chartly"]
    helm = application["spec"]["source"]["helm"]
    flags = [flag for file in helm["valueFiles"] for flag in ("-f", CHART / file)]
    values = {each["name"]: each["value"].replace("$ARGOCD_APP_REVISION", "c" * 40) for each in helm["parameters"]}
    flags += [flag for name, value in values.items() for flag in ("--set-string", f"{name}={value}")]
    done = run(need("helm"), "template", helm["releaseName"], CHART, "--namespace", application["spec"]["destination"]["namespace"],
               "--kube-version", KUBE_VERSION, *flags)
    rendered = load(done.stdout)
    assert len(workloads(rendered)) == 10
    named = [each for each in rendered if each["kind"] in ("Deployment", "StatefulSet", "Service", "ConfigMap")]
    assert {each["metadata"]["annotations"]["chartly.io/commit"] for each in named} == {"c" * 40}
    [ingress] = of_kind(objects(environment), "Ingress")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    [service] = [each for each in of_kind(rendered, "Service") if each["metadata"]["name"] == backend["name"]]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert service["metadata"]["namespace"] == ingress["metadata"]["namespace"]


LAYOUT = yaml.safe_load((ROOT / "charts/layout.yaml").read_text())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_D61_G107_infrastructure_of_this_repository_comes_from_its_charts(environment):
    """And of others by version. The one exception has its reason in the comment: an Ingress needs a controller."""
    found = applications(environment)
    for name in ("postgresql", "redis", "ingress-nginx"):
        own = LAYOUT[f"infrastructure/{name}"].get("chart")
        assert found[name]["spec"]["source"].get("path") == (own if name != "ingress-nginx" else None), name
    assert of_kind(objects(environment), "Ingress")
    spec = found["postgresql"]["spec"]
    settings = spec["source"]["helm"]
    flags = [flag for file in settings["valueFiles"] for flag in ("-f", ROOT / spec["source"]["path"] / file)]
    flags += [flag for each in settings["parameters"] for flag in ("--set-string", f"{each['name']}={each['value']}")]
    rendered = load(run(need("helm"), "template", settings["releaseName"], ROOT / spec["source"]["path"], "--namespace",
                        spec["destination"]["namespace"], "--kube-version", KUBE_VERSION, *flags).stdout)
    # The drones of the environment, and of no other, may connect.
    [policy] = [each for each in of_kind(rendered, "NetworkPolicy") if each["spec"].get("ingress")]
    [peer] = policy["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": found["chartly"]["spec"]["destination"]["namespace"]}
    [drone] = [each for each in workloads(load(chart_text("default"))) if component(each) == "drone"]
    assert peer["podSelector"]["matchLabels"].items() <= drone["spec"]["template"]["metadata"]["labels"].items()


def test_J141_staging_and_prod_are_named_by_digest():
    digests = {environment: {each["name"]: each["value"] for each in
                             applications(environment)["chartly"]["spec"]["source"]["helm"].get("parameters", [])}
               for environment in ENVIRONMENTS}
    for environment in ENVIRONMENTS:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digests[environment]["image.digest"])


def lua_value(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{lua_value(k)}] = {lua_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua_value, value)) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'


def verdict(kind, obj):
    [config] = load((ARGOCD / "health.yaml").read_text())
    script = config["data"][f"resource.customizations.health.{kind}"]
    text = f"obj = {lua_value(obj)}\nlocal function health()\n{script}\nend\nlocal hs = health()\nassert(hs.message)\nio.write(hs.status)"
    return subprocess.run([need("lua5.4", "lua5.3", "lua"), "-"], input=text, capture_output=True, text=True, check=True).stdout


def generation(number, **status):
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": number, **status}}


def conditions(*pairs, number=2):
    return generation(number, conditions=[{"type": kind, "status": status, "message": "m"} for kind, status in pairs])


@pytest.mark.parametrize("kind, obj, wanted", [
    ("apps_StatefulSet", generation(2, readyReplicas=2, updatedReplicas=2), "Healthy"),
    ("apps_StatefulSet", generation(2, readyReplicas=1, updatedReplicas=2), "Progressing"),
    ("apps_StatefulSet", generation(2, readyReplicas=2, updatedReplicas=1), "Progressing"),
    ("apps_StatefulSet", generation(1, readyReplicas=2, updatedReplicas=2), "Progressing"),
    ("apps_StatefulSet", {"metadata": {"generation": 1}, "spec": {}}, "Progressing"),
    ("batch_Job", conditions(("Complete", "True")), "Healthy"),
    ("batch_Job", conditions(("Failed", "True")), "Degraded"),
    ("batch_Job", conditions(("Suspended", "True")), "Suspended"),
    ("batch_Job", conditions(("Complete", "False")), "Progressing"),
    ("batch_Job", {"metadata": {}}, "Progressing"),
    ("networking.k8s.io_Ingress", {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}, "Healthy"),
    ("networking.k8s.io_Ingress", {"status": {"loadBalancer": {}}}, "Progressing"),
    ("cert-manager.io_Certificate", conditions(("Ready", "True")), "Healthy"),
    ("cert-manager.io_Certificate", conditions(("Ready", "False")), "Degraded"),
    ("cert-manager.io_Certificate", conditions(("Ready", "False"), ("Issuing", "True")), "Progressing"),
    ("cert-manager.io_Certificate", conditions(("Ready", "True"), number=1), "Progressing"),
    ("apiextensions.k8s.io_CustomResourceDefinition", conditions(("NamesAccepted", "True"), ("Established", "True")), "Healthy"),
    ("apiextensions.k8s.io_CustomResourceDefinition", conditions(("NamesAccepted", "False")), "Degraded"),
    ("apiextensions.k8s.io_CustomResourceDefinition", conditions(("NamesAccepted", "True")), "Progressing"),
])
def test_I130_verdicts_on_health(kind, obj, wanted):
    assert verdict(kind, obj) == wanted


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_I135_the_samples_for_flux_say_the_same(environment):
    made = load((ARGOCD / f"flux/{environment}.yaml").read_text())
    [repository], [release] = of_kind(made, "GitRepository"), of_kind(made, "HelmRelease")
    source = applications(environment)["chartly"]["spec"]
    assert repository["spec"]["url"] == source["source"]["repoURL"] and repository["spec"]["interval"] == "1m"
    assert release["spec"]["targetNamespace"] == source["destination"]["namespace"]
    files = [path.removeprefix("charts/chartly/") for path in release["spec"]["chart"]["spec"]["valuesFiles"]]
    assert files == source["source"]["helm"]["valueFiles"]
    parameters = {each["name"]: each["value"] for each in source["source"]["helm"]["parameters"]}
    # The commit is known to Argo CD alone; what a promotion changes is in both.
    assert parameters.pop("commit") == "$ARGOCD_APP_REVISION"
    assert {f"image.{name}": value for name, value in release["spec"]["values"]["image"].items()} == parameters
    # Prod is released by hand, there as here.
    assert release["spec"]["suspend"] == (environment == "prod")
    for each in of_kind(made, "Kustomization"):
        assert (ROOT / each["spec"]["path"]).is_dir()


def test_I132_what_is_deployed_from_git_holds_manifests_only():
    for path in ARGOCD.rglob("*"):
        assert path.is_dir() or path.suffix in (".yaml", ".md"), path
    for path in ARGOCD.rglob("*.yaml"):
        assert list(yaml.safe_load_all(path.read_text())), path
