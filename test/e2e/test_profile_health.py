"""Whether a profile does well is told from what arrived: fresh after a good run, broken with its cause after a bad one, off
without a schedule."""

import json

from harness import wait_until

PROFILE = """
id: gauge
name: Gauge
version: {version}
source: {{type: http_rest, url: "{url}", format: json, records: "rows[*]"}}
schedule: {{{schedule}}}
retry: {{max_attempts: 1, backoff: 50ms}}
mapping:
  place: {{to: dims.place, required: true}}
  level: {{to: measures.level, type: decimal}}
"""


def test_health_follows_from_what_arrived(single, source):
    body = json.dumps({"rows": [{"place": "a", "level": 1.5}]}).encode()
    answers = [(200, "application/json", body)]
    source.routes["/gauge"] = lambda _query: answers[-1]
    single.drone()

    def status():
        return single.get("/api/profiles/gauge/status")

    single.create_profile(PROFILE.format(version="1.0.0", url=f"{source.url}/gauge", schedule="interval: 1d"))
    assert single.run_to_end("gauge")["status"] == "succeeded"
    wait_until(lambda: status()["health"] == "fresh", "the profile to be fresh")

    answers.append((403, "text/plain", b"no"))
    assert single.run_to_end("gauge")["status"] == "failed"
    wait_until(lambda: status()["health"] == "broken", "the profile to be broken")
    assert status()["cause"] == "auth"

    single.post("/api/profiles/gauge", PROFILE.format(
        version="1.0.1", url=f"{source.url}/gauge", schedule="enabled: false").encode(), method="PUT",
        headers={"Content-Type": "application/yaml"})
    wait_until(lambda: status()["health"] == "off", "the profile to be off")
