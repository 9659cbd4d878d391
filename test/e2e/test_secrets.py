"""Secrets that are planted in every field of a profile, a consent file and requests are refused where they are found, and
appear in no log, metric, error, export or audit entry."""

import json
import random
import re
import string
import subprocess
import urllib.parse
import urllib.request

import pytest

from harness import BIN, ApiError

WHOLE = {
    "id": "planted", "name": "Planted", "version": "1.0.0", "description": "A profile with every kind of field.",
    "labels": {"team": "statistics"},
    "source": {"type": "http_rest", "url": "https://example.org/data?year=2024", "format": "json", "records": "rows[*]",
               "headers": {"Accept-Language": "en"}, "query": {"area": "all"}},
    "schedule": {"enabled": "false", "interval": "1h"},
    "mapping": {"name": {"to": "dims.name", "required": "true"}, "value": {"to": "measures.value", "type": "integer"}},
    "filter": "measures.value > 0",
    "key": ["dims.name"],
    "on_invalid": "quarantine",
}


def canary(rng):
    """A key as AWS makes them; made up here, so that nobody takes this file for a leak."""
    return "AK" + "IA" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=16))


def places(node, path=()):
    """Every field and every name of a field, as paths; a path that ends in None is the name itself."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key, None)
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))
    else:
        yield path


def planted(node, path, secret):
    copy = json.loads(json.dumps(node))
    at = copy
    steps = path[:-2] if path[-1] is None else path[:-1]
    for step in steps:
        at = at[step]
    if path[-1] is None:
        at[secret] = at.pop(path[-2])
    else:
        at[path[-1]] = f"{at[path[-1]]} {secret}"
    return json.dumps(copy)


def everything_kept(cluster):
    """All that the control plane writes or shows, in one text."""
    logs = "".join(control.log_path.read_text(errors="replace") for control in cluster.controls)
    shown = [json.dumps(cluster.get(path)) for path in
             ("/api/profiles", "/api/runs", "/api/quarantine", "/api/status", "/api/audit/events?page_size=1000")]
    return logs + "".join(shown) + cluster.cli("audit", "export").stdout + raw(cluster, "/metrics")


def raw(cluster, path):
    with urllib.request.urlopen(cluster.url + path, timeout=30) as response:
        return response.read().decode()


def test_a_secret_in_any_field_of_a_profile_is_refused_and_shown_nowhere(single):
    rng = random.Random(20261121)
    secrets = []
    for path in places(WHOLE):
        secrets.append(canary(rng))
        text = planted(WHOLE, path, secrets[-1])
        with pytest.raises(ApiError) as refused:
            single.create_profile(text)
        assert refused.value.status == 400, path
        assert "secretRef" in refused.value.text, path
        assert secrets[-1] not in refused.value.text, path
        verdict = json.dumps(single.post("/api/profiles:validate", text.encode(), headers={"Content-Type": "application/yaml"}))
        assert "PROFILE_SECRET_REFUSED" in verdict and secrets[-1] not in verdict, path
    assert len(secrets) > 40
    kept = everything_kept(single)
    assert not [secret for secret in secrets if secret in kept]


def test_a_secret_in_any_field_of_a_request_is_recorded_nowhere(single):
    rng = random.Random(7)
    document = single.get("/api/openapi.json")
    secrets = []
    for path, item in document["paths"].items():
        for method in item:
            if path in ("/api/events", "/api/profiles:watch") or method not in ("get", "post", "put", "delete"):
                continue
            secret = canary(rng)
            secrets.append(secret)
            concrete = re.sub(r"\{[^}]*\}", secret, path)
            names = [p["name"] for p in item[method].get("parameters", []) if p.get("in") == "query"]
            query = urllib.parse.urlencode({name: secret for name in names})
            body = None if method == "get" else {name: secret for name in ("name", "profile_id", "drone_id", "run_id",
                                                                            "release_version", "environment", "actor")}
            try:
                single.call(method.upper(), concrete + ("?" + query if query else ""), body, single.key,
                            {"X-Request-Id": secret})
            except (ApiError, ValueError):
                pass
    assert len(secrets) >= 40
    kept = "".join(control.log_path.read_text(errors="replace") for control in single.controls)
    kept += single.cli("audit", "export").stdout + raw(single, "/metrics")
    assert not [secret for secret in secrets if secret in kept]


def test_a_secret_in_a_consent_file_is_refused_without_showing_it(tmp_path):
    secret = canary(random.Random(3))
    consent = tmp_path / "consent.yaml"
    consent.write_text(f"hosts: [example.org]  # {secret}\n")
    key = tmp_path / "key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    done = subprocess.run([str(BIN / "chartly-drone"), "--id", "d", "--data", str(tmp_path / "d"), "--consent", str(consent),
                           "--key-file", str(key)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "secretRef" in done.stderr or "by reference" in done.stderr
    assert secret not in done.stdout + done.stderr
