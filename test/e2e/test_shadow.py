"""A text is tried over what a run fetches: what differs is listed, the source is asked nothing more, and nothing is stored."""

import json

import pytest

from harness import ApiError, wait_until

ROWS = [{"id": n, "name": f"n{n}", "level": n * 1.5, "kind": "a" if n % 2 else "b", "unit": "m"} for n in range(200)]

PROFILE = """id: levels
name: Levels
version: {version}
source: {{type: http_rest, url: "{url}/rows", format: json, records: "{records}"{source}}}
schedule: {{enabled: false}}
mapping:
  id: {{to: dims.id, type: integer}}
  name: {{to: attrs.name{name}}}
  level: {{to: measures.level, type: {level}}}
  {kind}: {{to: attrs.kind}}
  unit: attrs.unit
{more}key: [dims.id]
"""


@pytest.fixture
def world(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", json.dumps({"rows": ROWS, "other": []}).encode())
    single.drone()
    single.create_profile(text_of(source))
    return single, source, tmp_path / "levels.yaml"


def text_of(source, version="1.0.0", records="rows[*]", name="", level="decimal", kind="kind", more="", fetch=""):
    return PROFILE.format(version=version, url=source.url, records=records, name=name, level=level, kind=kind, more=more,
                          source=fetch)


def test_planted_faults_are_all_listed_and_the_source_is_asked_nothing_more(world):
    cluster, source, file = world
    before = cluster.run_to_end("levels")
    # Another unit, a field that is not found, a type that does not fit all, and a filter that leaves too much out.
    file.write_text(text_of(source, "1.1.0", name=", using: [upper]", level="integer", kind="knid", more="filter: id >= 20\n"))
    asked = cluster.cli("profile", "shadow", "levels", "--file", file)
    assert asked.returncode == 0 and "waiting for the next run" in asked.stdout, asked.stderr
    hits = source.hits["/rows"]
    run = cluster.run_to_end("levels")
    assert run["status"] == "succeeded" and run["revision"] == before["revision"]
    shown = cluster.cli("profile", "shadow", "levels", "--wait")
    assert shown.returncode == 0, shown.stderr
    assert source.hits["/rows"] == hits + 1

    shadow = cluster.get("/api/shadows/levels")
    assert (shadow["state"], shadow["run_id"], shadow["base_revision"]) == ("done", run["run_id"], run["revision"])
    result = shadow["result"]
    fields = {field["field"]: field for field in result["fields"]}
    kept = [row for row in ROWS if row["id"] >= 20 and row["id"] % 2 == 0]
    assert fields["attrs.name"]["records"] == fields["attrs.kind"]["records"] == len(kept) == result["changed"]
    example = fields["attrs.name"]["examples"][0]
    assert (example["key"], example["before"], example["after"]) == ("id=20", "text n20", "text N20")
    assert fields["attrs.kind"]["examples"][0]["after"] == ""
    assert fields["measures.level"]["examples"][0]["before"].startswith("decimal ")
    assert result["lost"] == len(ROWS) - len(kept) and result["added"] == 0
    assert len(result["lost_records"]) == 5 and result["lost_records"][0]["key"] == "id=0"
    assert result["shadow"]["filtered"] == 20 and result["shadow"]["quarantined"] == 90
    assert [(rows["reason"], rows["field"], rows["rows"]) for rows in result["quarantines"]] == [
        ("mapping.type_coercion_failed", "level", 90)]
    for listed in ("attrs.name", "attrs.kind", "measures.level", "mapping.type_coercion_failed", "20 filtered", "lost id=0"):
        assert listed in shown.stdout, shown.stdout
    assert cluster.get("/api/profiles/levels/status")["shadow"]["result"]["lost"] == result["lost"]

    # Nothing of it was stored, nothing went to quarantine, and the run after it is an ordinary one.
    assert run["balance"]["quarantined"] == run["balance"]["filtered"] == 0 and run["balance"]["duplicate"] == len(ROWS)
    assert cluster.run_to_end("levels")["balance"]["duplicate"] == len(ROWS)
    assert cluster.get("/api/shadows/levels") == shadow


def test_another_way_to_find_the_rows_may_be_tried_and_another_fetch_may_not(world):
    cluster, source, file = world
    file.write_text(text_of(source, "1.1.0", records="other[*]"))
    assert cluster.cli("profile", "shadow", "levels", "--file", file).returncode == 0
    assert cluster.run_to_end("levels")["status"] == "succeeded"
    shadow = wait_until(lambda: (s := cluster.get("/api/shadows/levels"))["state"] == "done" and s, "the shadow")
    assert (shadow["result"]["same"], shadow["result"]["lost"]) == (0, len(ROWS))
    for fetch, field in ((', query: {a: "1"}', "source.query.a"), (", pagination: {type: page}", "source.pagination.type")):
        file.write_text(text_of(source, "1.2.0", fetch=fetch))
        refused = cluster.cli("profile", "shadow", "levels", "--file", file)
        assert refused.returncode != 0 and "SHADOW_FETCH_DIFFERS" in refused.stderr and field in refused.stderr
    with pytest.raises(ApiError) as error:
        cluster.post("/api/profiles/levels:shadow", b"id: levels\n", headers={"Content-Type": "application/yaml"})
    assert error.value.status == 400


def test_a_text_that_cannot_read_the_payload_does_not_touch_the_run(world):
    cluster, source, file = world
    file.write_text(text_of(source, "1.1.0").replace("format: json", "format: xml").replace('"rows[*]"', '"rows.row"'))
    assert cluster.cli("profile", "shadow", "levels", "--file", file).returncode == 0
    run = cluster.run_to_end("levels")
    assert run["status"] == "succeeded" and run["balance"]["stored"] == len(ROWS)
    shadow = wait_until(lambda: (s := cluster.get("/api/shadows/levels"))["state"] == "done" and s, "the shadow")
    assert shadow["reason"].startswith("PAYLOAD_") and shadow["result"]["lost"] == len(ROWS)


def test_a_drone_that_requires_signatures_tries_only_what_is_signed(single, source, tmp_path):
    source.routes["/rows"] = lambda _query: (200, "application/json", json.dumps({"rows": ROWS}).encode())
    assert single.cli("profile", "keygen", tmp_path / "owner").returncode == 0
    single.drone(flags=["--profile-keys", tmp_path / "owner.pub"])
    file = tmp_path / "levels.yaml"
    file.write_text(text_of(source))
    for command in (["sign", "--key", tmp_path / "owner", file], ["apply", file]):
        assert single.cli("profile", *command).returncode == 0
    tried = tmp_path / "tried.yaml"
    tried.write_text(text_of(source, "1.1.0", name=", using: [upper]"))
    assert single.cli("profile", "shadow", "levels", "--file", tried).returncode == 0
    assert single.run_to_end("levels")["status"] == "succeeded"
    shadow = wait_until(lambda: (s := single.get("/api/shadows/levels"))["state"] == "failed" and s, "the refusal")
    assert shadow["reason"] == "PROFILE_UNSIGNED"
    assert shadow["message"]
    # What was refused to be tried leaves the next run as it is.
    assert single.run_to_end("levels")["status"] == "succeeded"
