"""An OpenID Connect issuer on loopback: keys made by openssl, served over HTTP, and tokens signed by them."""

import base64
import http.server
import json
import subprocess
import threading
import time

AUDIENCE = "chartly"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


class SigningKey:
    """An RSA key with an id."""

    def __init__(self, folder, key_id):
        self.id, self.path = key_id, folder / f"{key_id}.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self.path))

    def jwk(self):
        text = openssl("rsa", "-in", str(self.path), "-noout", "-modulus").decode()
        modulus = bytes.fromhex(text.strip().split("=")[1])
        return {"kty": "RSA", "use": "sig", "kid": self.id, "n": encode(modulus), "e": "AQAB"}

    def sign(self, claims, header=None):
        text = ".".join(encode(json.dumps(part).encode())
                        for part in ({"alg": "RS256", "kid": self.id, **(header or {})}, claims))
        return text + "." + encode(openssl("dgst", "-sha256", "-sign", str(self.path), data=text.encode()))


class TokenIssuer:
    """Serves its description and its keys. `hits` counts how often the keys were asked for."""

    def __init__(self, folder):
        self.folder, self.hits, self.key = folder, 0, SigningKey(folder, "k1")
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                document = {"issuer": owner.url, "jwks_uri": owner.url + "/keys"}
                if self.path == "/keys":
                    owner.hits += 1
                    document = {"keys": [owner.key.jwk()]}
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def flags(self):
        return ["--oidc-issuer", self.url, "--oidc-audience", AUDIENCE, "--oidc-role-claim", "realm.groups",
                *[f"--oidc-role={role}=the-{role}s" for role in ("viewer", "operator", "publisher", "admin")]]

    def rotate(self):
        self.key = SigningKey(self.folder, "k2")

    def token(self, *roles, key=None, header=None, **changes):
        """A token that is good for ten minutes; `changes` replace claims."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "nbf": now, "exp": now + 600,
                  "realm": {"groups": [f"the-{role}s" for role in roles]}, **changes}
        return (key or self.key).sign(claims, header)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
