"""Control planes for the authorization matrix: keys, tokens, sessions and certificates of every kind for each tenant, calls
that say which cell of the matrix they are, and the audit log by those."""

import http.client
import json
import re
import socket
import ssl
import time

import grpc

from forged_certificates import Forger, uri_of
from harness import ApiError, Cluster, wait_until
from hostile_traffic import PREFACE, SETTINGS, call, frame
from test_access import LADDER, PART_OF
from test_gateway_tls import Authority
from token_issuer import SigningKey, TokenIssuer

TENANTS = ["default", "acme", "globex"]
# More than there are cells: each refusal is then an entry by itself.
REFUSALS = "400000"
OPTIONS = [("grpc.enable_http_proxy", 0)]


def prefix(tenant):
    return "" if tenant == "default" else f"{tenant}."


class Calls:
    """Calls of a control plane, by gRPC and REST. Each has a number, which is its request id and the address that it says it
    comes from: of a gateway that would be a client."""

    def start(self, cluster):
        self.cluster, self.number, self.channels, self.connections = cluster, 0, {}, {}

    def close(self):
        for channel in self.channels.values():
            channel.close()
        for connection, _ in self.connections.values():
            connection.close()

    def next_id(self):
        self.number += 1
        return f"cell-{self.number}", f"10.{self.number >> 16}.{self.number >> 8 & 255}.{self.number & 255}"

    def rpc(self, service, method, headers, request=b"", channel=None, patience=10):
        """(request id, code, what is said) of a call with that message; one that goes on is cut off."""
        request_id, address = self.next_id()
        part = PART_OF[service]
        if channel is None:
            if part not in self.channels:
                self.channels[part] = grpc.insecure_channel(f"127.0.0.1:{self.cluster.rpc[part]}", OPTIONS)
            channel = self.channels[part]
        ask = channel.unary_stream(f"/chartly.v1.{service}/{method}", request_serializer=None, response_deserializer=None)
        answers = ask(request, metadata=[*headers, ("x-request-id", request_id), ("x-chartly-address", address)],
                      timeout=0.3 if method in WITHOUT_END else patience)
        try:
            for _ in answers:
                pass
            return request_id, "OK", ""
        except grpc.RpcError as error:
            told = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return request_id, error.code().name, told.decode("latin-1")

    def rest(self, verb, path, headers, body=b"{}", context=None):
        """(request id, status, reason); `code` is then what the answer names. Only the beginning of a stream is read."""
        request_id, address = self.next_id()
        connection, since = self.connections.pop(context, (None, 0))
        # One that was idle for a minute is closed by the gateway.
        connection = connection if time.monotonic() - since < 20 else self.connect(context)
        connection.putrequest(verb, re.sub(r"\{[^}]*\}", "x", path))
        sent = [("X-Request-Id", request_id), ("X-Forwarded-For", address), *headers]
        if verb in ("POST", "PUT"):
            sent += [("Content-Length", str(len(body)))]
            if not any(name == "Content-Type" for name, _ in headers):
                sent += [("Content-Type", "application/json")]
        for name, value in sent:
            connection.putheader(name, value)
        connection.endheaders(body if verb in ("POST", "PUT") else None)
        answer = connection.getresponse()
        if answer.status == 200 and answer.getheader("Content-Length") is None:
            connection.close()
            self.code = None  # how it ends is not known: whoever asked has left
            return request_id, 200, ""
        text = answer.read()
        if answer.getheader("Connection") == "keep-alive":
            self.connections[context] = connection, time.monotonic()
        named = re.search(rb'"code": ?"(\w+)"', text) if answer.status != 200 else None
        self.code = named[1].decode() if named else "OK"
        found = re.search(rb'"reason": ?"(\w+)"', text) if answer.status != 200 else None
        return request_id, answer.status, found[1].decode() if found else ""

    def connect(self, context):
        if context is None:
            return http.client.HTTPConnection("127.0.0.1", self.cluster.http_port, timeout=30)
        return http.client.HTTPSConnection("127.0.0.1", self.cluster.http_port, timeout=30, context=context)


# Streams that go on until they are cut off.
WITHOUT_END = ("WatchEvents", "WatchProfiles", "Attend", "Ingest")


def entries_of(ask, keys):
    """{request id: [entry]} of the audit logs of all tenants, oldest first. `ask(path, key)` gives a page."""
    found = {}
    for tenant, key in keys.items():
        token, entries = "", []
        while True:
            page = ask(f"/api/audit/events?page_size=1000&page_token={token}", key)
            entries += page["events"]
            token = page.get("next_page_token", "")
            if not token:
                break
        for entry in reversed(entries):
            assert entry["tenant"] in (tenant, ""), entry
            found.setdefault(entry["request_id"], []).append(entry)
    return found


class Open(Cluster):
    """A control plane without TLS, which takes keys, sessions and tokens. Nobody reads without one."""

    def __init__(self, folder):
        self.issuer, self.calls = TokenIssuer(folder), Calls()
        flags = [*self.issuer.flags(), "--oidc-tenant-claim", "tenant", "--anonymous-role", "none", "--trusted-proxies",
                 "127.0.0.0/8", "--audit-refusals", REFUSALS, "--secrets-dir", folder / "secrets"]
        super().__init__(folder, flags=flags)
        self.calls.start(self)
        self.keys = {(role, tenant): self.make(f"a-{role}", role, tenant) for role in LADDER[1:] for tenant in TENANTS}
        self.admins = {tenant: self.keys["admin", tenant] for tenant in TENANTS}
        # Nothing that the cells name is of that project.
        self.bound = {tenant: self.make("a-bound", "admin", tenant, projects=["energy"]) for tenant in TENANTS}
        self.bad = {tenant: self.bad_of(tenant) for tenant in TENANTS}
        self.nobodies = {tenant: self.token(tenant, sub="nobody") for tenant in TENANTS}
        time.sleep(2.1)  # ends are to the second; nothing tells when they are past

    def close(self):
        self.calls.close()
        super().close()
        self.issuer.close()

    def wait_ready(self):
        def ready():
            assert all(control.alive() for control in self.controls), self.controls[0].tail()
            try:
                return self.call("GET", "/health")["status"] == "ok"
            except (ApiError, OSError):
                return False
        wait_until(ready, "the control plane to be ready")
        self.key = self.key_file.read_text().strip()

    def make(self, key_id, role, tenant, **more):
        body = {"key_id": key_id, "role": role, "tenant": tenant, **more}
        return wait_until(lambda: self.try_make(body), "auth to answer")["secret"]

    def try_make(self, body):
        try:
            return self.post("/api/keys", body)
        except ApiError as error:
            if error.status != 503:
                raise
            return None

    def token(self, tenant, *roles, **changes):
        return self.issuer.token(*roles, tenant=tenant, **changes)

    def sign_in(self, key):
        """(session, its token for changes)"""
        connection = self.calls.connect(None)
        connection.request("POST", "/api/session", json.dumps({"api_key": key}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        session = answer.getheader("Set-Cookie").split(";")[0].split("=")[1]
        csrf = json.loads(answer.read())["csrf_token"]
        connection.close()
        return session, csrf

    def bad_of(self, tenant):
        """Credentials that are none, by the kind of the matrix: each kind in every form that it has."""
        now, stranger = int(time.time()), SigningKey(self.folder, f"stranger-{tenant}")
        stranger.id = self.issuer.key.id
        revoked = self.make("revoked", "admin", tenant)
        self.post(f"/api/keys/{prefix(tenant)}revoked:revoke")
        left, csrf = self.sign_in(self.admins[tenant])
        self.call("DELETE", "/api/session", headers={"Cookie": f"chartly_session={left}", "X-CSRF-Token": csrf})
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        return {
            "garbage": ["garbage", f"chk_{prefix(tenant)}a-admin_" + "0" * 64],
            "expired": [self.make("expired", "admin", tenant, expire_time=soon), self.token(tenant, "admin", exp=now - 100)],
            "not yet valid": [self.token(tenant, "admin", nbf=now + 6000, exp=now + 7000)],
            "revoked": [revoked],
            "wrong audience": [self.token(tenant, "admin", aud="another")],
            # Of tokens; for certificates there is the other control plane.
            "wrong CA": [self.token(tenant, "admin", key=stranger)],
            "self-signed": [self.token(tenant, "admin", header={"alg": "none"})],
            "replayed": [(left, csrf)],
        }

    def lower(self, rule, tenant):
        """A credential whose role is one too low for the rule; none if everybody may."""
        if rule in ("public", "signed"):
            return None
        if rule in ("drone", "internal"):
            return self.keys["admin", tenant]
        below = LADDER[LADDER.index(rule) - 1]
        return self.nobodies[tenant] if below == "none" else self.keys[below, tenant]

    def audit_log(self):
        return entries_of(lambda path, key: self.call("GET", path, key=key), self.admins)


class Secured(Cluster):
    """A control plane that takes TLS only: gRPC from whoever has a certificate of its authority, the gateway from all."""

    def __init__(self, folder):
        self.outside, self.calls = Authority(folder), Calls()
        self.certificate, self.tls_key = folder / "tls.crt", folder / "tls.key"
        self.outside.issue(self.certificate, self.tls_key, "gateway")
        self.trust = ssl.create_default_context(cafile=str(self.outside.certificate))
        super().__init__(folder, flags=["--rpc-tls", "--tls-cert", self.certificate, "--tls-key", self.tls_key,
                                        "--anonymous-role", "none", "--trusted-proxies", "127.0.0.0/8",
                                        "--audit-refusals", REFUSALS])
        self.calls.start(self)
        self.admins = {tenant: self.ask("POST", "/api/keys", self.key, {"key_id": "a-admin", "role": "admin",
                                                                        "tenant": tenant})["secret"] for tenant in TENANTS}
        self.identities = {tenant: self.join(tenant, "d1") for tenant in TENANTS}
        self.revoked = {tenant: self.join(tenant, "d2") for tenant in TENANTS}
        for tenant in TENANTS:
            self.ask("POST", "/api/drones/d2:revoke", self.admins[tenant], {})
        self.replaced = {tenant: self.copy_and_join_again(tenant, "d3") for tenant in TENANTS}
        forger = Forger(folder / "forged", inside=(self.data / "tls/authority.pem", self.data / "tls/authority.key"),
                        outside=(self.outside.certificate, self.outside.key))
        # Who gets no further than the handshake; nothing at all is shown by "none".
        self.strangers = {tenant: {**forger.forge(uri_of(self.identities[tenant][0])), "none": None} for tenant in TENANTS}
        # Signed by the right authority, and still of nobody who joined.
        self.unknown = {tenant: forger.make("nobody", uri_of(self.identities[tenant][0]).replace("/d1/", "/d9/"))
                        for tenant in TENANTS}

    def close(self):
        self.calls.close()
        super().close()

    def wait_ready(self):
        def ready():
            assert all(control.alive() for control in self.controls), self.controls[0].tail()
            try:
                return self.ask("GET", "/health")["status"] == "ok"
            except OSError:
                return False
        wait_until(ready, "the control plane to be ready")
        self.key, self.url = self.key_file.read_text().strip(), f"https://127.0.0.1:{self.http_port}"

    def ask(self, verb, path, key=None, body=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.http_port, timeout=30, context=self.trust)
        headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}
        connection.request(verb, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        connection.close()
        assert answer.status == 200 or path == "/health", (path, answer.status, document)
        return document

    def join(self, tenant, drone_id, *flags):
        """(key and certificate, authority) of a drone that was let in."""
        key_file, folder = self.folder / f"{tenant}.key", self.folder / f"{tenant}-{drone_id}"
        key_file.write_text(self.admins[tenant])
        done = self.cli("drone", "join", drone_id, "--identity-dir", folder, "--key-file", key_file, "--ca-file",
                        self.outside.certificate, *flags)
        assert done.returncode == 0, done.stderr
        return folder / "identity.pem", folder / "authority.pem"

    def copy_and_join_again(self, tenant, drone_id):
        """A copy of the identity of a drone that has joined again since."""
        identity, _ = self.join(tenant, drone_id)
        copy = self.folder / f"{tenant}-{drone_id}-copy.pem"
        copy.write_bytes(identity.read_bytes())
        self.join(tenant, drone_id, "--again")
        assert uri_of(copy) != uri_of(identity)
        return copy

    def context(self, identity):
        """Of a client that shows that certificate, or none, and trusts everybody."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if identity is not None:
            context.load_cert_chain(identity)
        context.set_alpn_protocols(["h2"])
        return context

    def channel(self, part, identity, plaintext=False):
        """A channel of gRPC that shows that certificate, or none."""
        address = f"127.0.0.1:{self.rpc[part]}"
        if plaintext:
            return grpc.insecure_channel(address, OPTIONS)
        pem, authority = identity and identity.read_bytes(), self.identities["default"][1].read_bytes()
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority, pem, pem),
                                   [*OPTIONS, ("grpc.ssl_target_name_override", "control.chartly.internal")])

    def reaches(self, service, method, context):
        """Whether a call got past the handshake: something of HTTP/2 came back. Without a context it is plaintext."""
        with socket.create_connection(("127.0.0.1", self.rpc[PART_OF[service]]), timeout=30) as plain:
            try:
                talk = plain if context is None else context.wrap_socket(plain)
                talk.sendall(PREFACE + frame(SETTINGS) + call(1, f"/chartly.v1.{service}/{method}"))
                answer = talk.recv(1 << 16)
            except (ssl.SSLError, ConnectionError):
                return False
        return len(answer) >= 9 and answer[3] == SETTINGS and answer[5:9] == b"\0\0\0\0"

    def metric(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin["gateway"], timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", text, re.M)
        return float(found[1]) if found else 0.0

    def audit_log(self):
        return entries_of(lambda path, key: self.ask("GET", path, key), self.admins)
