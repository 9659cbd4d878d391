"""The gateway over TLS, on the shipped programs."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import Cluster, cli, wait_until


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates for this host."""

    def __init__(self, folder):
        self.folder, self.key, self.certificate = folder, folder / "ca.key", folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.certificate, "-days", "2", "-subj", "/CN=an authority of a test")

    def issue(self, certificate, key, name):
        request, extensions = self.folder / "request.pem", self.folder / "extensions"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        made_key, made = self.folder / "made.key", self.folder / "made.pem"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made_key, "-out", request,
                "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "1",
                "-extfile", extensions, "-out", made)
        made_key.rename(key)
        made.rename(certificate)


class TlsCluster(Cluster):
    """A control plane whose gateway takes TLS only."""

    def __init__(self, folder, authority, **kwargs):
        self.certificate, self.tls_key = folder / "tls.crt", folder / "tls.key"
        authority.issue(self.certificate, self.tls_key, "first")
        self.context = ssl.create_default_context(cafile=str(authority.certificate))
        super().__init__(folder, flags=["--tls-cert", self.certificate, "--tls-key", self.tls_key], **kwargs)

    def wait_ready(self):
        def ready():
            assert all(control.alive() for control in self.controls), self.controls[0].tail()
            try:
                return self.ask("GET", "/api/status")[1]["status"] == "ok"
            except (OSError, KeyError):
                return False
        wait_until(ready, "the control plane to be ready")
        self.key = self.key_file.read_text().strip()
        self.url = f"https://127.0.0.1:{self.http_port}"

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.http_port, timeout=30, context=self.context)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        document = json.loads(answer.read())
        connection.close()
        return answer, document

    def served_name(self):
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=30) as plain:
            with self.context.wrap_socket(plain, server_hostname="localhost") as secure:
                return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(tmp_path, authority):
    made = TlsCluster(tmp_path, authority)
    yield made
    made.close()


def test_the_command_line_speaks_tls_to_whom_it_is_told_to_trust(secure, authority, tmp_path):
    environment = {"CHARTLY_URL": secure.url, "CHARTLY_KEY_FILE": str(secure.key_file)}
    assert cli("status", "--ca-file", authority.certificate, env=environment).returncode == 0
    assert cli("key", "list", env={**environment, "CHARTLY_CA_FILE": str(authority.certificate)}).returncode == 0
    stranger = Authority(tmp_path)
    for distrust in ([], ["--ca-file", stranger.certificate]):
        refused = cli("status", *distrust, env=environment)
        assert refused.returncode == 3 and secure.url in refused.stderr
    wrong = cli("status", "--ca-file", secure.key_file, env=environment)
    assert wrong.returncode == 2 and "CA_FILE_INVALID" in wrong.stderr


def test_plaintext_is_told_to_use_tls_and_browsers_are_held_to_it(secure):
    connection = http.client.HTTPConnection("127.0.0.1", secure.http_port, timeout=30)
    connection.request("GET", "/api/keys", headers={"X-API-Key": secure.key})
    answer = connection.getresponse()
    assert answer.status == 400 and json.loads(answer.read())["error"]["reason"] == "TLS_REQUIRED"
    answer, _ = secure.ask("GET", "/api/profiles")
    assert answer.getheader("Strict-Transport-Security") == "max-age=31536000"


def test_the_cookie_of_a_session_never_leaves_tls(secure):
    answer, session = secure.ask("POST", "/api/session", {"api_key": secure.key})
    cookie = answer.getheader("Set-Cookie")
    assert cookie.startswith("__Host-chartly_session=") and cookie.endswith("; Secure")
    headers = {"Cookie": cookie.split(";")[0], "X-CSRF-Token": session["csrf_token"]}
    answer, _ = secure.ask("POST", "/api/keys", {"key_id": "x", "role": "viewer"}, headers)
    assert answer.status == 200


def test_a_renewed_certificate_is_served_without_a_dropped_connection(secure, authority):
    kept = secure.connect()
    for number in range(5):
        authority.issue(secure.certificate, secure.tls_key, f"renewed-{number}")
        assert secure.served_name() == f"renewed-{number}"
        kept.request("GET", "/api/profiles")
        assert kept.getresponse().read()
    secure.certificate.write_text("broken")
    assert secure.served_name() == "renewed-4"
    metrics = http.client.HTTPConnection("127.0.0.1", secure.admin["gateway"], timeout=30)
    metrics.request("GET", "/metrics")
    text = metrics.getresponse().read().decode()
    assert 'chartly_tls_reloads_total{outcome="refused"} 1' in text


def test_200_certificates_take_each_others_place_under_load_and_no_request_fails(secure, authority):
    stop, answered, failed = threading.Event(), [0] * 4, []

    def load(number):
        kept = secure.connect()
        while not stop.is_set():
            try:
                for connection in (kept, secure.connect()):
                    connection.request("GET", "/api/status")
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200, answer.status
                    answered[number] += 1
                    if connection is not kept:
                        connection.close()
            except Exception as error:  # of any kind: none may fail
                failed.append(repr(error))
                return
    threads = [threading.Thread(target=load, args=(number,)) for number in range(len(answered))]
    for thread in threads:
        thread.start()
    for number in range(200):
        before = sum(answered)
        authority.issue(secure.certificate, secure.tls_key, f"renewed-{number}")
        assert secure.served_name() == f"renewed-{number}"
        wait_until(lambda b=before: failed or sum(answered) > b, "requests meanwhile")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert min(answered) >= 10, answered


def test_a_gateway_does_not_start_with_half_a_pair(tmp_path, authority):
    authority.issue(tmp_path / "a.crt", tmp_path / "a.key", "a")
    authority.issue(tmp_path / "b.crt", tmp_path / "b.key", "b")
    cluster = Cluster.__new__(Cluster)
    cluster.wait_ready = lambda: None
    Cluster.__init__(cluster, tmp_path, flags=["--tls-cert", tmp_path / "a.crt", "--tls-key", tmp_path / "b.key"])
    try:
        assert cluster.controls[0].process.wait(20) == 1
        assert str(tmp_path / "b.key") in cluster.controls[0].tail()
    finally:
        cluster.close()


def test_slow_handshakes_do_not_keep_others_out(secure):
    waiting = [socket.create_connection(("127.0.0.1", secure.http_port), timeout=30) for _ in range(200)]
    for connection in waiting[:100]:
        connection.sendall(b"\x16\x03\x01")
    start = time.monotonic()
    assert secure.ask("GET", "/api/profiles")[0].status == 200
    assert time.monotonic() - start < 2
    waiting[0].settimeout(20)
    assert waiting[0].recv(1) == b""  # given up on
    for connection in waiting:
        connection.close()
