"""The main job on real public data: published files served over HTTP, and the known answers of their joins."""

import json
from pathlib import Path

import pytest
from harness import Cluster, SHARED_DATA

PROFILES = Path(__file__).parent / "public_data"

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


# --- every known value, asked of the shipped binaries through REST and through the command line -----------------------

LOADED = ["worldbank-population", "worldbank-gdp", "owid-co2", "owid-co2-countries", "census-county-population",
          "bls-county-labor-2012", "bls-county-unemployment-2009", "bls-county-unemployment-2016",
          "census-pep-2017-states", "cdc-obesity-1995", "scripps-co2", "nasa-gistemp", "usgs-earthquakes",
          "bts-flights-20k", "faa-airports", "noaa-seattle", "ecb-usd-eur", "treasury-debt", "bls-laus-employed",
          "eurostat-ilc"]


def profile_text(name):
    text = (PROFILES / f"{name}.yaml").read_text()
    if name == "bts-flights-20k":
        # Two flights of one route in one minute differ by their delay alone: it must be part of the key.
        delay = "  delay: {to: measures.delay.minutes, type: integer, unit: min}\n"
        assert delay in text
        text = text.replace(delay, "  delay:\n    - {to: measures.delay.minutes, type: integer}\n"
                                   "    - {to: dims.flight.delay, type: integer}\n")
    if name == "eurostat-ilc":
        text = text.replace("limits: {", "limits: {max_records: 100000, ")
    return text


class Asker:
    """Asks each question through REST and through the command line, which must say the same."""

    def __init__(self, cluster, folder):
        self.cluster, self.file = cluster, folder / "question.json"

    def __call__(self, inputs, join=(), steps=(), **output):
        question = {"inputs": inputs, "join": list(join), "steps": list(steps), "output": output,
                    "window": {"limit": 100000}}
        answer = self.cluster.post("/api/reports", question)
        self.file.write_text(json.dumps(question))
        spoken = self.cluster.cli("report", "run", "--file", self.file, "--output", "json")
        assert spoken.returncode == 0, spoken.stderr
        assert json.loads(spoken.stdout) == answer
        return answer

    def correlation(self, *inputs, join=(), steps=(), **output):
        return self(list(inputs), join, steps, type="correlation", **output)

    def figure(self, *inputs, join=(), steps=()):
        """The one row of the answer, by column."""
        answer = self(list(inputs), join, steps)
        assert answer["row_count"] == 1, answer
        return dict(zip(answer["columns"], answer["rows"][0]["values"]))


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    if not SHARED_DATA.is_dir():
        pytest.skip("the public data folder is absent")
    folder = tmp_path_factory.mktemp("oracles")
    cluster = Cluster(folder)
    try:
        for name in LOADED:
            cluster.create_profile(profile_text(name))
        cluster.drone(source_dir=SHARED_DATA)
        for name in LOADED:
            run = cluster.run_to_end(name)
            assert run["status"] in ("succeeded", "partial") and run["balance"]["closed"], run
            assert run["balance"]["quarantined"] == 0, run
        yield Asker(cluster, folder)
    finally:
        cluster.close()


@pytest.fixture
def oracles(shared_data):
    return json.loads((shared_data / "ORACLES.json").read_text())


def of(profile, *measures, **more):
    return {"profile_id": profile, "measures": list(measures), **more}


def near(value):
    return pytest.approx(value, abs=1e-9)


def test_world_bank(ask, oracles, shared_data):
    pair = (of("worldbank-population", "population"), of("worldbank-gdp", "gdp.usd"))
    answer = ask.correlation(*pair, join=["geo.code", "time.year"])
    check(answer, oracles["wb_pop_x_gdp_2014_all_rows"])
    assert any("look like totals" in warning for warning in answer["warnings"])
    for side, indicator in zip(answer["sides"], ("SP.POP.TOTL", "NY.GDP.MKTP.CD")):
        assert side["records"] == oracles["wb_rows"][indicator]["rows"]
        assert side["null_measures"] == oracles["wb_rows"][indicator]["null"]
    codes = []
    for page in range(1, 6):
        rows = json.loads((shared_data / "worldbank_2014" / f"SP.POP.TOTL.page{page}.json").read_text())[1]
        codes += [row["country"]["id"] for row in rows]
    first = codes.index("AF")
    assert first == oracles["wb_aggregate_rows_before_AF"]
    names = ", ".join(f'"{code}"' for code in codes[:first])
    without = [{**side, "filter": [f"not (geo.code in [{names}])"]} for side in pair]
    answer = ask.correlation(*without, join=["geo.code", "time.year"])
    check(answer, oracles["wb_pop_x_gdp_2014_countries_from_AF"])
    assert not any("look like totals" in warning for warning in answer["warnings"])


@pytest.mark.parametrize("year", [1990, 2014, 2016])
def test_owid(ask, oracles, year):
    side = of("owid-co2-countries", "gdp", "population", "co2.mt", filter=[f"time.year = {year}"])
    steps = ["derive gdp_per_head = gdp / population", "derive co2_per_head = co2.mt / population"]
    answer = ask.correlation(side, join=["geo.iso3", "time.year"], steps=steps)
    pairs = {(one["x"], one["y"]): one for one in answer["correlations"]}
    for key, expected in ((("gdp", "co2.mt"), f"owid_gdp_x_co2_{year}"),
                          (("population", "co2.mt"), f"owid_pop_x_co2_{year}"),
                          (("gdp_per_head", "co2_per_head"), f"owid_gdp_per_capita_x_co2_per_capita_{year}")):
        assert pairs[key]["n"] == oracles[expected]["n"]
        assert pairs[key]["pearson"]["value"] == near(oracles[expected]["pearson"])
        assert pairs[key]["spearman"]["value"] == near(oracles[expected]["spearman"])


def test_world_bank_and_owid_by_name(ask, oracles):
    co2 = of("owid-co2-countries", "co2.mt", filter=["time.year = 2014"])
    people = of("owid-co2", "population as people", filter=["time.year = 2014"])
    gdp, population = of("worldbank-gdp", "gdp.usd"), of("worldbank-population", "population")
    for left, right, name in ((gdp, co2, "wb_gdp_x_owid_co2_2014_by_exact_country_name"),
                              (population, co2, "wb_pop_x_owid_co2_2014_by_exact_country_name"),
                              (population, people, "wb_pop_x_owid_pop_2014_by_exact_country_name")):
        answer = ask.correlation(left, right, join=["geo.name"])
        check(answer, oracles[name])
        assert all(side["unmatched"] > 0 and side["unmatched_examples"] for side in answer["sides"])
    world = of("owid-co2", "co2.mt", filter=["time.year = 2014", 'geo.name = "World"'])
    assert ask.figure(world, join=["geo.name"])["co2.mt"] == oracles["world_co2_2014_mt"]


def test_counties(ask, oracles):
    population = of("census-county-population", "population")
    rate_2009 = of("bls-county-unemployment-2009", "unemployment.rate as rate_2009")
    rate_2016 = of("bls-county-unemployment-2016", "unemployment.rate as rate_2016")
    rate_2012 = of("bls-county-labor-2012", "value as rate_2012", filter=['labor.measure = "unr"'])
    force = of("bls-county-labor-2012", "value as labor_force", filter=['labor.measure = "labforce"'])
    for left, right, name in ((population, rate_2016, "county_pop_x_unemp2016"),
                              (rate_2012, rate_2016, "county_unemp2012_x_unemp2016"),
                              (rate_2009, rate_2012, "county_unemp2009_x_unemp2012"),
                              (rate_2009, rate_2016, "county_unemp2009_x_unemp2016"),
                              (population, force, "county_pop_x_laborforce2012")):
        check(ask.correlation(left, right, join=["geo.fips"]), oracles[name])
    total = ["group: sum(population) as people"]
    assert ask.figure(population, join=["geo.fips"], steps=total)["people"] == oracles["county_pop_total"]
    total = ["group: sum(labor_force) as people"]
    assert ask.figure(force, join=["geo.fips"], steps=total)["people"] == oracles["county_laborforce2012_total"]
    weighted = ask.figure(population, rate_2016, join=["geo.fips"], steps=[
        "derive weighted = population * rate_2016", "group: sum(weighted) as w, sum(population) as p",
        "derive mean = w / p"])
    assert weighted["mean"] == near(oracles["county_pop_weighted_unemp2016"])


def test_states(ask, oracles):
    states = of("census-pep-2017-states", "population as people_2017")
    total = ask.figure(states, join=["geo.state_fips"], steps=["group: sum(people_2017) as people"])
    assert total["people"] == oracles["state_pop_total_2017"]
    obesity = of("cdc-obesity-1995", "obesity.rate")
    check(ask.correlation(states, obesity, join=["geo.state_fips"]), oracles["state_pop2017_x_obesity1995"])
    counties = of("census-county-population", "population",
                  steps=["group by geo.state_fips: sum(population) as county_people"])
    check(ask.correlation(states, counties, join=["geo.state_fips"]), oracles["state_pop2017_x_sum_of_county_pop"])
    # The obesity file has the code as a number, here made of the text again: rules give both one form.
    check(ask.correlation(states, obesity, join=["geo.state_fips | to_integer | pad_left 2 0"]),
          oracles["state_pop2017_x_obesity1995"])


def test_carbon_dioxide_and_temperature(ask, oracles):
    co2, warmth = of("scripps-co2", "co2.ppm"), of("nasa-gistemp", "temperature.anomaly")
    answer = ask.correlation(co2, warmth, join=["time.month"])
    check(answer, oracles["co2_ppm_x_gistemp_by_month"])
    assert any("both follow time.month" in warning for warning in answer["warnings"])

    def annual(side, measure):
        return {**side, "steps": [f"group by year(time.month) as year: mean({measure}) as {measure}, "
                                  f"count({measure}) as months", "filter months = 12", f"select year, {measure}"]}

    check(ask.correlation(annual(co2, "co2.ppm"), annual(warmth, "temperature.anomaly"), join=["year"]),
          oracles["co2_ppm_x_gistemp_annual_means_full_years"])


def test_quakes(ask, oracles):
    expected, quakes = oracles["quakes"], of("usgs-earthquakes", "magnitude", "depth.km")
    figures = ask.figure(quakes, join=["event.id"],
                         steps=["group: count() as all, count(magnitude) as known, max(magnitude) as most, "
                                "mean(magnitude) as mean"])
    assert figures["all"] == expected["features"] and figures["all"] - figures["known"] == expected["mag_null"]
    assert figures["most"] == expected["max"] and figures["mean"] == near(expected["mean"])
    strong = ask.figure(quakes, join=["event.id"], steps=["filter magnitude >= 4.5", "group: count() as strong"])
    assert strong["strong"] == expected["ge_4_5"]
    check(ask.correlation(quakes, join=["event.id"]), oracles["quakes_mag_x_depth"])


def test_flights(ask, oracles):
    expected = oracles["flights"]
    flights = of("bts-flights-20k", "delay.minutes", "distance.miles",
                 dims=["time.departure", "origin.iata", "destination.iata", "flight.delay"])
    figures = ask.figure(flights, steps=["group: count() as n, mean(delay.minutes) as mean"])
    assert figures["n"] == expected["n"] and figures["mean"] == near(expected["mean_delay"])
    check(ask.correlation(flights), oracles["flights_delay_x_distance"])
    origin = of("faa-airports", "latitude as lat_a", "longitude as lon_a", on=["origin.iata=airport.iata"])
    target = of("faa-airports", "latitude as lat_b", "longitude as lon_b", on=["destination.iata=airport.iata"])
    haversine = "sin(radians(lat_b - lat_a) / 2)^2 + cos(radians(lat_a)) * cos(radians(lat_b)) * " \
                "sin(radians(lon_b - lon_a) / 2)^2"
    answer = ask.correlation(flights, origin, target, measures=["distance.miles", "miles"],
                             steps=[f"derive h = {haversine}", "derive miles = 2 * 3958.7613 * asin(sqrt(h))"])
    assert answer["row_count"] == expected["joined"] and expected["origins_without_airport"] == []
    assert answer["sides"][0]["unmatched"] == 0
    check(answer, oracles["flights_distance_x_great_circle_miles"])


def test_seattle(ask, oracles):
    weather = of("noaa-seattle", "temperature.max", "temperature.min")
    check(ask.correlation(weather, join=["time.date"]), oracles["seattle_tmax_x_tmin"])
    rain = of("noaa-seattle", "precipitation.mm", steps=["group by year(time.date) as year: sum(precipitation.mm) as mm",
                                                         "filter year = 2012"])
    assert float(ask.figure(rain, join=["time.date"])["mm"]) == oracles["seattle_precip_total_2012"]


def test_exchange_rate(ask, oracles):
    expected, rate = oracles["ecb_usd_eur"], of("ecb-usd-eur", "rate")
    figures = ask.figure(rate, join=["time.month"],
                         steps=["group: count() as n, first(time.month) as from, first(rate) as first, "
                                "last(time.month) as to, last(rate) as last, mean(rate) as mean"])
    assert figures["n"] == expected["n"] and figures["mean"] == near(expected["mean"])
    assert [figures["from"], float(figures["first"])] == expected["first"]
    assert [figures["to"], float(figures["last"])] == expected["last"]
    best = ask.figure(rate, join=["time.month"], steps=["top 1 by rate"])
    assert [best["time.month"], float(best["rate"])] == expected["max"]


def test_debt(ask, oracles):
    debt = of("treasury-debt", "debt.usd")
    ratio = ask.figure(debt, join=["time.year"],
                       steps=["group: first(debt.usd) as first, last(debt.usd) as last", "derive ratio = last / first"])
    assert ratio["ratio"] == near(oracles["treasury_debt_2000_to_2024_ratio"])
    gdp = of("owid-co2", "gdp", filter=['geo.iso3 = "USA"'])
    check(ask.correlation(debt, gdp, join=["time.year"]), oracles["treasury_debt_x_owid_us_gdp_by_year"])


def test_employment_and_eurostat(ask, oracles):
    employed = of("bls-laus-employed", "employed", steps=["group by time.year: mean(employed) as mean, count() as months",
                                                          "filter time.year = 2022"])
    figures = ask.figure(employed, join=["time.year"])
    assert figures["months"] == 12 and figures["mean"] == pytest.approx(oracles["bls_mean_2022"], abs=1e-6)
    expected = oracles["eurostat_ilc"]
    table = {"profile_id": "eurostat-ilc", "dims": ["geo.code"],
             "steps": ["group: count() as rows, count(share) as present, distinct(geo.code) as geos"]}
    figures = ask.figure(table)
    assert figures["rows"] == expected["rows"] and figures["rows"] - figures["present"] == expected["empty"]
    assert figures["geos"] == expected["geos"]
