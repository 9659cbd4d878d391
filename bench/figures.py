"""The figures of the benchmarks: one JSON object a line while they run, then a table, a page and a chart.

  figures.py table FILE     prints FILE as a table
  figures.py keep FILE      takes the benchmarks of FILE into docs/benchmarks.json and writes the page and the chart
  figures.py page           writes the page and the chart from docs/benchmarks.json

A figure has: bench, group (figures of one group are compared), kind ("ours", "peer", "limit"), name, value, unit,
less_is_better, and bound (what ours is to reach; 0: nothing is asked of it).
"""

import datetime
import html
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs/benchmarks.json"
PAGE = ROOT / "docs/benchmarks.md"
CHART = ROOT / "docs/images/benchmarks.svg"

COLORS = {"ours": "#2457a7", "peer": "#8a94a3", "limit": "#d5dae1"}
WIDTH, LABEL, BAR = 860, 300, 380  # of the chart, in pixels
ROW = 20


def record(bench, group, kind, name, value, unit, less_is_better=False, bound=0):
    """Adds a figure to the file that CHARTLY_BENCH_FIGURES names; without it, does nothing."""
    path = os.environ.get("CHARTLY_BENCH_FIGURES")
    if not path:
        return
    with open(path, "a") as out:
        print(json.dumps({"bench": bench, "group": group, "kind": kind, "name": name, "value": value, "unit": unit,
                          "less_is_better": less_is_better, "bound": bound}), file=out)


def number(value):
    """Three digits that count, and no exponent."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def groups(figures):
    """The figures of each group, ours first, in the order in which the groups came."""
    table = {}
    for figure in figures:
        table.setdefault(figure["group"], []).append(figure)
    order = list(COLORS)
    return {name: sorted(rows, key=lambda row: order.index(row["kind"])) for name, rows in table.items()}


def verdict(figure):
    if not figure["bound"]:
        return ""
    met = figure["value"] <= figure["bound"] if figure["less_is_better"] else figure["value"] >= figure["bound"]
    return f"{'at most' if figure['less_is_better'] else 'at least'} {number(figure['bound'])}: {'met' if met else 'missed'}"


def ratio(figure, ours):
    """How many times better ours is than this figure."""
    if figure is ours or not figure["value"] or not ours["value"]:
        return ""
    times = figure["value"] / ours["value"] if ours["less_is_better"] else ours["value"] / figure["value"]
    return f"{times:.2f} ×"


def rows_of(figures):
    for group, rows in groups(figures).items():
        ours = rows[0]
        for row in rows:
            yield (group, row["name"], row["kind"], f"{number(row['value'])} {row['unit']}",
                   ratio(row, ours) if row["kind"] != "ours" else "", verdict(row))


def print_table(figures):
    head = ("what", "whose", "", "figure", "ours against it", "bound")
    rows = [head, *rows_of(figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    last = ""
    print()
    for row in rows:
        shown = ("" if row[0] == last else row[0], *row[1:])
        last = row[0]
        print("  ".join(cell.ljust(width) for cell, width in zip(shown, widths)).rstrip())


def host():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    load = os.getloadavg()[1]
    busy = f", loaded with other work besides (load average {load:.0f})" if load > 3 * os.cpu_count() else ""
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB of memory{busy}"


def keep(figures):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.strip()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for figure in figures:
        figure["value"], figure["bound"] = (float(f"{figure[name]:.4g}") for name in ("value", "bound"))
    for bench in dict.fromkeys(figure["bench"] for figure in figures):
        kept[bench] = {"commit": commit, "date": datetime.date.today().isoformat(), "host": host(),
                       "figures": [figure for figure in figures if figure["bench"] == bench]}
    KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n")


def page(kept):
    lines = ["# Benchmarks", "",
             "Made by `./dev bench --keep` from what the programs of `bench/` measured: medians, ours and the peers in",
             "turn in one run on the same cores. A *limit* is what the machine or a parser alone does with the same bytes.",
             "The right column says how many times better ours is (under 1: worse).", "",
             "![Chart of the figures](images/benchmarks.svg)", ""]
    for bench, entry in kept.items():
        lines += [f"## {bench}", "", f"{entry['date']}, commit {entry['commit']}, {entry['host']}.", "",
                  "| What | Whose | Figure | Bound | Ours against it |", "|---|---|---|---|---|"]
        last = ""
        for group, name, kind, figure, times, bound in rows_of(entry["figures"]):
            whose = f"**{name}**" if kind == "ours" else f"{kind}: {name}"
            lines.append(f"| {'' if group == last else group} | {whose} | {figure} | {bound} | {times} |")
            last = group
        lines.append("")
    return "\n".join(lines)


def chart(kept):
    """Bars a group from zero; a bar that would dwarf the others is cut, and says so with an arrow."""
    parts, y = [], 10
    for entry in kept.values():
        for group, rows in groups(entry["figures"]).items():
            y += 18
            hint = "less is better" if rows[0]["less_is_better"] else "more is better"
            parts.append(f'<text x="10" y="{y}" class="g">{html.escape(group)} <tspan class="h">({html.escape(rows[0]["unit"])}, '
                         f'{hint})</tspan></text>')
            y += 6
            own = max(max(row["value"], row["bound"]) for row in rows if row["kind"] == "ours")
            full = min(max(max(row["value"], row["bound"]) for row in rows), 4 * own)
            for row in rows:
                cut = row["value"] > full
                length = BAR * min(row["value"], full) / full
                parts.append(f'<text x="{LABEL - 8}" y="{y + 14}" class="l">{html.escape(row["name"])}</text>'
                             f'<rect x="{LABEL}" y="{y + 3}" width="{max(length, 1):.1f}" height="{ROW - 6}" '
                             f'fill="{COLORS[row["kind"]]}"/>'
                             f'<text x="{LABEL + length + 6:.1f}" y="{y + 14}">{"→ " if cut else ""}{number(row["value"])}</text>')
                if row["bound"]:
                    at = LABEL + BAR * min(row["bound"], full) / full
                    parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + ROW}" class="b"/>')
                y += ROW
            y += 8
    legend = "".join(f'<rect x="{10 + 90 * i}" y="{y + 8}" width="12" height="12" fill="{color}"/>'
                     f'<text x="{26 + 90 * i}" y="{y + 18}">{kind}</text>' for i, (kind, color) in enumerate(COLORS.items()))
    legend += f'<line x1="286" x2="286" y1="{y + 6}" y2="{y + 22}" class="b"/><text x="294" y="{y + 18}">bound</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 34}" font-family="sans-serif" font-size="11">\n'
            '<style>text{fill:#333}.g{font-weight:bold;font-size:12px}.h{font-weight:normal;fill:#777}'
            '.l{text-anchor:end}.b{stroke:#c0392b;stroke-width:2}</style>\n'
            f'<rect width="{WIDTH}" height="{y + 34}" fill="#fff"/>\n' + "\n".join(parts) + "\n" + legend + "\n</svg>\n")


def write_page():
    kept = json.loads(KEPT.read_text())
    PAGE.write_text(page(kept))
    CHART.write_text(chart(kept))


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "page" and len(sys.argv) == 2:
        return write_page()
    if command not in ("table", "keep") or len(sys.argv) != 3:
        sys.exit(__doc__)
    path = Path(sys.argv[2])
    figures = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if command == "table":
        return print_table(figures)
    keep(figures)
    write_page()


if __name__ == "__main__":
    main()
