"""prompt_session.py FILE PROGRAM [ARGUMENTS] - drives the prompt of a program on a terminal of its own.

FILE is a list of Python: pairs of what is typed and of what is to come after it.  In place of a text that
is typed, (rows, columns) resizes the terminal.  Prints "all came", or the first pair whose second part did
not come, and what came instead.
"""
import ast
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 20  # seconds: of a machine that has much else to do
SETTLE = 0.05  # seconds to wait for a line to be edited, as some keys are for what runs
TICK = 0.005


def plain(text):  # without what moves the cursor
    return re.sub(rb"\r(?!\n)", b"", re.sub(rb"\x1b\[[?0-9;]*[A-Za-z]", b"", text))


class Session:
    def __init__(self, command):
        self.seen, self.ended = b"", False
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(command[0], command)
        self.resize(24, 80)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not self.ended and select.select([self.fd], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                self.ended = True

    def wait_for(self, came, seconds):
        end = time.time() + seconds
        while not came() and not self.ended and time.time() < end:
            self.read(TICK)
        return came()

    def is_ready(self):
        """Whether a line is being edited: the terminal does not echo by itself then."""
        return not self.ended and not termios.tcgetattr(self.fd)[3] & termios.ECHO

    def step(self, keys, text):
        """Types the keys; whether the text comes."""
        self.wait_for(self.is_ready, SETTLE)
        self.typed = len(self.seen)
        if isinstance(keys, tuple):
            self.resize(*keys)
        else:
            os.write(self.fd, keys.encode())
        return self.wait_for(lambda: text.encode() in plain(self.seen[self.typed:]), PATIENCE)

    def run(self, pairs):
        self.typed = 0
        if not self.wait_for(lambda: self.is_ready() and b"> " in self.seen, PATIENCE):
            return "no prompt in %r" % self.seen
        for keys, text in pairs:
            if not self.step(keys, text):
                return "typed %r, no %r in %r" % (keys, text, plain(self.seen[self.typed:]))
        return "all came"

    def leave(self):
        """Ends the prompt as its user does, so that it can close what it holds."""
        for _ in range(100):
            try:
                os.write(self.fd, b"\x04")
            except OSError:
                pass
            self.wait_for(lambda: False, 0.05)
            if self.ended or os.waitpid(self.pid, os.WNOHANG) != (0, 0):
                return
        os.kill(self.pid, signal.SIGKILL)


session = Session(sys.argv[2:])
with open(sys.argv[1]) as file:
    print(session.run(ast.literal_eval(file.read())), flush=True)
session.leave()
