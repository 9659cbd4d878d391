"""A source whose every row can be told apart, and the oracle that counts them: no record is lost, none is there twice,
every balance closes. Each generation has rows of its own, so a row that was lost in one round cannot be hidden by
another."""

import hashlib
import time

from harness import FINAL, wait_until

PROFILE = """
id: numbers
name: Numbers in pages
version: 1.0.0
source:
  type: http_rest
  url: {url}/numbers
  format: json
  records: rows[*]
  pagination: {{type: page, param: page, pages: pages}}
schedule: {{enabled: false, interval: 1d}}
retry: {{max_attempts: {attempts}, backoff: 50ms, budget: 1000/m}}
mapping:
  generation: {{to: dims.generation, type: integer}}
  id: {{to: dims.id, type: integer}}
  text: {{to: dims.text, type: text}}
  value: {{to: measures.value, type: integer}}
filter: id != 13
"""


def text_of(generation, row, size):
    return hashlib.shake_128(f"{generation} {row}".encode()).hexdigest(size // 2)


class Numbers:
    """The source: `pages` pages of `rows` rows of the current generation, each after `pause` seconds. Text of `text`
    characters that does not compress well makes the rows as large as a test needs them."""

    def __init__(self, cluster, source, pages=12, rows=200, pause=0.004, text=2, attempts=6):
        self.cluster, self.pages, self.rows, self.pause, self.text = cluster, pages, rows, pause, text
        self.generation, self.served = 0, 0
        source.routes["/numbers"] = self.page
        cluster.create_profile(PROFILE.format(url=source.url, attempts=attempts))

    def page(self, query):
        page = int(query["page"])
        time.sleep(self.pause)
        self.served += 1
        first = (page - 1) * self.rows
        rows = ",".join(f'{{"generation":{self.generation},"id":{i},"value":{self.value(self.generation, i)},'
                        f'"text":"{text_of(self.generation, i, self.text)}"}}' for i in range(first, first + self.rows))
        return 200, "application/json", f'{{"pages":{self.pages},"rows":[{rows}]}}'.encode()

    @staticmethod
    def value(generation, row):
        return generation * 100000 + row

    def order(self):
        """Orders a run of rows that were not there before."""
        self.generation, self.served = self.generation + 1, 0
        return self.order_again()

    def order_again(self):
        return self.cluster.post("/api/profiles/numbers:runNow")["run_id"]

    # --- the oracle ---

    def newest_runs(self, count=20):
        return self.cluster.get("/api/runs", profile_id="numbers", page_size=count)["runs"]

    def everything(self, path, field, **query):
        found, token = [], ""
        while True:
            answer = self.cluster.get(path, profile_id="numbers", page_token=token, **query)
            found += answer[field]
            token = answer.get("next_page_token", "")
            if not token:
                return found

    def settle(self):
        """Waits until the newest run has succeeded and the ones before it are final."""
        def settled():
            runs = self.newest_runs()
            return runs if all(r["status"] in FINAL for r in runs) and runs[0]["status"] == "succeeded" else None
        return wait_until(settled, "the runs to be final and the newest to have succeeded", 90)

    def check(self, lost=False):
        """Every row of every generation is stored once, and every balance closes. `lost`: disks were damaged."""
        runs = self.everything("/api/runs", "runs", page_size=1000)
        for run in runs:
            balance = self.cluster.get(f"/api/runs/{run['run_id']}")["balance"]
            assert run["status"] in FINAL and balance["closed"] and balance["in_spool"] == 0, run
            assert balance["fetched"] == (balance["stored"] + balance["duplicate"] + balance["filtered"]
                                          + balance["quarantined"] + balance["lost"]), run
            assert lost or (balance["lost"] == 0 and run.get("error_reason") != "SPOOL_DAMAGED"), run
        expected = {(g, i): (self.value(g, i), text_of(g, i, self.text)) for g in range(1, self.generation + 1)
                    for i in range(self.pages * self.rows) if i != 13}
        records = self.everything("/api/records", "records", limit=10000, all_versions="true")
        got = {(r["dims"]["generation"], r["dims"]["id"]): (r["measures"]["value"], r["dims"]["text"]) for r in records}
        assert got == expected, f"lost {len(expected.keys() - got.keys())}, " \
                                f"unexpected {len(got.keys() - expected.keys())}"
        assert len(records) == len(expected), "a record is there twice"
        # A run whose drone was lost counts again once its end arrives, so its figures may still move for a moment.
        wait_until(lambda: sum(r["balance"]["stored"] for r in self.everything("/api/runs", "runs", page_size=1000))
                   == len(expected), "the balances of all runs to account for every record")
        return runs
