"""Reports over more records than their memory holds, on the shipped binaries: in pieces where the question allows it,
else refused with what to do."""

import urllib.request
from pathlib import Path

import pytest
import report_reference as reference
from harness import ApiError, Cluster, wait_until

GEOS, TIMES = 1000, 520


def x_of(geo, time):
    return (geo * 31 + time * 17) % 1009 / 8


def y_of(geo, time):
    return (geo * time) % 641 / 4 + x_of(geo, time) * (geo % 3)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("reports"), flags=["--report-memory", "16MB"])
    for first in range(0, GEOS, 20):
        data = [{"dims": {"geo": f"g{geo:04}", "time": time}, "measures": {"x": x_of(geo, time), "y": y_of(geo, time)}}
                for geo in range(first, first + 20) for time in range(TIMES)]
        made.post("/api/results", {"drone_id": "many", "profile_id": "many", "data": data})
    # What is not sealed in order of keys yet cannot be cut.
    wait_until(lambda: unsealed_rows(made) == 0, "all records to be sealed", 120)
    yield made
    made.close()


def unsealed_rows(cluster):
    return int(cluster.get("/api/store/stats", profile_id="many")["profiles"][0].get("unsealed_rows", 0))


def question(*steps):
    return {"join": ["geo", "time"], "inputs": [{"profile_id": "many", "measures": ["x"]},
                                                {"profile_id": "many", "measures": ["y"]}], "steps": steps}


def peak_of(cluster, ask):
    """What the process takes more, at most, while it answers."""
    process = Path(f"/proc/{cluster.controls[0].process.pid}")

    def bytes_of(name):
        return next(int(line.split()[1]) << 10 for line in (process / "status").read_text().splitlines()
                    if line.startswith(name))

    (process / "clear_refs").write_text("5")
    before = bytes_of("VmRSS")
    ask()
    return bytes_of("VmHWM") - before


def pieces(cluster):
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin['gateway']}/metrics", timeout=20).read().decode()
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("chartly_report_pieces_total"))


def test_a_join_that_does_not_fit_is_answered_in_pieces(cluster):
    before = pieces(cluster)
    answer = cluster.post("/api/reports", {**question("group by geo: pearson(x, y) as r, count() as n"),
                                           "window": {"limit": GEOS}})
    assert answer["row_count"] == GEOS
    assert [side["records"] for side in answer["sides"]] == [GEOS * TIMES] * 2
    assert all(not side.get("unmatched") for side in answer["sides"])
    assert answer["rows"][0]["values"] == ["g0000", None, TIMES]  # y is the same at all times there
    for row in (answer["rows"][1], answer["rows"][137], answer["rows"][-1]):
        values = row["values"]
        geo = int(values[0][1:])
        assert values[2] == TIMES
        pairs = [(x_of(geo, time), y_of(geo, time)) for time in range(TIMES)]
        assert abs(values[1] - reference.pearson(pairs)) <= 1e-12
    assert pieces(cluster) - before >= 4


def test_pieces_keep_within_the_memory(cluster):
    # Sealing and merging may go on beside a report; what it takes itself, it takes each time. Beside the budget there are
    # chunks on their way and columns as they are decoded. Whole, this report takes 35 MiB and more.
    peaks = [peak_of(cluster, lambda: cluster.post("/api/reports", question("group by geo: pearson(x, y) as r")))
             for _ in range(3)]
    assert min(peaks) < (16 + 8) << 20, peaks


def test_a_join_whose_rows_must_be_together_is_refused_with_what_to_do(cluster):
    with pytest.raises(ApiError) as refused:
        cluster.post("/api/reports", question())
    assert refused.value.error["reason"] == "REPORT_TOO_LARGE"
    assert "16 MiB" in refused.value.error["message"]
    assert "--report-memory" in refused.value.error["message"]
    # And leaves nothing behind that the next one would lack.
    answer = cluster.post("/api/reports", question("group by geo: sum(x) as s"))
    assert answer["row_count"] == GEOS
    assert answer["rows"][0]["values"] == ["g0000", sum(x_of(0, time) for time in range(TIMES))]
