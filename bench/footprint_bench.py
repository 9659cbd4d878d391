"""What a drone costs its host: memory at rest and at full speed, and the time from start to the first stored record.

Runs the shipped binaries. Memory is VmRSS (at rest) and VmHWM (the most so far) of /proc, in MiB of 2^20 bytes; what is
private of it (RssAnon) stands beside it, the rest is pages of the program and its libraries. At rest is some seconds after
the drone registered, and again some seconds after its large run.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import figures

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "e2e"))
from harness import Cluster, SourceServer, wait_until  # noqa: E402

TARGET_IDLE, TARGET_BUSY, TARGET_FIRST_MS = 20, 64, 100
REST = 6  # seconds
PROFILE = """
id: {name}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: ndjson}}
schedule: {{enabled: {enabled}, interval: 1h}}
limits: {{max_bytes: 8GiB, max_records: 100000000, timeout: 5m}}
filter: id < 100000
mapping:
  id: {{to: dims.id, type: integer, required: true}}
  name: attrs.name
  v: {{to: measures.v, type: decimal}}
"""


def memory(process, field):
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def first_record_ms(folder, source):
    """From the start of a drone that has never run to its first record in the store."""
    cluster = Cluster(folder)
    try:
        source.routes["/one"] = lambda _query: (200, "application/x-ndjson", b'{"id":1,"name":"n","v":1.5}\n')
        cluster.create_profile(PROFILE.format(name="one", url=source.url + "/one", enabled="true"))
        begin = time.monotonic()
        cluster.drone()
        while cluster.get("/api/results/summary")["total_results"] == 0:
            time.sleep(0.001)
        return (time.monotonic() - begin) * 1000
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    source = SourceServer()
    row = b'{"id":%d,"name":"a name of ordinary length","v":12.5,"place":{"lat":12.25,"lon":-7.5}}\n'
    block = b"".join(row % (1_000_000 + i) for i in range(20_000))
    payload = block * (64 if quick else 512)
    source.routes["/much"] = lambda _query: (200, "application/x-ndjson", payload)
    with tempfile.TemporaryDirectory(prefix="chartly-footprint-") as folder:
        cluster = Cluster(Path(folder))
        try:
            drone = cluster.drone()
            wait_until(lambda: cluster.get("/api/drones")["drones"], "the drone")
            time.sleep(REST)
            idle, idle_private = memory(drone, "VmRSS"), memory(drone, "RssAnon")
            cluster.create_profile(PROFILE.format(name="much", url=source.url + "/much", enabled="false"))
            begin = time.monotonic()
            run = cluster.run_to_end("much", 600)
            seconds = time.monotonic() - begin
            busy = memory(drone, "VmHWM")
            time.sleep(REST)
            again, again_private = memory(drone, "VmRSS"), memory(drone, "RssAnon")
        finally:
            cluster.close()
        times = []
        for round_number in range(3 if quick else 7):
            part = Path(folder) / f"first{round_number}"
            part.mkdir()
            times.append(first_record_ms(part, source))
    source.close()
    if run["status"] != "succeeded":
        print(f"footprint: the large run did not succeed: {run['error']}")
        return 1
    first = statistics.median(times)
    print(f"{'':48}{'figure':>10}{'target':>10}")
    for name, figure, target in ((f"drone at rest, MiB ({idle_private:.1f} private)", idle, TARGET_IDLE),
                                 (f"drone at rest again, MiB ({again_private:.1f} private)", again, TARGET_IDLE),
                                 (f"drone at full speed, MiB ({len(payload) >> 20} MiB read in {seconds:.1f} s)", busy,
                                  TARGET_BUSY),
                                 ("start to first stored record, ms (median)", first, TARGET_FIRST_MS)):
        figures.record("footprint", "a drone: " + name.split("(")[0].split(",")[0], "ours", "Chartly", figure,
                       "ms" if " ms" in name else "MiB", less_is_better=True, bound=target)
        print(f"{name:48}{figure:10.1f}{target:10d}  {'met' if figure <= target else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
