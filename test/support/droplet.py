"""A droplet, and a registry that lists it: droplet.py PORT [NAME=URL …]. GET /calls answers when each path was called."""

import json
import sys
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1])
LISTED = [dict(zip(("name", "endpoint"), entry.split("=", 1))) for entry in sys.argv[2:]]
CALLS = defaultdict(list)


class Droplet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode() if length else ""
        path = self.path
        status, body = 200, {"status": "ok", "service": "registry"}
        if path == "/droplets":
            body = {"droplets": [{"name": "registry", "endpoint": f"http://localhost:{PORT}"}, *LISTED]}
        elif path == "/calls":
            body = dict(CALLS)
        else:
            CALLS[path].append(time.time())
        _, kind, *rest = path.split("/")
        if kind == "echo":
            body = {"method": self.command, "path": path, "payload": json.loads(text) if text else None,
                    "key": self.headers.get("Idempotency-Key"), "hops": self.headers.get("X-Orchestrator-Hops")}
        if kind == "status":
            status, body = int(rest[0]), {"detail": rest[0]}
        if kind == "flaky" and len(CALLS[path]) <= int(rest[1]):
            status = 503
        if kind == "slow":
            time.sleep(float(rest[0]))
        if kind == "large":
            body = {"text": "x" * int(rest[0])}
        if kind == "hangup":
            self.close_connection = True
            return
        self.send_response(302 if kind in ("moved", "away") else status)
        if kind == "moved":
            self.send_header("Location", "/echo/moved")
        if kind == "away":
            self.send_header("Location", f"http://127.0.0.1:{rest[0]}/echo")
        content = "plain words".encode() if kind == "text" else json.dumps(body).encode()
        self.send_header("Content-Type", "text/plain" if kind == "text" else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Callers that hang up are no news."""


Server(("127.0.0.1", PORT), Droplet).serve_forever()
