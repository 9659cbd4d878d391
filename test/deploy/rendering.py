"""The render set: every way of the repository to describe an installation, as Kubernetes objects."""

import functools

import yaml

from tools import ROOT, need, run

CHART = ROOT / "charts/chartly"
RAW = ROOT / "deploy/k8s"
OVERLAYS = ROOT / "deploy/overlays"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KUBE_VERSION = "1.32.0"
DIGEST = "sha256:" + "0123456789abcdef" * 4
ENVIRONMENTS = ["dev", "staging", "prod"]

# What an operator may turn on or off, each rendered on its own.
VARIANTS = {
    "default": [],
    "dev": ["-f", CHART / "values-dev.yaml"],
    "staging": ["-f", CHART / "values-staging.yaml", "--set", f"image.digest={DIGEST}"],
    "prod": ["-f", CHART / "values-prod.yaml", "--set", f"image.digest={DIGEST}"],
    "daemonset": ["--set", "drone.kind=DaemonSet"],
    "deployment": ["--set", "drone.kind=Deployment,drone.consent=egress: [10.0.0.0/8]"],
    "ingress": ["--set", "ingress.enabled=true,ingress.host=chartly.example,ingress.tlsSecret=chartly-tls"],
    "tls": ["--set", "gateway.tlsSecret=chartly-gateway-tls"],
    "rpc-tls": ["--set", "rpcTls.authoritySecret=chartly-authority,gateway.tlsSecret=chartly-gateway-tls"],
    "openshift": ["--set", "security.user=null,security.group=null"],
    "secrets": ["--set-json", 'coordinator.secrets=[{"name":"hook","secretName":"webhooks","keys":["key"]}]',
                "--set-json", 'drone.secrets=[{"name":"bls","secretName":"sources","keys":["token"]}]',
                "--set", "keys.registryKeySecret=chartly-registry-key"],
    "issuer": ["--set", "auth.oidc.issuer=https://id.example/main,auth.oidc.audience=chartly,auth.oidc.clientId=page",
               "--set", "auth.oidc.clientSecret=chartly-issuer,auth.oidc.caConfigMap=chartly-issuer-ca",
               "--set", "auth.oidc.publicUrl=https://chartly.example,auth.oidc.tenantClaim=org,auth.oidc.projectClaim=team",
               "--set-json", 'auth.oidc.roles=["admin=platform, data","viewer=staff"]',
               "--set-json", 'auth.oidc.scopes=["groups"]'],
    "bare": ["--set", "networkPolicy.enabled=false,disruptionBudget.enabled=false,monitoring.enabled=false,"
                      "smoke.enabled=false"],
    "blue-green": ["-f", CHART / "values-prod.yaml", "--set", f"image.digest={DIGEST}", "--set", "ingress.enabled=true,ingress.host=chartly.example",
                   "--set", f"blueGreen.enabled=true,blueGreen.live=green,blueGreen.green.tag=v0.2.0,blueGreen.green.digest={DIGEST}"],
    "canary": ["--set", "gateway.replicas=4,canary.enabled=true,canary.tag=v0.2.0"],
    "readiness-gate": ["-f", CHART / "values-prod.yaml", "--set", f"image.digest={DIGEST}", "--set", "readinessGate.enabled=true"],
    "stopped": ["--set", "rollout.stopped=true,gateway.autoscaling.enabled=true"],
    "backup": ["--set", "backup.enabled=true,gateway.tlsSecret=chartly-gateway-tls"],
    "bucket": ["--set", "backup.enabled=true,backup.bucket.url=https://store.example:9000/backups/eu",
               "--set", "backup.bucket.credentialsSecret=chartly-bucket,backup.bucket.caConfigMap=chartly-bucket-ca",
               "--set-json", 'gateway.trustedProxies=["10.0.0.0/8","192.0.2.7"]', "--set", "drone.captureBytes=0"],
    "restore": ["--set", "backup.enabled=true,backup.restore=20260131t090000z,gateway.autoscaling.enabled=true"],
    "labelled": ["--set", "commit=0123456789abcdef0123456789abcdef01234567,commonAnnotations.team=data"],
}


# The charts beside the application, each with the values that it ships.
INFRASTRUCTURE = ROOT / "charts/infrastructure"
BESIDE = {f"{path.parent.name}:{variant}": (path.parent.name, values) for path in sorted(INFRASTRUCTURE.glob("*/Chart.yaml")) for variant, values in {
    "default": [],
    "dev": ["-f", path.parent / "values-dev.yaml"],
    "prod": ["-f", path.parent / "values-prod.yaml", "--set", f"image.digest={DIGEST}"],
    "bare": ["--set", "networkPolicy.enabled=false,disruptionBudget.enabled=false"]}.items()}
BESIDE["nginx:tls"] = ("nginx", ["--set", "gateway.caConfigMap=chartly-ca,tlsSecret=chartly-tls"])


def helm(*arguments, check=True):
    return run(need("helm"), *arguments, check=check)


def template(*arguments, release="chartly", namespace="chartly", check=True):
    return helm("template", release, CHART, "--namespace", namespace, "--kube-version", KUBE_VERSION, *arguments,
                check=check)


def load(text):
    return [each for each in yaml.load_all(text, Loader=LOADER) if each]


@functools.lru_cache(maxsize=None)
def chart_text(variant):
    return template(*VARIANTS[variant]).stdout


def beside(name, *values, check=True):
    return helm("template", name, INFRASTRUCTURE / name, "--namespace", "chartly", "--kube-version", KUBE_VERSION, *values, check=check)


@functools.lru_cache(maxsize=None)
def beside_text(variant):
    name, values = BESIDE[variant]
    return beside(name, *values).stdout


def chart(variant):
    return load(chart_text(variant))


def raw():
    """The raw manifests in the order in which they are applied."""
    return [each for path in sorted(RAW.rglob("*.yaml")) for each in load(path.read_text())]


@functools.lru_cache(maxsize=None)
def overlay_text(name):
    return run(need("kubectl"), "kustomize", OVERLAYS / name).stdout


def overlay(name):
    return load(overlay_text(name))


def overlays():
    return sorted(path.parent.name for path in OVERLAYS.glob("*/Kustomization"))


# --- looking into objects ---

def ident(each):
    return f"{each['kind']}/{each['metadata']['name']}"


def of_kind(objects, *kinds):
    return [each for each in objects if each["kind"] in kinds]


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
STARTERS = (*WORKLOADS, "Job", "CronJob")


def workloads(objects):
    """What runs all the time."""
    return of_kind(objects, *WORKLOADS)


def pod_spec(each):
    if each["kind"] == "Pod":
        return each["spec"]
    if each["kind"] == "CronJob":
        return each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return each["spec"]["template"]["spec"]


def pods(objects):
    """(what it is in, pod spec) of everything that starts a pod."""
    return [(ident(each), pod_spec(each)) for each in of_kind(objects, "Pod", *STARTERS)]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def component(each):
    return each["metadata"]["labels"]["app.kubernetes.io/component"]


def part(each):
    """The part that an object belongs to: a green gateway is a gateway."""
    return component(each).removesuffix("-green")


def is_canary(each):
    """Whether it is pods of another version among those of a part, with whom they share all else."""
    return "chartly.io/track" in each["metadata"]["labels"]


def settings(objects, container):
    """The environment of a container, as far as ConfigMaps and plain values give it."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    values = {}
    for source in container.get("envFrom", []):
        values.update(maps[source["configMapRef"]["name"]])
    for each in container.get("env", []):
        if "value" in each:
            values[each["name"]] = each["value"]
    return values


def arguments(objects, container, **known):
    """The arguments as the kubelet would hand them over, with $(NAME) put in."""
    values = {**settings(objects, container), **known}
    result = []
    for argument in container.get("args", []):
        for name, value in values.items():
            argument = argument.replace(f"$({name})", str(value))
        assert "$(" not in argument, f"{argument} names a variable that nothing sets"
        result.append(argument)
    return result
