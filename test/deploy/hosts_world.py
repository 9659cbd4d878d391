"""Three hosts with a drone each, and the control plane with a source on a fourth. A host is a network namespace with an
address of its own and a wire to the fourth, which knows it by nothing else. Drones join from their hosts, and show
certificates from then on. Runs as root in a network and mount namespace of its own (`unshare --net --mount`); ends with 0 if
work goes where it may and nowhere twice, also while a host is gone, and prints what it saw as JSON.

usage: hosts_world.py FOLDER
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "chaos"), str(HERE.parent / "e2e")]
from fleet_view import FleetView  # noqa: E402
from fleet_world import HUB, Source, Watcher, lay_wires, run  # noqa: E402
from harness import BIN, FINAL, ApiError, Cluster, wait_until  # noqa: E402

# drone -> region, capacity
HOSTS = {"d1": ("eu", 8), "d2": ("eu", 4), "d3": ("us", 8)}
# profile -> the region that it is placed in, or none
PLACED = {**{f"any-{n}": None for n in range(10)}, **{f"eu-{n}": "eu" for n in range(4)}, **{f"us-{n}": "us" for n in range(3)}}
PROFILE = """
id: {id}
name: Rows
version: 1.0.0
source: {{type: http_rest, url: "{url}/{id}", format: json}}
schedule: {{enabled: true, interval: 2s}}
{placement}
mapping:
  id: {{to: dims.id, type: integer}}
  value: {{to: measures.value, type: integer}}
"""
LIMIT = 180  # for whatever has to come; a slow machine takes its time


class Hosts(FleetView):
    def __init__(self, folder):
        lay_wires()
        self.source = Source()
        super().__init__(Cluster(folder, host=HUB, flags=["--anonymous-role", "viewer", "--rpc-tls"]), PLACED)
        for drone, (region, capacity) in HOSTS.items():
            self.join(drone)
            self.cluster.drone(drone, egress=[f"{HUB}/32"], identity=folder / drone / "identity", prefix=self.on(drone),
                               flags=["--capacity", str(capacity), "--label", f"region={region}"])
        self.until(lambda: all(self.is_active(drone) for drone in HOSTS), "the drones to be active")
        for profile, region in PLACED.items():
            placement = f"placement: {{labels: {{region: {region}}}}}" if region else ""
            self.cluster.create_profile(PROFILE.format(id=profile, url=self.source.url, placement=placement))
        self.watcher = Watcher(self.cluster)

    def on(self, drone):
        return ["nsenter", f"--net=/run/netns/{drone}"]

    def join(self, drone):
        subprocess.run([*self.on(drone), BIN / "chartly", "drone", "join", drone, "--identity-dir",
                        self.cluster.folder / drone / "identity"], check=True,
                       env={**os.environ, "CHARTLY_URL": self.cluster.url, "CHARTLY_KEY_FILE": str(self.cluster.key_file)})

    def until(self, condition, what):
        def met():
            try:
                return condition()
            except ApiError as error:
                if error.status < 500:
                    raise
            except OSError:
                pass
            return None  # a part that did not answer in time; it is asked again
        return wait_until(met, what, LIMIT)

    def is_active(self, drone):
        return any(d["drone_id"] == drone and d["state"] == "active" for d in self.cluster.get("/api/drones")["drones"])

    def ran(self, profiles, what):
        """Every one of these profiles has a good run that was made from now on."""
        known = self.until(lambda: {"", *(each["run_id"] for each in self.runs())}, "the runs so far")
        self.until(lambda: set(profiles) <= {each["profile_id"] for each in self.runs()
                                             if each["run_id"] not in known and each["status"] == "succeeded"}, what)

    def fits(self, plan, hosts):
        """Whether each profile is with one of these hosts that it may be on, if there is one, and none has more than 1.25
        times its share."""
        total = sum(HOSTS[drone][1] for drone in hosts)
        placeable = {profile for profile, region in PLACED.items() if region in (None, *(HOSTS[d][0] for d in hosts))}
        return (sorted(sum(map(sorted, plan.values()), [])) == sorted(placeable)
                and all(PLACED[profile] in (None, HOSTS[drone][0]) for drone, held in plan.items() for profile in held)
                and all(len(plan[drone]) <= math.ceil(1.25 * len(PLACED) * HOSTS[drone][1] / total) for drone in hosts)
                and not any(held for drone, held in plan.items() if drone not in hosts))

    def spread(self, hosts):
        """Waits until the plan fits and is the same when it is asked for again."""
        def settled():
            first, second = self.plan(), self.plan()
            return first if first == second and self.fits(first, hosts) else None
        return self.until(settled, f"the profiles to be spread over {', '.join(hosts)}")

    def lose(self, drone):
        """The wire to a host is cut, and whole again once the others do what they may of its work."""
        others = [each for each in HOSTS if each != drone]
        run(f"ip link set to-{drone} down")
        self.until(lambda: not self.is_active(drone), f"{drone} to be taken as lost")
        self.spread(others)
        left = [profile for profile, region in PLACED.items() if region in (None, *(HOSTS[each][0] for each in others))]
        self.ran(left, f"what {drone} did to be done by others")
        run(f"ip link set to-{drone} up")
        self.until(lambda: self.is_active(drone), f"{drone} to be back")
        self.spread(list(HOSTS))
        self.ran(PLACED, f"everything to be done with {drone}")

    def end(self):
        self.watcher.end()
        self.pause_all()

        def ended():
            runs = self.runs()
            return runs if all(r["status"] in FINAL and (r.get("balance") or {}).get("closed") for r in runs) else None
        return self.until(ended, "all runs to end with their balances closed")

    def check(self, runs):
        assert self.watcher.looks and not self.watcher.doubled, f"two leases at one moment: {self.watcher.doubled}"
        # Who fetched is told by the address that it came from.
        fetched = {(profile, drone) for profile, drone, _, _ in self.source.asked}
        astray = [(profile, drone) for profile, drone in fetched if PLACED[profile] not in (None, HOSTS[drone][0])]
        assert not astray, f"fetched from where they may not be: {astray}"
        assert {drone for _, drone in fetched} == set(HOSTS)
        for profile in PLACED:
            stored = self.cluster.get("/api/records", profile_id=profile).get("records", [])
            assert len(stored) == 1, f"{profile}: {stored}"
        for each in runs:
            assert (each["status"] == "succeeded" or each["error_reason"] in ("DRONE_LOST", "DRONE_RESTARTED")
                    or each["drone_id"] in ("d1", "d3")), each


def main(folder):
    world = Hosts(folder)
    try:
        plan = world.spread(list(HOSTS))
        world.ran(PLACED, "every profile to run")
        world.lose("d1")
        world.lose("d3")  # the only host of its region: what is placed there waits for it
        runs = world.end()
        world.check(runs)
        print(json.dumps({"spread": {drone: len(held) for drone, held in plan.items()}, "runs": len(runs),
                          "lost": sum(each["status"] != "succeeded" for each in runs), "looks": world.watcher.looks}))
    except AssertionError:
        print(world.plan(), file=sys.stderr)
        for process in [*world.cluster.controls, *world.cluster.drones.values()]:
            print(f"--- {process.log_path.name}\n{process.tail(30)}", file=sys.stderr)
        raise
    finally:
        world.cluster.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
