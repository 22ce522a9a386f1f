"""Programs on terminals of ours, and reading what they say, for the tests of `bottle`."""

import fcntl
import os
import pty
import select
import struct
import termios
import time

from conftest import BOUND


def read_until(descriptor, wanted, bound=BOUND):
    """Everything up to `wanted`, which must come."""
    got, deadline = b"", time.monotonic() + bound
    while wanted not in got:
        ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"{wanted!r} did not come, only {got!r}"
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # the other end of a terminal is closed
            data = b""
        assert data, f"{wanted!r} did not come, only {got!r}"
        got += data
    return got


def one_line(text):
    return text.startswith("bottle: ") and text.endswith("\n") and text.count("\n") == 1


class Terminal:
    """bottle, started on a pseudo-terminal of ours as its controlling terminal."""

    def __init__(self, account, *arguments, redirect=""):
        command = account.command("bottle", *arguments)
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
            os.execvpe("sh", ["sh", "-c", f'exec "$@" {redirect}', "sh", *command], account.environment({"TERM": "vt100"}))

    def name(self):
        number = struct.unpack("I", fcntl.ioctl(self.descriptor, 0x80045430, bytes(4)))[0]  # TIOCGPTN
        return f"/dev/pts/{number}"

    def settings(self):
        return termios.tcgetattr(self.descriptor)

    def wait(self):
        handle = os.pidfd_open(self.pid)
        ended, _, _ = select.select([handle], [], [], BOUND)
        os.close(handle)
        assert ended
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        os.close(self.descriptor)
