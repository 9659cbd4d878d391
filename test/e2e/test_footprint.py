"""What the shipped drone takes of its host while it has nothing to do."""

from pathlib import Path

from harness import wait_until

AT_REST = 20 << 10  # KiB

PROFILE = """
id: rows
name: rows
version: 1.0.0
source: {{type: http_rest, url: "{url}/rows", format: json}}
schedule: {{enabled: false}}
mapping:
  id: dims.id
  text: dims.text
"""


def resident(drone):
    status = Path(f"/proc/{drone.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def test_a_drone_at_rest_is_small_before_its_first_run_and_after_it(single, source):
    rows = ",".join(f'{{"id": {row}, "text": "{row:0100}"}}' for row in range(40000))
    source.routes["/rows"] = lambda _query: (200, "application/json", f"[{rows}]".encode())
    single.create_profile(PROFILE.format(url=source.url))
    drone = single.drone()
    wait_until(lambda: single.get("/api/drones")["drones"], "the drone")
    wait_until(lambda: resident(drone) <= AT_REST, "the drone to give back what only its start needed")
    assert single.run_to_end("rows")["status"] == "succeeded"
    wait_until(lambda: resident(drone) <= AT_REST, "the drone to give back what only its run needed")
