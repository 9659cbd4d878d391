"""Rules of the tree that a compiler does not check. Each message names the fix."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^">]+)[">]')

# Third-party headers that only some files may see: prefix -> what may include it.
FENCES = {
    "rocksdb/": r"^common/kv/rocksdb_",
    "curl/": r"^common/net/curl_http_client\.cc$|^test/",
    "yaml-cpp/": r"^common/profile/",
    "grpcpp/": r"^common/rpc/|_service(_test)?\.(h|cc)$|_component(_test)?\.(h|cc)$|^drone/(uplink|session|identity|witness)/|^control/gateway/"
               r"|_test\.cc$|^bench/|^test/|^control/control\.cc$|^control/coordinator/(profile_watcher|ledger_sync|registry_profiles)"
               r"|^control/reporter/(record_batches|batch_source)|^control/observer/",
    "spdlog/": r"^common/telemetry/",
    "prometheus/": r"^common/telemetry/",
    "boost/": r"^common/http/|^control/reporter/inference\.cc$",
    "simdjson": r"^drone/decode/|^control/aggregator/raw_row|^control/gateway/|^common/jwt/|^common/kube/|^cli/|^bench/",
    "CLI/": r"^(control/control_flags|drone/[a-z_]+|cli/[a-z_]+)\.(cc|h)$",
    "zstd": r"^common/batch/|^common/chunk/|^common/parquet/|^common/net/unpacker|^drone/capture/packed_file|_test\.cc$",
    "libpq-fe.h": r"^drone/postgres/",
    "seccomp.h": r"^drone/sandbox\.cc$",
}


def tracked(*patterns):
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in out.splitlines() if (ROOT / line).is_file()]


def includes(path):
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def layers():
    table = {}
    for line in (ROOT / "test/tidy/layers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, allowed = line.split(":")
            table[folder.strip()] = allowed.split()
    return table


def folder_of(path, table):
    parent = str(Path(path).parent)
    while parent != "." and parent not in table:
        parent = str(Path(parent).parent)
    return parent


def test_includes_follow_the_arrows():
    table, faults = layers(), []
    for path in tracked("common/*.h", "common/*.cc", "drone/*.h", "drone/*.cc", "control/*.h", "control/*.cc",
                        "cli/*.h", "cli/*.cc", "bench/*.cc"):
        folder = folder_of(path, table)
        for number, included in includes(path):
            if not (ROOT / included).is_file() or included.startswith("test/support/"):
                if included.startswith("test/") and not re.search(r"_test\.(cc|h)$|_battery\.h$", path):
                    faults.append(f"{path}:{number} product code includes test code {included}")
                continue
            target = str(Path(included).parent)
            allowed = table.get(folder, [])
            if target != folder and not any(target == a or target.startswith(a + "/") for a in allowed):
                faults.append(f"{path}:{number} includes {included}: {folder} may not use {target}; "
                              "move the code, or change test/tidy/layers.txt with a reason")
    assert not faults, "\n".join(faults)


def test_third_party_headers_stay_behind_their_fence():
    faults = []
    for path in tracked("*.h", "*.cc"):
        for number, included in includes(path):
            for prefix, may in FENCES.items():
                if included.startswith(prefix) and not re.search(may, path):
                    faults.append(f"{path}:{number} includes {included}; only {may} may")
    assert not faults, "\n".join(faults)


def test_headers_have_guards_named_after_their_path():
    faults = []
    for path in tracked("common/*.h", "drone/*.h", "control/*.h", "cli/*.h", "test/*.h"):
        guard = "CHARTLY_" + re.sub(r"[/.]", "_", path).upper() + "_"
        text = (ROOT / path).read_text()
        if f"#ifndef {guard}" not in text or f"#define {guard}" not in text:
            faults.append(f"{path}: the include guard must be {guard}")
    assert not faults, "\n".join(faults)


def test_files_stay_readable_in_size():
    faults = []
    for path in tracked("*.cc", "*.h", "*.ts", "*.py"):
        lines = len((ROOT / path).read_text().splitlines())
        limit = 1000 if path.endswith("_test.cc") or path.startswith("test/") else 400 if path.endswith(".h") else 800
        if lines > limit:
            faults.append(f"{path}: {lines} lines, at most {limit}; split it by noun")
    assert not faults, "\n".join(faults)


def test_tests_wait_for_conditions():
    faults = []
    for path in tracked("*_test.cc"):
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if re.search(r"\b(sleep_for|usleep|absl::SleepFor)\s*\(", line):
                faults.append(f"{path}:{number} sleeps; wait with Eventually() from test/support/test.h")
    assert not faults, "\n".join(faults)


def test_every_metric_of_the_table_is_set_somewhere():
    table = "common/telemetry/metrics.cc"
    names = re.findall(r'\{"(chartly_[a-z_]+)", k', (ROOT / table).read_text())
    users = [path for path in tracked("*.cc", "*.h") if path != table and not path.endswith("_test.cc")]
    used = set(re.findall(r'"(chartly_[a-z_]+)"', "\n".join((ROOT / path).read_text() for path in users)))
    assert names
    unset = sorted(set(names) - used)
    assert not unset, f"{table} describes {', '.join(unset)}, which no program sets; set them or take them out"


def test_names_of_test_cases_survive_cmake():
    # CMake splits lists at semicolons: such a case would be registered as two that match nothing, and pass.
    faults = [f"{path}:{number} has a semicolon or bracket in the name of a test case; use a comma"
              for path in tracked("*_test.cc", "*_battery.h")
              for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
              if re.search(r'TEST_CASE\("[^"]*[;\[\]]', line)]
    assert not faults, "\n".join(faults)


def test_relative_links_of_the_documents_lead_somewhere():
    faults = []
    for path in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / path).read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not ((ROOT / path).parent / target).exists():
                faults.append(f"{path}: link to {target} leads nowhere")
    assert not faults, "\n".join(faults)


def test_each_fault_of_the_earlier_system_has_a_test_of_its_name():
    # W1 to W20: those of data, durability and scale.
    names = {int(number) for path in tracked("test/e2e/*.py", "test/chaos/*.py")
             for number in re.findall(r"^def test_W(\d+)_", (ROOT / path).read_text(), re.M)}
    absent = [f"test_W{number}_..." for number in range(1, 21) if number not in names]
    assert not absent, f"test/e2e has no {', '.join(absent)}; a fault that was made once keeps its test"


def test_mains_are_short():
    for path in ("control/main.cc", "drone/main.cc", "cli/main.cc"):
        assert len((ROOT / path).read_text().splitlines()) < 40, f"{path} must stay under 40 lines"


@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_scripts_parse_and_are_executable(script):
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def test_the_page_of_benchmarks_shows_the_figures_that_are_kept():
    sys.path.insert(0, str(ROOT / "bench"))
    import figures

    kept = json.loads(figures.KEPT.read_text())
    assert figures.page(kept) == figures.PAGE.read_text(), "python3 bench/figures.py page"
    assert figures.chart(kept) == figures.CHART.read_text(), "python3 bench/figures.py page"
    absent = [name for name in (ROOT / "bench").glob("*_bench.*") if name.stem.removesuffix("_bench") not in kept]
    assert not absent, f"{absent}: ./dev bench NAME --keep"


def modules_of(tool):
    """Version by module, as go.mod of a tool of the deployment tests pins it; those that it replaces by version are as replaced."""
    text = (ROOT / "test/deploy/tools" / tool / "go.mod").read_text()
    pinned = dict(re.findall(r"^(?:require )?\s*(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))
    return pinned | dict(re.findall(r"=> (\S+) (v\S+)$", text, re.MULTILINE))


def test_go_tools_share_what_both_are_made_of():
    helm, kube = modules_of("helm"), modules_of("kube")
    assert len(helm.keys() & kube.keys()) > 50
    differing = {name: (helm[name], kube[name]) for name in helm.keys() & kube.keys() if helm[name] != kube[name]}
    assert not differing, f"take the later version in both go.mod files, else the API and its client are compiled twice: {differing}"
