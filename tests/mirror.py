"""mirror.py FOLDER [CERT KEY] - a mirror of data sets that misbehaves on request, for tests.

Serves on 127.0.0.1, HTTP and (with a certificate) HTTPS, prints "http PORT https PORT pid PID", and
ends with the process that started it.  The first part of a path says how FOLDER/FILE is served; each
request is a line of FOLDER/requests.
"""
import gzip
import http.server
import os
import socket
import ssl
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def head(self, status, length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()

    def body(self, data):
        self.head(200, len(data))
        self.wfile.write(data)

    def do_GET(self):
        with lock, open(folder + "/requests", "a") as requests:
            requests.write(self.path + "\n")
        _, how, name = (self.path + "//").split("/")[:3]
        path = os.path.join(folder, os.path.basename(name))
        data = open(path, "rb").read() if os.path.isfile(path) else b""
        try:
            getattr(self, "serve_" + how, self.serve_missing)(data, name)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def serve_good(self, data, name):
        self.body(data) if data else self.serve_missing(data, name)

    def serve_missing(self, _data, _name):
        page = b"<html>not here</html>"
        self.head(404, len(page))
        self.wfile.write(page)

    def serve_wrong(self, data, _name):  # the right size, another payload
        payload = bytearray(gzip.decompress(data))
        payload[-1] ^= 1
        self.body(gzip.compress(bytes(payload)))

    def serve_plain(self, data, _name):
        self.body(gzip.decompress(data))

    def serve_page(self, _data, _name):  # what a captive portal answers
        self.body(b"<html>please log in</html>")

    def serve_empty(self, _data, _name):
        self.head(204)

    def serve_cut(self, data, _name):
        self.head(200, len(data))
        self.wfile.write(data[: len(data) // 2])

    def serve_half(self, data, _name):  # complete as HTTP, cut short as gzip
        self.body(data[: len(data) // 2])

    def serve_redirect(self, _data, name):
        self.head(302, 0, Location="/good/" + name)

    def serve_loop(self, _data, name):
        self.head(302, 0, Location="/loop/" + name)

    def serve_file(self, _data, name):
        self.head(302, 0, Location="file://%s/%s" % (folder, name))

    def serve_stall(self, data, _name):
        self.head(200, len(data))
        self.wfile.write(data[:100])
        self.wfile.flush()
        time.sleep(60)

    def serve_mute(self, _data, _name):
        time.sleep(60)

    def serve_slow(self, data, _name):  # 5 kB/s: no stall, and no end either
        self.head(200, 1 << 30)
        while True:
            self.wfile.write(b"x" * 500)
            self.wfile.flush()
            time.sleep(0.1)

    def serve_endless(self, _data, _name):
        self.head(200)
        while True:
            self.wfile.write(b"x" * 65536)

    def serve_bomb(self, _data, _name):  # 100 MB of zeros
        self.body(gzip.compress(bytes(100 << 20), 1))


def start(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


parent = os.getppid()
ports = {"http": start(), "https": 0}
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    ports["https"] = start(context)
silent = socket.socket()  # a port that is bound and nobody listens on
silent.bind(("127.0.0.1", 0))
with open(folder + "/ports.new", "w") as out:
    out.write("http %d https %d closed %d pid %d\n"
              % (ports["http"], ports["https"], silent.getsockname()[1], os.getpid()))
os.rename(folder + "/ports.new", folder + "/ports")
deadline = time.time() + 600
while os.getppid() == parent and time.time() < deadline:
    time.sleep(0.2)
