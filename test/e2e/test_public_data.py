"""Every file of the shared public data has a profile here. `chartly profile test` normalizes it as a drone would; the row
counts are those of the data's list of sources, and every fixed value and correlation of ORACLES.json comes out of the
normalized records."""

import json
import math
from pathlib import Path

import pytest
from harness import cli

PROFILES = Path(__file__).parent / "public_data"

# Rows of the source as listed with the data. The unpivoted table has 120 lines of 23 measures, the JSON-stat cube of
# counties 3220 counties of 4 measures.
ROWS = {
    "army-front-page": 30, "bls-ces-wide": 120 * 23, "bls-county-labor-2012": 3220 * 4,
    "bls-county-unemployment-2009": 3218, "bls-county-unemployment-2016": 3219, "bls-laus-employed": 25,
    "bls-metro": 7470, "bts-flights-20k": 20000, "bts-flights-2k": 2000, "cdc-food-safety": 3, "cdc-obesity-1995": 50,
    "census-county-population": 2910, "census-pep-2017-states": 51, "census-tracts": 361, "ecb-usd-eur": 252,
    "eia-demand": 9961, "eurostat-gdp": 3036, "eurostat-ilc": 18945, "faa-airports": 3376, "gapminder": 682,
    "geonames-cities": 34564, "nasa-gistemp": 1644, "noaa-seattle": 1461, "nws-hourly": 156, "owid-co2": 24016,
    "owid-co2-countries": 24016, "scripps-co2": 741, "sec-filings": 3, "tiger-roads": 53, "treasury-debt": 25,
    "usgs-atom": 17, "usgs-earthquakes": 1707, "whitehouse-blog": 4, "worldbank-gdp": 248, "worldbank-population": 248,
}
FILTERED = {"owid-co2-countries"}


class Table:
    """What `profile test` printed: records, quarantined rows, balance."""

    def __init__(self, result):
        lines = [json.loads(line, parse_float=float) for line in result.stdout.splitlines()]
        self.balance = next((line["balance"] for line in lines if "balance" in line), None)
        self.quarantined = [line["quarantined"] for line in lines if "quarantined" in line]
        self.records = [line for line in lines if "id" in line]
        self.code, self.error = result.returncode, result.stderr

    def column(self, name, *key):
        """name of each record that has it, by its key."""
        found = {}
        for record in self.records:
            fields = {**record["dims"], **record["measures"], **record["attrs"]}
            if fields.get(name) is not None:
                found[tuple(fields.get(part) for part in key)] = fields[name]
        return found


_cache = {}


def load(shared_data, name):
    if name not in _cache:
        result = cli("profile", "test", PROFILES / f"{name}.yaml", "--source-dir", shared_data, "--output", "json")
        assert result.returncode == 0, result.stderr
        _cache[name] = Table(result)
    return _cache[name]


def run_text(tmp_path, profile, sample, name="sample.json"):
    (tmp_path / "profile.yaml").write_text("id: trap\nversion: 1.0.0\n" + profile)
    (tmp_path / name).write_text(sample)
    result = cli("profile", "test", tmp_path / "profile.yaml", "--input", tmp_path / name, "--output", "json")
    assert result.returncode == 0, result.stderr
    return Table(result)


# --- a reference in plain Python: exact sums, mid-ranks for ties -----------------------------------------------------

def pearson(pairs):
    n = len(pairs)
    mean_x, mean_y = math.fsum(x for x, _ in pairs) / n, math.fsum(y for _, y in pairs) / n
    xy = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    xx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    yy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    return xy / math.sqrt(xx * yy)


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    rank = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            rank[order[k]] = (i + j) / 2
        i = j + 1
    return rank


def join(left, right):
    return [(float(left[key]), float(right[key])) for key in left if key in right]


def check(pairs, oracle):
    assert len(pairs) == oracle["n"]
    assert pearson(pairs) == pytest.approx(oracle["pearson"], abs=1e-9)
    xs, ys = zip(*pairs)
    assert pearson(list(zip(ranks(xs), ranks(ys)))) == pytest.approx(oracle["spearman"], abs=1e-9)


@pytest.fixture
def oracles(shared_data):
    return json.loads((shared_data / "ORACLES.json").read_text())


# --- row counts -------------------------------------------------------------------------------------------------------

def test_every_shared_file_has_a_profile_here(shared_data):
    assert {path.stem for path in PROFILES.glob("*.yaml")} == set(ROWS)
    read = set()
    for path in PROFILES.glob("*.yaml"):
        pattern = next(line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if "path:" in line)
        read |= {found.relative_to(shared_data) for found in shared_data.glob(pattern)}
    files = {path.relative_to(shared_data) for path in shared_data.rglob("*") if path.is_file()}
    assert {str(path) for path in files - read} == {"ORACLES.json", "ORACLES.md", "SOURCES.md"}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_file_gives_the_listed_number_of_rows(shared_data, name):
    table = load(shared_data, name)
    assert table.balance["fetched"] == ROWS[name]
    assert table.balance["closed"]
    assert table.quarantined == []
    if name not in FILTERED:
        assert table.balance["filtered"] == 0
        assert table.balance["stored"] + table.balance["duplicate"] == ROWS[name]


# --- fixed values and correlations ------------------------------------------------------------------------------------

def test_world_bank_rows_nulls_and_correlation(shared_data, oracles):
    population, gdp = load(shared_data, "worldbank-population"), load(shared_data, "worldbank-gdp")
    key = ("geo.code", "time.year")
    for table, measure, indicator in ((population, "population", "SP.POP.TOTL"), (gdp, "gdp.usd", "NY.GDP.MKTP.CD")):
        expected = oracles["wb_rows"][indicator]
        assert table.balance["fetched"] == expected["rows"]
        assert len(table.records) - len(table.column(measure, *key)) == expected["null"]
    check(join(population.column("population", *key), gdp.column("gdp.usd", *key)),
          oracles["wb_pop_x_gdp_2014_all_rows"])


def test_aggregates_among_countries_are_told_apart(shared_data, oracles):
    population, gdp = load(shared_data, "worldbank-population"), load(shared_data, "worldbank-gdp")
    codes = [record["dims"]["geo.code"] for record in population.records]
    first_country = codes.index("AF")
    assert first_country == oracles["wb_aggregate_rows_before_AF"]
    countries = set(codes[first_country:])
    key = ("geo.code",)
    left = {k: v for k, v in population.column("population", *key).items() if k[0] in countries}
    check(join(left, gdp.column("gdp.usd", *key)), oracles["wb_pop_x_gdp_2014_countries_from_AF"])
    # OWID marks its aggregates by what stands in place of the three letters of a country.
    owid = load(shared_data, "owid-co2-countries")
    assert owid.balance["filtered"] > 0
    assert all(len(record["dims"]["geo.iso3"]) == 3 for record in owid.records)


@pytest.mark.parametrize("year", [1990, 2014, 2016])
def test_owid_correlations(shared_data, oracles, year):
    owid = load(shared_data, "owid-co2-countries")
    columns = {}
    for name in ("gdp", "population", "co2.mt"):
        columns[name] = {k: float(v) for k, v in owid.column(name, "geo.name", "time.year").items() if k[1] == year}
    check(join(columns["gdp"], columns["co2.mt"]), oracles[f"owid_gdp_x_co2_{year}"])
    check(join(columns["population"], columns["co2.mt"]), oracles[f"owid_pop_x_co2_{year}"])
    def per_capita(name):
        return {k: v / columns["population"][k] for k, v in columns[name].items() if k in columns["population"]}

    check(join(per_capita("gdp"), per_capita("co2.mt")), oracles[f"owid_gdp_per_capita_x_co2_per_capita_{year}"])


def test_world_bank_and_owid_join_by_exact_name(shared_data, oracles):
    owid, everything = load(shared_data, "owid-co2-countries"), load(shared_data, "owid-co2")
    co2 = {(k[0],): v for k, v in owid.column("co2.mt", "geo.name", "time.year").items() if k[1] == 2014}
    people = {(k[0],): v for k, v in everything.column("population", "geo.name", "time.year").items() if k[1] == 2014}
    gdp = load(shared_data, "worldbank-gdp").column("gdp.usd", "geo.name")
    population = load(shared_data, "worldbank-population").column("population", "geo.name")
    check(join(gdp, co2), oracles["wb_gdp_x_owid_co2_2014_by_exact_country_name"])
    check(join(population, co2), oracles["wb_pop_x_owid_co2_2014_by_exact_country_name"])
    check(join(population, people), oracles["wb_pop_x_owid_pop_2014_by_exact_country_name"])
    world = everything.column("co2.mt", "geo.name", "time.year")[("World", 2014)]
    assert float(world) == oracles["world_co2_2014_mt"]


def county_columns(shared_data):
    labor = load(shared_data, "bls-county-labor-2012").column("value", "labor.measure", "geo.fips")
    return {
        "population": load(shared_data, "census-county-population").column("population", "geo.fips"),
        "2009": load(shared_data, "bls-county-unemployment-2009").column("unemployment.rate", "geo.fips"),
        "2012": {(k[1],): v for k, v in labor.items() if k[0] == "unr"},
        "2016": load(shared_data, "bls-county-unemployment-2016").column("unemployment.rate", "geo.fips"),
        "labor": {(k[1],): v for k, v in labor.items() if k[0] == "labforce"},
    }


def test_counties_join_by_padded_fips(shared_data, oracles):
    columns = county_columns(shared_data)
    check(join(columns["population"], columns["2016"]), oracles["county_pop_x_unemp2016"])
    check(join(columns["2012"], columns["2016"]), oracles["county_unemp2012_x_unemp2016"])
    check(join(columns["2009"], columns["2012"]), oracles["county_unemp2009_x_unemp2012"])
    check(join(columns["2009"], columns["2016"]), oracles["county_unemp2009_x_unemp2016"])
    check(join(columns["population"], columns["labor"]), oracles["county_pop_x_laborforce2012"])
    assert sum(columns["population"].values()) == oracles["county_pop_total"]
    assert sum(columns["labor"].values()) == oracles["county_laborforce2012_total"]
    pairs = join(columns["population"], columns["2016"])
    weighted = math.fsum(p * r for p, r in pairs) / math.fsum(p for p, _ in pairs)
    assert weighted == pytest.approx(oracles["county_pop_weighted_unemp2016"], abs=1e-9)


def test_states_join_by_padded_fips(shared_data, oracles):
    states = load(shared_data, "census-pep-2017-states").column("population", "geo.state_fips")
    assert sum(states.values()) == oracles["state_pop_total_2017"]
    obesity = load(shared_data, "cdc-obesity-1995").column("obesity.rate", "geo.state_fips")
    check(join(states, obesity), oracles["state_pop2017_x_obesity1995"])
    by_state = {}
    counties = load(shared_data, "census-county-population").column("population", "geo.state_fips", "geo.county_fips")
    for (state, _), people in counties.items():
        by_state[(state,)] = by_state.get((state,), 0) + people
    check(join(states, by_state), oracles["state_pop2017_x_sum_of_county_pop"])


def test_carbon_dioxide_and_temperature_by_month_and_by_full_year(shared_data, oracles):
    co2 = load(shared_data, "scripps-co2").column("co2.ppm", "time.month")
    anomaly = load(shared_data, "nasa-gistemp").column("temperature.anomaly", "time.month")
    check(join(co2, anomaly), oracles["co2_ppm_x_gistemp_by_month"])

    def annual(column):
        years = {}
        for (month,), value in column.items():
            years.setdefault(month[:4], []).append(float(value))
        return {(year,): math.fsum(values) / 12 for year, values in years.items() if len(values) == 12}

    check(join(annual(co2), annual(anomaly)), oracles["co2_ppm_x_gistemp_annual_means_full_years"])


def test_earthquakes(shared_data, oracles):
    table, expected = load(shared_data, "usgs-earthquakes"), oracles["quakes"]
    magnitudes = table.column("magnitude", "event.id")
    assert len(table.records) == expected["features"]
    assert len(table.records) - len(magnitudes) == expected["mag_null"]
    values = [float(m) for m in magnitudes.values()]
    assert max(values) == expected["max"]
    assert sum(v >= 4.5 for v in values) == expected["ge_4_5"]
    assert math.fsum(values) / len(values) == pytest.approx(expected["mean"], abs=1e-9)
    check(join(magnitudes, table.column("depth.km", "event.id")), oracles["quakes_mag_x_depth"])


def great_circle_miles(a, b):
    (lat_a, lon_a), (lat_b, lon_b) = [[math.radians(float(v)) for v in point] for point in (a, b)]
    h = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * 3958.7613 * math.asin(math.sqrt(h))


def test_flights_and_airports(shared_data, oracles):
    flights = load(shared_data, "bts-flights-20k").records
    # Two flights of the same route, minute, delay and distance are one record: the list of rows counts both.
    rows = flights
    airports = load(shared_data, "faa-airports")
    latitude, longitude = airports.column("latitude", "airport.iata"), airports.column("longitude", "airport.iata")
    place = {iata: (latitude[iata], longitude[iata]) for iata in latitude}
    expected = oracles["flights"]
    assert len(rows) == expected["n"]
    delays = [row["measures"]["delay.minutes"] for row in rows]
    assert math.fsum(delays) / len(delays) == pytest.approx(expected["mean_delay"], abs=1e-9)
    origins = {(row["dims"]["origin.iata"],) for row in rows}
    assert sorted(origin for (origin,) in origins - set(place)) == expected["origins_without_airport"]
    pairs = []
    for row in rows:
        ends = [place.get((row["dims"][f"{end}.iata"],)) for end in ("origin", "destination")]
        if all(ends):
            pairs.append((float(row["measures"]["distance.miles"]), great_circle_miles(*ends)))
    assert len(pairs) == expected["joined"]
    check(pairs, oracles["flights_distance_x_great_circle_miles"])
    check([(float(row["measures"]["delay.minutes"]), float(row["measures"]["distance.miles"])) for row in rows],
          oracles["flights_delay_x_distance"])


def test_seattle_weather(shared_data, oracles):
    table = load(shared_data, "noaa-seattle")
    check(join(table.column("temperature.max", "time.date"), table.column("temperature.min", "time.date")),
          oracles["seattle_tmax_x_tmin"])
    rain = table.column("precipitation.mm", "time.date")
    total = math.fsum(float(v) for (day,), v in rain.items() if day.startswith("2012-"))
    assert total == pytest.approx(oracles["seattle_precip_total_2012"], abs=1e-9)


def test_exchange_rate_of_sdmx_xml(shared_data, oracles):
    expected = oracles["ecb_usd_eur"]
    rates = {month: rate for (month,), rate in load(shared_data, "ecb-usd-eur").column("rate", "time.month").items()}
    assert len(rates) == expected["n"]
    for end, pick in (("first", min), ("last", max)):
        assert [pick(rates), float(rates[pick(rates)])] == expected[end]
    best = max(rates, key=lambda month: float(rates[month]))
    assert [best, float(rates[best])] == expected["max"]
    assert math.fsum(map(float, rates.values())) / len(rates) == pytest.approx(expected["mean"], abs=1e-9)


def test_public_debt(shared_data, oracles):
    debt = load(shared_data, "treasury-debt").column("debt.usd", "time.year")
    years = sorted(debt)
    assert debt[years[-1]] / debt[years[0]] == pytest.approx(oracles["treasury_debt_2000_to_2024_ratio"], abs=1e-9)
    owid = load(shared_data, "owid-co2").column("gdp", "geo.iso3", "time.year")
    gdp = {(year,): value for (iso, year), value in owid.items() if iso == "USA"}
    check(join(debt, gdp), oracles["treasury_debt_x_owid_us_gdp_by_year"])


def test_employment_of_bls_periods(shared_data, oracles):
    employed = load(shared_data, "bls-laus-employed").column("employed", "time.year", "time.month")
    year = [value for (y, _), value in employed.items() if y == 2022]
    assert len(year) == 12
    assert sum(year) / 12 == pytest.approx(oracles["bls_mean_2022"], abs=1e-6)


def test_eurostat_table(shared_data, oracles):
    table, expected = load(shared_data, "eurostat-ilc"), oracles["eurostat_ilc"]
    assert table.balance["fetched"] == expected["rows"]
    assert len({record["dims"]["geo.code"] for record in table.records}) == expected["geos"]
    assert sum("share" not in record["measures"] for record in table.records) == expected["empty"]


# --- traps, one a test ------------------------------------------------------------------------------------------------

def test_trap_fips_codes_lose_their_zeros(shared_data):
    fips = set(load(shared_data, "bls-county-unemployment-2009").column("unemployment.rate", "geo.fips"))
    assert ("01001",) in fips
    assert all(len(code) == 5 for (code,) in fips)
    parts = load(shared_data, "census-county-population").column("population", "geo.fips")
    assert ("13213",) in parts and all(len(code) == 5 for (code,) in parts)


def test_trap_fractions_against_percent(shared_data):
    columns = county_columns(shared_data)
    assert float(columns["2009"][("01001",)]) == 9.7
    assert 0.2 < columns["2016"][("01001",)] / columns["2009"][("01001",)] < 5


def test_trap_numbers_as_strings_stay_exact(shared_data):
    result = cli("profile", "test", PROFILES / "treasury-debt.yaml", "--source-dir", shared_data, "--output", "json")
    assert '"debt.usd":5674178209886.86' in result.stdout
    assert load(shared_data, "census-pep-2017-states").column("population", "geo.state_fips")[("11",)] == 693972


def test_trap_epoch_milliseconds(shared_data):
    quakes = {(key[0]): key[1] for key in load(shared_data, "usgs-earthquakes").column("magnitude", "event.id",
                                                                                     "time.observed")}
    assert quakes["ci37868143"] == "2018-02-07T01:26:13.84Z"


def test_trap_epoch_seconds(tmp_path):
    table = run_text(tmp_path, """
source: {type: http_rest, url: "https://example.org/x", format: json}
mapping:
  at: {to: dims.time.observed, using: epoch_s}
  v: measures.v
""", '[{"at":1517966773,"v":1},{"at":"1517966773","v":2}]')
    assert [record["dims"]["time.observed"] for record in table.records] == ["2018-02-07T01:26:13Z"] * 2


def test_trap_zone_names_of_rfc_822(shared_data):
    times = load(shared_data, "army-front-page").column("items", "item.id", "time.published")
    assert {"2014-03-31T00:00:00-04:00"} <= {key[1] for key in times}
    food = load(shared_data, "cdc-food-safety").column("items", "time.published")
    assert all(key[0].endswith("-05:00") for key in food)


def test_trap_slashes_and_minutes_in_a_time(shared_data):
    first = load(shared_data, "bts-flights-20k").records[0]
    assert first["dims"]["time.departure"] == "2001-01-01T00:47:00Z"


def test_trap_periods_like_m01(shared_data):
    employed = load(shared_data, "bls-laus-employed").column("employed", "time.year", "time.month")
    assert employed[(2023, 1)] == 17585


def test_trap_month_13_is_the_mean_of_a_year_and_no_month(tmp_path):
    source = 'source: {type: http_rest, url: "https://example.org/x", format: json}\n'
    sample = '[{"year":"2022","period":"M12","value":"5"},{"year":"2022","period":"M13","value":"6"}]'
    mapping = ("mapping:\n  year: {to: dims.year, type: integer}\n"
               "  period: {to: dims.month, using: [strip_prefix M, to_integer], min: 1, max: 12}\n"
               "  value: {to: measures.v, type: decimal}\n")
    left_out = run_text(tmp_path, source + mapping + 'filter: period != "M13"\n', sample)
    assert (left_out.balance["stored"], left_out.balance["filtered"]) == (1, 1)
    set_aside = run_text(tmp_path, source + mapping, sample)
    assert [row["reason_code"] for row in set_aside.quarantined] == ["schema.validation_failed"]
    as_month = mapping.replace("[strip_prefix M, to_integer], min: 1, max: 12", "to_year_month")
    refused = run_text(tmp_path, source + as_month, sample.replace('"M1', '"2022M1'))
    assert [record["dims"]["month"] for record in refused.records] == ["2022-12"]
    assert [row["reason_code"] for row in refused.quarantined] == ["mapping.type_coercion_failed"]


def test_trap_nulls_are_no_zeros(shared_data):
    gdp = load(shared_data, "worldbank-gdp")
    without = [record for record in gdp.records if record["measures"].get("gdp.usd") is None]
    assert len(without) == 30
    assert all(value > 0 for value in gdp.column("gdp.usd", "geo.code").values())
    cells = load(shared_data, "eurostat-gdp")
    present = cells.column("gdp.eur_per_inhabitant", "geo.code", "time.year")
    assert 0 < len(present) < 3036
    assert all(value > 0 for value in present.values())


def test_trap_minus_99_means_not_known(shared_data):
    cities = load(shared_data, "geonames-cities")
    elevations = cities.column("elevation.m", "city.name", "longitude", "latitude").values()
    assert not {-99, -900} & set(elevations)
    assert min(elevations) == -366
    assert len(elevations) < len(cities.records)


def test_trap_dates_and_times_mixed_in_one_column(shared_data):
    hours = [record["dims"]["time.hour"] for record in load(shared_data, "eia-demand").records]
    assert hours[:2] == ["2020-12-05T00:00:00Z", "2020-12-05T01:00:00Z"]


def test_trap_commas_inside_quotes(shared_data):
    first = load(shared_data, "bls-metro").records[0]
    assert first["dims"]["geo.division"] == "Bethesda-Rockville-Frederick, MD Met Div"


def test_trap_text_that_says_not_available(shared_data):
    airports = load(shared_data, "faa-airports")
    assert all(record["attrs"].get("state") != "NA" for record in airports.records)


def test_trap_speed_written_with_its_unit(shared_data):
    hours = load(shared_data, "nws-hourly")
    assert all(isinstance(record["measures"]["wind.mph"], int) for record in hours.records)


def test_trap_characters_declared_as_latin_1_and_names_in_utf_8(shared_data):
    assert len(load(shared_data, "sec-filings").records) == 3
    quakes = load(shared_data, "usgs-atom")
    assert len(quakes.column("magnitude", "event.id")) == 17
    cities = {record["dims"]["city.name"] for record in load(shared_data, "geonames-cities").records}
    assert "São Paulo" in cities
