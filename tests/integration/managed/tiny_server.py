"""A model server of a few lines, to be run by a command template; its flags make it misbehave."""

import argparse
import json
import mmap
import os
import signal
import socketserver
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

PAGES = {
    "/health": {"status": "ok"},
    "/props": {"total_slots": 3, "default_generation_settings": {"n_ctx": 1234}},
    "/v1/models": {"data": [{"id": "tiny", "meta": {"n_params": 42}}]},
}


class Answers(BaseHTTPRequestHandler):
    ready = True
    missing = ""

    def do_GET(self) -> None:
        page = PAGES.get(self.path) if self.path != self.missing else None
        status = 503 if not self.ready else 200 if page else 404
        body = json.dumps(page or {"error": {"message": "no"}}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged for a request, as with llama-server."""


def read(common: mmap.mmap) -> None:
    """Makes every page of it resident here."""
    for at in range(0, len(common), mmap.PAGESIZE):
        common[at]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--socket")
    parser.add_argument("--say", default="tiny server starts")
    parser.add_argument("--fail", action="store_true")
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--missing", default="")
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--descendant")
    parser.add_argument("--share", type=int, help="bytes that the server and its descendant have in common")
    options, _ = parser.parse_known_args()
    print(options.say, flush=True)
    if options.fail:
        sys.exit(3)
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.descendant:
        common = mmap.mmap(-1, options.share or 1)
        common[:] = bytes([1]) * len(common)
        worker = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        done, tell = os.pipe()
        if options.share and not os.fork():
            read(common)
            os.close(tell)
            signal.pause()
        os.close(tell)
        os.read(done, 1)
        with open(options.descendant, "w") as file:
            file.write(str(worker.pid))
    Answers.ready = not options.never_ready
    Answers.missing = options.missing
    if options.socket:
        server: socketserver.BaseServer = socketserver.UnixStreamServer(options.socket, Answers)
    else:
        server = socketserver.TCPServer((options.host, options.port), Answers)
    print(f"pid {os.getpid()} listens", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
