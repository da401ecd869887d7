#!/usr/bin/env python3
"""Serves a folder's files on a port of its own, which it prints, to a number of requests.

    range_server.py FOLDER REQUESTS CUT [plain]

A request without a range gets no more than CUT bytes before the connection breaks. plain: ranges are not known.
"""

import http.server
import sys
from pathlib import Path

folder, requests, cut = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
knows_ranges = "plain" not in sys.argv


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = folder / self.path.lstrip("/")
        if not file.is_file():
            return self.send_error(404)
        data = file.read_bytes()
        asked = self.headers.get("Range")
        first = int(asked.removeprefix("bytes=").split("-")[0]) if asked and knows_ranges else 0
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        self.wfile.write(data[first:] if asked else data[:cut])

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.timeout = 20  # so that it ends if nobody comes
for _ in range(requests):
    server.handle_request()
