"""What the coordinator says of a fleet of three drones."""

from harness import FINAL, wait_until

DRONES = ["d1", "d2", "d3"]


class FleetView:
    def __init__(self, cluster, profiles):
        self.cluster, self.profiles = cluster, sorted(profiles)

    def plan(self):
        """What each drone has to do: what it holds, and what it has runs of. One answer a drone, so what moves in between
        may be with two of them, or with none."""
        return {drone: {a["profile_id"] for a in self.cluster.get(f"/api/drones/{drone}/work").get("assignments", [])}
                for drone in DRONES}

    def whole_plan(self):
        """Who holds what, once it is the same when it is asked for again and each profile is with one drone."""
        def settled():
            first, second = self.plan(), self.plan()
            return first if first == second and sorted(sum(map(sorted, first.values()), [])) == self.profiles else None
        return wait_until(settled, "a whole plan")

    def runs(self):
        found, token = [], ""
        while True:
            answer = self.cluster.get("/api/runs", page_size=1000, page_token=token)
            found += answer["runs"]
            token = answer.get("next_page_token", "")
            if not token:
                return found

    def await_runs(self, what):
        """Every profile has a good run that was made from now on."""
        known = {run["run_id"] for run in self.runs()}
        wait_until(lambda: set(self.profiles) == {run["profile_id"] for run in self.runs()
                                                  if run["run_id"] not in known and run["status"] == "succeeded"}, what)

    def settled_runs(self):
        def settled():
            runs = self.runs()
            return runs if runs and all(run["status"] in FINAL for run in runs) else None
        return wait_until(settled, "all runs to end", 120)

    def pause_all(self):
        for profile in self.profiles:
            self.cluster.post(f"/api/profiles/{profile}:pause")

    def state(self, drone):
        return self.drone(drone)["state"]

    def drone(self, drone):
        return next(d for d in self.cluster.get("/api/drones")["drones"] if d["drone_id"] == drone)

    def await_active(self):
        wait_until(lambda: self.cluster.get("/api/drones/stats")["active"] == len(DRONES), "the drones to be active")

    def lose_a_drone(self, harm, heal):
        """Harms the drone with the most profiles until it is taken as lost and the others do its work, and heals it."""
        before = self.whole_plan()
        victim = max(DRONES, key=lambda drone: len(before[drone]))
        harm(victim)
        wait_until(lambda: self.state(victim) == "offline", "the drone to be taken as lost", 30)
        wait_until(lambda: not self.plan()[victim], "its profiles to be with the others", 30)
        others = self.whole_plan()
        for drone in DRONES:
            assert drone == victim or before[drone] <= others[drone], "what nothing happened to stays"
        self.await_runs("every profile to run elsewhere")
        heal(victim)
        wait_until(lambda: self.state(victim) == "active", "the drone to be back", 30)
        wait_until(lambda: self.plan()[victim], "it to hold profiles again", 30)
        self.await_runs("every profile to run with all drones")
