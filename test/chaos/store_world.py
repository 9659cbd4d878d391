"""The record store under faults: the parts of the shipped control plane that take and give records, honest stations that
post batches to them, each until it is acked, and the ledger of what was acked."""

import hashlib
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request

from harness import ApiError, Cluster, wait_until

# Little memory, so that files are written, merged and deleted all the time.
SMALL = ("--store-memory", "8MB", "--dedupe-memory", "1MB")
PARTS = ("gateway", "aggregator", "audit")
TOLD = "DATA_LOSS"


class Store(Cluster):
    """chartly-control with the aggregator, the gateway, and the audit part, without which nothing is changed."""

    def __init__(self, folder, flags=SMALL):
        self.prefix = []  # of the next starts
        super().__init__(folder, flags=["--services", ",".join(PARTS), *flags])

    def make_controls(self):
        super().make_controls()
        self.process = self.controls[0]
        # What is not there is nowhere, and not by chance at the port that somebody else uses.
        absent = [part for part in self.rpc if part not in PARTS]
        self.process.arguments += [f"--peer={part}={self.host}:{self.rpc[part]}" for part in absent]
        self.process.arguments = [a for a in self.process.arguments
                                  if not any(a.startswith(f"--rpc={part}=") for part in absent)]

    def start_control(self):
        assert self.serves_or_ends(), f"it ended instead of serving:\n{self.process.tail()}"

    def serves_or_ends(self, limit=30.0):
        """Starts it; says whether it serves. Else it has ended."""
        self.process.prefix = list(self.prefix)
        self.process.start()

        def settled():
            if not self.process.alive():
                return "ended"
            try:
                self.get("/api/results/summary")
                return "serves"
            except (OSError, http.client.HTTPException, ApiError):
                return None
        serves = wait_until(settled, "the store to serve or to end", limit) == "serves"
        if serves:
            self.key = self.key_file.read_text().strip()
        return serves

    def kill(self):
        self.process.kill()

    # --- what is stored ---

    def records(self, profile):
        """Key to value and text of all that is stored of the profile; each version of each record once. Breaks off with
        IncompleteRead, or ApiError, where the store says that something is damaged."""
        url = f"{self.url}/api/records:export?profile_id={profile}&all_versions=true&format=ndjson"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                lines = answer.read().splitlines()
        except urllib.error.HTTPError as error:
            told = ApiError(error.code, error.read().decode(errors="replace"))
            if told.error.get("reason") == "RECORDS_NOT_FOUND":
                return {}
            raise told from None
        found = {}
        for line in lines:
            record = json.loads(line)
            key = record["dims"]["k"]
            assert key not in found, f"{key} is there twice"
            found[key] = (int(record["measures"]["v"]), record["attrs"]["text"])
        return found

    def counts(self):
        return {p["profile_id"]: int(p["count"]) for p in self.get("/api/results/summary").get("profiles", [])}

    def faults(self):
        """What a check of everything finds; an error of the check is a finding, too."""
        found, token = [], ""
        while True:
            try:
                piece = self.post("/api/store:verify", {"page_token": token})
            except ApiError as error:
                assert error.error.get("code") == TOLD, error
                return [*found, error.error["message"]]
            found += [fault["message"] for fault in piece.get("faults", [])]
            token = piece.get("next_page_token", "")
            if not token:
                return found

    def problem(self):
        """What the health says of the aggregator; empty if it is well."""
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=10) as answer:
                health = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            health = json.loads(error.read())
        return health["services"]["aggregator"].get("message", "")


class Batch:
    """Rows that nobody else posts. Every so often one is so large that it goes to a file of its own."""

    def __init__(self, profile, name, chance):
        self.profile, self.name = profile, name
        self.rows, self.text = chance.choice([(5, 20), (40, 20), (150, 40), (250, 600)])
        self.sent = False  # maybe stored, though nobody said so

    def contents(self):
        return {f"{self.name}-{i}": (i, hashlib.shake_128(f"{self.name} {i}".encode()).hexdigest(self.text // 2))
                for i in range(self.rows)}

    def body(self):
        data = [{"dims": {"k": key}, "measures": {"v": value}, "attrs": {"text": text}}
                for key, (value, text) in self.contents().items()]
        return json.dumps({"drone_id": "station", "profile_id": self.profile, "run_id": "run-" + self.profile,
                           "data": data}).encode()


class Stations:
    """Programs that post one batch after the other, each until it is acked. They stop at gates between faults: `open`
    lets them go on, `shut` returns once nobody has a request under way."""

    def __init__(self, store, count=3, seed=1):
        self.store, self.profile = store, "p0"
        self.acked, self.refused, self.faults = [], {}, []
        self.lock = threading.Condition()
        self.is_open, self.ended, self.busy = False, False, 0
        self.power_fails_at = self.power_failed_at = float("inf")
        self.unsure = {}  # by station: a batch that was sent and not acked
        self.threads = [threading.Thread(target=self.run, args=(n, random.Random(seed * 100 + n)), daemon=True)
                        for n in range(count)]
        for thread in self.threads:
            thread.start()

    def open(self):
        with self.lock:
            self.is_open = True
            self.power_fails_at = self.power_failed_at = float("inf")
            self.lock.notify_all()

    def shut(self):
        with self.lock:
            self.is_open = False
            assert self.lock.wait_for(lambda: self.busy == 0, 60), "a station waits for its answer for a minute"
        assert not self.faults, self.faults

    def end(self):
        with self.lock:
            self.ended = True
            self.lock.notify_all()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults

    def cut(self, disk):
        """Cuts the power of the disk. Nobody hears an ack of a machine without power, though this one goes on: what is
        acked from now on may be lost, and what is sent once the power is gone must not be acked."""
        self.power_fails_at = time.monotonic()
        disk.cut_power()
        self.power_failed_at = time.monotonic()

    def await_acks(self, more, limit=30):
        before = len(self.acked)
        wait_until(lambda: self.faults or len(self.acked) >= before + more, f"{more} more acks; {self.refused}", limit)

    def expected(self, profile=None):
        """What was acked, by profile."""
        found = {}
        for batch in self.acked:
            if profile in (None, batch.profile):
                found.setdefault(batch.profile, {}).update(batch.contents())
        return found

    def run(self, station, chance):
        number = 0
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self.is_open or self.ended)
                if self.ended:
                    return
            batch = self.unsure.get(station)
            if batch is None:
                number += 1
                batch = self.unsure[station] = Batch(self.profile, f"{station}-{number}", chance)
            with self.lock:
                if not self.is_open:
                    continue
                self.busy += 1
            try:
                acked = self.offer(batch)
            except Exception as error:  # whoever waits looks at it
                self.faults.append(error)
                acked = False
            with self.lock:
                self.busy -= 1
                if acked:
                    self.acked.append(batch)
                    del self.unsure[station]
                self.lock.notify_all()
            if not acked:
                time.sleep(0.01)

    def offer(self, batch):
        """Posts it once; says whether it was acked."""
        seen, batch.sent, sent_at = batch.sent, True, time.monotonic()
        try:
            answer = self.store.call("POST", "/api/results", batch.body(), self.store.key,
                                     {"Content-Type": "application/json"})
        except ApiError as error:
            reason = error.error.get("reason", error.text)
            self.refused[reason] = self.refused.get(reason, 0) + 1
            return False
        except (OSError, http.client.HTTPException, ValueError):
            return False  # killed under it
        inserted, known = answer["inserted_records"], answer["deduped_records"]
        whole = (inserted, known) == (batch.rows, 0) or (seen and (inserted, known) == (0, batch.rows))
        assert whole, f"batch {batch.name} of {batch.rows} rows: {answer}"
        assert sent_at < self.power_failed_at, f"batch {batch.name} is acked by a disk without power"
        return time.monotonic() < self.power_fails_at

    def check(self, profile=None, whole=False):
        """All that was acked is there, once, and of what was not each batch whole or not at all. Shut before. With
        `whole`, nothing else is there."""
        expected = self.expected(profile)
        unsure = [batch for batch in self.unsure.values() if batch.sent]
        for name in {*expected, *(batch.profile for batch in unsure if profile in (None, batch.profile))}:
            found, acked = self.store.records(name), expected.get(name, {})
            lost = acked.items() - found.items()
            assert not lost, f"{len(lost)} of {len(acked)} records of {name} are lost or altered: {sorted(lost)[:3]}"
            more = found.keys() - acked.keys()
            for batch in unsure:
                contents = batch.contents()
                if batch.profile == name and contents.keys() <= more:
                    assert all(found[key] == value for key, value in contents.items())
                    more -= contents.keys()
            assert not more, f"{len(more)} records of {name} are there that nobody could know of: {sorted(more)[:3]}"
            assert not whole or len(found) == len(acked)
            assert self.store.counts().get(name, 0) == len(found), f"the ledger of {name} differs from its records"
