"""The main job on real public data: published files served over HTTP, and the known answers of their joins."""

import json

import pytest

WORLD_BANK = """
id: wb-{id}
name: World Bank {id}
version: 1.0.0
source:
  type: http_rest
  url: {url}/v1/countries/all/indicators/{indicator}
  query: {{format: json, date: "2014"}}
  format: json
  records: "[1][*]"
  pagination: {{type: page, param: page, pages: "[0].pages"}}
schedule: {{enabled: false, interval: 1d}}
mapping:
  country.id: dims.geo.id
  country.value: dims.geo.name
  date: {{to: dims.time.year, type: integer}}
  value: {{to: measures.{measure}, type: decimal}}
"""

OWID = """
id: owid-co2
name: CO2 by country
version: 1.0.0
source: {{type: http_rest, url: "{url}/owid-co2-data.csv", format: csv}}
schedule: {{enabled: false, interval: 1d}}
limits: {{max_records: 100000}}
mapping:
  iso_code: dims.geo.iso
  country: dims.geo.name
  year: {{to: dims.time.year, type: integer}}
  co2: {{to: measures.co2.mt, type: decimal}}
  population: {{to: measures.population.total, type: decimal}}
  gdp: {{to: measures.gdp.usd, type: decimal}}
filter: iso_code matches "^[A-Z]{{3}}$"
"""


def serve_world_bank(source, data, indicator):
    pages = [(data / "worldbank_2014" / f"{indicator}.page{n}.json").read_bytes() for n in range(1, 6)]
    source.routes[f"/v1/countries/all/indicators/{indicator}"] = (
        lambda query: (200, "application/json", pages[int(query.get("page", "1")) - 1]))


def oracle(data, name):
    return json.loads((data / "ORACLES.json").read_text())[name]


def correlate(cluster, join, left, right, method="pearson"):
    return cluster.post("/api/reports", {
        "join": join,
        "inputs": [{"profile_id": left[0], "measure": left[1], "filter": list(left[2:])},
                   {"profile_id": right[0], "measure": right[1], "filter": list(right[2:])}],
        "output": {"type": "correlation", "method": method}})


def check(answer, expected):
    assert answer["n"] == expected["n"]
    assert answer["row_count"] >= expected["n"]
    assert answer["pearson"] == pytest.approx(expected["pearson"], abs=1e-9)
    assert answer["spearman"] == pytest.approx(expected["spearman"], abs=1e-9)


def test_joins_of_public_data_give_the_known_figures(cluster, source, shared_data):
    serve_world_bank(source, shared_data, "SP.POP.TOTL")
    serve_world_bank(source, shared_data, "NY.GDP.MKTP.CD")
    source.serve_file("/owid-co2-data.csv", shared_data / "owid_co2_data_2020-12.csv", "text/csv")
    cluster.create_profile(WORLD_BANK.format(id="population", url=source.url, indicator="SP.POP.TOTL",
                                             measure="population.total"))
    cluster.create_profile(WORLD_BANK.format(id="gdp", url=source.url, indicator="NY.GDP.MKTP.CD", measure="gdp.usd"))
    cluster.create_profile(OWID.format(url=source.url))
    cluster.drone()
    for profile, rows in (("wb-population", 248), ("wb-gdp", 248), ("owid-co2", 24016)):
        run = cluster.run_to_end(profile)
        assert run["status"] == "succeeded", run
        assert run["balance"]["fetched"] == rows and run["balance"]["closed"], run
    assert source.hits["/v1/countries/all/indicators/SP.POP.TOTL"] == 5

    all_rows = correlate(cluster, ["geo.id", "time.year"], ("wb-population", "population.total"), ("wb-gdp", "gdp.usd"))
    check(all_rows, oracle(shared_data, "wb_pop_x_gdp_2014_all_rows"))
    nulls = oracle(shared_data, "wb_rows")
    assert [side["null_measures"] for side in all_rows["sides"]] == [nulls[k]["null"] for k in
                                                                     ("SP.POP.TOTL", "NY.GDP.MKTP.CD")]
    by_name = correlate(cluster, ["geo.name", "time.year"], ("wb-gdp", "gdp.usd"), ("owid-co2", "co2.mt"))
    check(by_name, oracle(shared_data, "wb_gdp_x_owid_co2_2014_by_exact_country_name"))
    assert by_name["sides"][0]["unmatched"] > 0 and by_name["sides"][0]["unmatched_examples"]
    check(correlate(cluster, ["geo.name", "time.year"], ("wb-population", "population.total"), ("owid-co2", "co2.mt")),
          oracle(shared_data, "wb_pop_x_owid_co2_2014_by_exact_country_name"))
    for year in (1990, 2014, 2016):
        check(correlate(cluster, ["geo.iso", "time.year"], ("owid-co2", "gdp.usd", f"dims.time.year = {year}"),
                        ("owid-co2", "co2.mt")), oracle(shared_data, f"owid_gdp_x_co2_{year}"))

    # The same figures through the command line, and every row of the table, uncut.
    spoken = cluster.cli("report", "run", "--join", "geo.id", "--join", "time.year", "--input",
                         "wb-population:population.total", "--input", "wb-gdp:gdp.usd", "--type", "correlation",
                         "--output", "json")
    assert spoken.returncode == 0, spoken.stderr
    assert json.loads(spoken.stdout)["n"] == 218
    table = cluster.post("/api/reports", {
        "join": ["geo.id", "time.year"], "inputs": [{"profile_id": "wb-population", "measure": "population.total"},
                                                    {"profile_id": "wb-gdp", "measure": "gdp.usd"}],
        "window": {"limit": 5}, "output": {"type": "table"}})
    assert len(table["rows"]) == 5 and table["truncated"] and table["row_count"] >= 218

    # A second run of the same pages stores nothing and still shows its records (W9).
    again = cluster.run_to_end("wb-population")
    assert again["balance"]["duplicate"] == 248 and again["balance"]["stored"] == 0 and again["balance"]["closed"]
    assert len(cluster.get("/api/records", run_id=again["run_id"], limit=1000)["records"]) == 248
