"""DuckDB on the work of join_bench and spearman_bench: the same number of rows of the same shape, tables in memory,
two threads. Usage: duckdb_peer.py join|join_by_geo|spearman ROWS"""

import resource
import statistics
import sys
import time

import figures

LOAD = """
create table {name} as select printf('geo-%04d', i // {times}) as geo, i % {times} as time,
  hash(i) / 18446744073709551616.0 + hash(i * 2 + {seed}) / 18446744073709551616.0 as {measure} from range({rows}) t(i)
"""
QUERIES = {
    "join": "select corr(l.x, r.y) from l join r on l.geo = r.geo and l.time = r.time",
    "join_by_geo": "select l.geo, corr(l.x, r.y) from l join r on l.geo = r.geo and l.time = r.time group by l.geo",
    "spearman": """select corr(a, b) from (select
      (rank() over (order by x)) + (count(*) over (partition by x) - 1) / 2.0 as a,
      (rank() over (order by y)) + (count(*) over (partition by y) - 1) / 2.0 as b
      from (select x, y from l positional join r))""",
}


def main():
    figure, rows = sys.argv[1], int(sys.argv[2])
    try:
        import duckdb
    except ImportError:
        print("  DuckDB     is not installed (pip install duckdb)")
        return
    base = duckdb.connect()
    base.execute("set threads to 2")
    for name, measure, seed in (("l", "x", 7), ("r", "y", 8)):
        base.execute(LOAD.format(name=name, measure=measure, seed=seed, rows=rows, times=max(1, rows // 1000)))
    walls, cpus = [], []
    for _ in range(3):
        wall, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        base.execute(QUERIES[figure]).fetchall()
        after = resource.getrusage(resource.RUSAGE_SELF)
        walls.append(time.monotonic() - wall)
        cpus.append(after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime)
    group = {"join": "join of {0} M x {0} M and Pearson",
             "join_by_geo": "join of {0} M x {0} M and Pearson of each geo",
             "spearman": "Spearman of {0} M pairs"}[figure]
    figures.record(figure.split("_")[0], group.format(rows // 1_000_000), "peer", "DuckDB, 2 threads, tables in memory",
                   statistics.median(walls), "s", less_is_better=True)
    print(f"  DuckDB     {statistics.median(walls):8.3f} s wall  {statistics.median(cpus):8.3f} s CPU   "
          f"({duckdb.__version__}, 2 threads, tables in memory)")


main()
