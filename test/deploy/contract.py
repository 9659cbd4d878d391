"""The deployment contract: which behaviour is implemented, and which tests earn it.

  contract.py write             docs/deployment-requirements.md from deploy/contract.yaml and deploy/results.json
  contract.py check RESULTS...  whether the tests of this run earned every status; RESULTS are what the tests left
  contract.py keep RESULTS...   takes the results of a run into deploy/results.json, and writes the page
"""

import datetime
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "deploy/contract.yaml"
PAGE = ROOT / "docs/deployment-requirements.md"
KEPT = ROOT / "deploy/results.json"
HEAD = """# Requirements of the deployment, and what tests say of them

Generated from `deploy/contract.yaml` by `./dev manifests`. The numbers are those of the deployment contract. **Implemented**
is earned by tests that pass in `./dev test deploy`, which fails otherwise; **experimental** lacks what its note says;
everything else is planned. Results are those of {run}; one test often looks at several renderings, each of which counts.

| | Behaviour | Status | Tests | Result |
|---|---|---|---|---|
"""


def numbers(name):
    """The requirements that a test's name begins with: test_E62_64_nothing -> E62, E64."""
    letter, found = None, []
    for word in name.removeprefix("test_").split("_"):
        match = re.fullmatch(r"([A-Z])(\d+)", word)
        if match:
            letter = match.group(1)
            found.append(word)
        elif word.isdigit() and letter:
            found.append(letter + word)
        else:
            break
    return found


def test_names():
    return sorted({name for path in Path(__file__).parent.glob("test_*.py")
                   for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)})


def entries():
    """number -> entry with its status and tests filled in."""
    result = {}
    for group in yaml.safe_load(CONTRACT.read_text()).values():
        for number, entry in group.items():
            assert number not in result, f"{number} is there twice"
            result[number] = {"status": "planned", "tests": [], "files": [], "note": "", **entry}
    for name in test_names():
        for number in numbers(name):
            assert number in result, f"{name}: deploy/contract.yaml has no {number}"
            if name not in result[number]["tests"]:
                result[number]["tests"].append(name)
    return result


def kept():
    return json.loads(KEPT.read_text()) if KEPT.exists() else {"run": "no run yet", "tests": {}}


def result_of(tests, results):
    """What the tests came to in the run that is kept: '8 passed, 1 skipped'."""
    counts = Counter()
    for test in tests:
        counts.update(results.get(test, {"not run": 1}))
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def page():
    lines, run = [], kept()
    for number, each in entries().items():
        status = f"**{each['status']}**" if each["status"] != "planned" else "planned"
        note = f": {each['note']}" if each["note"] else ""
        tests = "<br>".join(f"`{test}`" for test in each["tests"])
        lines.append(f"| {number} | {each['behaviour']} | {status}{note} | {tests} | {result_of(each['tests'], run['tests'])} |\n")
    return HEAD.format(run=run["run"]) + "".join(lines)


def keep(results):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.strip()
    tests = {test: dict(sorted(Counter(outcomes).items())) for test, outcomes in sorted(results.items())}
    total = Counter()
    for counts in tests.values():
        total.update(counts)
    run = (f"the deployment tests on {datetime.date.today().isoformat()} at {commit} "
           f"({', '.join(f'{count} {outcome}' for outcome, count in sorted(total.items()))})")
    KEPT.write_text(json.dumps({"run": run, "tests": tests}, indent=1) + "\n")


def unearned(results):
    """What is said to be implemented and was not shown by `results`: test -> outcomes."""
    faults = []
    for number, each in entries().items():
        if each["status"] == "planned":
            continue
        outcomes = [outcome for test in each["tests"] for outcome in results.get(test, ["absent"])]
        if "failed" in outcomes or "passed" not in outcomes:
            faults.append(f"{number} {each['behaviour']}: {sorted(set(outcomes)) or 'no test'}")
    return faults


def read(paths):
    """test -> outcomes, of all files that one run left."""
    results = {}
    for path in paths:
        for test, outcomes in json.loads(Path(path).read_text()).items():
            results.setdefault(test, []).extend(outcomes)
    return results


def main():
    if sys.argv[1] == "write":
        PAGE.write_text(page())
        return 0
    results = read(sys.argv[2:])
    if sys.argv[1] == "keep":
        keep(results)
        PAGE.write_text(page())
        return 0
    faults = unearned(results)
    print("\n".join(faults), file=sys.stderr)
    statuses = [each["status"] for each in entries().values()]
    print(f"contract: {statuses.count('implemented')} implemented, {statuses.count('experimental')} experimental, "
          f"{statuses.count('planned')} planned, {len(faults)} not earned in this run", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
