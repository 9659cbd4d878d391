"""Reports on the shipped binaries against a reference in plain Python: random tables with ties, missing values, columns
near 1e9 with a small spread, empty and one-row joins. That NaN never gets in is tested here, that text among numbers
takes no part in control/reporter/*_test.cc."""

import json
import math
import random
import urllib.request
from fractions import Fraction

import pytest
import report_reference as reference
from harness import ApiError, Cluster

TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("reports"))
    yield made
    made.close()


def post(cluster, profile, rows):
    """Stores rows: keys of one letter are dims, longer ones measures."""
    data = [{"dims": {k: v for k, v in row.items() if len(k) == 1 and v is not None},
             "measures": {k: v for k, v in row.items() if len(k) > 1 and v is not None}} for row in rows]
    if data:
        cluster.post("/api/results", {"drone_id": "reference", "profile_id": profile, "data": data})


def close(got, want):
    if want is None or got is None:
        return got is None and want is None
    return abs(got - want) <= TOLERANCE * max(abs(want), 1e-3)


NUMBERS = {
    "small": lambda r: r.randint(-3, 3),
    "ties": lambda r: r.choice([0, 1, 1, 1, 2.5]),
    "float": lambda r: r.uniform(-1e3, 1e3),
    "decimal": lambda r: round(r.uniform(0, 100), 2),
    "far": lambda r: 1e9 + r.randint(0, 64) / 1024,
    "wide": lambda r: 2 ** 60 + r.randint(0, 50),
    "huge": lambda r: r.randint(10 ** 30, 10 ** 31),
    "constant": lambda r: 7,
}


def column(rand, kind):
    odd = rand.choice([0, 0, 0.1])

    def value():
        if rand.random() < odd:
            return None
        return NUMBERS[kind](rand)
    return value


@pytest.mark.parametrize("seed", range(40))
def test_joins_and_coefficients_are_those_of_the_reference(cluster, seed):
    rand = random.Random(seed)
    size = rand.choice([0, 1, 2, 3, 8, 30, 80])
    kinds = [rand.choice(list(NUMBERS)) for _ in range(3)]
    spread = rand.choice([2, 6, 40])
    sides = []
    for side, names in (("left", ["xx"]), ("right", ["yy", "zz"])):
        columns = {name: column(rand, kinds.pop()) for name in names}
        rows = []
        for place in range(size):
            row = {"k": rand.choice([rand.randint(0, spread), str(rand.randint(0, spread)), None]),
                   "t": rand.randint(2000, 2000 + spread), "i": place}
            row.update({name: make() for name, make in columns.items()})
            if place == 0:  # a name that no record has is refused
                row = {name: 1 if value is None else value for name, value in row.items()}
            rows.append(row)
        post(cluster, f"{side}-{seed}", rows)
        # A record without any measure takes no part; one without dims besides "i" is a record all the same.
        sides.append(([row for row in rows if any(row[name] is not None for name in names)], names))
    for kind in ("inner", "left", "outer"):
        expected = reference.join(sides[0], sides[1], ["k", "t"], kind)
        question = {"join": ["k", "t"], "kind": kind, "window": {"limit": 100000},
                    "inputs": [{"profile_id": f"left-{seed}", "measures": ["xx"]},
                               {"profile_id": f"right-{seed}", "measures": ["yy", "zz"]}],
                    "output": {"controls": ["zz"], "measures": ["xx", "yy"], "method": "partial"}}
        answer = cluster.post("/api/reports", question)
        assert answer == cluster.post("/api/reports", question)
        assert answer["columns"] == ["k", "t", "xx", "yy", "zz"]
        got = [dict(zip(answer["columns"], row["values"])) for row in answer["rows"]]

        def printed(rows):
            return sorted(json.dumps([row[name] for name in answer["columns"]]) for row in rows)
        assert printed(got) == printed(expected)
        if kind == "inner":
            for side, (rows, _), name in zip(answer["sides"], sides, ("left", "right")):
                assert side["profile_id"] == f"{name}-{seed}"
                other = sides[1 - ("left", "right").index(name)][0]
                unmatched = [row for row in rows if not reference.join(([row], []), (other, []), ["k", "t"], "inner")]
                assert side["unmatched"] == len(unmatched)
        check_statistics(answer, expected)


def check_statistics(answer, rows):
    (one,) = answer["correlations"]
    pairs = reference.pairs_of(rows, "xx", "yy")
    n = one["n"]
    assert n == len(pairs) == answer["n"]
    r, rho, tau = reference.pearson(pairs), reference.spearman(pairs), reference.kendall(pairs)
    for name, want in (("pearson", r), ("spearman", rho), ("kendall", tau)):
        assert close(one[name].get("value"), want), (name, one[name], want)
    assert answer.get("pearson") == one["pearson"].get("value")
    if r is not None:
        p = reference.pearson_p(r, n)
        assert (p is None) == ("p_value" not in one["pearson"])
        assert p is None or abs(one["pearson"]["p_value"] - p) <= 1e-9
        if n > 3:
            low, high = reference.fisher(r, 1 / (n - 3))
            assert one["pearson"]["low"] == pytest.approx(low, abs=1e-9)
            assert one["pearson"]["high"] == pytest.approx(high, abs=1e-9)
        else:
            assert "low" not in one["pearson"]
    known, want = reference.partial(rows, "xx", "yy", ["zz"])
    got = one["partial"].get("value")
    assert (got is None) == (want is None), (got, want, known)
    if want is not None:
        assert abs(got - want) <= 1e-9
    line = reference.line(pairs)
    assert ("regression" in answer) == (line is not None)
    if line:
        assert answer["regression"]["slope"] == pytest.approx(line[0], rel=1e-12, abs=1e-15)
        assert answer["regression"]["intercept"] == pytest.approx(line[1], rel=1e-12, abs=1e-9)


def quantile(values, part):
    values = sorted(map(float, values))
    place = part * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return float(Fraction(values[low]) + (Fraction(values[high]) - Fraction(values[low])) * Fraction(place - low))


@pytest.mark.parametrize("seed", range(15))
def test_groups_and_windows_are_those_of_the_reference(cluster, seed):
    rand = random.Random(1000 + seed)
    kind = rand.choice([name for name in NUMBERS if name != "huge"])
    make = column(rand, kind)
    rows = [{"g": rand.choice("abc"), "i": place, "xx": make()} for place in range(rand.choice([1, 5, 60]))]
    rows[0]["xx"] = rows[0]["xx"] or 1
    post(cluster, f"group-{seed}", rows)
    rows = [row for row in rows if row["xx"] is not None]
    base = {"inputs": [{"profile_id": f"group-{seed}", "measures": ["xx"]}], "join": ["g", "i"],
            "window": {"limit": 100000}}
    answer = cluster.post("/api/reports", {**base, "steps": [
        "group by g: sum(xx) as s, mean(xx) as m, count() as n, count(xx) as c, quantile(xx, 0.3) as q, stddev(xx) as d"]})
    got = {row["values"][0]: row["values"][1:] for row in answer["rows"]}
    assert set(got) == {row["g"] for row in rows}
    for name, (total, mean, n, count, part, deviation) in got.items():
        all_rows = [row for row in rows if row["g"] == name]
        values = [row["xx"] for row in all_rows if reference.number(row["xx"])]
        assert n == count == len(all_rows)
        if not values:
            assert [total, mean, part, deviation] == [None] * 4
            continue
        exact = [reference.exact(value) for value in values]
        want = sum(exact) / len(exact)
        assert close(total, float(sum(exact))) and close(mean, float(want))
        assert close(part, quantile(values, 0.3))
        if len(values) > 1:
            spread = sum((value - want) ** 2 for value in exact) / (len(exact) - 1)
            assert deviation == pytest.approx(math.sqrt(float(spread)), rel=1e-12, abs=1e-300)
        else:
            assert deviation is None
    answer = cluster.post("/api/reports", {**base, "steps": [
        "window before = lag(xx, 2) over g by i", "window share = share(xx) over g", "select g, i, xx, before, share"]})
    for g in "abc":
        series = [row for row in answer["rows"] if row["values"][0] == g]
        plain = [row["xx"] for row in rows if row["g"] == g]
        assert [row["values"][2] for row in series] == plain
        assert [row["values"][3] for row in series] == ([None, None] + plain[:-2] if len(plain) > 2 else [None] * len(plain))
        total = sum((reference.exact(value) for value in plain if reference.number(value)), Fraction(0))
        for row, value in zip(series, plain):
            if reference.number(value) and total:
                assert close(row["values"][4], float(reference.exact(value) / total))
            else:
                assert row["values"][4] is None


@pytest.mark.parametrize("text", [b'NaN', b'"NaN"', b'1e999', b'"n/a"'])
def test_what_is_no_number_never_becomes_a_measure(cluster, text):
    body = b'{"drone_id": "d", "profile_id": "nan", "data": [{"dims": {"k": 1}, "measures": {"xx": ' + text + b'}}]}'
    with pytest.raises(ApiError) as error:
        cluster.call("POST", "/api/results", body, cluster.key)
    assert error.value.status == 400


def test_lagged_correlations_pair_rows_of_one_series(cluster):
    rand = random.Random(5)
    rows = [{"s": s, "t": t, "xx": rand.randint(0, 9), "yy": rand.randint(0, 9)} for s in "ab" for t in range(20)]
    post(cluster, "lags", rows)
    answer = cluster.post("/api/reports", {
        "inputs": [{"profile_id": "lags", "measures": ["xx", "yy"]}], "join": ["s", "t"],
        "output": {"type": "correlation", "lags": 3, "order_by": "t", "over": ["s"]}})
    lagged = answer["correlations"][1:]
    assert [one["lag"] for one in lagged] == [-3, -2, -1, 0, 1, 2, 3]
    for one in lagged:
        pairs = [(a["xx"], b["yy"]) for a in rows for b in rows if a["s"] == b["s"] and b["t"] - a["t"] == one["lag"]]
        assert one["n"] == len(pairs) == 2 * (20 - abs(one["lag"]))
        assert close(one["pearson"]["value"], reference.pearson(pairs))


@pytest.mark.parametrize("seed", range(5))
def test_coefficients_of_groups_of_a_join_are_those_of_the_reference(cluster, seed):
    rand = random.Random(2000 + seed)
    x, y = (column(rand, rand.choice([name for name in NUMBERS if name != "huge"])) for _ in range(2))
    left = [{"g": rand.choice("abcd"), "t": place // 2, "xx": x()} for place in range(80)]
    right = [{"g": rand.choice("abcd"), "t": place // 2, "yy": y()} for place in range(80)]
    left[0]["xx"], right[0]["yy"] = left[0]["xx"] or 1, right[0]["yy"] or 1
    left, right = ([*{(row["g"], row["t"]): row for row in rows}.values()] for rows in (left, right))
    post(cluster, f"by-left-{seed}", left)
    post(cluster, f"by-right-{seed}", right)
    answer = cluster.post("/api/reports", {
        "join": ["g", "t"], "inputs": [{"profile_id": f"by-left-{seed}", "measure": "xx"},
                                       {"profile_id": f"by-right-{seed}", "measure": "yy"}],
        "steps": ["group by g: pearson(xx, yy), spearman(xx, yy) as rho, count() as n"]})
    assert answer["columns"] == ["g", "pearson_xx_yy", "rho", "n"]
    joined = [{**a, **b} for a in left for b in right if (a["g"], a["t"]) == (b["g"], b["t"])
              and a["xx"] is not None and b["yy"] is not None]
    assert [row["values"][0] for row in answer["rows"]] == sorted({row["g"] for row in joined})
    for name, r, rho, n in (row["values"] for row in answer["rows"]):
        pairs = reference.pairs_of([row for row in joined if row["g"] == name], "xx", "yy")
        assert n == sum(row["g"] == name for row in joined)
        assert close(r, reference.pearson(pairs)) and close(rho, reference.spearman(pairs)), (name, pairs)


def test_pages_give_every_row_once_and_in_order(cluster):
    post(cluster, "pages", [{"k": place, "xx": place * 2} for place in range(1050)])
    question = {"inputs": [{"profile_id": "pages", "measure": "xx"}], "join": ["k"], "window": {"limit": 400}}
    rows, token = [], ""
    while True:
        question["window"]["page_token"] = token
        answer = cluster.post("/api/reports", question)
        rows += [row["values"] for row in answer["rows"]]
        token = answer["next_page_token"]
        assert answer["truncated"] == bool(token) and answer["row_count"] == 1050
        if not token:
            break
    assert rows == [[place, place * 2] for place in range(1050)]
    question["window"]["page_token"] = "400-0123456789abcdef"
    with pytest.raises(ApiError) as error:
        cluster.post("/api/reports", question)
    assert error.value.status == 400 and error.value.error["reason"] == "PAGE_TOKEN_INVALID"


def test_the_same_records_in_another_order_give_the_same_bytes(cluster):
    rand = random.Random(11)
    rows = [{"k": place % 50, "i": place, "xx": rand.uniform(0, 1), "yy": 1e9 + rand.uniform(0, 1)}
            for place in range(500)]
    texts = []
    for turn in range(3):
        rand.shuffle(rows)
        for start in range(0, 500, 125):  # also in batches of their own
            post(cluster, f"order-{turn}", rows[start:start + 125])
        answer = cluster.post("/api/reports", {
            "inputs": [{"profile_id": f"order-{turn}", "measures": ["xx", "yy"], "dims": ["i"]}], "join": ["k"],
            "steps": ["group by k: sum(xx) as xx, mean(yy) as yy"], "window": {"limit": 1000}})
        texts.append(json.dumps(answer).replace(f"order-{turn}", "order"))
    assert texts[0] == texts[1] == texts[2]


def test_the_nearest_in_time_and_keys_of_other_spelling(cluster):
    post(cluster, "sensors", [{"s": " a1", "t": "2024-01-01T10:00:00Z", "xx": 1},
                              {"s": "A1 ", "t": "2024-01-01T12:00:00Z", "xx": 2},
                              {"s": "b2", "t": "2024-01-01T12:00:00Z", "xx": 3}])
    post(cluster, "readings", [{"s": "a1", "t": "2024-01-01T10:20:00Z", "yy": 4},
                               {"s": "a1", "t": "2024-01-01T09:50:00Z", "yy": 5}])
    answer = cluster.post("/api/reports", {
        "join": ["s | trim | upper", "t | to_timestamp | nearest 30m"], "kind": "left",
        "inputs": [{"profile_id": "sensors", "measure": "xx"}, {"profile_id": "readings", "measure": "yy"}]})
    assert answer["columns"] == ["s", "t", "t_2", "xx", "yy"]
    assert [row["values"] for row in answer["rows"]] == [
        ["A1", "2024-01-01T10:00:00Z", "2024-01-01T09:50:00Z", 1, 5],
        ["A1", "2024-01-01T12:00:00Z", None, 2, None],
        ["B2", "2024-01-01T12:00:00Z", None, 3, None]]
    assert [side["unmatched"] for side in answer["sides"]] == [2, 1]


@pytest.mark.parametrize("change, reason, part", [
    ({"steps": ["derive x = xx +"]}, "EXPRESSION_INVALID", "steps[0]: column"),
    ({"steps": ["groop by k"]}, "REPORT_STEP_INVALID", "write filter, derive, group"),
    ({"steps": ["sort nothing"]}, "REPORT_UNKNOWN_FIELD", "there are k, xx"),
    ({"join": ["k | padd 5"]}, "FUNCTION_UNKNOWN", "join[0]"),
    ({"join": ["k | nearest soon"]}, "REPORT_FIELD_INVALID", "nearest"),
    ({"output": {"method": "kendal"}}, "REPORT_METHOD_UNKNOWN", "kendall"),
    ({"output": {"lags": 2}}, "REPORT_FIELD_INVALID", "order_by"),
    ({"output": {"method": "partial"}}, "REPORT_FIELD_INVALID", "controls"),
    ({"output": {"confidence": 95}}, "REPORT_FIELD_INVALID", "between 0 and 1"),
    ({"output": {"measures": ["nothing", "xx"]}}, "REPORT_UNKNOWN_FIELD", "nothing"),
    ({"kind": "sideways"}, "FIELD_INVALID", "kind"),
])
def test_wrong_questions_are_refused_and_say_what_to_do(cluster, change, reason, part):
    post(cluster, "wrong", [{"k": 1, "xx": 2}])
    question = {"inputs": [{"profile_id": "wrong", "measure": "xx"}], "join": ["k"], **change}
    with pytest.raises(ApiError) as error:
        cluster.post("/api/reports", question)
    assert error.value.status == 400
    assert error.value.error["reason"] == reason
    assert part in error.value.error["message"]


def test_what_can_be_joined_is_proposed_and_its_question_works(cluster):
    post(cluster, "town-people", [{"t": f"town {place}", "people": place * 3 + place % 7} for place in range(60)])
    post(cluster, "town-money", [{"t": f"town {place}", "money": place * 5 + place % 3} for place in range(20, 80)])
    found = cluster.get("/api/reports:suggest", profile_id="town-people", limit=5)
    assert found["suggestions"] == []  # one measure of one profile
    query = "/api/reports:suggest?profile_id=town-people&profile_id=town-money"
    (one,) = cluster.call("GET", query)["suggestions"]
    assert one["rows"] == one["n"] == 40
    assert "t share 40 of 60 and 60 values" in one["reason"]
    answer = cluster.post("/api/reports", one["report"])
    assert answer["n"] == 40
    spoken = cluster.cli("report", "suggest", "town-people", "town-money")
    assert spoken.returncode == 0, spoken.stderr
    assert "chartly report run --join t --input town-people:people --input town-money:money --type correlation" \
        in spoken.stdout


def test_a_saved_report_keeps_versions_and_runs_and_survives_a_restart(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        post(cluster, "saved", [{"k": place, "xx": place, "yy": place * place} for place in range(9)])
        name = ["report", "save", "growth", "--title", "Growth", "--join", "k", "--input", "saved:xx,yy"]
        assert "growth is saved as version 1" in cluster.cli(*name).stdout
        assert "growth is saved as version 1" in cluster.cli(*name).stdout
        assert "growth is saved as version 2" in cluster.cli(*name, "--step", "sort yy desc").stdout
        with pytest.raises(ApiError) as error:
            cluster.call("PUT", "/api/reports/growth", {"report": {}})
        assert error.value.status == 401  # a key is needed
        first = cluster.post("/api/reports/growth:run")
        assert first["name"] == "reports/growth/runs/1" and first["changed"] and first["version"] == 2
        assert first["answer"]["rows"][0]["values"] == [8, 8, 64]
        post(cluster, "saved", [{"k": 9, "xx": 9, "yy": 100}])
        assert cluster.post("/api/reports/growth:run")["answer"]["rows"][0]["values"] == [9, 9, 100]
        # The question as of the first run has the answer of the first run.
        question = {**cluster.get("/api/reports/growth")["report"], "as_of": first["as_of"]}
        again = cluster.post("/api/reports", question)
        assert again["rows"] == first["answer"]["rows"] and again["correlations"] == first["answer"]["correlations"]
        cluster.kill_control()
        cluster.start_control()
        runs = cluster.get("/api/reports/growth/runs")["runs"]
        assert [run["name"][-1] for run in runs] == ["2", "1"] and runs[0]["changed"]
        assert cluster.get("/api/reports/growth", version=1)["report"]["steps"] == []
        assert cluster.get("/api/reports/growth/runs/1")["answer_sha256"] == first["answer_sha256"]
        assert "deleted" in cluster.cli("report", "delete", "growth").stdout
        assert cluster.get("/api/reports")["reports"] == []
    finally:
        cluster.close()


def test_all_rows_of_a_report_are_one_file(cluster):
    post(cluster, "files", [{"k": text, "xx": number} for text, number in (("=1+1", -2.5), ('a "b", c', None), ("z", 3))])
    question = {"report": {"inputs": [{"profile_id": "files", "dims": ["k"], "steps": ["select k, xx"]}]}}

    def fetch(path):
        request = urllib.request.Request(cluster.url + path, json.dumps(question).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.headers["Content-Type"], response.read().decode()
    kind, text = fetch("/api/reports:export?format=csv")
    assert kind.startswith("text/csv") and text == 'k,xx\r\n=1+1,-2.5\r\n"a ""b"", c",\r\nz,3\r\n'
    assert "\r\n'=1+1,-2.5\r\n" in fetch("/api/reports:export?format=csv&guard_formulas=true")[1]
    kind, text = fetch("/api/reports:export?format=ndjson")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"k": "=1+1", "xx": -2.5}, {"k": 'a "b", c', "xx": None}, {"k": "z", "xx": 3}]
    out = cluster.cli("report", "export", "--input", "files", "--dim", "k", "--step", "select k")
    assert out.stdout.splitlines() == ["k", "=1+1", '"a ""b"", c"', "z"], out.stderr
    with pytest.raises(ApiError) as error:
        cluster.post("/api/reports:export", {"report": {}})
    assert error.value.status == 400
