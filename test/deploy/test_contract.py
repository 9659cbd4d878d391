"""The contract itself: every status is earned, every file exists, and the page says what the contract says."""

import re

import contract
from tools import ROOT


def test_A1_every_status_is_one_of_three_and_has_tests():
    for number, each in contract.entries().items():
        assert each["status"] in ("implemented", "experimental", "planned"), number
        assert bool(each["tests"]) == (each["status"] != "planned"), f"{number} {each['status']}: {each['tests']}"
        assert bool(each["note"]) == (each["status"] == "experimental"), number
        assert set(each["tests"]) <= set(contract.test_names()), number


def test_A1_an_unearned_status_is_found():
    good = {name: ["passed"] for name in contract.test_names()}
    assert contract.unearned(good) == []
    name = "test_E62_no_container_runs_as_root"
    assert any(fault.startswith("E62 ") for fault in contract.unearned({**good, name: ["passed", "failed"]}))
    assert any(fault.startswith("A4 ") for fault in contract.unearned(
        {**good, "test_A4_G98_rendering_twice_gives_the_same_bytes": ["skipped"]}))


def test_A2_what_has_no_status_is_planned():
    assert contract.entries()["S262"]["status"] == "planned"


def test_A3_what_is_implemented_names_files_that_are_there():
    for number, each in contract.entries().items():
        if each["status"] != "planned":
            assert each["files"], number
            assert not [path for path in each["files"] if not (ROOT / path).exists()], number


def test_A1_the_page_is_generated_from_the_contract():
    assert contract.PAGE.read_text() == contract.page(), "run ./dev manifests"


def test_A1_a_run_is_told_by_what_each_test_came_to():
    results = {"test_A1_one": {"passed": 8, "skipped": 1}, "test_A1_two": {"passed": 1}}
    assert contract.result_of(["test_A1_one", "test_A1_two"], results) == "9 passed, 1 skipped"
    assert contract.result_of(["test_A1_new"], results) == "1 not run"


def test_A9_the_document_has_a_head_and_contents_that_lead_somewhere():
    text = (ROOT / "docs/deployment.md").read_text()
    for wanted in ("**Status:**", "**Owner:**", "**Last updated:**"):
        assert wanted in text
    headings = [re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^## (.*)$", text, re.M)]
    assert re.findall(r"^- \[[^\]]+\]\(#([^)]+)\)", text, re.M) == headings
