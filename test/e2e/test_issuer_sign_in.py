"""People who sign in at the page through an OpenID Connect issuer, on the shipped programs. The browser here keeps cookies as
browsers do: those that are for this site alone do not go with what another site sends it to."""

import http.client
import json
import re
import urllib.parse

import pytest

from harness import Cluster, ROOT, wait_until
from token_issuer import TokenIssuer

BEGIN, CALLBACK = "/api/session/oidc:begin", "/api/session/oidc:callback"


class Page(Cluster):
    """A control plane whose people sign in at `issuer`."""

    def __init__(self, folder, issuer, more=(), **kwargs):
        self.issuer, self.more = issuer, list(more)
        super().__init__(folder, **kwargs)

    def make_controls(self):
        self.flags = [*self.issuer.sign_in_flags(self.url), *self.more]
        super().make_controls()

    def refusals(self, action="AuthService.FinishIssuerSignIn"):
        found = self.call("GET", "/api/audit/events?page_size=200", key=self.key)["events"]
        return [event for event in found if event["action"] == action]

    def await_refusal(self, outcome, action="AuthService.FinishIssuerSignIn", actor="anonymous"):
        """One entry that says so, from where, and nothing that is secret."""
        entry = wait_until(lambda: [e for e in self.refusals(action) if e["outcome"] == outcome and e["actor"] == actor],
                           f"the entry {outcome}")[0]
        assert entry["address"].startswith("127.0.0.1")


class Answer:
    def __init__(self, url, answer):
        self.url, self.status, self.headers = url, answer.status, answer.headers
        self.text = answer.read().decode()

    @property
    def document(self):
        return json.loads(self.text)

    @property
    def reason(self):
        """Of the page that a person sees."""
        assert self.headers["Content-Type"] == "text/html; charset=utf-8", self.text
        assert "default-src 'none'" in self.headers["Content-Security-Policy"]
        assert self.headers["Referrer-Policy"] == "no-referrer" and self.headers["Cache-Control"] == "no-store"
        return re.search(r"<p>([A-Z_]+), request", self.text)[1]


class Browser:
    def __init__(self, page):
        self.page, self.cookies, self.csrf, self.site = page, {}, "", urllib.parse.urlsplit(page.url).netloc

    def ask(self, url, method="GET", body=None, foreign=False, **headers):
        """One request. `foreign`: another site has sent the browser there."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.page.url, url))
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        sent = {"Accept": "text/html,*/*", **{name.replace("_", "-"): value for name, value in headers.items()}}
        ours = parts.netloc == self.site
        if ours:
            kept = [f"{n}={v}" for n, (v, rule) in self.cookies.items() if not (foreign and rule == "Strict")]
            if kept:
                sent["Cookie"] = "; ".join(kept)
        if body is not None:
            sent["Content-Type"] = "application/json"
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, target or "/", None if body is None else json.dumps(body), sent)
        answer = Answer(urllib.parse.urlunsplit(parts), connection.getresponse())
        connection.close()
        for text in answer.headers.get_all("Set-Cookie") or [] if ours else []:
            name, value = text.split(";")[0].split("=", 1)
            assert "; HttpOnly" in text and "; Path=/;" in text
            self.cookies[name] = (value, re.search("SameSite=(\\w+)", text)[1])
            if "Max-Age=0" in text:
                del self.cookies[name]
        return answer

    def begin(self, return_path="/"):
        """Where the issuer sends the browser back to."""
        at_issuer = self.ask(f"{BEGIN}?return_path={urllib.parse.quote(return_path, safe='')}", Sec_Fetch_Site="same-origin")
        assert at_issuer.status == 302, at_issuer.text
        assert at_issuer.headers["Location"].startswith(self.page.issuer.url + "/authorize?")
        return self.ask(at_issuer.headers["Location"]).headers["Location"]

    def finish(self, back):
        return self.ask(back, foreign=True, Sec_Fetch_Site="cross-site")

    def sign_in(self, return_path="/"):
        answer = self.finish(self.begin(return_path))
        assert answer.status == 302, answer.text
        self.csrf = self.ask("/api/session", Accept="application/json").document["csrf_token"]
        return answer

    @property
    def session(self):
        return self.cookies.get("chartly_session", ("", ""))[0]

    def refused(self, back, reason, status):
        """It is refused, says why, and leaves no session."""
        answer = self.finish(back)
        assert (answer.reason, answer.status) == (reason, status)
        assert not self.session
        return answer


def changed(url, **parameters):
    parts = urllib.parse.urlsplit(url)
    query = {**dict(urllib.parse.parse_qsl(parts.query)), **parameters}
    query = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urllib.parse.urlencode(query)).geturl()


@pytest.fixture
def issuer(tmp_path):
    made = TokenIssuer(tmp_path)
    yield made
    made.close()


@pytest.fixture
def page(tmp_path, issuer):
    made = Page(tmp_path, issuer)
    yield made
    made.close()


@pytest.mark.parametrize("split", [False, True], ids=["one process", "nine processes"])
def test_a_person_goes_to_the_issuer_and_comes_back_with_a_session(tmp_path, issuer, split):
    page = Page(tmp_path, issuer, split=split)
    try:
        browser = Browser(page)
        assert browser.ask("/api/session/ways").document == {"issuer": "127.0.0.1"}
        back = browser.begin("/#p=a&q=b")
        ticket = browser.cookies["chartly_sign_in"]
        assert ticket[1] == "Lax"
        answer = browser.finish(back)
        assert (answer.status, answer.headers["Location"]) == (302, page.url + "/#p=a&q=b")
        assert list(browser.cookies) == ["chartly_session"] and browser.cookies["chartly_session"][1] == "Strict"
        session = browser.ask("/api/session").document
        assert (session["principal"], session["role"], session["tenant"]) == ("people/ada", "operator", "default")
        wait_until(lambda: browser.ask("/api/profiles").status == 200, "every part to take the session")
        # As with a key: changes need the token, the role counts, and leaving ends it.
        assert browser.ask("/api/session", "DELETE", Accept="application/json").document["error"]["reason"] == "CSRF_TOKEN_WRONG"
        key = browser.ask("/api/keys", "POST", {"key_id": "x", "role": "viewer"}, X_CSRF_Token=session["csrf_token"])
        assert key.document["error"]["reason"] == "ROLE_TOO_LOW"
        secret = browser.session
        assert browser.ask("/api/session", "DELETE", X_CSRF_Token=session["csrf_token"]).status == 200
        assert not browser.session
        browser.cookies["chartly_session"] = (secret, "Strict")
        assert browser.ask("/api/session").document["error"]["reason"] == "SESSION_ENDED"
        entries = wait_until(lambda: len(page.refusals()) >= 2 and page.refusals(), "the entries")
        assert {(e["actor"], e["outcome"]) for e in entries} == {("people/ada", "STARTED"), ("people/ada", "OK")}
        told = json.dumps(page.call("GET", "/api/audit/events?page_size=200", key=page.key))
        told += "".join(control.log_path.read_text() for control in page.controls) + browser.ask("/metrics").text
        stored = b"".join(path.read_bytes() for path in page.data.rglob("*") if path.is_file()).decode(errors="replace")
        assert len(issuer.seen) == 3
        for text in [*issuer.seen, ticket[0], secret]:
            assert len(text) > 20 and text not in told and text not in stored
    finally:
        page.close()


def test_what_does_not_belong_to_this_browser_is_refused(page):
    victim, attacker = Browser(page), Browser(page)
    back = victim.begin()
    # The attacker's answer in the victim's browser would sign the victim in as the attacker.
    attackers = attacker.begin()
    victim.refused(attackers, "SIGN_IN_STATE_WRONG", 403)
    page.await_refusal("PERMISSION_DENIED SIGN_IN_STATE_WRONG")
    # That sign-in is over; and one that never began here has no cookie, whatever a link says.
    victim.refused(back, "SIGN_IN_NOT_BEGUN", 403)
    page.await_refusal("PERMISSION_DENIED SIGN_IN_NOT_BEGUN")
    stranger = Browser(page)
    stranger.refused(changed(attackers, ticket=attacker.cookies["chartly_sign_in"][0]), "SIGN_IN_NOT_BEGUN", 403)
    stranger.cookies["chartly_sign_in"] = ("cho_" + "A" * 100, "Lax")
    stranger.refused(attackers, "SIGN_IN_NOT_BEGUN", 403)
    for state in ("", "x", "A" * 43, None):
        browser = Browser(page)
        browser.refused(changed(browser.begin(), state=state), "SIGN_IN_STATE_WRONG", 403)
    # The attacker was not disturbed, and all the codes that went around gave nothing.
    attacker.sign_in()
    assert Browser(page).ask(BEGIN, Sec_Fetch_Site="cross-site").reason == "ORIGIN_WRONG"


def test_an_answer_of_the_issuer_counts_once(page, issuer):
    browser = Browser(page)
    back = browser.begin()
    ticket = browser.cookies["chartly_sign_in"]
    assert browser.finish(back).status == 302
    copy = Browser(page)
    copy.cookies["chartly_sign_in"] = ticket
    copy.refused(back, "SIGN_IN_REPLAYED", 403)
    page.await_refusal("PERMISSION_DENIED SIGN_IN_REPLAYED")
    # A code of another sign-in, used or not, does not fit the verifier of this one.
    used = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))["code"]
    fresh = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(Browser(page).begin()).query))["code"]
    for code in (used, fresh, "made-up"):
        other = Browser(page)
        other.refused(changed(other.begin(), code=code), "SIGN_IN_CODE_REFUSED", 401)
    page.await_refusal("UNAUTHENTICATED SIGN_IN_CODE_REFUSED")


@pytest.mark.parametrize("changes,reason", [
    ({"nonce": "another"}, "TOKEN_NONCE_WRONG"), ({"nonce": None}, "TOKEN_NONCE_WRONG"),
    ({"aud": "another"}, "TOKEN_AUDIENCE_WRONG"), ({"aud": "chartly"}, "TOKEN_AUDIENCE_WRONG"),
    ({"azp": "another"}, "TOKEN_PARTY_WRONG"), ({"iss": "https://another.test"}, "TOKEN_ISSUER_WRONG"),
    ({"exp": 1}, "TOKEN_EXPIRED"), ({"sub": ""}, "TOKEN_MALFORMED")], ids=str)
def test_an_id_token_that_is_not_for_this_question_signs_nobody_in(page, issuer, changes, reason):
    issuer.id_changes = changes
    browser = Browser(page)
    browser.refused(browser.begin(), reason, 401)
    page.await_refusal(f"UNAUTHENTICATED {reason}")
    issuer.id_changes = {}
    browser.sign_in()  # nothing stays of it


def test_what_the_issuer_refuses_is_told_and_its_words_are_not_repeated(page, issuer):
    browser = Browser(page)
    issuer.denies = "access_denied"
    assert "access_denied" in browser.refused(browser.begin(), "SIGN_IN_REFUSED", 403).text
    page.await_refusal("PERMISSION_DENIED SIGN_IN_REFUSED")
    issuer.denies = "<script>alert(1)</script>"
    assert "script" not in browser.refused(browser.begin(), "SIGN_IN_REFUSED", 403).text
    issuer.denies = None
    browser.refused(changed(browser.begin(), code=None), "SIGN_IN_CODE_MISSING", 400)
    browser.refused(changed(browser.begin(), iss="https://another.test"), "ISSUER_WRONG", 400)
    issuer.roles = []
    assert "people/ada" in browser.refused(browser.begin(), "SIGN_IN_NO_ROLE", 403).text
    page.await_refusal("PERMISSION_DENIED SIGN_IN_NO_ROLE", actor="people/ada")
    # A program hears it as it hears all else.
    answer = browser.ask(CALLBACK + "?code=x&state=y", Accept="application/json")
    assert answer.document["error"]["reason"] == "SIGN_IN_NOT_BEGUN" and answer.status == 403


@pytest.mark.parametrize("path", ["//evil.test", "https://evil.test", "evil.test", "/\\evil.test", "@evil.test", "/a\r\nX: y",
                                  "javascript:alert(1)", "/api/keys", "/" + "x" * 512, "/ä"])
def test_nobody_is_led_elsewhere(page, path):
    browser = Browser(page)
    answer = browser.ask(f"{BEGIN}?return_path={urllib.parse.quote(path, safe='')}")
    assert (answer.reason, answer.status) == ("RETURN_PATH_INVALID", 400)
    assert "Location" not in answer.headers and "evil" not in answer.text
    page.await_refusal("INVALID_ARGUMENT RETURN_PATH_INVALID", "AuthService.BeginIssuerSignIn")


def test_where_the_page_goes_is_what_it_said_and_no_later_word_changes_it(page):
    browser = Browser(page)
    back = changed(browser.begin("/#p=a"), return_path="//evil.test", redirect_uri="https://evil.test")
    answer = browser.ask(back, foreign=True, Host="evil.test", X_Forwarded_Host="evil.test")
    assert answer.headers["Location"] == page.url + "/#p=a"


def test_while_the_issuer_is_away_people_learn_so_and_keys_go_on(tmp_path):
    issuer = TokenIssuer(tmp_path)
    page = Page(tmp_path, issuer)
    try:
        browser = Browser(page)
        back = browser.begin()
        issuer.close()
        answer = browser.refused(back, "ISSUER_UNREACHABLE", 503)
        assert issuer.codes and next(iter(issuer.codes)) not in answer.text
        page.await_refusal("UNAVAILABLE ISSUER_UNREACHABLE")
        page.kill_control()
        page.start_control()  # now it does not even know where to send people
        answer = browser.ask(BEGIN)
        assert (answer.reason, answer.status) == ("ISSUER_UNREACHABLE", 503)
        page.await_refusal("UNAVAILABLE ISSUER_UNREACHABLE", "AuthService.BeginIssuerSignIn")
        assert page.call("GET", "/api/auth/caller", key=page.key)["role"] == "admin"
    finally:
        page.close()


def test_a_session_outlives_a_restart_and_a_sign_in_under_way_does_not(page):
    browser, under_way = Browser(page), Browser(page)
    browser.sign_in()
    back = under_way.begin()
    page.kill_control()
    page.start_control()
    assert browser.ask("/api/session").document["principal"] == "people/ada"
    under_way.refused(back, "SIGN_IN_NOT_BEGUN", 403)
    under_way.sign_in()


def test_a_person_works_in_the_tenant_of_the_claim(tmp_path, issuer):
    page = Page(tmp_path, issuer, more=["--oidc-tenant-claim", "org"])
    try:
        issuer.roles, issuer.id_changes = ["admin"], {"org": "acme"}
        browser = Browser(page)
        browser.sign_in()
        assert browser.ask("/api/session").document["tenant"] == "acme"
        made = browser.ask("/api/keys", "POST", {"key_id": "x", "role": "viewer"}, X_CSRF_Token=browser.csrf)
        assert made.document["key"]["name"] == "keys/acme.x"
        for org in (None, ["acme", "globex"], "../acme"):
            issuer.id_changes = {"org": org}
            other = Browser(page)
            other.refused(other.begin(), "TOKEN_TENANT_WRONG", 401)
        page.await_refusal("UNAUTHENTICATED TOKEN_TENANT_WRONG")
    finally:
        page.close()


def test_the_secret_of_the_client_is_read_anew(tmp_path, issuer):
    secret = tmp_path / "client"
    secret.write_text("the-first-secret\n")
    secret.chmod(0o600)
    issuer.secret = "the-first-secret"
    page = Page(tmp_path, issuer, more=["--oidc-client-secret-file", secret])
    try:
        browser = Browser(page)
        browser.sign_in()
        issuer.secret = "the-second-secret"
        other = Browser(page)
        answer = other.refused(other.begin(), "ISSUER_CLIENT_REFUSED", 400)
        page.await_refusal("FAILED_PRECONDITION ISSUER_CLIENT_REFUSED")
        renewed = tmp_path / "renewed"
        renewed.write_text("the-second-secret")
        renewed.chmod(0o600)
        renewed.rename(secret)
        other.sign_in()
        told = page.controls[0].log_path.read_text() + answer.text + other.ask("/metrics").text
        told += json.dumps(page.call("GET", "/api/audit/events?page_size=200", key=page.key))
        assert "the-first-secret" not in told and "the-second-secret" not in told
    finally:
        page.close()


def test_whoever_comes_back_wrong_again_and_again_is_slowed_down(page):
    browser = Browser(page)
    reasons = [browser.finish(CALLBACK + "?code=x&state=y").reason for _ in range(40)]
    assert reasons[0] == "SIGN_IN_NOT_BEGUN" and reasons[-1] == "GUESSES_TOO_MANY"
    assert 20 <= reasons.index("GUESSES_TOO_MANY") <= 30


def test_without_a_client_nobody_is_sent_anywhere_and_the_page_offers_a_key(single):
    browser = Browser(single)
    assert not browser.ask("/api/session/ways").document.get("issuer")
    assert browser.ask(BEGIN).reason == "ISSUER_CLIENT_MISSING"
    assert browser.finish(CALLBACK + "?code=x&state=y").reason == "ISSUER_CLIENT_MISSING"
    assert "oidc:begin" in browser.ask("/main.js").text
    assert 'id="issuer-sign-in"' in (ROOT / "ui/static/index.html").read_text()
