"""Three drones, each in a network namespace of its own, and the control plane with a source in a fourth one that is joined
to them by a wire each. One drone, or the control plane, is then done harm to, or its wall clock jumps: no namespace has a
wall clock, so each process has its own (WallClock). Runs as root in a network and mount namespace of its own (`unshare
--net --mount`); ends with 0 if all that is promised held meanwhile, and prints what it saw as JSON.

usage: fleet_world.py FAULT FOLDER
"""

import collections
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from faults import WallClock  # noqa: E402
from fleet_view import DRONES, FleetView  # noqa: E402
from harness import FINAL, Cluster, wait_until  # noqa: E402

HUB = "10.77.0.1"
PROFILES = [f"fleet-{number}" for number in range(9)]
INTERVAL, LEASE = 1.0, 6.0
FULL = os.environ.get("CHARTLY_CHAOS", "quick") == "full"
# By which a wall clock is off, one after the other: seconds, minutes and hours, to and fro.
OF_A_DRONE = [20, 5, 600, 7200, 0, -20, -600, -7200, 0] if FULL else [20, 7200, -600]
OF_CONTROL = [5, 600, 7200, 0, -5, -600, -7200] if FULL else [5, 7200, -600, -605]
AT_A_START = [7200, -600, 0] if FULL else [-7200]
PROFILE = """
id: {id}
name: Rows
version: 1.0.0
source: {{type: http_rest, url: "{url}/{id}", format: json}}
schedule: {{enabled: true, interval: {interval:.0f}s}}
mapping:
  id: {{to: dims.id, type: integer}}
  value: {{to: measures.value, type: integer}}
"""


def run(command):
    subprocess.run(command.split(), check=True)


def lay_wires():
    """The hub has its address on lo and a wire to each drone, d1 at 10.77.1.2 and so on."""
    run("mount -t tmpfs tmpfs /run")  # where `ip netns` keeps names; this process's own
    run("ip link set lo up")
    run(f"ip addr add {HUB}/32 dev lo")
    for number, drone in enumerate(DRONES, 1):
        run(f"ip netns add {drone}")
        run(f"ip link add to-{drone} type veth peer name eth0 netns {drone}")
        run(f"ip addr add 10.77.{number}.1/24 dev to-{drone}")
        run(f"ip link set to-{drone} up")
        run(f"ip -n {drone} link set lo up")
        run(f"ip -n {drone} addr add 10.77.{number}.2/24 dev eth0")
        run(f"ip -n {drone} link set eth0 up")
        run(f"ip -n {drone} route add default via 10.77.{number}.1")


class Source:
    """Notes who asks for what, and from when until when. One profile in three is slow."""

    def __init__(self):
        self.asked = []  # profile, drone, begin, end
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                profile = self.path.strip("/")
                drone = "d" + self.client_address[0].split(".")[2]
                begin = time.monotonic()
                time.sleep(1.5 if int(profile.rsplit("-", 1)[1]) % 3 == 0 else 0.05)
                owner.asked.append((profile, drone, begin, time.monotonic()))
                body = b'[{"id":1,"value":2}]'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # of a drone that is cut off

        self.server = Server((HUB, 0), Handler)
        self.url = f"http://{HUB}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Watcher:
    """Looks at the open runs all the time. Each look is one answer, so it is of one moment."""

    def __init__(self, cluster):
        self.cluster, self.looks, self.doubled, self.stop = cluster, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.stop.wait(0.02):
            try:
                runs = self.cluster.get("/api/runs", page_size=200)["runs"]
            except OSError:
                continue  # the control plane is what is harmed
            self.looks += 1
            leases = collections.Counter(r["profile_id"] for r in runs if r["status"] not in FINAL)
            self.doubled += [(profile, count) for profile, count in leases.items() if count > 1]

    def end(self):
        self.stop.set()
        self.thread.join()


class ClockedCluster(Cluster):
    """The control plane has a wall clock of its own."""

    def make_controls(self):
        super().make_controls()
        self.clock = WallClock(self.folder, "control")
        self.controls[0].prefix = self.clock.prefix


class World(FleetView):
    def __init__(self, folder, clocked):
        lay_wires()
        self.source = Source()
        self.jumps = 0
        kind = ClockedCluster if clocked else Cluster
        super().__init__(kind(folder, host=HUB, flags=["--anonymous-role", "viewer"]), PROFILES)
        self.clocks = {drone: WallClock(folder, drone) for drone in DRONES if clocked}
        for drone in DRONES:
            self.start(drone)
        self.await_active()
        for profile in PROFILES:
            self.cluster.create_profile(PROFILE.format(id=profile, url=self.source.url, interval=INTERVAL))
        self.await_runs("each profile to have run")
        self.watcher = Watcher(self.cluster)

    def start(self, drone):
        # As many places as profiles: each run goes to who holds its profile.
        self.cluster.drone(drone, egress=[f"{HUB}/32"], flags=["--capacity", "20"],
                           prefix=["nsenter", f"--net=/run/netns/{drone}",
                                   *(self.clocks[drone].prefix if self.clocks else [])])

    def harm_control(self, harm, heal):
        harm()
        time.sleep(LEASE + 2)  # longer than any lease; nobody is there to ask
        heal()
        self.await_active()
        self.await_runs("every profile to run again")

    def jump(self, clock, off):
        clock.set(off)
        self.jumps += 1

    def set_clock_of_a_drone(self, offs):
        """The drone with the most profiles keeps them whatever its clock shows, and is named while it is wrong."""
        before = self.whole_plan()
        victim = max(DRONES, key=lambda drone: len(before[drone]))
        for off in offs:
            self.jump(self.clocks[victim], off)
            wait_until(lambda: abs(int(self.drone(victim).get("clock_skew_ms", 0)) - off * 1000) < 1000,
                       f"the clock of the drone to be off by {off} s", 10)
            self.await_runs(f"every profile to run with a drone's clock off by {off} s")
            named = {drone for drone in DRONES if "CLOCK_SKEWED" in self.drone(drone).get("findings", [])}
            assert named == ({victim} if abs(off) > 30 else set()), (off, named)
            assert self.state(victim) == "active" and self.whole_plan() == before, off

    def set_clock_of_control(self, offs):
        """Nobody is taken as lost and nothing moves."""
        before = self.whole_plan()
        for off in offs:
            self.jump(self.cluster.clock, off)
            self.await_clock()
            self.await_runs(f"every profile to run with the coordinator's clock off by {off} s")
            assert self.cluster.get("/api/drones/stats")["active"] == len(DRONES), off
            assert self.whole_plan() == before, off

    def await_clock(self):
        """It shows what it was set to: the process really has that clock. Statuses are of a moment ago."""
        wait_until(lambda: abs(seconds(self.cluster.get("/api/status")["time"]) - self.cluster.clock.now()) < 3,
                   "the control plane to have its clock", 10)

    def restart_control(self, offs):
        """Each time with another clock, which it cannot know to have jumped."""
        for off in offs:
            self.cluster.kill_control()
            self.jump(self.cluster.clock, off)
            self.cluster.start_control()
            self.await_clock()
            self.await_active()
            self.await_runs(f"every profile to run after a start with the clock off by {off} s")

    def settle(self):
        self.watcher.end()
        self.pause_all()

        def ended():
            runs = self.runs()
            return runs if all(r["status"] in FINAL and (r.get("balance") or {}).get("closed") for r in runs) else None
        return wait_until(ended, "all runs to end", 120)

    def check(self, runs):
        """What is promised, from what drones, source and coordinator say of it."""
        assert self.watcher.looks > 100, self.watcher.looks
        assert not self.watcher.doubled, f"two leases at one moment: {self.watcher.doubled}"
        begun = collections.Counter()
        for drone in DRONES:
            log = self.cluster.drones[drone].log_path.read_text(errors="replace")
            begun.update(re.findall(r'run begun .*?run="([^"]+)"', log))
        twice = [run for run, count in begun.items() if count > 1]
        assert begun and not twice, f"begun twice: {twice}"
        # Runs that were given up as lost; of some the end came later.
        late = set(re.findall(r'late end of a run .*?run="([^"]+)"', self.cluster.controls[0].log_path.read_text()))
        lost = {r["run_id"] for r in runs if r["error_reason"] == "DRONE_LOST"} | late
        other = [r for r in runs if r["status"] != "succeeded" and
                 r["error_reason"] not in ("DRONE_LOST", "DRONE_RESTARTED")]
        assert not other, other
        for profile in PROFILES:
            slots = [r["schedule_time"] for r in runs
                     if r["profile_id"] == profile and r.get("schedule_time") and r["run_id"] not in lost]
            assert len(slots) == len(set(slots)), f"one time of {profile} was done twice: {slots}"
            stored = self.cluster.get("/api/records", profile_id=profile).get("records", [])
            assert len(stored) == 1, f"{profile}: {stored}"
        # The source's clock is the test's, which nobody sets.
        asked = sorted(self.source.asked, key=lambda entry: entry[2])
        gap = 0
        for profile in PROFILES:
            own = [entry for entry in asked if entry[0] == profile]
            both = [(a, b) for a, b in zip(own, own[1:]) if b[2] < a[3] and a[1] != b[1]]
            assert not both, f"two drones at one time: {both}"
            gap = max([gap, *(b[2] - a[2] for a, b in zip(own, own[1:]))])
            # Once each interval, and once more than else for each jump and each run that was done again.
            again = sum(r["profile_id"] == profile and (r["status"] != "succeeded" or r["run_id"] in late) for r in runs)
            most = (own[-1][2] - own[0][2]) / INTERVAL + 2 + self.jumps + again
            assert len(own) <= most, f"{profile} was done {len(own)} times, not {most:.1f}"
        return {"runs": len(runs), "lost": len(lost), "looks": self.watcher.looks, "longest_gap_s": round(gap, 1)}


def seconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp() + float("0." + (fraction or "0"))


def main(fault, folder):
    world = World(folder, clocked=fault.endswith("clock"))
    try:
        began = time.monotonic()
        drones, control = world.cluster.drones, world.cluster.controls[0]
        if fault == "partition":
            world.lose_a_drone(lambda d: run(f"ip link set to-{d} down"), lambda d: run(f"ip link set to-{d} up"))
        elif fault == "pause":
            world.lose_a_drone(lambda d: drones[d].process.send_signal(signal.SIGSTOP),
                               lambda d: drones[d].process.send_signal(signal.SIGCONT))
        elif fault == "kill":
            world.lose_a_drone(lambda d: drones[d].kill(), world.start)
        elif fault == "coordinator-paused":
            world.harm_control(lambda: control.process.send_signal(signal.SIGSTOP),
                               lambda: control.process.send_signal(signal.SIGCONT))
        elif fault == "coordinator-killed":
            world.harm_control(world.cluster.kill_control, world.cluster.start_control)
        elif fault == "drone-clock":
            world.set_clock_of_a_drone(OF_A_DRONE)
        elif fault == "coordinator-clock":
            world.set_clock_of_control(OF_CONTROL)
            world.restart_control(AT_A_START)
        else:
            sys.exit(__doc__)
        harmed = time.monotonic() - began
        seen = world.check(world.settle())
        # A profile is missed while its drone is not known to be lost, and no longer; also for as long as the coordinator's
        # clock was set back, if that is less than a minute.
        if fault not in ("coordinator-killed", "coordinator-paused"):
            assert seen["longest_gap_s"] <= INTERVAL + LEASE + 8, seen
        print(json.dumps({**seen, "s": round(harmed, 1)}))
    except AssertionError:
        for process in [*world.cluster.controls, *world.cluster.drones.values()]:
            print(f"--- {process.log_path.name}\n{process.tail(30)}", file=sys.stderr)
        raise
    finally:
        world.cluster.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
