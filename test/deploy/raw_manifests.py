"""Writes deploy/k8s from the chart's default rendering: `./dev manifests`. A test fails when the two differ."""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))
from rendering import RAW, chart, component, load, template  # noqa: E402

NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: chartly
  labels:
    app.kubernetes.io/name: chartly
    app.kubernetes.io/instance: chartly
    app.kubernetes.io/component: namespace
    app.kubernetes.io/part-of: chartly
    app.kubernetes.io/version: "{version}"
    app.kubernetes.io/managed-by: manifests
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
    pod-security.kubernetes.io/audit: restricted
"""
# Only Helm uses these: it runs the one when asked to, and the other before an upgrade.
HOOKS = ("smoke", "preflight")
MONITORING = ("prometheus", "grafana")


class Dumper(yaml.SafeDumper):
    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))
Dumper.ignore_aliases = lambda *_: True


def without_helm(each):
    """An object of the chart as a raw manifest has it: no trace of Helm, and no object that only Helm uses."""
    if component(each) in HOOKS:
        return None
    for metadata in metadata_of(each):
        metadata["labels"].pop("helm.sh/chart", None)
        metadata["labels"]["app.kubernetes.io/managed-by"] = "manifests"
        metadata.get("annotations", {}).pop("helm.sh/resource-policy", None)
        if metadata.get("annotations") == {}:
            del metadata["annotations"]
    return each


def metadata_of(each):
    """That of an object, and of what it makes from a template."""
    found = [each["metadata"]]
    for name in ("jobTemplate", "template"):
        if inner := each.get("spec", {}).get(name):
            found += metadata_of(inner)
    return found


def backup_objects():
    """What the chart adds once backups are on, beside the parts."""
    return [each for each in map(without_helm, load(template("--set", "backup.enabled=true").stdout))
            if each and component(each) == "backup"]


def files():
    """The text of each file below deploy/k8s, by its path."""
    objects = [each for each in map(without_helm, chart("default")) if each]
    version = objects[0]["metadata"]["labels"]["app.kubernetes.io/version"]
    result = {"1-namespaces/chartly.yaml": NAMESPACE.format(version=version)}
    for name in sorted({component(each) for each in objects}):
        folder = "3-monitoring" if name in MONITORING else "2-services"
        result[f"{folder}/{name}.yaml"] = yaml.dump_all(
            (each for each in objects if component(each) == name), Dumper=Dumper, sort_keys=False, width=1000)
    listed = "".join(f"  - {path}\n" for path in sorted(result))
    result["Kustomization"] = ("# The base of deploy/overlays. Its name has no ending, so that kubectl apply -R passes it by.\n"
                               f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}")
    return result


def text_of(objects):
    return yaml.dump_all(objects, Dumper=Dumper, sort_keys=False, width=1000)


def beside(*values):
    """What the chart says with these values, without Helm."""
    return [each for each in map(without_helm, load(template(*values).stdout)) if each]


def overlay_files():
    """The text of each file below deploy/overlays that the chart says, by its path."""
    version = chart("default")[0]["metadata"]["labels"]["app.kubernetes.io/version"]
    blue_green = beside("--set", f"blueGreen.enabled=true,blueGreen.green.tag=v{version}", "--set",
                        "ingress.enabled=true,ingress.host=chartly.example.org,ingress.tlsSecret=chartly-tls")
    canary = beside("--set", f"canary.enabled=true,canary.tag=v{version}")
    return {
        "backup/backup.yaml": text_of(backup_objects()),
        "blue-green/green.yaml": text_of(each for each in blue_green if component(each) == "gateway-green"),
        "blue-green/ingress.yaml": text_of(each for each in blue_green if each["kind"] == "Ingress"),
        "blue-green/prometheus.yaml": text_of(each for each in blue_green if each["kind"] == "ConfigMap" and component(each) == "prometheus"),
        "canary/canary.yaml": text_of(each for each in canary if "chartly.io/track" in each["metadata"]["labels"]),
    }


def main():
    made = files()
    for path in RAW.rglob("*"):
        if path.is_file() and str(path.relative_to(RAW)) not in made and path.suffix != ".md":
            path.unlink()
    made |= {f"../overlays/{name}": text for name, text in overlay_files().items()}
    for name, text in made.items():
        path = RAW / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
