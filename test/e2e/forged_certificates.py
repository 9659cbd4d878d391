"""Certificates that name a drone and are good for nothing: each lacks one thing of those that its control plane signed."""

import base64
import re
import subprocess
import time

from test_gateway_tls import openssl

CONFIG = """
[ca]
default_ca = one
[one]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
policy = any
default_md = sha256
unique_subject = no
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = URI:{uri}
extendedKeyUsage = {usage}
"""


def uri_of(certificate):
    """Whom it names."""
    text = subprocess.run(["openssl", "x509", "-in", str(certificate), "-noout", "-ext", "subjectAltName"], check=True,
                          capture_output=True, text=True).stdout
    return re.search(r"URI:(\S+)", text)[1]


class Forger:
    """Makes them in `folder`. `inside` is the authority of the control plane, `outside` another one: (certificate, key)."""

    def __init__(self, folder, inside, outside):
        self.folder, self.inside, self.outside = folder, inside, outside
        folder.mkdir()
        (folder / "index.txt").write_text("")

    def forge(self, uri):
        """{kind: file with key and certificate} for whom that names."""
        day = 24 * 3600
        return {"expired": self.make("expired", uri, starts=-2 * day, ends=-3600),
                "not yet valid": self.make("early", uri, starts=3600, ends=2 * day),
                "wrong audience": self.make("server", uri, usage="serverAuth"),
                "wrong CA": self.make("outside", uri, signer=self.outside),
                "self-signed": self.make("self", uri, signer=None),
                "garbage": self.spoil(self.make("spoiled", uri))}

    def make(self, name, uri, starts=-3600, ends=24 * 3600, usage="clientAuth", signer=()):
        """One that is good, but for what is said otherwise; times in seconds from now."""
        signer = self.inside if signer == () else signer
        key, request, config, made = (self.folder / f"made.{end}" for end in ("key", "csr", "conf", "crt"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                "-subj", "/CN=forged")
        config.write_text(CONFIG.format(folder=self.folder, uri=uri, usage=usage))
        start, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + each)) for each in (starts, ends))
        signed_by = ["-cert", signer[0], "-keyfile", signer[1]] if signer else ["-selfsign", "-keyfile", key]
        openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-out", made, "-startdate", start,
                "-enddate", end, *signed_by)
        identity = self.folder / f"{re.sub(r'[^a-z0-9]+', '-', uri)}-{name}.pem"
        identity.write_bytes(key.read_bytes() + made.read_bytes())
        return identity

    def spoil(self, identity):
        """One bit of its signature is another."""
        text = identity.read_text()
        begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----"
        before, rest = text.split(begin)
        body = bytearray(base64.b64decode(rest.split(end)[0]))
        body[-1] ^= 1
        identity.write_text(before + begin + base64.encodebytes(bytes(body)).decode() + end + "\n")
        return identity
