"""A stand-in on loopback for the host of RAVDESS, with the troubles that a host can have."""

import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from avlib.corpus.download import RECORD


class Zenodo(ThreadingHTTPServer):
    """Serves `files` under Zenodo's addresses.

    `troubles` holds what goes wrong, one for each request of a file, in order: ("cut", bytes),
    ("status", code, Retry-After or None), ("drip", bytes a second), ("other", content),
    ("unsized", content, times), which tells no length and sends that so often, ("silent",), which
    sends nothing for a while; None and an empty list are a good day. `requests` keeps (file, Range
    header) of each.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.ranges = files, True
        self.troubles: list[tuple | None] = []
        self.requests: list[tuple[str, str | None]] = []
        self.at_work = self.most_at_work = 0
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.record: bytes | None = None  # in place of the list of files
        self.slowly = 0.0  # seconds a byte of it

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Zenodo

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.at_work += 1
            self.server.most_at_work = max(self.server.most_at_work, self.server.at_work)
        try:
            self._answer()
        finally:
            with self.server.lock:
                self.server.at_work -= 1

    def _answer(self) -> None:
        if self.path == f"/api/records/{RECORD}":
            listed = [
                {"key": name, "size": len(data), "checksum": f"md5:{md5(data).hexdigest()}"}
                for name, data in self.server.files.items()
            ]
            record = self.server.record or json.dumps({"files": listed}).encode()
            if not self.server.slowly:
                return self._send(200, record)
            self.send_response(200)
            self.end_headers()
            for byte in record:
                if self.server.ended.wait(self.server.slowly):
                    break
                self.wfile.write(bytes([byte]))
            return None
        found = re.fullmatch(rf"/records/{RECORD}/files/([^/?]+)\?download=1", self.path)
        if not found or found[1] not in self.server.files:
            return self._send(404, b"no such file")
        data, span = self.server.files[found[1]], self.headers.get("Range")
        with self.server.lock:
            self.server.requests.append((found[1], span))
            kind, *how = (self.server.troubles and self.server.troubles.pop(0)) or ("none",)
        if kind == "status":
            wait = {} if how[1] is None else {"Retry-After": how[1]}
            return self._send(how[0], b"later", wait)
        if kind == "other":
            return self._send(200, how[0])
        if kind == "silent":
            return self.server.ended.wait(60)
        if kind == "unsized":
            self.send_response(200)
            self.end_headers()
            for _ in range(how[1]):
                self.wfile.write(how[0])
            return None
        start = int(span[6:-1]) if span and self.server.ranges else 0
        if start >= len(data):
            return self._send(416, b"")
        extra = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        code, extra = (206, extra) if span and self.server.ranges else (200, {})
        return self._send(code, data[start:], extra, kind, *how)

    def _send(
        self, code: int, data: bytes, extra: dict | None = None, kind: str = "none", how: int = 0
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        for key, value in (extra or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if kind == "cut":
            self.wfile.write(data[:how])
        elif kind == "drip":
            for at in range(0, len(data), max(how // 10, 1)):
                time.sleep(0.1)
                self.wfile.write(data[at : at + max(how // 10, 1)])
        else:
            self.wfile.write(data)


@contextmanager
def zenodo(files: dict[str, bytes], certificate: ssl.SSLContext | None = None) -> Iterator[Zenodo]:
    """A server that runs as long as the block."""
    server = Zenodo(files)
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
