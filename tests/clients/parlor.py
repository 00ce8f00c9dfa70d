"""A Parlor of a test's own: the binary that PARLOR_BIN names, with its data in a folder that goes with the test."""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

BINARY = os.path.abspath(os.environ["PARLOR_BIN"])
SECRET = "a secret of the tests, long enough to sign with"
SERVICE_KEY = "the key of the backend in the tests"
#: How long anything may take that is waited for, in seconds.
PATIENCE = 20


class Parlor:
    """A running server."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="parlor-clients-")
        self.port = steady_port()
        given = {
            "host": "127.0.0.1",
            "websocket_port": self.port,
            "database_url": "sqlite:parlor.db",
            "jwt_secret": SECRET,
            "service_api_key": SERVICE_KEY,
            "rate_limit_calls": 0,
            "drain_spread": 0,
            "log_level": "error",
            **settings,
        }
        self.flags = [part for name, value in given.items() for part in ("--" + name.replace("_", "-"), str(value))]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        """Starts it, also again."""
        self.process = subprocess.Popen([BINARY, *self.flags], cwd=self.folder, env={}, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if re.search(r" listens on http://", line):
                return
        raise AssertionError(f"{BINARY} does not listen")

    def stop(self, how=signal.SIGKILL):
        """Ends it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def end(self):
        """Ends it for good."""
        self.stop()
        shutil.rmtree(self.folder)

    def backend(self, method, path, body=None):
        """A request of the backend."""
        headers = {"authorization": f"Bearer {SERVICE_KEY}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def room(self, name, *members):
        """Makes a chat room for these members."""
        self.backend("PUT", f"/api/admin/rooms/chat/{name}", {"name": name, "firmId": "acme", "visibility": "private"})
        for member in members:
            self.backend("PUT", f"/api/admin/rooms/chat/{name}/members/{member}", {"role": "member"})
        return name


def token(user, secret=SECRET, **claims):
    """A token of this user's."""
    claims = {"sub": user, "name": user, "firmId": "acme", "exp": int(time.time()) + 3600, **claims}
    parts = [_part(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{_part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def _part(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def steady_port():
    """A port that is free and that the system gives to nobody by itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
