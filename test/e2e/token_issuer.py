"""An OpenID Connect issuer on loopback: keys made by openssl, served over HTTP, tokens signed by them, and people who sign
in with codes (PKCE)."""

import base64
import hashlib
import http.server
import json
import secrets
import subprocess
import threading
import time
import urllib.parse

AUDIENCE = "chartly"
CLIENT = "chartly-page"


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
    """Serves its description and its keys. `hits` counts how often the keys were asked for. Whoever comes to sign in is
    `person`; `secret` is that of the client, if it has one; `denies` is an error in place of a code; `id_changes` are
    claims of ID tokens that are replaced."""

    def __init__(self, folder):
        self.folder, self.hits, self.key = folder, 0, SigningKey(folder, "k1")
        self.person, self.roles, self.secret, self.denies, self.id_changes = "ada", ["operator"], None, None, {}
        self.codes, self.seen = {}, []  # codes that are good; all that must stay secret
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, document, **headers):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if path == "/authorize":
                    return self.answer(302, {}, Location=owner.authorize(dict(urllib.parse.parse_qsl(query))))
                document = {"issuer": owner.url, "jwks_uri": owner.url + "/keys",
                            "authorization_endpoint": owner.url + "/authorize", "token_endpoint": owner.url + "/token"}
                if path == "/keys":
                    owner.hits += 1
                    document = {"keys": [owner.key.jwk()]}
                return self.answer(200, document)

            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(*owner.exchange(dict(urllib.parse.parse_qsl(form)), self.headers.get("Authorization", "")))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def authorize(self, asked):
        """Where the browser goes; the person has agreed already."""
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT and asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split() and len(asked["state"]) >= 43 and len(asked["nonce"]) >= 43
        back = {"state": asked["state"], "iss": self.url, "session_state": "what some issuers add"}
        if self.denies:
            back["error"] = self.denies
        else:
            back["code"] = secrets.token_urlsafe(24)
            self.codes[back["code"]] = asked
            self.seen.append(back["code"])
        return asked["redirect_uri"] + "?" + urllib.parse.urlencode(back)

    def exchange(self, form, authorization):
        """(status, document) of the token endpoint."""
        if self.secret:
            pair = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
            if authorization != "Basic " + pair:
                return 401, {"error": "invalid_client"}
        elif form.get("client_id") != CLIENT:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code"), None)
        self.seen.append(form.get("code_verifier", ""))
        challenge = encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        good = asked and asked["code_challenge"] == challenge and asked["redirect_uri"] == form["redirect_uri"]
        if not good or form.get("grant_type") != "authorization_code":
            return 400, {"error": "invalid_grant"}
        token = self.token(*self.roles, **{"sub": self.person, "aud": CLIENT, "nonce": asked["nonce"], **self.id_changes})
        self.seen.append(token)
        return 200, {"id_token": token, "access_token": "none of ours", "token_type": "Bearer"}

    def sign_in_flags(self, page):
        """With these people sign in at `page`."""
        return [*self.flags(), "--oidc-client-id", CLIENT, "--public-url", page]

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
