"""The authorization matrix: every method and route of docs/access.md, which is made from the protos, with every kind of
credential of each of three tenants, on the shipped binaries. Each cell has its exact status and the entries of the audit log
that its method's policy asks for, and no others.

Calls are numbered; the audit log is read once, afterwards, and compared by these numbers."""

import base64
import collections
import json
import re
import time

import pytest

from access_answers import answer_at, answer_of, answer_to_drone
from access_world import TENANTS, Open, Secured, prefix
from harness import wait_until
from test_access import PART_OF, bindings, methods, permitted
from test_gateway_tls import openssl
from test_webhooks import headers_for, write_key

DOOR = re.compile("ROLE_TOO_LOW|NOT_FOR_CALLERS|TENANT_NOT_SERVED|PROJECTS_NOT_SERVED|PROJECT_NOT_YOURS")
HTTP_OF = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
# What is shown by a key, a session or a token, beside a good one; and what by a certificate.
KINDS_OF_KEYS = {"none", "garbage", "expired", "not yet valid", "revoked", "wrong audience", "wrong CA", "self-signed",
                 "other tenant", "other project", "lower role", "replayed", "duplicate header", "good"}
KINDS_OF_CERTIFICATES = {"none", "garbage", "expired", "not yet valid", "revoked", "wrong audience", "wrong CA", "self-signed",
                         "other tenant", "drone certificate", "replayed", "unknown", "plaintext", "duplicate header"}
# What is told to a key that is bound to a project of which nothing is named; the others answer it like any other key.
BINDINGS = bindings()
REASONS = {"named": "PROJECT_NOT_YOURS", "refused": "PROJECTS_NOT_SERVED"}
# These write what they did themselves, in their own words.
OWN_WORDS = ["RotateAuditKey", "EraseAuditPerson", "SignOut"]


def entries_due(method, rule, audited, code, let_in, other_drone=False):
    """What the audit log holds of a call, from the policy of its method: the outcomes of its entries. A refusal is always
    there. A read that is let in is not; a change is, before and after; what a drone does by itself, after."""
    if not let_in or (other_drone and not audited):
        return [code]
    if rule == "signed" and code in HTTP_OF:
        return [code]
    if rule in ("public", "signed") or not audited:
        return []
    return [code] if rule == "drone" else ["STARTED", code]


class Matrix:
    """Cells that were tried. What differs from what is due is collected, so that one run names all of it."""

    def __init__(self):
        self.cells, self.wrong = {}, []
        self.tried = collections.defaultdict(set)  # kinds of credential, by method or route and tenant

    def add(self, request_id, name, action, due, who=None, log=None, loose=False):
        """`due`: the outcomes of the entries, oldest first; None: any. `loose`: other entries may be there."""
        assert request_id not in self.cells
        self.cells[request_id] = (name, action, due, who, log, loose)

    def expect(self, holds, *what):
        if not holds:
            self.wrong.append(" ".join(str(each) for each in what))

    def expect_all(self, kinds, but=lambda rule: set()):
        """Each method of each tenant was tried with all of these, and each route that was."""
        for service, method, rule, routes, _ in methods():
            for tenant in TENANTS:
                for tried in [(service, method), *routes]:
                    found = self.tried.get((*tried, tenant), set())
                    self.expect(found == kinds - but(rule), *tried, "of", tenant, "was tried with", sorted(found))

    def compare(self, read_log):
        def whole():
            found = read_log()
            missing = [cell for cell, (_, _, due, *_) in self.cells.items() if len(found.get(cell, [])) < len(due)]
            return found if not missing or time.monotonic() > end else None
        end = time.monotonic() + 30
        found = wait_until(whole, "the audit log", 60)
        entries = 0
        for request_id, (name, action, due, who, log, loose) in self.cells.items():
            seen = found.get(request_id, [])
            entries += len(seen)
            outcomes = [entry["outcome"].split()[0] for entry in seen]
            same = len(outcomes) == len(due) and all(wanted in (None, is_) for wanted, is_ in zip(due, outcomes))
            self.expect(same or loose, name, "is in the log as", outcomes, "and not", due)
            for entry in seen:
                self.expect(entry["action"] == action or loose, name, "is in the log as", entry["action"])
                self.expect(entry["address"].removesuffix(" by 127.0.0.1").startswith("10."), name, "from", entry["address"])
                self.expect(who in (None, entry["actor"]), name, "by", entry["actor"], "and not", who)
                self.expect(log in (None, entry["tenant"]), name, "in the log of", entry["tenant"], "and not", log)
        more = [entry for entries in found.values() for entry in entries if "more within" in entry.get("detail", "")]
        self.expect(more == [], "counted together:", more[:3])
        assert self.wrong == [], f"{len(self.wrong)} of {len(self.cells)}: " + "\n".join(self.wrong[:40])
        return entries


@pytest.fixture(scope="module")
def open_world(tmp_path_factory):
    made = Open(tmp_path_factory.mktemp("matrix"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    made = Secured(tmp_path_factory.mktemp("secured"))
    yield made
    made.close()


def as_rest(credential):
    """The headers of REST for what gRPC sends as x-api-key."""
    if isinstance(credential, tuple):
        return [("Cookie", f"chartly_session={credential[0]}"), ("X-CSRF-Token", credential[1])]
    return [("Authorization", f"Bearer {credential}")] if credential.startswith("eyJ") else [("X-API-Key", credential)]


def kinds_of(world, tenant, rule):
    """(kind, metadata, headers, who the caller is, role as `permitted` takes it, code if it is refused, tenant of the log)
    for gRPC and REST; who is nobody unless the credential is good."""
    other = TENANTS[(TENANTS.index(tenant) + 1) % len(TENANTS)]
    suffix = "" if tenant == "default" else f" of {tenant}"
    named = [("x-chartly-tenant", tenant)]
    for kind, credentials in world.bad[tenant].items():
        for credential in credentials:
            key = credential[0] if isinstance(credential, tuple) else credential
            yield kind, [("x-api-key", key)], as_rest(credential), "anonymous", None, "UNAUTHENTICATED", "default"
    twice = [("x-api-key", world.admins[tenant])] * 2
    yield "duplicate header", twice, twice, "anonymous", None, "UNAUTHENTICATED", "default"
    lower = world.lower(rule, tenant)
    if lower:
        who = "people/nobody" if lower.startswith("eyJ") else "keys/" + re.match("chk_(.*)_", lower)[1]
        role = "none" if lower.startswith("eyJ") else re.match(r"chk_(?:\w+\.)?a-(\w+)_", lower)[1]
        yield "lower role", [("x-api-key", lower)], as_rest(lower), who, role + suffix, "PERMISSION_DENIED", tenant
    theirs = [("x-api-key", world.admins[other])]
    yield ("other tenant", theirs + named, theirs + named, f"keys/{prefix(other)}a-admin",
           "admin" + ("" if other == "default" else f" of {other}"), "PERMISSION_DENIED", other)
    bound = [("x-api-key", world.bound[tenant])]
    yield "other project", bound, bound, f"keys/{prefix(tenant)}a-bound", "admin" + suffix, "PERMISSION_DENIED", tenant
    good = [("x-api-key", world.admins[tenant])]
    yield "none", [] if tenant == "default" else named, named, "anonymous", "none", "UNAUTHENTICATED", "default"
    yield "good", good, good, f"keys/{prefix(tenant)}a-admin", "admin" + suffix, "PERMISSION_DENIED", tenant


def try_rpc(world, matrix, tenant, service, method, rule, audited, plain):
    """The cells of one method: `plain` is what it answers to whoever shows nothing, if it looks at no credential."""
    answer = answer_of(method)
    for kind, metadata, _, who, role, refusal, log in kinds_of(world, tenant, rule):
        request_id, code, told = world.calls.rpc(service, method, metadata)
        name = f"{service}.{method} ({rule}) with {kind} of {tenant}: {code}"
        # A tenant that is named and not the caller's own is refused, whoever says it.
        foreign = any(key == "x-chartly-tenant" for key, _ in metadata)
        if foreign:
            refusal = "PERMISSION_DENIED"
        let_in = rule == "signed" or (role is not None and not foreign and permitted(rule, role, service))
        let_in = let_in and not (kind == "other project" and BINDINGS[service, method] in REASONS)
        if rule == "signed":
            matrix.expect(code == plain, name, "and not", plain)
        elif let_in:
            matrix.expect(code == answer and not DOOR.search(told), name, "and not", answer, told)
        else:
            matrix.expect(code == refusal, name, "and not", refusal)
        matrix.tried[service, method, tenant].add(kind)
        due = entries_due(method, rule, audited, code, let_in)
        signed = rule == "signed"
        matrix.add(request_id, name, f"{service}.{method}", due, None if signed else who, None if signed else log,
                   loose=let_in and (signed or method in OWN_WORDS))


def try_rest(world, matrix, tenant, service, method, rule, audited, verb, path, plain):
    answer = None if rule == "signed" else answer_at(verb, path)
    for kind, _, headers, who, role, refusal, log in kinds_of(world, tenant, rule):
        request_id, status, reason = world.calls.rest(verb, path, headers)
        name = f"{verb} {path} ({rule}) with {kind} of {tenant}: {status} {reason}"
        # No header names another tenant here: the key alone says which it is.
        let_in = rule == "signed" or (role is not None and permitted(rule, role, service))
        if let_in and kind == "other project" and BINDINGS[service, method] in REASONS:
            let_in = False
            matrix.expect(reason == REASONS[BINDINGS[service, method]], name)
        if rule == "signed":
            matrix.expect((status, reason) == plain, name, "and not", plain)
        elif let_in:
            matrix.expect((status, reason) == answer, name, "and not", answer)
        else:
            matrix.expect(status == HTTP_OF[refusal], name, "and not", refusal)
        matrix.tried[verb, path, tenant].add(kind)
        code = world.calls.code
        loose = let_in and (rule == "signed" or method in OWN_WORDS)
        due = entries_due(method, rule, audited, code, let_in)
        signed = rule == "signed"
        matrix.add(request_id, name, f"{service}.{method}", due, None if signed else who, None if signed else log, loose)


def test_every_method_answers_every_credential_as_its_policy_says_and_the_audit_log_tells(open_world):
    matrix = Matrix()
    for service, method, rule, routes, audited in methods():
        plain = open_world.calls.rpc(service, method, [])[1] if rule == "signed" else None
        for tenant in TENANTS:
            try_rpc(open_world, matrix, tenant, service, method, rule, audited, plain)
    by_rpc = len(matrix.cells)
    for service, method, rule, routes, audited in methods():
        for verb, path in routes:
            plain = open_world.calls.rest(verb, path, [])[1:] if rule == "signed" else None
            for tenant in TENANTS:
                try_rest(open_world, matrix, tenant, service, method, rule, audited, verb, path, plain)
    matrix.expect_all(KINDS_OF_KEYS, lambda rule: {"lower role"} if rule in ("public", "signed") else set())
    entries = matrix.compare(open_world.audit_log)
    print(f"{by_rpc} cells of gRPC, {len(matrix.cells) - by_rpc} of REST, {entries} entries of the audit log")


def test_a_change_made_with_the_csrf_token_of_another_session_is_refused_at_every_route(open_world):
    """Replayed: what was good for one session does nothing in the next."""
    matrix = Matrix()
    for tenant in TENANTS:
        session, _ = open_world.sign_in(open_world.admins[tenant])
        _, stale = open_world.sign_in(open_world.admins[tenant])
        for service, method, rule, routes, audited in methods():
            for verb, path in routes:
                if rule == "signed" or verb == "GET":
                    continue
                headers = [("Cookie", f"chartly_session={session}"), ("X-CSRF-Token", stale)]
                request_id, status, reason = open_world.calls.rest(verb, path, headers)
                name = f"{verb} {path} of {tenant}: {status} {reason}"
                matrix.expect((status, reason) == (403, "CSRF_TOKEN_WRONG"), name)
                matrix.add(request_id, name, f"{service}.{method}", ["PERMISSION_DENIED"], "anonymous", "default")
    matrix.compare(open_world.audit_log)


def test_every_method_answers_every_certificate_as_its_policy_says_and_the_audit_log_tells(secured):
    matrix, plain, shaken = Matrix(), {}, 0
    before = secured.metric('chartly_tls_refusals_total{where="rpc"}')
    for tenant in TENANTS:
        own = secured.context(secured.identities[tenant][0])
        assert secured.reaches("AuthService", "GetCaller", own)  # else what follows would show nothing
        # Who gets through the handshake, and who is the drone d1.
        for kind, identity, headers in certificates_of(secured, tenant):
            try_certificate(secured, matrix, tenant, kind, identity, headers, plain)
        strangers = {kind: secured.context(identity) for kind, identity in secured.strangers[tenant].items()}
        for service, method, *_ in methods():
            for kind, context in {**strangers, "plaintext": None}.items():
                shaken += 1
                matrix.tried[service, method, tenant].add(kind)
                matrix.expect(not secured.reaches(service, method, context), service, method, "with", kind, "of", tenant)
        for kind, identity in {**secured.strangers[tenant], "plaintext": None}.items():
            for part, (service, method) in {"auth": ("AuthService", "GetCaller"), "registry": ("RegistryService", "GetProfile"),
                                            "coordinator": ("CoordinatorService", "Heartbeat")}.items():
                with secured.channel(part, identity, plaintext=kind == "plaintext") as channel:
                    code = secured.calls.rpc(service, method, [], channel=channel)[1]
                matrix.expect(code == "UNAVAILABLE", service, method, "with", kind, "of", tenant, code)
    for service, method, *_ in methods():
        for tenant in TENANTS:
            found = matrix.tried[service, method, tenant]
            matrix.expect(found == KINDS_OF_CERTIFICATES, service, method, "of", tenant, "was tried with", sorted(found))
    entries = matrix.compare(secured.audit_log)
    # Nobody knows what such a caller wanted; that it was there is counted.
    assert secured.metric('chartly_tls_refusals_total{where="rpc"}') - before >= shaken
    print(f"{len(matrix.cells)} cells with certificates, {shaken} handshakes, {entries} entries of the audit log")


def certificates_of(world, tenant):
    """(kind, certificate, what is sent with it) of those that the authority has signed and that are of today."""
    identity, other = world.identities[tenant][0], TENANTS[(TENANTS.index(tenant) + 1) % len(TENANTS)]
    return [("drone certificate", identity, []), ("revoked", world.revoked[tenant][0], []),
            ("replayed", world.replaced[tenant], []), ("unknown", world.unknown[tenant], []),
            ("other tenant", identity, [("x-chartly-tenant", other)]),
            ("duplicate header", identity, [("x-api-key", world.admins[tenant])] * 2)]


def try_certificate(world, matrix, tenant, kind, identity, headers, plain):
    """`plain` gathers what is answered by methods that look at no certificate."""
    channels = {}
    known = kind in ("drone certificate", "other tenant")
    who, log = ("drones/d1", tenant) if known else ("anonymous", "default")
    for service, method, rule, _, audited in methods():
        part = PART_OF[service]
        if part not in channels:
            channels[part] = world.channel(part, identity)
        request_id, code, told = world.calls.rpc(service, method, headers, channel=channels[part])
        name = f"{service}.{method} ({rule}) with {kind} of {tenant}: {code}"
        let_in = rule == "signed" or (kind == "drone certificate" and rule in ("drone", "public"))
        other_drone = "NOT_YOUR_DRONE" in told
        if rule == "signed":
            matrix.expect(code == plain.setdefault(method, code), name, "and not", plain[method])
        elif let_in:
            answer = answer_to_drone(method)
            matrix.expect(code == answer and not DOOR.search(told), name, "and not", answer, told)
        else:
            matrix.expect(code == ("PERMISSION_DENIED" if known else "UNAUTHENTICATED"), name)
        signed = rule == "signed"
        matrix.tried[service, method, tenant].add(kind)
        matrix.add(request_id, name, f"{service}.{method}", entries_due(method, rule, audited, code, let_in, other_drone),
                   None if signed else who, None if signed else log, loose=let_in and (signed or method in OWN_WORDS))
    for channel in channels.values():
        channel.close()


def test_the_gateway_looks_at_no_certificate_and_takes_no_plaintext(secured):
    matrix, before = Matrix(), secured.metric('chartly_tls_refusals_total{where="plaintext"}')
    plaintext = 0
    for tenant in TENANTS:
        shown = {"drone certificate": secured.identities[tenant][0], **secured.strangers[tenant]}
        contexts = {kind: secured.context(identity) for kind, identity in shown.items()}
        key = [("X-API-Key", secured.admins[tenant])]
        for service, method, rule, routes, audited in methods():
            for verb, path in routes:
                for kind, context in contexts.items():
                    request_id, status, reason = secured.calls.rest(verb, path, [], context=context)
                    name = f"{verb} {path} ({rule}) with {kind} of {tenant}: {status} {reason}"
                    let_in = rule in ("public", "signed")
                    matrix.expect(let_in or (status, reason) == (401, "API_KEY_REQUIRED"), name)
                    code = "UNAUTHENTICATED" if status == 401 else None
                    matrix.add(request_id, name, f"{service}.{method}", entries_due(method, rule, audited, code, let_in),
                               "anonymous", "default", loose=let_in)
                # Not even with a good key: it has been sent in the clear, and is not looked at.
                plaintext += 1
                _, status, reason = secured.calls.rest(verb, path, key)
                matrix.expect((status, reason) == (400, "TLS_REQUIRED"), f"{verb} {path} in the clear: {status} {reason}")
    entries = matrix.compare(secured.audit_log)
    assert secured.metric('chartly_tls_refusals_total{where="plaintext"}') - before == plaintext
    print(f"{len(matrix.cells)} cells of REST with certificates, {plaintext} in the clear, {entries} entries of the audit log")


# --- what carries its own proof ---

HOOK = """
id: hook
version: 1.0.0
source: {type: webhook, format: json, records: "rows[*]", webhook: {key: {name: sensors, key: current}}}
mapping: {k: dims.k, v: {to: measures.v, type: integer}}
"""


def test_every_proof_that_is_none_opens_no_session(open_world):
    matrix = Matrix()
    for tenant in TENANTS:
        kinds = [("none", "", 400, [])]
        for kind, credentials in open_world.bad[tenant].items():
            kinds += [(kind, each[0] if isinstance(each, tuple) else each, 401, ["UNAUTHENTICATED"]) for each in credentials]
        for kind, secret, wanted, due in kinds:
            request_id, status, reason = open_world.calls.rest("POST", "/api/session", [],
                                                               json.dumps({"api_key": secret}).encode())
            name = f"signing in with {kind} of {tenant}: {status} {reason}"
            matrix.expect(status == wanted, name)
            matrix.add(request_id, name, "AuthService.SignIn", due, "anonymous", "default")
        request_id, status, _ = open_world.calls.rest("POST", "/api/session", [],
                                                      json.dumps({"api_key": open_world.admins[tenant]}).encode())
        matrix.expect(status == 200, "signing in as", tenant)
        matrix.add(request_id, f"signing in as {tenant}", "AuthService.SignIn", ["STARTED", "OK"],
                   f"keys/{prefix(tenant)}a-admin", tenant)
    matrix.compare(open_world.audit_log)


def join_token(world, tenant, **body):
    return world.call("POST", "/api/joinTokens", body, world.admins[tenant])["secret"]


def test_every_join_token_that_is_none_lets_no_drone_in(open_world, tmp_path):
    matrix, key = Matrix(), tmp_path / "drone.key"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", tmp_path / "csr",
            "-subj", "/CN=x")
    request = (tmp_path / "csr").read_text()

    def enroll(secret, drone_id):
        body = {"join_token": secret, "drone_id": drone_id, "certificate_request": request}
        return open_world.calls.rest("POST", "/api/drones:enroll", [], json.dumps(body).encode())

    def refuse(tenant, kind, secret, wanted):
        request_id, status, reason = enroll(secret, f"second-{tenant}")
        name = f"joining with a token {kind} of {tenant}: {status} {reason}"
        matrix.expect((status, reason) == (401, wanted), name)
        matrix.add(request_id, name, "AuthService.EnrollDrone", ["UNAUTHENTICATED"])
    ending = {tenant: join_token(open_world, tenant, ttl_seconds=1) for tenant in TENANTS}
    time.sleep(1.1)
    for tenant in TENANTS:
        refuse(tenant, "expired", ending[tenant], "JOIN_TOKEN_EXPIRED")  # it is forgotten when the next one is made
    for tenant in TENANTS:
        used = join_token(open_world, tenant)
        request_id, status, _ = enroll(used, f"first-{tenant}")
        matrix.expect(status == 200, "joining", tenant, status)
        matrix.add(request_id, f"joining {tenant}", "AuthService.EnrollDrone", ["STARTED", "OK"], None, tenant)
        made_up = re.sub("[0-9a-f]{16}", "0" * 16, used, count=1)
        kinds = {"none": ("", "JOIN_TOKEN_UNKNOWN"), "garbage": ("garbage", "JOIN_TOKEN_UNKNOWN"),
                 "made up": (made_up, "JOIN_TOKEN_UNKNOWN"), "replayed": (used, "JOIN_TOKEN_USED"),
                 "of another drone": (join_token(open_world, tenant, drone_id="else"), "JOIN_TOKEN_OF_OTHER_DRONE")}
        for kind, (secret, wanted) in kinds.items():
            refuse(tenant, kind, secret, wanted)
    matrix.compare(open_world.audit_log)


def test_every_webhook_whose_proof_is_none_is_refused_and_a_replayed_one_is_taken_once(open_world):
    matrix = Matrix()
    secrets = {tenant: "whsec_" + base64.b64encode(f"the key of {tenant}, as a test.....".encode()).decode()
               for tenant in TENANTS}
    body = b'{"rows":[{"k":"a","v":1}]}'
    for tenant in TENANTS:
        folder = open_world.folder / "secrets"
        write_key(folder if tenant == "default" else folder / "tenants" / tenant, "current", secrets[tenant])
        open_world.call("POST", "/api/profiles", HOOK.encode(), open_world.admins[tenant], {"Content-Type": "application/yaml"})
        open_world.call("GET", "/api/drones", key=open_world.admins[tenant])  # its coordinator is there from now on

    def deliver(tenant, headers):
        path = "/api/webhooks/hook" if tenant == "default" else f"/api/tenants/{tenant}/webhooks/hook"
        return open_world.calls.rest("POST", path, headers, body)
    for tenant in TENANTS:
        good = list(headers_for(f"of-{tenant}", body, secrets[tenant]).items())
        wait_until(lambda t=tenant, h=good: deliver(t, h)[1] == 200, "the profile")
        request_id, status, _ = deliver(tenant, good)
        matrix.expect(status == 200, "a replayed delivery of", tenant, status)
        matrix.add(request_id, f"a replayed delivery of {tenant}", "CoordinatorService.ReceiveWebhook", [])
        other = TENANTS[(TENANTS.index(tenant) + 1) % len(TENANTS)]
        twice = good + [pair for pair in headers_for("another", body, secrets[tenant]).items() if pair[0] == "webhook-id"]
        kinds = {"none": [("Content-Type", "application/json")],
                 "garbage": [*good[:-1], ("webhook-signature", "v1,AAAA")],
                 "expired": list(headers_for("old", body, secrets[tenant], age=3600).items()),
                 "not yet valid": list(headers_for("early", body, secrets[tenant], age=-3600).items()),
                 "other tenant": list(headers_for("theirs", body, secrets[other]).items()),
                 "replayed under another name": [("webhook-id", "new"), *[pair for pair in good if pair[0] != "webhook-id"]],
                 "duplicate header": twice}
        for kind, headers in kinds.items():
            request_id, status, reason = deliver(tenant, headers)
            name = f"a webhook with {kind} of {tenant}: {status} {reason}"
            matrix.expect(status == 401, name)
            matrix.add(request_id, name, "CoordinatorService.ReceiveWebhook", ["UNAUTHENTICATED"], "anonymous", tenant)
    matrix.compare(open_world.audit_log)
