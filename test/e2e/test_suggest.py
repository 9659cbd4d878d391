"""`chartly profile suggest` on public files: the suggestion validates, and its `profile test` reads every row."""

import json

import pytest
from harness import cli

FILES = {
    "bls_LAUCN040010000000005.json": 25,
    "bls_county_unemployment_2009.tsv": 3218,
    "bls_metro_unemployment.csv": 7470,
    "bts_flights_2k.json": 2000,
    "census_pep_2017_states.json": 51,
    "ecb_EXR_M.USD.EUR.SP00.A.xml": 252,
    "eurostat_nama_gdp_c.jsonstat.json": 3036,
    "feeds/army_front_page.rss": 30,
    "gapminder.json": 682,
    "noaa_seattle_weather.csv": 1461,
    "nws_BMX_32_69_forecast_hourly.json": 156,
    "treasury_debt_outstanding_page3.json": 25,
    "usgs_earthquakes_all_week.geojson": 1707,
    "worldbank_2014/SP.POP.TOTL.page1.json": 50,
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_suggestion_validates_and_reads_every_row(shared_data, tmp_path, name):
    suggested = cli("profile", "suggest", shared_data / name)
    assert suggested.returncode == 0, suggested.stderr
    profile = tmp_path / "profile.yaml"
    profile.write_text(suggested.stdout)
    valid = cli("profile", "validate", profile)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    tested = cli("profile", "test", profile, "--source-dir", (shared_data / name).parent, "--output", "json")
    assert tested.returncode == 0, tested.stderr
    lines = [json.loads(line) for line in tested.stdout.splitlines()]
    balance = lines[-1]["balance"]
    assert balance["fetched"] == FILES[name] and balance["closed"]
    assert balance["quarantined"] == 0, lines[:3]
    assert balance["stored"] > 0
    records = [line for line in lines if "id" in line]
    assert any(record["measures"] for record in records) or "feeds/" in name


def test_a_suggestion_tells_how_sure_it_is(shared_data):
    result = cli("profile", "suggest", shared_data / "gapminder.json", "--output", "json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert 0 < answer["confidence"] <= 1
    assert answer["key"] == ["dims.geo.country", "dims.time.year"]
    assert len(answer["records"]) == 5
    assert {field["from"] for field in answer["fields"]} >= {"country", "year", "pop"}


def test_a_source_without_rows_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "words.txt").write_text("only words\n")
    result = cli("profile", "suggest", tmp_path / "words.txt")
    assert result.returncode != 0
    assert "PAYLOAD_NO_ROWS" in result.stderr
    missing = cli("profile", "suggest", tmp_path / "absent.csv")
    assert missing.returncode != 0
    assert "https://" in missing.stderr
