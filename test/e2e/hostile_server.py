"""A publisher on loopback that answers as badly as a test wants it to."""

import http.client
import http.server
import socket
import struct
import threading
import time
import urllib.parse


class Exchange:
    """One request, and the connection on which anything may be answered. The connection closes after the route."""

    def __init__(self, handler):
        split = urllib.parse.urlsplit(handler.path)
        self.path, self.query = split.path, dict(urllib.parse.parse_qsl(split.query))
        self.headers, self._handler = handler.headers, handler

    def begin(self, status=200, length=None, kind="application/json", **headers):
        """The header. Names of further headers are written with _ for -."""
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Odd')}", f"Content-Type: {kind}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode())

    def send(self, data):
        self._handler.connection.sendall(data)

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self, body, status=200, kind="application/json", **headers):
        self.begin(status, len(body), kind, **headers)
        self.send(body)

    def reset(self):
        """Ends the connection with a RST once what was sent has arrived."""
        time.sleep(0.1)
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.connection.close()

    def until_left(self, piece, pause=0.0):
        """Sends `piece` again and again, until the other side has had enough."""
        while True:
            self.send(piece)
            time.sleep(pause)


class HostileServer:
    """Its one route is `route`, a function of an Exchange; `hits` are the times at which it was asked."""

    def __init__(self):
        self.route, self.hits = None, []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.hits.append(time.monotonic())
                try:
                    owner.route(Exchange(self))
                except OSError:
                    pass  # the drone has left, which is what most tests are about

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def shutdown_request(self, request):
                try:
                    super().shutdown_request(request)
                except OSError:
                    pass

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/rows"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
