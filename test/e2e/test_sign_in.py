"""People who sign in with a browser: sessions, their cookie, and what ends them, on the shipped programs."""

import http.client
import json
import socket
import time

import pytest

from harness import Cluster, ROOT, wait_until


class Browser:
    """Keeps the cookie and shows it, as browsers do."""

    def __init__(self, cluster):
        self.port, self.cookie, self.csrf, self.set_cookie = cluster.http_port, "", "", ""

    def ask(self, method, path, body=None, **headers):
        """(status, document). Header names have _ in place of -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie and "Cookie" not in sent:
            sent["Cookie"] = self.cookie
        data = None if body is None else json.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        text = answer.read()
        self.set_cookie = answer.getheader("Set-Cookie") or ""
        if self.set_cookie:
            self.cookie = "" if "Max-Age=0" in self.set_cookie else self.set_cookie.split(";")[0]
        connection.close()
        return answer.status, json.loads(text) if text else {}

    def sign_in(self, key):
        status, session = self.ask("POST", "/api/session", {"api_key": key})
        self.csrf = session.get("csrf_token", "")
        return status, session

    def change(self, method, path, body=None):
        return self.ask(method, path, {} if body is None else body, X_CSRF_Token=self.csrf)


def reason(answer):
    return answer[1]["error"]["reason"]


def make_key(cluster, key_id, role="operator"):
    return cluster.post("/api/keys", {"key_id": key_id, "role": role})["secret"]


def events(cluster, action):
    found = cluster.call("GET", "/api/audit/events?page_size=200", key=cluster.key)["events"]
    return [event for event in found if event["action"] == action]


def test_a_key_is_exchanged_for_a_session_that_no_script_sees(single):
    browser = Browser(single)
    status, session = browser.sign_in(make_key(single, "person"))
    assert status == 200
    assert (session["principal"], session["role"]) == ("keys/person", "operator")
    assert "token" not in session or not session["token"]
    assert browser.cookie.startswith("chartly_session=chs_")
    assert all(word in browser.set_cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert browser.cookie.split("_")[-1] not in json.dumps(session)
    assert browser.ask("GET", "/api/auth/caller")[1]["principal"] == "keys/person"
    assert browser.ask("GET", "/api/session")[1]["csrf_token"] == browser.csrf
    stored = b"".join(path.read_bytes() for path in (single.data / "auth").rglob("*") if path.is_file())
    assert browser.cookie.split("_")[-1].encode() not in stored
    assert browser.cookie.split("_")[-1] not in single.controls[0].log_path.read_text()


def test_a_change_with_the_cookie_needs_what_only_the_page_knows(single):
    browser = Browser(single)
    browser.sign_in(make_key(single, "person", "admin"))
    body = {"key_id": "x", "role": "viewer"}
    assert reason(browser.ask("POST", "/api/keys", body)) == "CSRF_TOKEN_WRONG"
    assert reason(browser.ask("POST", "/api/keys", body, X_CSRF_Token="0" * 64)) == "CSRF_TOKEN_WRONG"
    other = Browser(single)
    other.sign_in(single.key)
    assert reason(browser.ask("POST", "/api/keys", body, X_CSRF_Token=other.csrf)) == "CSRF_TOKEN_WRONG"
    assert browser.change("POST", "/api/keys", body)[0] == 200
    assert reason(browser.ask("DELETE", "/api/session")) == "CSRF_TOKEN_WRONG"
    # A form of another page can send none of these.
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = Browser(single).ask("POST", "/api/session", {"api_key": single.key}, Content_Type=content_type)
        assert reason(answer) == "CONTENT_TYPE_WRONG"
    answer = Browser(single).ask("POST", "/api/session", {"api_key": single.key}, Sec_Fetch_Site="cross-site")
    assert reason(answer) == "ORIGIN_WRONG"


def test_signing_out_ends_the_session_and_its_copies(single):
    browser = Browser(single)
    browser.sign_in(single.key)
    copy = browser.cookie
    assert browser.change("DELETE", "/api/session")[0] == 200
    assert browser.cookie == ""
    browser.cookie = copy
    answer = browser.ask("GET", "/api/profiles")
    assert answer[0] == 401 and reason(answer) == "SESSION_ENDED"
    assert browser.cookie == ""  # and so the next read is that of anybody
    assert browser.ask("GET", "/api/profiles")[0] == 200


def test_signing_in_and_out_and_refusals_are_in_the_audit_log(single):
    browser = Browser(single)
    assert reason(browser.sign_in("chk_person_" + "0" * 64)) == "API_KEY_UNKNOWN"
    browser.sign_in(make_key(single, "person"))
    browser.change("DELETE", "/api/session")
    done = wait_until(lambda: len(events(single, "AuthService.SignIn")) >= 3 and events(single, "AuthService.SignIn"),
                      "the entries")
    assert {(e["actor"], e["outcome"]) for e in done} == {
        ("keys/person", "STARTED"), ("keys/person", "OK"), ("anonymous", "UNAUTHENTICATED API_KEY_UNKNOWN")}
    assert all(e["address"] == "127.0.0.1" for e in done)
    assert [e["actor"] for e in events(single, "AuthService.SignOut")] == ["keys/person"]
    assert "chk_person" not in json.dumps(events(single, "AuthService.SignIn"))


def test_a_session_ends_with_its_key_and_with_time(tmp_path):
    cluster = Cluster(tmp_path, flags=["--session-idle-seconds", "3", "--session-seconds", "8"])
    try:
        revoked, idle, used = Browser(cluster), Browser(cluster), Browser(cluster)
        revoked.sign_in(make_key(cluster, "leaked"))
        assert revoked.ask("GET", "/api/session")[0] == 200
        cluster.post("/api/keys/leaked:revoke")
        assert reason(revoked.ask("GET", "/api/session")) == "SESSION_ENDED"
        start = time.monotonic()
        idle.sign_in(cluster.key)
        used.sign_in(cluster.key)
        lasted = wait_until(lambda: time.sleep(1) or (used.ask("GET", "/api/session")[0] == 401
                                                      and time.monotonic() - start), "the session to end")
        assert 7 < lasted < 11
        assert reason(idle.ask("GET", "/api/session")) == "SESSION_ENDED"
    finally:
        cluster.close()


def test_sessions_outlive_a_restart_and_serve_every_part(tmp_path):
    cluster = Cluster(tmp_path, split=True)
    try:
        browser = Browser(cluster)
        wait_until(lambda: browser.sign_in(cluster.key)[0] == 200, "auth to answer")
        cluster.kill_control()
        cluster.start_control()
        for path in ("/api/keys", "/api/profiles", "/api/drones", "/api/reports", "/api/audit/events"):
            wait_until(lambda p=path: browser.ask("GET", p)[0] == 200, f"{path} to take the session")
        copy = browser.cookie
        assert browser.change("DELETE", "/api/session")[0] == 200
        for path in ("/api/keys", "/api/profiles", "/api/audit/events"):
            wait_until(lambda p=path: browser.ask("GET", p, Cookie=copy)[0] == 401, f"{path} to refuse the copy", 10)
    finally:
        cluster.close()


def test_wrong_keys_at_sign_in_slow_the_address_down(single):
    seen = [Browser(single).sign_in(f"guess-{number}")[0] for number in range(25)]
    assert seen[:20] == [401] * 20 and 429 in seen[20:]


def open_events(cluster, headers):
    stream = socket.create_connection(("127.0.0.1", cluster.http_port), timeout=60)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    stream.sendall(f"GET /api/events HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    assert b" 200 " in stream.recv(4096)
    return stream


@pytest.mark.parametrize("way", ["key", "session"])
def test_an_open_stream_of_events_ends_when_its_key_is_revoked(single, way):
    secret = make_key(single, "watcher", "viewer")
    headers = {"X-API-Key": secret}
    if way == "session":
        browser = Browser(single)
        browser.sign_in(secret)
        headers = {"Cookie": browser.cookie}
    stream = open_events(single, headers)
    single.post("/api/keys/watcher:revoke")
    revoked, seen = time.monotonic(), b""
    while piece := stream.recv(4096):
        seen += piece
        if b"stream_error" in seen:
            break
    assert b"UNAUTHENTICATED" in seen
    assert time.monotonic() - revoked < 40


def test_the_page_offers_to_sign_in(single):
    page = Browser(single)
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", "/main.js")
    script = connection.getresponse().read().decode()
    assert "/api/session" in script and "X-CSRF-Token" in script and "X-API-Key" not in script
    assert (ROOT / "ui/static/index.html").read_text().count('type="password"') == 1
