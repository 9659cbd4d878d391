"""JSON over loopback HTTP until it is durable and can be asked for, through the whole product: a drone fetches NDJSON from a
publisher on this machine, normalizes it and spools it; the aggregator takes it in, tells records that it has, and syncs; a
count over REST gives all of it. Beside it ClickHouse (chdb) inserts the same NDJSON into a MergeTree, over the same HTTP.

Runs the shipped binaries; ours and the peer in turn, on the same cores, the publisher with them. ClickHouse does not sync what
it stores, keeps no origin of a row, and looks for no duplicates.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "e2e"))
from harness import Cluster, SourceServer, wait_until  # noqa: E402

TARGET = 2e6  # records a second
TIMES_PEER = 2
PATIENCE = 600  # seconds
PROFILE = """
id: {name}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: ndjson}}
schedule: {{enabled: false, interval: 1h}}
limits: {{max_bytes: 8GiB, max_records: 100000000, timeout: 10m}}
mapping:
  id: {{to: dims.id, type: integer, required: true}}
  station: dims.station
  name: attrs.name
  v: {{to: measures.v, type: decimal}}
  quality: {{to: measures.quality, type: integer}}
key: [dims.id]
"""
PEER = """
import resource, sys, time
from chdb import session
url, rows, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = session.Session(folder)
s.query('create database b')
s.query('create table b.t (id Int64, station LowCardinality(String), name String, v Decimal(18, 2), quality Int32) '
        'engine MergeTree order by id')
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
begin, before = time.monotonic(), cpu()
s.query(f"insert into b.t select * from url('{url}', JSONEachRow, 'id Int64, station String, name String, "
        "v Decimal(18, 2), quality Int32') settings http_make_head_request = 0")
seconds, used = time.monotonic() - begin, cpu() - before
found = int(str(s.query('select count() from b.t', 'TSV')))
assert found == rows, f'{found} of {rows} rows'
print('seconds', seconds, used)
"""


def payload_of(rows):
    lines = (b'{"id":%d,"station":"station-%d","name":"a name of ordinary length","v":%d.%02d,"quality":%d}\n' %
             (i, i % 500, i * 7919 % 100000, i % 100, i % 4) for i in range(rows))
    return b"".join(lines)


def cpu_seconds(process):
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(folder, url, rows):
    """Seconds, and CPU seconds of drone and control plane, from the start of the run until all rows are counted."""
    cluster = Cluster(folder)
    try:
        drone = cluster.drone()
        wait_until(lambda: cluster.get("/api/drones")["drones"], "the drone")
        cluster.create_profile(PROFILE.format(name="json", url=url))
        processes = [drone, *cluster.controls]
        before = sum(cpu_seconds(process) for process in processes)
        begin = time.monotonic()
        run_id = wait_until(lambda: cluster.run_now("json"), "the parts to find each other")
        while (found := cluster.get("/api/results/summary")["total_results"]) < rows:
            if time.monotonic() - begin > PATIENCE:
                raise AssertionError(f"{found} of {rows} rows after {PATIENCE} s")
            time.sleep(0.02)  # each look takes the control plane a millisecond
        seconds = time.monotonic() - begin
        cpu = sum(cpu_seconds(process) for process in processes) - before
        run = cluster.wait_run(run_id, PATIENCE)
        assert run["status"] == "succeeded" and found == rows, run
        return seconds, cpu
    finally:
        cluster.close()


def peer(folder, url, rows):
    """Seconds and CPU seconds of the insert; nothing if chdb is not there."""
    done = subprocess.run(["python3", "-c", PEER, url, str(rows), str(folder / "chdb")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    for line in done.stdout.splitlines():
        if line.startswith("seconds "):
            return tuple(float(word) for word in line.split()[1:])
    print("  ClickHouse not measured: " + (done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int)
    arguments = parser.parse_args()
    rows = arguments.rows or (500_000 if arguments.quick else 4_000_000)
    rounds = 2 if arguments.quick else 3
    payload = payload_of(rows)
    source = SourceServer()
    source.routes["/rows"] = lambda _query: (200, "application/x-ndjson", payload)
    url = source.url + "/rows"
    print(f"json: {rows} rows of NDJSON, {len(payload) / rows:.0f} bytes each, over HTTP on {os.cpu_count()} cores")
    walls, cpus, peers, peer_cpus = [], [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="chartly-json-") as folder:
            wall, cpu = ours(Path(folder), url, rows)
            theirs = peer(Path(folder), url, rows)
        walls.append(wall)
        cpus.append(cpu)
        if theirs:
            peers.append(theirs[0])
            peer_cpus.append(theirs[1])
        print(f"  {number + 1}: {rows / wall / 1e6:.2f} M records/s, {cpu:.1f} CPU s" +
              (f"; ClickHouse {rows / theirs[0] / 1e6:.2f} M records/s, {theirs[1]:.1f} CPU s" if theirs else ""), flush=True)
    source.close()
    rate = rows / statistics.median(walls)
    bound = max(TARGET, TIMES_PEER * rows / statistics.median(peers)) if peers else TARGET
    group = "JSON over HTTP to durable and queryable, whole product"
    figures.record("json", group, "ours", "Chartly", rate, "records/s", bound=bound)
    cpu = statistics.median(cpus) / rows * 1e6
    figures.record("json", group + ", processor", "ours", "Chartly, drone and control plane", cpu, "us of CPU a record",
                   less_is_better=True)
    print(f"{'Chartly, from the run to the count':44}{rate:14.0f} records/s   {cpu:.2f} CPU us a record")
    if peers:
        theirs = rows / statistics.median(peers)
        figures.record("json", group, "peer", "ClickHouse, insert into a MergeTree, not synced", theirs, "records/s")
        peer_cpu = statistics.median(peer_cpus) / rows * 1e6
        figures.record("json", group + ", processor", "peer", "ClickHouse", peer_cpu, "us of CPU a record", less_is_better=True)
        print(f"{'ClickHouse, insert into a MergeTree':44}{theirs:14.0f} records/s   {peer_cpu:.2f} CPU us a record; ours is "
              f"{rate / theirs:.2f} times as fast")
    print(f"at least {TARGET:.0f} and {TIMES_PEER} times the peer: {'met' if rate >= bound else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
