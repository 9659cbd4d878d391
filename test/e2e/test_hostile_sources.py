"""Sources that misbehave, and the shipped drone. Every run ends as its contract says, within the drone's memory, and
the next run of the source that has come to its senses is clean. All runs are those of one drone: what one source does
to it, the next one would feel.

CHARTLY_HOSTILE=full reads 10 GB and waits until a host that was left alone is asked again."""

import email.utils
import gzip
import itertools
import json
import os
import time
import zlib
from pathlib import Path

import pytest

from harness import FINAL, Cluster, wait_until
from hostile_server import HostileServer

FULL = os.environ.get("CHARTLY_HOSTILE") == "full"
MEMORY_CAP = 64 << 20  # of a drone at full speed
HUGE = (10 << 30) if FULL else (256 << 20)
PAGE = 1000
GOOD = b'{"rows":[{"id":1,"v":2},{"id":2,"v":3}]}'

JSON = "  format: json\n  records: rows[*]"
CSV = "  format: csv"
XML = "  format: xml\n  records: row"

PROFILE = """
id: {name}
version: 1.0.0
source:
  type: http_rest
  url: {url}
{shape}
{source}
schedule: {{enabled: false}}
limits: {{{limits}}}
retry: {{max_attempts: {attempts}, backoff: 10ms}}
mapping:
  id: {{to: dims.id, type: integer, required: true}}
  v: {{to: measures.v, type: decimal}}
{more}
"""


class Site:
    """A control plane and the drone under test."""

    def __init__(self, folder):
        self.cluster = Cluster(folder)
        self.process = self.cluster.drone()
        self.pid = self.process.process.pid
        wait_until(lambda: self.cluster.get("/api/drones")["drones"], "the drone to enrol")

    def forget_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self):
        assert self.process.alive(), f"the drone ended:\n{self.process.tail()}"
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


class Source:
    """One hostile publisher and the profile that reads it."""

    def __init__(self, site, server, name):
        self.site, self.server, self.name = site, server, name

    def profile(self, source="", limits="timeout: 10s", attempts=1, more="", shape=JSON):
        self.site.cluster.create_profile(PROFILE.format(name=self.name, url=self.server.url, shape=shape, source=source,
                                                        limits=limits, attempts=attempts, more=more))

    def run(self, status, reason, limit=60):
        """Runs the profile and checks how that ends."""
        self.site.forget_peak()
        run = self.site.cluster.run_to_end(self.name, limit)
        self.check(run, status, reason)
        return run

    def check(self, run, status, reason):
        """How a run ended, what it counts, and what the drone took of memory since the last run of a source."""
        peak = self.site.peak()
        assert (run["status"], run["error_reason"]) == (status, reason), json.dumps(run)
        assert bool(run["error"]) == (status != "succeeded"), run
        balance = run["balance"]
        kept = sum(balance[part] for part in ("stored", "duplicate", "filtered", "quarantined"))
        assert balance["closed"] and balance["in_spool"] == 0 and balance["fetched"] == kept, run
        assert peak <= MEMORY_CAP, f"the drone took {peak >> 20} MiB for {run}"

    def fails(self, reason, fetched=0):
        run = self.run("failed", reason)
        assert run["balance"]["fetched"] == fetched, run
        return run

    def heals(self, stored=2, duplicate=0, good=GOOD):
        """The source is well again, and so is its next run."""
        self.server.route = lambda exchange: exchange.answer(good)
        balance = self.run("succeeded", "")["balance"]
        assert (balance["fetched"], balance["stored"], balance["duplicate"]) == (2, stored, duplicate), balance
        records = self.records()
        assert len(records) == len(set(records)), records
        assert {"1", "2"} <= set(records) or len(records) == PAGE, records

    def records(self):
        answer = self.site.cluster.get("/api/records", profile_id=self.name, limit=PAGE)
        return [str(record["dims"]["id"]) for record in answer["records"]]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("hostile"))
    yield made
    made.cluster.close()


@pytest.fixture
def source(site, request):
    server = HostileServer()
    yield Source(site, server, f"s{zlib.crc32(request.node.name.encode())}")
    server.close()


def after(times, bad, good=lambda exchange: exchange.answer(GOOD)):
    """The first `times` requests get what `bad` does, the others what `good` does."""
    left = iter(range(times))
    return lambda exchange: bad(exchange) if next(left, None) is not None else good(exchange)


# --- throttling and server errors ---


def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("retry_after", [lambda: "1", lambda: http_date(2)], ids=["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_source_that_says_when_to_come_back_is_asked_again_then(source, status, retry_after):
    source.server.route = after(1, lambda exchange: exchange.answer(b"later", status, Retry_After=retry_after()))
    source.profile(attempts=2)
    run = source.run("succeeded", "")
    assert run["balance"]["stored"] == 2
    first, second = source.server.hits
    assert second - first >= 1


def test_a_source_that_throttles_for_an_hour_is_left_alone(source):
    source.server.route = lambda exchange: exchange.answer(b"not today", 429, Retry_After="3600")
    source.profile(attempts=5)
    run = source.fails("SOURCE_THROTTLED")
    assert "429" in run["error"] and "3600" in run["error"]
    assert len(source.server.hits) == 1
    source.heals()


@pytest.mark.parametrize("retry_after", ["-1", "soon", "99999999999999999999", ""])
def test_nonsense_in_retry_after_does_no_harm(source, retry_after):
    source.server.route = after(2, lambda exchange: exchange.answer(b"later", 429, Retry_After=retry_after))
    source.profile(attempts=3)
    source.run("succeeded", "")
    assert len(source.server.hits) == 3


def test_a_storm_of_server_errors_passes_within_the_attempts(source):
    statuses = iter([500, 502, 504, 503])
    source.server.route = after(4, lambda exchange: exchange.answer(b"broken", next(statuses)))
    source.profile(attempts=5)
    assert source.run("succeeded", "")["balance"]["stored"] == 2
    assert len(source.server.hits) == 5


def test_a_storm_that_does_not_pass_ends_the_run_after_its_attempts(source):
    source.server.route = lambda exchange: exchange.answer(b"<html>it broke</html>" * 100_000, 503)
    source.profile(attempts=3)
    run = source.fails("SOURCE_HTTP_STATUS")
    assert "503" in run["error"] and "3 attempts" in run["error"] and len(run["error"]) < 1000
    assert len(source.server.hits) == 3
    source.heals()


def test_a_storm_on_a_later_page_keeps_the_pages_before_it(source):
    def page(exchange):
        if int(exchange.query["page"]) < 3:
            exchange.answer(b'{"rows":[{"id":%d,"v":1}]}' % int(exchange.query["page"]))
        else:
            exchange.answer(b"broken", 500)

    source.server.route = page
    source.profile("  pagination: {type: page, param: page}", attempts=2)
    source.fails("SOURCE_HTTP_STATUS", fetched=2)
    assert sorted(source.records()) == ["1", "2"]
    source.server.route = lambda exchange: exchange.answer(
        b'{"rows":[{"id":%s,"v":1}]}' % exchange.query["page"].encode() if int(exchange.query["page"]) < 5
        else b'{"rows":[]}')
    balance = source.run("succeeded", "")["balance"]
    assert (balance["stored"], balance["duplicate"]) == (2, 2)
    assert sorted(source.records()) == ["1", "2", "3", "4"]


def test_a_host_that_fails_again_and_again_is_left_alone_for_a_minute(source):
    source.server.route = lambda exchange: exchange.answer(b"broken", 500)
    source.profile(attempts=4)
    source.fails("SOURCE_HTTP_STATUS")
    source.fails("SOURCE_HTTP_STATUS")
    assert len(source.server.hits) == 8
    run = source.fails("SOURCE_CIRCUIT_OPEN")
    assert "until" in run["error"] and "500" in run["error"]
    assert len(source.server.hits) == 8, "nobody asked while the circuit was open"
    if FULL:
        source.server.route = lambda exchange: exchange.answer(GOOD)
        wait_until(lambda: source.site.cluster.run_to_end(source.name)["status"] == "succeeded", "the minute to pass", 90)
        source.heals(stored=0, duplicate=2)


# --- slowness ---


@pytest.mark.parametrize("limits, reason, least", [("timeout: 1500ms", "SOURCE_TIMEOUT", 1.5),
                                                   ("timeout: 60s", "SOURCE_TOO_SLOW", 9)])
def test_a_slow_drip_is_given_up(source, limits, reason, least):
    def drip(exchange):
        exchange.begin(length=1 << 20)
        exchange.send(b'{"rows":[')
        exchange.until_left(b" ", pause=0.05)

    source.server.route = drip
    source.profile(limits=limits)
    start = time.monotonic()
    source.fails(reason)
    assert least <= time.monotonic() - start <= least + 5
    source.heals()


def silence(exchange):
    time.sleep(5)


def drip_of_headers(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    exchange.until_left(b"x", pause=0.05)


def chunk_extension(exchange):
    exchange.begin(Transfer_Encoding="chunked")
    exchange.send(b"5;")
    exchange.until_left(b"x" * 1000, pause=0.01)


@pytest.mark.parametrize("route", [silence, drip_of_headers, chunk_extension], ids=lambda route: route.__name__)
def test_a_source_that_never_comes_to_its_point_is_given_up(source, route):
    source.server.route = route
    source.profile(limits="timeout: 1s")
    start = time.monotonic()
    source.fails("SOURCE_TIMEOUT")
    assert time.monotonic() - start < 5
    source.heals()


def test_a_run_ends_at_its_time_whatever_the_source_does(source):
    def page(exchange):
        number = int(exchange.query.get("n", 0))
        time.sleep(0.05)
        exchange.answer(b'{"rows":[{"id":%d,"v":1}],"next":"?n=%d"}' % (number, number + 1))

    source.server.route = page
    source.profile("  pagination: {type: next_url, next: next}", limits="timeout: 10s, run_timeout: 1s")
    start = time.monotonic()
    run = source.run("partial", "RUN_TIMEOUT")
    assert time.monotonic() - start < 5
    assert 0 < run["balance"]["stored"] <= 20
    source.heals()


# --- broken connections ---


def cut_by_length(exchange):
    exchange.begin(length=len(GOOD))
    exchange.send(GOOD[:-20])


def cut_in_chunk(exchange):
    exchange.begin(Transfer_Encoding="chunked")
    exchange.send(b"100\r\n" + GOOD)


def cut_between_chunks(exchange):
    exchange.begin(Transfer_Encoding="chunked")
    exchange.chunk(GOOD)


def cut_in_gzip(exchange):
    packed = gzip.compress(GOOD)
    exchange.answer(packed[:-6], Content_Encoding="gzip")


def reset_in_body(exchange):
    exchange.begin(length=len(GOOD))
    exchange.send(GOOD[:-20])
    exchange.reset()


CUTS = [cut_by_length, cut_in_chunk, cut_between_chunks, cut_in_gzip, reset_in_body]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_a_body_that_was_cut_off_is_asked_for_again(source, cut):
    source.server.route = after(1, cut)
    source.profile(attempts=2)
    assert source.run("succeeded", "")["balance"]["stored"] == 2
    assert len(source.server.hits) == 2


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_a_body_that_is_always_cut_off_fails_the_run_and_gives_nothing(source, cut):
    source.server.route = cut
    source.profile(attempts=2)
    source.fails("SOURCE_TRUNCATED")
    assert source.records() == []
    source.heals()


@pytest.mark.parametrize("ending", ["length", "reset"])
def test_a_disconnect_far_into_a_body_loses_and_doubles_nothing(source, ending):
    rows = 1_000_000
    body = b'{"rows":[' + b",".join(b'{"id":%d,"v":1}' % number for number in range(rows)) + b"]}"

    def cut(exchange):
        exchange.begin(length=len(body))
        exchange.send(body[:len(body) * 3 // 4])
        if ending == "reset":
            exchange.reset()

    # Rows were handed on, so the page is not asked for again by this run, but by another one.
    source.server.route = after(1, cut, lambda exchange: exchange.answer(body))
    source.profile(attempts=2)
    taken = source.run("failed", "SOURCE_TRUNCATED")["balance"]
    assert 0 < taken["stored"] == taken["fetched"] < rows
    run = wait_until(lambda: next((run for run in source.site.cluster.get("/api/runs", profile_id=source.name)["runs"]
                                   if run["attempt"] == 2 and run["status"] in FINAL), None), "the second attempt")
    source.check(run, "succeeded", "")
    whole = run["balance"]
    assert (whole["fetched"], whole["duplicate"], whole["stored"]) == (rows, taken["stored"], rows - taken["stored"])
    assert len(source.server.hits) == 2


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 100_000, b"HTTP/1.1 200 OK"])
def test_what_does_not_speak_http_is_no_answer(source, answer):
    source.server.route = lambda exchange: exchange.send(answer)
    source.profile()
    source.fails("SOURCE_UNREACHABLE")
    source.heals()


# --- without end ---


def test_endless_pages_end_at_the_limit(source):
    def page(exchange):
        number = int(exchange.query.get("n", 0))
        exchange.answer(b'{"rows":[{"id":%d,"v":1}],"next":"?n=%d"}' % (number + 1, number + 1))

    source.server.route = page
    source.profile("  pagination: {type: next_url, next: next}", limits="max_pages: 40, timeout: 10s")
    run = source.run("partial", "LIMIT_REACHED")
    assert "max_pages" in run["error"] and run["balance"]["stored"] == run["pages"] == 40
    assert len(source.server.hits) == 40
    source.heals()


CIRCLES = {
    "next_url": ("{type: next_url, next: next}", b'{"rows":[{"id":1,"v":1}],"next":"?n=1"}'),
    "cursor": ("{type: cursor, param: c, next: next}", b'{"rows":[{"id":1,"v":1}],"next":"abc"}'),
    "page": ("{type: page, param: p}", b'{"rows":[{"id":1,"v":1}]}'),
    "offset": ("{type: offset, param: o}", b'{"rows":[{"id":1,"v":1}]}'),
}


@pytest.mark.parametrize("kind", CIRCLES)
def test_pages_that_go_in_a_circle_are_found(source, kind):
    pagination, body = CIRCLES[kind]
    source.server.route = lambda exchange: exchange.answer(body)
    source.profile(f"  pagination: {pagination}")
    source.fails("PAGINATION_LOOP", fetched=2)
    assert len(source.server.hits) == 2
    assert source.records() == ["1"]


def test_redirects_that_go_in_a_circle_are_given_up(source):
    source.server.route = lambda exchange: exchange.answer(b"", 302, Location="/rows")
    source.profile()
    source.fails("SOURCE_REDIRECT")
    assert len(source.server.hits) <= 4
    source.heals()


def endless_headers(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    exchange.until_left(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def endless_header_line(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    exchange.until_left(b"x" * 1000)


def endless_interim_answers(exchange):
    exchange.until_left(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def endless_trailers(exchange):
    exchange.begin(Transfer_Encoding="chunked")
    exchange.chunk(b'{"rows":[')
    exchange.send(b"0\r\n")
    exchange.until_left(b"X-Filler: " + b"x" * 1000 + b"\r\n")


@pytest.mark.parametrize("route", [endless_headers, endless_header_line, endless_interim_answers, endless_trailers],
                         ids=lambda route: route.__name__)
def test_a_header_without_end_is_refused(source, route):
    source.server.route = route
    source.profile(limits="timeout: 5s")
    source.run("failed", "SOURCE_TOO_LARGE")
    source.heals()


# --- bombs ---


def gzip_bomb():
    return gzip.compress(b'{"rows":[' + b" " * (256 << 20), 9), "gzip"


def deflate_bomb():
    return zlib.compress(b'{"rows":[' + b" " * (256 << 20), 9), "deflate"


def gzip_of_rows():
    return gzip.compress(b'{"rows":[' + b'{"id":1,"v":1},' * (4 << 20), 9), "gzip"


def zstd_bomb():
    """2,000 blocks of 128 KiB, each of which is one byte that repeats (RFC 8878, 3.1.1.2)."""
    size = 128 << 10
    block = ((1 << 1) | (size << 3)).to_bytes(3, "little") + b" "
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * 2000, "zstd"


def zstd_window():
    """A frame that wants a window of gigabytes."""
    return b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x0a\x00\x00a" * 1000, "zstd"


@pytest.mark.parametrize("bomb, reason", [(gzip_bomb, "SOURCE_TOO_LARGE"), (deflate_bomb, "SOURCE_TOO_LARGE"),
                                          (gzip_of_rows, "SOURCE_TOO_LARGE"), (zstd_bomb, "SOURCE_TOO_LARGE"),
                                          (zstd_window, "SOURCE_ENCODING")],
                         ids=lambda value: getattr(value, "__name__", ""))
def test_a_compression_bomb_is_refused(source, bomb, reason):
    body, encoding = bomb()
    source.server.route = lambda exchange: exchange.answer(body, Content_Encoding=encoding)
    source.profile(limits="max_bytes: 1GiB, max_records: 1000000000, timeout: 30s")
    run = source.run("failed", reason)
    assert run["balance"]["stored"] <= 1
    assert len(source.server.hits) == 1


def test_bodies_that_are_packed_twice_are_refused(source):
    body = gzip.compress(gzip.compress(b'{"rows":[' + b" " * (64 << 20), 9), 9)
    source.server.route = lambda exchange: exchange.answer(body, Content_Encoding="gzip, gzip")
    source.profile(limits="max_bytes: 1GiB, timeout: 30s")
    source.fails("SOURCE_ENCODING")
    source.heals()


def test_what_unpacks_to_more_than_its_limit_is_cut_off_there(source):
    rows = b",".join(b'{"id":%d,"v":%d}' % (number % 100, number) for number in range(400_000))
    source.server.route = lambda exchange: exchange.answer(gzip.compress(b'{"rows":[' + rows + b"]}", 1),
                                                           Content_Encoding="gzip")
    source.profile(limits="max_bytes: 4MiB, timeout: 30s")
    run = source.run("failed", "SOURCE_TOO_LARGE")
    assert "max_bytes" in run["error"]
    source.heals()


def endless(kind, begin, piece):
    """A route that begins an answer and goes on with pieces until the drone has left; `piece(n)` is the n-th."""
    def route(exchange):
        exchange.begin(kind=kind)
        exchange.send(begin)
        for number in itertools.count():
            exchange.send(piece(number) if callable(piece) else piece)
    return route


ENDLESS_JSON = {
    "nesting": (b'{"rows":[{"id":1,"v":', b"[" * 65536),
    "row": (b'{"rows":[{"id":1,"v":"', b"x" * 65536),
    "fields": (b'{"rows":[{"id":1', lambda n: b"".join(b',"f%d_%d":0' % (n, field) for field in range(5000))),
    "tokens": (b'{"rows":[{"id":1,"v":[', b"[]," * 20000),
    "lines of nothing": (b'{"rows":[', b"\n" * 65536),
}


@pytest.mark.parametrize("what", ENDLESS_JSON)
def test_json_that_is_made_to_exhaust_its_reader_is_refused(source, what):
    source.server.route = endless("application/json", *ENDLESS_JSON[what])
    source.profile(limits="max_bytes: 256MiB, timeout: 30s")
    source.run("failed", "PAYLOAD_ROW_TOO_LARGE")
    source.heals()


ENDLESS_CSV = {
    "line": ("PAYLOAD_ROW_TOO_LARGE", b"id,v\n", b"1," * 32768),
    "quotes": ("PAYLOAD_FIELD_TOO_LARGE", b'id,v\n1,"', b'""\n' * 20000),
    "columns": ("PAYLOAD_ROW_TOO_LARGE", b"", b"".join(b"c%d," % column for column in range(10000))),
}


@pytest.mark.parametrize("what", ENDLESS_CSV)
def test_csv_that_is_made_to_exhaust_its_reader_is_refused(source, what):
    reason, begin, piece = ENDLESS_CSV[what]
    source.server.route = endless("text/csv", begin, piece)
    source.profile(limits="max_bytes: 256MiB, timeout: 30s", shape=CSV)
    source.run("failed", reason)
    source.heals(good=b"id,v\n1,2\n2,3\n")


ENDLESS_XML = {
    "elements": ("PAYLOAD_ROW_TOO_LARGE", b"<rows><row>", b"<a><b/></a>" * 6000),
    "depth": ("PAYLOAD_TOO_DEEP", b"<rows><row>", b"<a>" * 20000),
    "text": ("PAYLOAD_ROW_TOO_LARGE", b"<rows><row><id>", b"1" * 65536),
    "attributes": ("PAYLOAD_TOKEN_TOO_LARGE", b"<rows><row",
                   lambda n: b"".join(b' a%d_%d="x"' % (n, part) for part in range(5000))),
    "comment": ("PAYLOAD_TOKEN_TOO_LARGE", b"<rows><!--", b"x" * 65536),
}


def refuses_xml(source, route, reason):
    source.server.route = route
    source.profile(limits="max_bytes: 48MiB, timeout: 30s", shape=XML)
    source.run("failed", reason)
    source.heals(good=b"<rows><row><id>1</id><v>2</v></row><row><id>2</id><v>3</v></row></rows>")


@pytest.mark.parametrize("what", ENDLESS_XML)
def test_xml_that_is_made_to_exhaust_its_reader_is_refused(source, what):
    reason, begin, piece = ENDLESS_XML[what]
    refuses_xml(source, endless("application/xml", begin, piece), reason)


def billion_laughs(exchange):
    entities = b"".join(b'<!ENTITY e%d "%s">' % (number + 1, b"&e%d;" % number * 10) for number in range(9))
    exchange.answer(b'<?xml version="1.0"?><!DOCTYPE rows [<!ENTITY e0 "ha">%s]>' % entities +
                    b"<rows><row><id>&e9;</id></row></rows>", kind="application/xml")


def test_entities_that_multiply_are_refused(source):
    refuses_xml(source, billion_laughs, "PAYLOAD_ENTITY_BOMB")


# --- size ---


FILLER = b'{"id":0,"v":1.25,"name":"a name of ordinary length","place":{"lat":12.5,"lon":-7.25}},'
FILLERS = 4096


def blocks_of(total):
    """Rows of `total` bytes: blocks of FILLERS rows with the id 0 and one that has the block's number."""
    return total // (len(FILLER) * FILLERS)


def serve_blocks(blocks):
    def route(exchange):
        exchange.begin()
        exchange.send(b'{"rows":[')
        for number in range(1, blocks + 1):
            exchange.send(FILLER * FILLERS + b'{"id":%d,"v":%d}' % (number, number) + b"," * (number < blocks))
        exchange.send(b"]}")

    return route


def test_a_source_larger_than_memory_runs_through(source):
    blocks = blocks_of(HUGE)
    source.server.route = serve_blocks(blocks)
    source.profile(limits="max_bytes: 64GiB, max_records: 1000000000, timeout: 10m", more="filter: id > 0")
    start = time.monotonic()
    balance = source.run("succeeded", "", limit=1800)["balance"]
    seconds = time.monotonic() - start
    assert (balance["stored"], balance["filtered"]) == (blocks, blocks * FILLERS)
    print(f"{HUGE / 1e6:.0f} MB in {seconds:.1f} s, peak {source.site.peak() / 1e6:.1f} MB")
    source.heals()


def test_a_source_of_which_everything_is_kept_runs_through(source):
    rows = 5_000_000 if FULL else 500_000
    row = b'{"id":%d,"v":%d.25,"name":"a name of ordinary length"}'

    def route(exchange):
        exchange.begin()
        exchange.send(b'{"rows":[')
        for first in range(0, rows, 5000):
            piece = b",".join(row % (number, number) for number in range(first, first + 5000))
            exchange.send(piece + b"," * (first + 5000 < rows))
        exchange.send(b"]}")

    source.server.route = route
    source.profile(limits="max_bytes: 1GiB, max_records: 10000000, timeout: 10m")
    balance = source.run("succeeded", "", limit=600)["balance"]
    assert balance["stored"] == balance["fetched"] == rows
    print(f"{rows} records, peak {source.site.peak() / 1e6:.1f} MB")


def test_a_source_past_its_size_is_cut_off_at_the_limit(source):
    source.server.route = serve_blocks(blocks_of(1 << 30))
    source.profile(limits="max_bytes: 32MiB, timeout: 60s", more="filter: id > 0")
    run = source.run("failed", "SOURCE_TOO_LARGE")
    assert "max_bytes" in run["error"]
    assert 0 < run["balance"]["stored"] <= blocks_of(32 << 20)
    source.heals()
