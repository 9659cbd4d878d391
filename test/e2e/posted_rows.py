"""Rows that a program posts, one key each, and a profile of rows that look the same."""

PROFILE = """
id: {id}
version: 1.0.0
source: {{type: http_rest, url: "{url}", format: json, records: "rows[*]"}}
schedule: {{enabled: false}}
limits: {{max_records: 100000}}
mapping:
  k: dims.k
  v: {{to: measures.v, type: integer}}
key: [dims.k]
{more}
"""


def rows(first, count, value=0):
    """With the keys k`first` and so on; `value` is added to their measures."""
    return [{"dims": {"k": f"k{i}"}, "measures": {"v": value + i}} for i in range(first, first + count)]


def post(cluster, profile, data, run=""):
    return cluster.post("/api/results", {"drone_id": "poster", "profile_id": profile, "run_id": run, "data": data})
