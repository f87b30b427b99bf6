#!/usr/bin/env python3
"""lua_diagnostics.py SERVER FOLDER FILE... - what a language server of Lua says of files in FOLDER,
which is the workspace: a line for each diagnostic, FILE:LINE CODE MESSAGE, sorted."""
import json
import os
import queue
import subprocess
import sys
import threading

QUIET = 1.5  # seconds without a message: the server has read the workspace


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.messages, self.last = queue.Queue(), 0
        threading.Thread(target=self.read, daemon=True).start()

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def read(self):
        """Queues messages; requests of the server are answered with nothing."""
        while True:
            length = 0
            while (line := self.process.stdout.readline().strip()):
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    length = int(value)
            if length == 0:
                return
            message = json.loads(self.process.stdout.read(length))
            if "method" in message and "id" in message:
                items = (message.get("params") or {}).get("items")
                result = [None] * len(items) if items else None
                self.send({"id": message["id"], "result": result})
            self.messages.put(message)

    def request(self, method, params):
        self.last += 1
        self.send({"id": self.last, "method": method, "params": params})
        while True:
            message = self.messages.get(timeout=60)
            if message.get("id") == self.last and "method" not in message:
                return message.get("result") or {}

    def wait(self):
        try:
            while True:
                self.messages.get(timeout=QUIET)
        except queue.Empty:
            pass


def main():
    program, folder, names = sys.argv[1], os.path.realpath(sys.argv[2]), sys.argv[3:]
    root, server, lines = "file://" + folder, Server(program), []
    server.request("initialize", {
        "processId": os.getpid(), "rootUri": root,
        "workspaceFolders": [{"uri": root, "name": "w"}],
        "capabilities": {"textDocument": {"diagnostic": {}}, "workspace": {"configuration": True}}})
    server.send({"method": "initialized", "params": {}})
    server.wait()
    for name in names:
        uri = f"{root}/{name}"
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
        server.send({"method": "textDocument/didOpen", "params": {"textDocument": {
            "uri": uri, "languageId": "lua", "version": 1, "text": text}}})
        server.wait()
        found = server.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        for item in found.get("items", []):
            line, message = item["range"]["start"]["line"] + 1, item["message"].split("\n")[0]
            lines.append((name, line, f"{name}:{line} {item.get('code')} {message}"))
    for line in sorted(lines):
        print(line[2])
    server.process.kill()


main()
