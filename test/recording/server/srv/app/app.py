#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service that answers by running programs, as many internal tools do."""

import http.server
import json
import subprocess

COMMANDS = {
    "/disk": ["df", "-h", "/"],
    "/versions": ["git", "-C", "/srv/git/project.git", "log", "--oneline", "-5"],
    "/orders": ["psql", "-qAt", "-c", "select count(*) from orders", "app"],
    "/load": "uptime | tr -s ' '",
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        command = COMMANDS.get(self.path)
        if command is None:
            self.send_error(404)
            return
        done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True)
        body = json.dumps({"status": done.returncode, "out": done.stdout, "err": done.stderr}).encode()
        self.send_response(200 if done.returncode == 0 else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
