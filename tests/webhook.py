"""A webhook of the tests' own, on loopback, which keeps what it is sent."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "4f1c9secret0token"


class Listener:
    """What a webhook was sent, and how it answers."""

    def __init__(self, port, received):
        self.port, self.received = port, received

    @property
    def webhook(self):
        return f"http://127.0.0.1:{self.port}/workflows/{SECRET}/run?sig={SECRET}"


@contextmanager
def listener(status=202, body=b"", headers=(), wait=0.0, endless=False):
    received = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], content))
            ended.wait(wait)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**12 if endless else len(body)))
            self.end_headers()
            self.wfile.write(body)
            if endless:
                ended.wait(20)

        def do_GET(self):
            received.append((self.path, "GET", b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Listener(server.server_address[1], received)
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
