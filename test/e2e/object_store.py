"""A store of objects on loopback that speaks as much S3 as backups need, and checks every signature by itself."""

import hashlib
import hmac
import http.server
import threading
import urllib.parse
from xml.sax.saxutils import escape

ACCESS, SECRET, REGION, BUCKET = "AKTEST", "a secret/with+signs=", "eu-test-1", "backups"
PAGE = 3  # objects a page of a list, so that lists have several


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class ObjectStore:
    """`objects` by key. `faults` are statuses to answer with before anything else is done, by method."""

    def __init__(self, secret=SECRET):
        self.objects, self.uploads, self.faults, self.puts, self.secret = {}, {}, {}, [], secret
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer is one write

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path, _, query = self.path.partition("?")
                refused = owner.refusal(self.command, path, query, self.headers, body)
                if refused:
                    return self.answer(403, f"<Error><Code>{refused}</Code></Error>".encode())
                if owner.faults.get(self.command):
                    return self.answer(owner.faults[self.command].pop(0))
                pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
                status, body, headers = owner.serve(self.command, urllib.parse.unquote(path), pairs, body)
                return self.answer(status, body, **headers)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{BUCKET}/of-a"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def refusal(self, method, path, query, headers, body):
        """Why the request is not signed as it has to be; None if it is."""
        scheme, _, rest = headers.get("Authorization", "").partition(" ")
        said = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
        if scheme != "AWS4-HMAC-SHA256" or set(said) != {"Credential", "SignedHeaders", "Signature"}:
            return "AccessDenied"
        access, day, region, service, end = said["Credential"].split("/")
        if (access, region, service, end) != (ACCESS, REGION, "s3", "aws4_request"):
            return "InvalidAccessKeyId"
        digest = hashlib.sha256(body).hexdigest()
        if headers["x-amz-content-sha256"] != digest:
            return "XAmzContentSHA256Mismatch"
        names = said["SignedHeaders"].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or not headers["x-amz-date"].startswith(day):
            return "AccessDenied"
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(names))
        canonical = "\n".join([method, path, "&".join(sorted(query.split("&"))) if query else "", lines, ";".join(names), digest])
        text = "\n".join([scheme, headers["x-amz-date"], "/".join([day, region, service, end]),
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (day, region, service, end):
            key = mac(key, part)
        return None if hmac.compare_digest(mac(key, text).hex(), said["Signature"]) else "SignatureDoesNotMatch"

    def serve(self, method, path, query, body):
        bucket, _, key = path.lstrip("/").partition("/")
        if bucket != BUCKET:
            return 404, b"<Error><Code>NoSuchBucket</Code></Error>", {}
        if method == "GET" and not key:
            return 200, self.listing(query), {}
        if method == "GET":
            return (200, self.objects[key], {}) if key in self.objects else (404, b"<Error><Code>NoSuchKey</Code></Error>", {})
        if method == "DELETE":
            self.objects.pop(key, None)
            return 204, b"", {}
        if method == "POST" and "uploads" in query:
            self.uploads[str(len(self.uploads))] = {}
            return 200, f"<R><UploadId>{len(self.uploads) - 1}</UploadId></R>".encode(), {}
        if method == "PUT" and "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return 200, b"", {"ETag": '"' + hashlib.md5(body).hexdigest() + '"'}
        if method == "POST":
            parts = self.uploads.pop(query["uploadId"])
            body = b"".join(parts[number] for number in sorted(parts))
        self.puts.append(key)
        self.objects[key] = body
        return 200, b"<R/>", {"ETag": '"x"'}

    def listing(self, query):
        keys = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")))
        rest = [key for key in keys if key > query.get("continuation-token", "")]
        more = len(rest) > PAGE
        entries = "".join(f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size></Contents>"
                          for key in rest[:PAGE])
        token = f"<NextContinuationToken>{escape(rest[PAGE - 1])}</NextContinuationToken>" if more else ""
        return (f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>").encode()

    def manifests(self):
        return sorted(key.rsplit("/", 1)[1].removesuffix(".json") for key in self.objects if "/manifests/" in key)

    def flags(self, folder, secret=None):
        file = folder / "credentials"
        file.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {secret or self.secret}\n")
        file.chmod(0o600)
        return ["--backup-s3", self.url, "--backup-s3-region", REGION, "--backup-s3-credentials", str(file)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
