"""What clients that mean harm, or are broken, send: HTTP/1.1 to the gateway, HTTP/2 and messages to the gRPC ports. All of
it is made from one seed, so that a finding can be made again from its number."""

import json
import random
import socket
import struct
import time

NASTY = ["", "x", "\0", "../../etc/passwd", "%00", "%", "%zz", "'\"<>", "\u202e", "é" * 300, "-1", "9" * 40, "NaN", "1e999",
         "0x10", "null", "{}", "[]", "a/b", "a" * 5000, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z"]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "get", "G\0T", "X" * 300, ""]


# --- HTTP/1.1 ---

def broken_json(rng):
    """A body that is not what the route takes, and mostly no JSON."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return b"[" * rng.randrange(1, 20000)
    if kind == 2:
        return b'{"a":' * rng.randrange(1, 5000)
    if kind == 3:
        return b'{"profile_id":"\xff\xfe\xc0\x80"}'
    value = rng.choice([None, True, 10 ** 30, -1, 1.5, rng.choice(NASTY), [1, "x"], {"x": {"y": []}}])
    text = json.dumps({rng.choice(["profile_id", "name", "role", "yaml", "limit", "key_id", "seq", "items", "from", "x"]): value
                       for _ in range(rng.randrange(1, 5))}).encode()
    if kind == 4:
        return text[:rng.randrange(len(text))]
    if kind == 5:
        at = rng.randrange(len(text))
        return text[:at] + rng.randbytes(rng.randrange(1, 4)) + text[at:]
    return text if kind == 6 else text * rng.randrange(2, 5)


def concrete(rng, path):
    parts = []
    for part in path.split("/"):
        parts.append(rng.choice(NASTY).replace(" ", "") if "{" in part else part)
    return "/".join(parts)


def http_request(rng, routes, key):
    """The bytes of one request to one of `routes`, (verb, path) each, that is wrong in some way."""
    verb, path = rng.choice(routes)
    kind = rng.randrange(10)
    target = concrete(rng, path)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 400))
    if kind == 1:
        verb = rng.choice(METHODS)
    if kind == 2:
        target = rng.choice(["*", "//", "http://127.0.0.1/" + target, "/" + "../" * 50, "/" + "a/" * 3000, "?", "\\", "/%"])
    if kind in (3, 4):
        target += "?" + "&".join(f"{rng.choice(['page_size', 'limit', 'profile_id', 'page_token', 'from', 'x', ''])}="
                                 f"{rng.choice(NASTY)}" for _ in range(rng.randrange(1, 8)))
    body = broken_json(rng) if verb not in ("GET", "HEAD") or rng.random() < 0.2 else b""
    headers = [("Host", "x"), ("Connection", "close"), ("Content-Length", str(len(body)))]
    if rng.random() < 0.7:
        headers.append(("X-API-Key", key))
    if rng.random() < 0.5:
        headers.append(("Content-Type", rng.choice(["application/json", "application/yaml", "text/csv", "x", ""])))
    if kind == 5:
        headers += rng.choice([
            [("Content-Length", str(len(body) + 1))], [("Transfer-Encoding", "chunked")],
            [("Transfer-Encoding", "gzip, chunked")], [("Content-Length", "-5")], [("Content-Length", "99999999999999999999")],
            [("Content-Encoding", "gzip")], [("Expect", "100-continue")], [("Upgrade", "websocket")],
            [("Authorization", "Bearer " + "a." * 2000)], [("Cookie", "chartly_session=" + "x" * 6000)],
            [("Range", "bytes=0-,-1,5-2")], [("Accept-Encoding", "*" * 3000)], [("Origin", "null")]])
    if kind == 6:
        headers = headers + [(f"X-{i}", "y" * rng.randrange(30)) for i in range(rng.randrange(1, 1500))]
    if kind == 7:
        headers.append((rng.choice(["", " ", "a b", "a:b", "\0", "é"]), rng.choice(["\r", "\0", "x\n y", "é"])))
    text = f"{verb} {target} HTTP/{rng.choice(['1.1', '1.1', '1.1', '1.0', '2.0', '9', ''])}\r\n".encode("utf-8", "replace")
    text += b"".join(f"{name}: {value}\r\n".encode("utf-8", "replace") for name, value in headers)
    if kind == 8:
        body = b"".join(rng.choice([b"5\r\nhello\r\n", b"zz\r\n", b"-1\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b"5;x=y\r\nhe"])
                        for _ in range(4))
        text = text.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX-Length", 1)
    whole = text + b"\r\n" + body
    return whole[:rng.randrange(1, len(whole))] if kind == 9 else whole


# --- HTTP/2 ---

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 1, 4, 8, 32


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size & 0xFFFFFF)[1:] + bytes([kind & 255, flags & 255]) + struct.pack(">I", stream) + payload


def field(name, value):
    """A header field as HPACK writes it without any table. Each is at most 126 bytes long."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_headers(method, extra=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "x"), ("te", "trailers"),
              ("content-type", "application/grpc"), *extra]
    return b"".join(field(name, value) for name, value in fields)


def call(stream, method, message=b"", extra=(), flag=0):
    """A whole unary call; `flag` 1 says that the message is compressed."""
    body = bytes([flag]) + struct.pack(">I", len(message)) + message
    return (frame(HEADERS, END_HEADERS, stream, call_headers(method, extra)) + frame(DATA, END_STREAM, stream, body))


def http2_connection(rng, methods):
    """The bytes of one connection that breaks HTTP/2 or gRPC somewhere."""
    method = rng.choice(methods)
    start = PREFACE + frame(SETTINGS)
    headers = frame(HEADERS, END_HEADERS, 1, call_headers(method))
    kind = rng.randrange(14)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 300))
    if kind == 1:
        return PREFACE[:rng.randrange(len(PREFACE))]
    if kind == 2:  # frames of any kind
        return start + b"".join(frame(rng.randrange(256), rng.randrange(256), rng.randrange(1 << 31),
                                      rng.randbytes(rng.randrange(60))) for _ in range(20))
    if kind == 3:  # lengths that lie
        return start + frame(rng.choice([DATA, HEADERS, SETTINGS, PING]), 0, 1, b"x" * 20, rng.choice([0, 5, 1 << 14, 0xFFFFFF]))
    if kind == 4:  # header blocks that are none
        return start + frame(HEADERS, END_HEADERS | END_STREAM, 1, rng.randbytes(rng.randrange(1, 300)))
    if kind == 5:  # a header block without an end
        return start + frame(HEADERS, 0, 1, call_headers(method)) + frame(CONTINUATION, 0, 1, field("a", "b") * 30) * 200
    if kind == 6:  # streams that are reset as soon as they are there
        return start + b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, call_headers(method)) +
                                frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", 8)) for i in range(200))
    if kind == 7:
        return start + frame(SETTINGS, 0, 0, struct.pack(">HI", rng.randrange(12), rng.randrange(1 << 32))) * 300
    if kind == 8:
        return start + frame(PING, 0, 0, b"12345678") * 500
    if kind == 9:
        return start + headers + frame(WINDOW_UPDATE, 0, rng.choice([0, 1]), struct.pack(">I", 0x7FFFFFFF)) * 3
    if kind == 10:  # messages whose length lies
        size = rng.choice([0, 1, 100, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
        return start + headers + frame(DATA, rng.choice([0, END_STREAM]), 1, bytes([rng.randrange(4)]) +
                                       struct.pack(">I", size) + rng.randbytes(50))
    if kind == 11:  # compressed, or said to be
        extra = [("grpc-encoding", rng.choice(["gzip", "deflate", "identity", "snappy", ""]))]
        return start + call(1, method, rng.randbytes(100), extra, flag=1)
    if kind == 12:
        extra = [(rng.choice(["x-api-key", "authorization", "grpc-timeout", "grpc-status", "x-bin", ":path", "X-UPPER"]),
                  rng.choice(["", "x", "\0", "-1S", "99999999999H", "Bearer x", "\x7f" * 50]))]
        return start + call(1, rng.choice([method, "", "/", "//x", "/chartly.v1.Nobody/Nothing", method + "x"]), b"", extra)
    return start + frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 255)) + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2") + \
        frame(GOAWAY, 0, 0, b"\0" * 8) + headers


# --- messages ---

def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(rng, depth=0):
    """A message in the wire format of Protobuf, of fields that a type may have or not, sound or broken."""
    kind = rng.randrange(12)
    if depth == 0 and kind == 0:
        return rng.randbytes(rng.randrange(1, 200))
    if depth == 0 and kind == 1:  # deeper than any reader goes
        deep = b""
        for _ in range(rng.randrange(50, 400)):
            deep = b"\x0a" + varint(len(deep)) + deep
        return deep
    out = b""
    for _ in range(rng.randrange(1, 6)):
        number, wire = rng.choice([1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 100, 536870911]), rng.choice([0, 1, 2, 2, 2, 5])
        out += varint(number << 3 | wire)
        if wire == 0:
            out += varint(rng.choice([0, 1, 2, 127, 1 << 31, (1 << 63) - 1, (1 << 64) - 1]))
        elif wire in (1, 5):
            out += rng.randbytes(8 if wire == 1 else 4)
        elif depth < 4 and rng.random() < 0.4:
            inner = message(rng, depth + 1)
            out += varint(len(inner)) + inner
        else:
            text = rng.choice(NASTY).encode("utf-8", "replace") if rng.random() < 0.8 else rng.randbytes(20)
            out += varint(rng.choice([len(text)] * 9 + [len(text) + 5])) + text
    return out[:rng.randrange(1, len(out))] if kind == 2 else out


# --- connections ---

def send_and_read(port, content, source="127.0.0.1", limit=65536, patience=0.5):
    """What comes back until the other side closes, `limit` bytes are there, or nothing came for `patience` seconds."""
    with socket.socket() as client:
        client.settimeout(patience)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        answer = b""
        try:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            while len(answer) < limit:
                piece = client.recv(16384)
                if not piece:
                    break
                answer += piece
        except OSError:  # also that of a shutdown once the other side has reset the connection
            pass
        return answer


class FieldReader:
    """Reads the header fields of answers (HPACK), as far as their names and values are plain text."""
    STATIC = 61

    def __init__(self):
        self.table = []  # the newest first

    def read(self, block):
        self.block, self.at, found = block, 0, {}
        while self.at < len(block):
            first = block[self.at]
            if first & 0x80:
                name, value = self.entry(self.integer(7))
            elif first & 0xE0 == 0x20:
                self.integer(5)  # the size of the table, which stays within what it was
                continue
            else:
                kept = bool(first & 0x40)
                number = self.integer(6 if kept else 4)
                name = self.entry(number)[0] if number else self.text()
                value = self.text()
                if kept:
                    self.table.insert(0, (name, value))
                    while sum(len(each[0]) + len(each[1]) + 32 for each in self.table) > 4096:
                        self.table.pop()
            found[name] = value
        return found

    def entry(self, number):
        return self.table[number - self.STATIC - 1] if number > self.STATIC else (b"", b"")

    def integer(self, bits):
        value = self.block[self.at] & (1 << bits) - 1
        self.at += 1
        if value < (1 << bits) - 1:
            return value
        shift = 0
        while True:
            byte = self.block[self.at]
            self.at += 1
            value += (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return value

    def text(self):
        size = self.integer(7)
        self.at += size
        return self.block[self.at - size:self.at]


class Calls:
    """One connection from `source` for calls, one after the other, that is made anew when the other side has closed it."""

    def __init__(self, port, source):
        self.port, self.source, self.client = port, source, None

    def ask(self, path, body, extra=(), patience=0.5):
        """Makes one call and waits for its end, `patience` seconds at most; then it takes it back. Returns the number of the
        status that it ended with, None if there was none."""
        if self.client is None:
            self.connect()
        stream, self.stream = self.stream, self.stream + 2
        # What is open to one stream, less what its headers take.
        body = b"\0" + struct.pack(">I", len(body[:60000])) + body[:60000]
        pieces = [body[at:at + 16384] for at in range(0, len(body), 16384)]
        block = call_headers(path, extra)
        blocks = [block[at:at + 16384] for at in range(0, len(block), 16384)]
        last = len(blocks) - 1
        sent = b"".join(frame(CONTINUATION if at else HEADERS, END_HEADERS if at == last else 0, stream, each)
                        for at, each in enumerate(blocks))
        sent += b"".join(frame(DATA, END_STREAM if at == len(pieces) - 1 else 0, stream, each) for at, each in enumerate(pieces))
        try:
            self.client.settimeout(patience)
            self.client.sendall(sent)
            return self.until_end(stream, time.monotonic() + patience)
        except OSError:  # a frame that was sent in part cannot be gone on with
            self.close()
            return None

    def connect(self):
        self.client, self.stream, self.got, self.fields = socket.socket(), 1, b"", FieldReader()
        self.client.bind((self.source, 0))
        self.client.connect(("127.0.0.1", self.port))
        # Answers of any size come without being asked for.
        self.client.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x7FFFFFFF)) +
                            frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))

    def until_end(self, stream, end):
        while True:
            while len(self.got) >= 9 and len(self.got) >= 9 + int.from_bytes(self.got[:3], "big"):
                size = 9 + int.from_bytes(self.got[:3], "big")
                one, self.got = self.got[:size], self.got[size:]
                ended, status = self.take(one[3], one[4], int.from_bytes(one[5:9], "big"), one[9:], stream)
                if ended:
                    return status
            left = end - time.monotonic()
            if left <= 0:
                self.client.settimeout(0.5)
                self.client.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
                return None
            self.client.settimeout(left)
            try:
                piece = self.client.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                self.close()
                return None
            self.got += piece

    def take(self, kind, flags, of, payload, stream):
        """Answers what asks for an answer. Whether it ends the stream, and with which status."""
        if kind in (SETTINGS, PING) and not flags & 1:
            self.client.sendall(frame(kind, 1, 0, payload if kind == PING else b""))
        status = self.fields.read(payload).get(b"grpc-status") if kind == HEADERS else None
        ended = of == stream and (kind == RST_STREAM or kind in (HEADERS, DATA) and bool(flags & END_STREAM))
        return ended, int(status) if status else None

    def close(self):
        if self.client is not None:
            self.client.close()
            self.client = None


def attacker(number):
    """Who sends the input with that number. One address alone would soon be read slowly, and nothing else be tried."""
    return f"127.0.{64 + number // 50 // 250}.{number // 50 % 250 + 1}"


def seeded(seed, number):
    return random.Random(f"{seed}/{number}")
