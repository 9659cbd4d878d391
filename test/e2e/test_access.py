"""Who may call what: every method and route of docs/access.md, which is made from the protos, with every kind of key, on
the shipped binaries."""

import datetime
import http.client
import json
import re
import subprocess
import time

import grpc
import pytest

from harness import BIN, ApiError, Cluster, ROOT, wait_until
from token_issuer import SigningKey, TokenIssuer

LADDER = ["none", "viewer", "operator", "publisher", "admin"]
ROW = re.compile(r"^\| (\w+) \| `(\w+)` \| `?(\w*)`? \| (.*?) \| (\w*) \|$")


def rows():
    """(service, row of the table) of docs/access.md."""
    service = None
    for line in (ROOT / "docs/access.md").read_text().splitlines():
        if line.startswith("## "):
            service = line[3:].strip()
        row = ROW.match(line)
        if row and service:
            yield service, row


def methods():
    """(service, method, rule, [(verb, path)], audited)."""
    found = [(service, row[1], row[2], [tuple(text.split(" ", 1)) for text in re.findall(r"`([^`]+)`", row[4])],
              row[5] == "audited") for service, row in rows()]
    assert len(found) > 60
    return found


def bindings():
    """{(service, method): how it deals with keys that are bound to projects}."""
    return {(service, row[1]): row[3] for service, row in rows()}


TENANTS = ["acme", "globex"]
# About the deployment as a whole: of the default tenant alone.
OF_THE_DEPLOYMENT = ["BackupService", "PartBackupService", "PartHealthService"]


def permitted(rule, who, service=""):
    """Whether a caller may, as the rules say. `who` is a role, also "by token", "by session" or "of" another tenant than the
    default one, or registry, deployment."""
    if " of " in who and service in OF_THE_DEPLOYMENT and rule != "public":
        return False
    who = who.split(" by ")[0].split(" of ")[0]
    if rule in ("public", "signed"):
        return True
    if rule == "internal":
        return who == "deployment"
    if rule == "drone":
        return who in ("deployment", "registry")
    role = {"deployment": "admin", "registry": "publisher"}.get(who, who)
    return LADDER.index(role) >= LADDER.index(rule)


class Keys(Cluster):
    """A control plane with a key of every kind."""

    def __init__(self, folder, **kwargs):
        self.issuer = TokenIssuer(folder)
        super().__init__(folder, flags=self.issuer.flags(), **kwargs)
        self.secrets = {role: self.make(f"a-{role}", role) for role in LADDER[1:]}
        self.secrets |= {f"{role} of {tenant}": self.make(f"a-{role}", role, tenant=tenant)
                         for role in LADDER[1:] for tenant in TENANTS}
        self.secrets["deployment"] = self.key
        self.secrets["registry"] = "a-key-from-the-environment"
        self.bad = {
            "garbage": "not-a-key",
            "of no id": "chk_nobody_" + "0" * 64,
            "of another secret": "chk_a-admin_" + "0" * 64,
            "revoked": self.make("revoked", "admin"),
            "rotated out": self.make("rotated", "admin"),
            "expired": self.make("expired", "admin", seconds=1),
        }
        now, stranger = int(time.time()), SigningKey(folder, "stranger")
        stranger.id = self.issuer.key.id
        self.bad |= {
            "of an expired token": self.issuer.token("admin", exp=now - 100),
            "of a token not yet valid": self.issuer.token("admin", nbf=now + 6000, exp=now + 7000),
            "of a token for another": self.issuer.token("admin", aud="another"),
            "of a token of another issuer": self.issuer.token("admin", key=stranger),
            "of an unsigned token": self.issuer.token("admin", header={"alg": "none"}),
            "of a session that was left": self.left_session(),
        }
        self.secrets |= {f"{role} by token": self.issuer.token(role, sub=role) for role in LADDER[1:]}
        self.secrets["none by token"] = self.issuer.token(sub="nobody")
        self.secrets["admin by session"] = self.session(self.secrets["admin"])[0]
        self.post("/api/keys/revoked:revoke")
        self.post("/api/keys/rotated:rotate", {"overlap_seconds": 1})
        time.sleep(2.1)  # both ends are to the second; nothing tells when they are past

    def close(self):
        super().close()
        if hasattr(self, "issuer"):
            self.issuer.close()

    def session(self, key):
        """(session, its token for changes)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        connection.request("POST", "/api/session", json.dumps({"api_key": key}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        cookie = answer.getheader("Set-Cookie").split(";")[0]
        return cookie.split("=")[1], json.loads(answer.read())["csrf_token"]

    def left_session(self):
        session, csrf = self.session(self.key)
        self.call("DELETE", "/api/session", headers={"Cookie": f"chartly_session={session}", "X-CSRF-Token": csrf})
        return session

    def make_controls(self):
        super().make_controls()
        for control in self.controls:
            control.env["REGISTRY_API_KEY"] = "a-key-from-the-environment"

    def make(self, key_id, role, seconds=None, tenant=""):
        body = {"key_id": key_id, "role": role, "tenant": tenant}
        if seconds:
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
            body["expire_time"] = end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self.post("/api/keys", body)["secret"]

    def rest(self, verb, path, headers):
        """The status of a request; only its beginning is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        body = b"{}" if verb in ("POST", "PUT") else None
        connection.putrequest(verb, re.sub(r"\{[^}]*\}", "x", path))
        if body:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body)
        status = connection.getresponse().status
        connection.close()
        return status

    def rpc_code(self, service, method, metadata):
        """The code of a call with an empty request; one that goes on is permitted and cut off."""
        with grpc.insecure_channel(f"127.0.0.1:{self.rpc[PART_OF[service]]}", [("grpc.enable_http_proxy", 0)]) as channel:
            call = channel.unary_stream(f"/chartly.v1.{service}/{method}", request_serializer=None,
                                        response_deserializer=None)
            try:
                for _ in call(b"", metadata=metadata, timeout=0.5):
                    break
                return grpc.StatusCode.OK
            except grpc.RpcError as error:
                return error.code()


PART_OF = {"RegistryService": "registry", "IngestService": "aggregator", "RecordService": "aggregator",
           "AggregatorService": "aggregator", "CoordinatorService": "coordinator", "ReporterService": "reporter",
           "AuthService": "auth", "AuditService": "audit", "ObserverService": "observer", "BackupService": "observer",
           "PartBackupService": "observer", "PartHealthService": "observer", "ReleasesService": "releases"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = Keys(tmp_path_factory.mktemp("access"))
    yield made
    made.close()


@pytest.mark.parametrize("service,method,rule,routes,audited", methods(), ids=lambda value: str(value)[:40])
def test_every_method_lets_in_whom_its_rule_names_and_nobody_else(world, service, method, rule, routes, audited):
    if rule == "signed":
        return  # refused for want of a signature, whoever calls
    everyone = {**{who: [("x-api-key", key)] for who, key in world.secrets.items()}, "none": []}
    if method == "SignOut":
        del everyone["admin by session"]  # it is used again
    for who, headers in everyone.items():
        # On loopback everyone may read.
        may = permitted(rule, "viewer" if who == "none" else who, service)
        refusal = grpc.StatusCode.UNAUTHENTICATED if who == "none" else grpc.StatusCode.PERMISSION_DENIED
        if service in PART_OF:
            code = world.rpc_code(service, method, headers)
            assert (code == refusal) == (not may), f"{service}.{method} ({rule}) by {who}: {code}"
        for verb, path in routes:
            status = world.rest(verb, path, headers)
            wanted = 401 if who == "none" else 403
            assert (status == wanted) == (not may), f"{verb} {path} ({rule}) by {who}: {status}"


@pytest.mark.parametrize("service,method,rule,routes,audited", methods(), ids=lambda value: str(value)[:40])
def test_no_method_takes_a_key_that_is_none(world, service, method, rule, routes, audited):
    if rule == "signed":
        return
    kinds = {name: [("x-api-key", key)] for name, key in world.bad.items()}
    kinds["two keys"] = [("x-api-key", world.key), ("x-api-key", world.key)]
    for kind, headers in kinds.items():
        if service in PART_OF:
            code = world.rpc_code(service, method, headers)
            assert code == grpc.StatusCode.UNAUTHENTICATED, f"{service}.{method} with a key {kind}: {code}"
    # Over REST the address of a guesser is slowed down, so one kind has to do for each method.
    for verb, path in routes:
        assert world.rest(verb, path, kinds["two keys"]) == 401, f"{verb} {path} with two keys"


def test_every_refusal_of_a_key_is_in_the_audit_log(tmp_path):
    world = Keys(tmp_path)
    try:
        for service, method, rule, _, audited in methods():
            if not audited or service not in PART_OF or permitted(rule, "viewer"):
                continue
            world.rpc_code(service, method, [("x-api-key", world.secrets["viewer"])])
            wait_until(lambda: refused(world, f"{service}.{method}", "keys/a-viewer", "PERMISSION_DENIED"),
                       f"the refusal of {service}.{method}")
        for tenant in TENANTS:
            key = world.secrets[f"viewer of {tenant}"]
            world.rpc_code("RegistryService", "DeleteProfile", [("x-api-key", key)])
            wait_until(lambda k=key, t=tenant: refused(world, "RegistryService.DeleteProfile", f"keys/{t}.a-viewer",
                                                       "PERMISSION_DENIED", k), f"the refusal in the log of {tenant}")
        world.rpc_code("RegistryService", "ListProfiles", [("x-api-key", world.bad["revoked"])])
        wait_until(lambda: refused(world, "RegistryService.ListProfiles", "anonymous", "UNAUTHENTICATED"), "the refusal")
        for _ in range(50):
            world.rpc_code("RegistryService", "ListProfiles", [("x-api-key", world.bad["revoked"])])
        # The others are counted, once a minute.
        assert len(refused(world, "RegistryService.ListProfiles", "anonymous", "UNAUTHENTICATED")) <= 3
    finally:
        world.close()


def refused(world, action, actor, outcome, key=None):
    events = world.call("GET", "/api/audit/events?page_size=100", key=key or world.key)["events"]
    return [event for event in events if (event["action"], event["actor"], event["outcome"]) == (action, actor, outcome)
            and event["address"] == "127.0.0.1"]


def test_headers_that_say_who_one_is_are_not_believed(world):
    claims = [("X-Principal", "admin"), ("X-Tenant", "other"), ("X-Role", "admin"), ("X-Forwarded-User", "admin"),
              ("Cookie", "session=admin")]
    assert world.rest("POST", "/api/keys", claims) == 401
    caller = world.call("GET", "/api/auth/caller", headers=dict(claims))
    assert (caller["principal"], caller["role"], caller["tenant"]) == ("anonymous", "viewer", "default")
    code = world.rpc_code("RegistryService", "DeleteProfile", [(name.lower(), value) for name, value in claims])
    assert code == grpc.StatusCode.UNAUTHENTICATED


def test_without_a_role_for_them_callers_without_a_key_read_nothing(tmp_path):
    cluster = Keys.__new__(Keys)
    cluster.wait_ready = lambda: wait_until(lambda: ready(cluster), "the control plane to be ready")
    Cluster.__init__(cluster, tmp_path, flags=["--anonymous-role", "none"])
    try:
        cluster.key = cluster.key_file.read_text().strip()
        for service, method, rule, routes, _ in methods():
            for verb, path in routes:
                status = cluster.rest(verb, path, [])
                if rule not in ("public", "signed"):
                    assert status == 401, f"{verb} {path} is open: {status}"
        assert cluster.call("GET", "/api/profiles", key=cluster.key)["profiles"] == []
        assert cluster.call("GET", "/api/auth/caller")["role"] == "none"
        assert cluster.call("GET", "/health")["status"] == "ok"
    finally:
        cluster.close()


def ready(cluster):
    try:
        return cluster.call("GET", "/health")["status"] == "ok"
    except (ApiError, OSError):
        return False


def test_a_revoked_key_is_refused_by_every_part_within_seconds(tmp_path):
    cluster = Cluster(tmp_path, split=True)
    try:
        secret = wait_until(lambda: issue(cluster), "auth to answer")
        paths = ["/api/profiles", "/api/drones", "/api/records?profile_id=x", "/api/reports", "/api/deployments",
                 "/api/status", "/api/audit/events", "/api/auth/caller"]
        for path in paths:
            wait_until(lambda p=path: status_of(cluster, p, secret) not in (401, 503), f"{path} to take the key")
        cluster.post("/api/keys/leaked:revoke")
        assert status_of(cluster, "/api/auth/caller", secret) == 401
        revoked = time.monotonic()
        for path in paths:
            wait_until(lambda p=path: status_of(cluster, p, secret) == 401, f"{path} to refuse the key", 10)
        assert time.monotonic() - revoked < 7
    finally:
        cluster.close()


def issue(cluster):
    try:
        return cluster.post("/api/keys", {"key_id": "leaked", "role": "admin"})["secret"]
    except ApiError as error:
        if error.status != 503:
            raise
        return None


def status_of(cluster, path, key):
    try:
        cluster.call("GET", path, key=key)
        return 200
    except ApiError as error:
        return error.status


def test_an_address_that_guesses_keys_is_slowed_down(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        seen = [status_of(cluster, "/api/profiles", f"guess-{i}") for i in range(25)]
        assert seen[:20] == [401] * 20 and 429 in seen[20:]
        with pytest.raises(ApiError) as refused:
            cluster.call("GET", "/api/profiles", key=cluster.key)
        assert refused.value.error["reason"] == "GUESSES_TOO_MANY"
        assert cluster.get("/api/profiles")["profiles"] == []  # who shows no key guesses nothing
    finally:
        cluster.close()


def test_behind_a_trusted_proxy_the_client_is_slowed_down_and_not_the_proxy(tmp_path):
    def ask(key, client):
        try:
            cluster.call("GET", "/api/keys", key=key, headers={"X-Forwarded-For": f"198.51.100.9, {client}"})
            return 200
        except ApiError as error:
            return error.status

    cluster = Cluster(tmp_path, flags=("--trusted-proxies", "127.0.0.0/8,::1"))
    try:
        seen = [ask(f"guess-{i}", "203.0.113.7") for i in range(25)]
        assert seen[:20] == [401] * 20 and 429 in seen[20:]
        assert ask(cluster.key, "203.0.113.7") == 429
        assert ask(cluster.key, "203.0.113.8") == 200
        found = cluster.cli("audit", "export").stdout
        assert "203.0.113.7" in found and "198.51.100.9" not in found
    finally:
        cluster.close()
    wrong = subprocess.run([BIN / "chartly-control", "--trusted-proxies", "10.0.0.0/99"], capture_output=True, text=True,
                           timeout=30)
    assert wrong.returncode == 2 and "--trusted-proxies" in wrong.stderr and "10.0.0.0/99" in wrong.stderr


def test_keys_are_kept_from_the_command_line(single):
    made = single.cli("key", "create", "ci", "--role", "publisher", "--for", "the pipeline", "--days", "30")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert re.fullmatch(r"chk_ci_[0-9a-f]{64}", secret)
    assert single.call("GET", "/api/auth/caller", key=secret)["principal"] == "keys/ci"
    listed = single.cli("key", "list")
    assert re.search(r"ci +publisher +default +all +good", listed.stdout) and secret not in listed.stdout
    rotated = single.cli("key", "rotate", "ci", "--overlap-hours", "1")
    assert rotated.stdout.strip() != secret and "stays good" in rotated.stderr
    for each in (secret, rotated.stdout.strip()):
        assert single.call("GET", "/api/auth/caller", key=each)["role"] == "publisher"
    assert single.cli("key", "revoke", "ci").returncode == 0
    refused = single.cli("profile", "list", "--key-file", write(single, secret))
    assert refused.returncode == 4 and "API_KEY_REVOKED" in refused.stderr
    assert re.search(r"ci +publisher +default +all +revoked", single.cli("key", "list").stdout)


def write(cluster, secret):
    path = cluster.folder / "secret"
    path.write_text(secret)
    return path
