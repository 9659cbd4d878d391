"""The contract itself: every status is earned, every file exists, and the page says what the contract says."""

import re
from pathlib import Path

import contract
from conftest import SLOW_FILES
from tools import ROOT

HERE = Path(__file__).parent


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


def test_A1_what_two_runs_left_is_one_result(tmp_path):
    (tmp_path / "quick").write_text('{"test_A1_one": ["passed"], "test_A1_two": ["passed"]}')
    (tmp_path / "slow").write_text('{"test_A1_one": ["failed"], "test_A1_three": ["skipped"]}')
    assert contract.read([tmp_path / "quick", tmp_path / "slow"]) == {
        "test_A1_one": ["passed", "failed"], "test_A1_two": ["passed"], "test_A1_three": ["skipped"]}


def test_A1_tests_wait_for_the_tools_that_they_use():
    users = {path.stem for path in HERE.glob("test_*.py") if re.search(r'need\((.*, )?"(kube-score|kube|tofu|terraform)"', path.read_text())}
    assert users == set(SLOW_FILES)
    made = re.search(r"^slow_tools\(\) {(.*?)^}", (ROOT / "dev").read_text(), re.S | re.M).group(1)
    assert set(re.findall(r"go_tool ([a-z-]+)", made)) == {"kube-score", "kube", "tofu"}


def test_A2_what_has_no_status_is_planned(monkeypatch, tmp_path):
    more = tmp_path / "contract.yaml"
    more.write_text(contract.CONTRACT.read_text() + "\nMade up:\n  Z1: {behaviour: Nobody does this}\n")
    monkeypatch.setattr(contract, "CONTRACT", more)
    assert contract.entries()["Z1"]["status"] == "planned"


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
