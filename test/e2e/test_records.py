"""Records as people and programs get them: pages, files of every format opened by the tools they are for, and where a
record came from or why it is not there."""

import csv
import io
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from harness import ROOT, ApiError, wait_until

PROFILE = """
id: rates
name: Rates
version: {version}
source: {{type: http_rest, url: "{url}/rates.json", format: json, records: "rows[*]"}}
schedule: {{enabled: false}}
limits: {{max_records: 100000}}
mapping:
  iso: dims.geo.iso
  year: {{to: dims.time.year, type: integer}}
  rate: {{to: measures.rate, type: decimal{using}}}
filter: year >= 2000
key: [dims.geo.iso, dims.time.year]
"""


def serve_rows(source, rows):
    source.routes["/rates.json"] = lambda _q: (200, "application/json", json.dumps({"rows": rows}).encode())


def post(cluster, profile_id, records):
    for begin in range(0, len(records), 10000):
        cluster.post("/api/results", {"profile_id": profile_id, "data": records[begin:begin + 10000]})


def mixed_records(count):
    """Values of every type, with nulls, texts that need quotes, and more digits than a double has."""
    out = []
    for i in range(count):
        record = {"dims": {"n": i, "city": ["Bern", 'say "hi"', "a,b\nc", ""][i % 4]}, "measures": {}, "attrs": {}}
        if i % 3:
            record["measures"]["amount"] = i if i % 2 else float(f"{i}.25")
        if i % 5 == 0:
            record["attrs"]["note"] = f"=SUM(A{i})"
        out.append(record)
    return out


def all_pages(cluster, **query):
    records, scanned, token = [], 0, ""
    while True:
        page = cluster.get("/api/records", **query, **({"page_token": token} if token else {}))
        records += page["records"]
        scanned += page["scanned"]
        token = page["next_page_token"]
        if not token:
            return records, scanned


def download(cluster, **query):
    with urllib.request.urlopen(cluster.url + "/api/records:export?" + urllib.parse.urlencode(query), timeout=60) as answer:
        return answer.headers, answer.read()


def test_pages_give_every_record_once_while_others_are_stored(single):
    post(single, "p", mixed_records(2500))
    first = single.get("/api/records", profile_id="p", limit=100)
    post(single, "p", [{"dims": {"n": n}, "measures": {"amount": 1}} for n in range(1000, 4000)])
    numbers = [r["dims"]["n"] for r in first["records"]]
    token = first["next_page_token"]
    while token:
        page = single.get("/api/records", profile_id="p", limit=700, page_token=token)
        numbers += [r["dims"]["n"] for r in page["records"]]
        token = page["next_page_token"]
    assert numbers == list(range(2500))


def test_wrong_questions_are_told_apart(single):
    post(single, "p", mixed_records(10))

    def reason(path, **query):
        with pytest.raises(ApiError) as caught:
            single.get(path, **query)
        assert caught.value.status == 400, caught.value.text
        return caught.value.error["reason"]

    for path in ("/api/records", "/api/records:export"):
        assert reason(path) == "PROFILE_OR_RUN_REQUIRED"
        assert reason(path, profile_id="p", filter="dims.n >>> 3") == "EXPRESSION_INVALID"
        assert reason(path, profile_id="p", filter="n = 3") == "FILTER_NAME_UNKNOWN"
        assert reason(path, profile_id="p", fields="n") == "FIELD_NAME_UNKNOWN"
    assert reason("/api/records", profile_id="p", page_token="never") == "PAGE_TOKEN_INVALID"
    token = single.get("/api/records", profile_id="p", limit=1)["next_page_token"]
    assert reason("/api/records", profile_id="p", page_token=token, filter="dims.n > 1") == "PAGE_TOKEN_INVALID"
    assert reason("/api/records:export", profile_id="p", fields="dims.nn") == "FIELD_NAME_UNKNOWN"
    assert reason("/api/records:export", profile_id="p", format="xlsx") == "FIELD_INVALID"
    assert reason("/api/records:why", profile_id="p", key="n") == "KEY_INVALID"
    unknown = single.get("/api/records", profile_id="p", filter="dims.nn = 3")
    assert unknown["records"] == [] and unknown["unknown_fields"] == ["dims.nn"] and unknown["scanned"] == 10
    with pytest.raises(ApiError) as caught:
        single.get("/api/records:export", profile_id="nobody")
    assert caught.value.status == 404


def test_files_hold_what_queries_give(cluster, tmp_path):
    post(cluster, "p", mixed_records(5000))
    records, _ = all_pages(cluster, profile_id="p", limit=1000, filter="dims.n < 4000")
    headers, body = download(cluster, profile_id="p", filter="dims.n < 4000")
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Content-Disposition"] == 'attachment; filename="p.ndjson"'
    assert [json.loads(line) for line in body.decode().splitlines()] == records
    _, body = download(cluster, profile_id="p", filter="dims.n < 4000", format="csv", guard_formulas="true")
    table = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert [row["id"] for row in table] == [r["id"] for r in records]
    for row, record in zip(table, records):
        assert row["dims.city"] == record["dims"]["city"] and row["dims.n"] == str(record["dims"]["n"])
        assert row["measures.amount"] == str(record["measures"].get("amount", ""))
        assert row["attrs.note"] == ("'" + record["attrs"]["note"] if record["attrs"] else "")
    target = tmp_path / "p.csv"
    done = cluster.cli("records", "export", "p", "--format", "csv", "--to", target, "--filter", "dims.n < 4000",
                       "--guard-formulas")
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == body and "4000 records" in done.stderr
    assert list(tmp_path.glob("*.part")) == []
    wrong = cluster.cli("records", "export", "p", "--fields", "dims.nn", "--to", tmp_path / "none")
    assert wrong.returncode == 2 and "FIELD_NAME_UNKNOWN" in wrong.stderr and not (tmp_path / "none").exists()


TOOLS = ["pyarrow==26.0.1", "pandas==3.1.1", "duckdb==2.0.0", "pytz"]

READ_PARQUET = """
import json, sys
import duckdb, pandas, pyarrow.parquet
path = sys.argv[1]
plain = lambda v: v if v is None or isinstance(v, (int, float, bool, str)) else str(v)
table = pyarrow.parquet.read_table(path)
out = {"types": {f.name: str(f.type) for f in table.schema}, "groups": pyarrow.parquet.ParquetFile(path).num_row_groups,
       "arrow": [[plain(v) for v in row.values()] for row in table.to_pylist()]}
frame = pandas.read_parquet(path)
out["pandas"] = [list(frame.columns), len(frame)]
one = pandas.read_parquet(path, columns=[frame.columns[0]])
out["one"] = [list(one.columns), len(one)]
rows = duckdb.sql(f"select * from '{path}'").fetchall()
out["duckdb"] = [[plain(v) for v in row] for row in rows]
out["sum"] = str(duckdb.sql(f"select sum(\\"measures.amount\\") from '{path}'").fetchall()[0][0])
print(json.dumps(out))
"""


def python_with_tools():
    """A Python that has the tools which open Parquet, kept in the build folder; skips the test where there is none."""
    folder = ROOT / "build" / "e2e-tools"
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import pyarrow, pandas, duckdb, pytz"], check=False,
                                             capture_output=True).returncode:
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            made = subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *TOOLS],
                                  capture_output=True, text=True, timeout=600, check=False)
        if made.returncode:
            pytest.skip(f"{', '.join(TOOLS)} cannot be installed: {(made.stderr or made.stdout).strip()[-200:]}")
    return python


def test_parquet_opens_in_pandas_and_duckdb_with_every_value(single, tmp_path):
    python = python_with_tools()
    records = mixed_records(130000)
    records[7]["dims"]["n"] = 9007199254740993
    post(single, "p", records)
    target = tmp_path / "p.parquet"
    done = single.cli("records", "export", "p", "--format", "parquet", "--to", target, "--fields",
                      "dims.n,dims.city,measures.amount,attrs.note,provenance,id")
    assert done.returncode == 0, done.stderr
    read = subprocess.run([python, "-c", READ_PARQUET, target], capture_output=True, text=True, timeout=120, check=False)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)
    assert found["types"]["dims.n"] == "int64" and found["types"]["measures.amount"] == "decimal128(38, 2)"
    assert found["types"]["provenance.acked_at"] == "timestamp[us, tz=UTC]" and found["groups"] == 2
    assert found["pandas"][1] == len(records) and found["one"] == [["dims.n"], len(records)]
    # The store may have merged its batches between two questions, and then the records come in another order.
    stored = sorted((json.loads(line) for line in download(single, profile_id="p")[1].decode().splitlines()),
                    key=lambda record: record["id"])

    def cents(value):
        return None if value is None else f"{float(value):.2f}"

    for rows in (found["arrow"], found["duckdb"]):
        assert len(rows) == len(stored)
        for row, record in zip(sorted(rows, key=lambda row: row[-1]), stored):
            assert row[:2] == [record["dims"]["n"], record["dims"]["city"]]
            assert row[2] == cents(record["measures"].get("amount")) and row[3] == record["attrs"].get("note")
            assert row[-1] == record["id"] and row[4] == record["provenance"]["source_uri"]
    total = sum(round(100 * r["measures"].get("amount", 0)) for r in stored)
    assert found["sum"] == f"{total // 100}.{total % 100:02d}"
    empty = tmp_path / "none.parquet"
    assert single.cli("records", "export", "p", "--format", "parquet", "--to", empty, "--filter",
                      "dims.n < 0").returncode == 0
    count = subprocess.run([python, "-c", f"import duckdb; print(duckdb.sql(\"select count(*) from '{empty}'\").fetchall()[0])"],
                           capture_output=True, text=True, check=False)
    assert count.stdout.strip() == "(0,)", count.stderr


def resident_mib(pid):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def test_a_slow_reader_costs_no_memory_and_gets_all(single):
    records = [{"dims": {"n": n}, "measures": {"v": n}, "attrs": {"t": f"{n:0400d}"}} for n in range(100000)]
    post(single, "p", records)
    download(single, profile_id="p")  # caches and pools are as large as they get
    pid = single.controls[0].process.pid
    before = resident_mib(pid)
    answers = [urllib.request.urlopen(f"{single.url}/api/records:export?profile_id=p", timeout=60) for _ in range(4)]
    heads = [answer.read(1 << 20) for answer in answers]
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert resident_mib(pid) < before + 64
        time.sleep(0.05)
    for head, answer in zip(heads, answers):
        size = len(head)
        lines = head.count(b"\n")
        while piece := answer.read(1 << 20):
            size, lines = size + len(piece), lines + piece.count(b"\n")
        assert lines == len(records) and size > 60 << 20


def test_a_reader_that_leaves_ends_its_export(single):
    post(single, "p", [{"dims": {"n": n}, "attrs": {"t": f"{n:0400d}"}} for n in range(50000)])
    answer = urllib.request.urlopen(f"{single.url}/api/records:export?profile_id=p", timeout=60)
    answer.read(1 << 10)
    answer.close()

    def metric(name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{single.admin['gateway']}/metrics", timeout=10).read().decode()
        return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")), None)

    wait_until(lambda: metric("chartly_exports_active") == 0, "the export to end")


def test_why_a_record_is_there_and_why_not(single, source):
    rows = [{"iso": "DE", "year": 2014, "rate": "4.7"}, {"iso": "FR", "year": 2014, "rate": "n/a"},
            {"iso": "IT", "year": 1999, "rate": "9.1"}]
    serve_rows(source, rows)
    single.create_profile(PROFILE.format(version="1.0.0", url=source.url, using=""))
    single.drone()
    run = single.run_to_end("rates")
    assert run["balance"]["stored"] == run["balance"]["quarantined"] == run["balance"]["filtered"] == 1
    rows[0]["rate"] = "4.70"
    rows.insert(0, {"iso": "ES", "year": 2014, "rate": "24.4"})
    second = single.run_to_end("rates")
    record = single.get("/api/records", profile_id="rates", filter="dims.geo.iso = \"ES\"")["records"][0]

    there = json.loads(single.cli("records", "why", "rates", "dims.geo.iso=ES", "dims.time.year=2014", "-o", "json").stdout)
    origin = there["records"][0]["versions"][0]["record"]["provenance"]
    assert there["absence"] == "unspecified" and origin == record["provenance"]
    assert origin["source_uri"] == f"{source.url}/rates.json" and origin["row"] == 1 and origin["page"] == 1
    assert origin["run_id"] == second["run_id"] and len(origin["payload_sha256"]) == 64 and origin["drone_id"] == "d1"
    assert origin["revision"].startswith("profiles/rates@sha256:")
    by_id = single.cli("records", "why", record["id"])
    assert by_id.returncode == 0 and source.url in by_id.stdout and origin["payload_sha256"] in by_id.stdout

    def why_not(*arguments):
        asked = single.cli("records", "why", "rates", *arguments)
        assert asked.returncode == 1, asked.stdout + asked.stderr
        return asked.stdout + asked.stderr

    assert "mapping.type_coercion_failed" in why_not("dims.geo.iso=FR")
    assert "RECORD_QUARANTINED" in why_not("--run", second["run_id"], "--page", 1, "--row", 3)
    assert "RECORD_MAYBE_FILTERED" in why_not("dims.geo.iso=IT")
    source.routes["/rates.json"] = lambda _q: (500, "text/plain", b"down")
    failed = single.run_to_end("rates")
    assert failed["status"] == "failed"
    assert "RECORD_RUN_FAILED" in why_not("dims.geo.iso=PT")
    twice = single.get("/api/records:why", profile_id="rates", run_id=second["run_id"], page=1, row=2)
    assert twice["absence"] == "duplicate"
    first = twice["records"][0]["versions"][0]["record"]
    assert first["dims"]["geo.iso"] == "DE" and first["provenance"]["run_id"] == run["run_id"]


def test_quarantined_rows_come_back_once_their_profile_is_mended(single, source):
    rows = [{"iso": "DE", "year": 2014, "rate": "4.7"}, {"iso": "FR", "year": 2014, "rate": "10,3"},
            {"iso": "GR", "year": 1999, "rate": "1,0"}, {"iso": "IT", "year": 2014, "rate": "none"}]
    serve_rows(source, rows)
    single.create_profile(PROFILE.format(version="1.0.0", url=source.url, using=""))
    single.drone()
    run = single.run_to_end("rates")
    assert run["balance"]["stored"] == 1 and run["balance"]["quarantined"] == 2
    waiting = single.get("/api/quarantine", profile_id="rates")["rows"]
    assert [json.loads(row["raw"])["iso"] for row in waiting] == ["FR", "IT"]
    mended = PROFILE.format(version="1.1.0", url=source.url, using=', using: ["replace , ."]')
    single.post("/api/profiles/rates", mended.encode(), method="PUT", headers={"Content-Type": "application/yaml"})
    with pytest.raises(ApiError) as refused:
        single.call("POST", "/api/quarantine:redrive", {"profile_id": "rates"})
    assert refused.value.status == 401
    dry = json.loads(single.cli("quarantine", "redrive", "rates", "--dry-run", "-o", "json").stdout)
    assert dry["tried"] == 2 and dry["kept_back"] == 1 and dry["balance"]["stored"] == 1
    assert len(single.get("/api/quarantine", profile_id="rates")["rows"]) == 2
    done = single.cli("quarantine", "redrive", "rates")
    assert done.returncode == 0 and "1 stay in quarantine" in done.stdout and "(closed)" in done.stdout, done.stdout
    left = single.get("/api/quarantine", profile_id="rates")["rows"]
    assert [json.loads(row["raw"])["iso"] for row in left] == ["IT"]
    marked = single.get("/api/quarantine", profile_id="rates", include_redriven="true")["rows"]
    redrive_run = next(row["redriven_run_id"] for row in marked if row["redriven_run_id"])
    record = single.get("/api/records", profile_id="rates", filter='dims.geo.iso = "FR"')["records"][0]
    origin = record["provenance"]
    assert record["measures"]["rate"] == 10.3 and origin["run_id"] == redrive_run and origin["drone_id"] == "d1"
    assert origin["source_uri"] == f"{source.url}/rates.json" and origin["row"] == 2 and len(origin["payload_sha256"]) == 64
    ledger = single.get(f"/api/runs/{redrive_run}/ledger")
    assert ledger["balance"]["closed"] and ledger["balance"]["fetched"] == ledger["balance"]["stored"] == 1
    assert single.get("/api/results/summary")["quarantined"] == 1
    events = single.get("/api/audit/v0/events")["events"]
    assert any("RedriveQuarantine" in event["action"] for event in events)
    again = json.loads(single.cli("quarantine", "redrive", "rates", "-o", "json").stdout)
    assert again["tried"] == 1 and again["run_id"] == "" and again["failures"][0]["reason_code"] == "mapping.type_coercion_failed"
