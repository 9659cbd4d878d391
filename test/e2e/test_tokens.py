"""Programs with signed tokens of an OpenID Connect issuer, on the shipped programs."""

import time

import pytest

from harness import ApiError, Cluster, wait_until
from token_issuer import SigningKey, TokenIssuer, encode


@pytest.fixture
def issuer(tmp_path):
    made = TokenIssuer(tmp_path)
    yield made
    made.close()


@pytest.fixture
def trusting(tmp_path, issuer):
    cluster = Cluster(tmp_path, flags=issuer.flags())
    yield cluster
    cluster.close()


def refusal(cluster, token, path="/api/auth/caller", method="GET"):
    """The reason of the refusal; empty if the call is let through."""
    try:
        cluster.call(method, path, headers={"Authorization": f"Bearer {token}"})
        return ""
    except ApiError as error:
        return error.error["reason"]


def test_a_token_has_the_role_that_its_groups_are_mapped_to(trusting, issuer):
    for roles, wanted in ((["viewer"], "viewer"), (["operator", "viewer"], "operator"), (["admin"], "admin"), ([], "none")):
        caller = trusting.call("GET", "/api/auth/caller", headers={"Authorization": "Bearer " + issuer.token(*roles)})
        assert (caller["principal"], caller["role"]) == ("people/ada", wanted)
    made = trusting.call("POST", "/api/keys", {"key_id": "made", "role": "viewer"}, issuer.token("admin"))
    assert made["key"]["created_by"] == "people/ada"
    assert refusal(trusting, issuer.token("publisher"), "/api/keys", "POST") == "ROLE_TOO_LOW"
    assert refusal(trusting, issuer.token(), "/api/profiles") == "ROLE_TOO_LOW"
    events = trusting.get("/api/audit/events", page_size=50)["events"]
    assert any(e["actor"] == "people/ada" and e["action"] == "AuthService.CreateKey" and e["outcome"] == "OK" for e in events)
    assert issuer.hits == 1


def test_tokens_that_are_not_for_here_and_now_are_refused(trusting, issuer, tmp_path):
    now = int(time.time())
    other = SigningKey(tmp_path, "k1-of-another")
    other.id = "k1"
    unsigned = ".".join([encode(b'{"alg":"none"}'), issuer.token("admin").split(".")[1], ""])
    cases = {
        "TOKEN_EXPIRED": issuer.token("admin", exp=now - 61),
        "TOKEN_NOT_YET_VALID": issuer.token("admin", nbf=now + 120),
        "TOKEN_AUDIENCE_WRONG": issuer.token("admin", aud="another"),
        "TOKEN_ISSUER_WRONG": issuer.token("admin", iss="https://another.test"),
        "TOKEN_SIGNATURE_WRONG": issuer.token("admin", key=other),
        "TOKEN_ALGORITHM_REFUSED": issuer.token("admin", header={"alg": "HS256"}),
        "TOKEN_MALFORMED": issuer.token("admin", exp=None),
    }
    for reason, token in cases.items():
        assert refusal(trusting, token) == reason
        assert refusal(trusting, token, "/api/keys", "POST") == reason
    assert refusal(trusting, unsigned) == "TOKEN_ALGORITHM_REFUSED"
    assert refusal(trusting, issuer.token("admin", exp=now - 30)) == ""  # clocks may differ by a minute
    for garbage in ("eyJ..", "eyJ.eyJ.eyJ", "eyJhbGciOiJSUzI1NiJ9.e30.", "eyJ" + "A" * 7000 + ".b.c"):
        assert refusal(trusting, garbage).startswith("TOKEN_")


def test_a_rotated_key_is_found_and_a_flood_of_unknown_ones_does_not_reach_the_issuer(trusting, issuer):
    assert refusal(trusting, issuer.token("viewer")) == ""
    old = issuer.token("viewer")
    for number in range(200):
        assert refusal(trusting, issuer.token("viewer", header={"kid": f"k{number}x"}, key=issuer.key)) == "TOKEN_KEY_UNKNOWN"
    asked = issuer.hits
    assert asked <= 1 + 1 + 200 // 5
    issuer.rotate()
    wait_until(lambda: refusal(trusting, issuer.token("viewer")) == "", "the new key to be found", 20)
    assert refusal(trusting, old) == "TOKEN_KEY_UNKNOWN"


def test_every_part_takes_tokens_and_only_auth_asks_the_issuer(tmp_path, issuer):
    cluster = Cluster(tmp_path, split=True, flags=issuer.flags())
    try:
        token = issuer.token("viewer")
        for path in ("/api/profiles", "/api/drones", "/api/reports", "/api/deployments", "/api/status", "/api/audit/events"):
            wait_until(lambda p=path: refusal(cluster, token, p) == "", f"{path} to take the token")
            assert refusal(cluster, issuer.token("viewer", aud="x"), path) == "TOKEN_AUDIENCE_WRONG"
        assert issuer.hits == 1
    finally:
        cluster.close()


def test_while_the_issuer_is_away_nobody_is_let_in_by_mistake_and_keys_go_on(tmp_path, issuer):
    issuer.close()
    cluster = Cluster(tmp_path, flags=issuer.flags())
    try:
        assert refusal(cluster, issuer.token("admin")) == "ISSUER_UNREACHABLE"
        assert cluster.call("GET", "/api/auth/caller", key=cluster.key)["role"] == "admin"
    finally:
        cluster.close()
