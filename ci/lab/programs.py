"""Programs that the lab starts: none outlives it, however it ends."""

import contextlib
import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
GRACE = 20  # seconds that a program has to clean up after itself
libc = ctypes.CDLL(None)


class Refused(Exception):
    """Something asked for that can't be had: exit status 4."""


class Broken(Exception):
    """The lab gave no result: exit status 3. `console` is what it said last."""

    def __init__(self, what, console=""):
        super().__init__(what)
        self.console = console


def start(arguments, **options):
    """A program in a session of its own, so that it can be ended with all its children; killed if we are."""
    def tied():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        return subprocess.Popen(arguments, start_new_session=True, preexec_fn=tied, **options)
    except FileNotFoundError:
        raise Refused(f"{arguments[0]} is not installed") from None


def end(process, grace=GRACE):
    """Ends the program and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def run(what, arguments, **options):
    """Runs a program to its end. `what` names it where it fails, with the last of its standard error."""
    process = start(arguments, **{"stderr": subprocess.PIPE, **options})
    try:
        said = (process.communicate()[1] or b"").decode(errors="replace").strip()
    except BaseException:
        end(process)
        raise
    if process.returncode != 0:
        last = "; ".join(said.splitlines()[-3:])
        raise Refused(f"{what} failed (exit status {process.returncode})" + (f": {last}" if last else ""))
