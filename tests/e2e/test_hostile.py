"""Hostile bottles: programs that do everything but their work, in the probe's place and under `bottle run`.

Whatever they do, the gate ends in time, with a documented status that is never PASS where something was hindered, with a
report, and leaves nothing behind (conftest's nothing_is_left looks at that after every test). The programs are in hostile/.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BOUND
from other_probe import workshop  # noqa: F401, a fixture
from test_bottle import Terminal, read_until
from test_gate import on_terminal

WRAPPED = "-Wl,--wrap=attempts_run"
SHORT = "--timeout=500ms"  # for the attempts; a session that never ends is given up three seconds later

ALONE = "--as=user"

# What stands in the probe's place: the statuses that the gate may end with, options of the link, options of the gate.
HOSTILE = {
    "flood": ({3}, [], [ALONE]),
    "fork_bomb": ({2, 3}, [], []),
    "fill": ({3}, [], []),
    "hog": ({3}, [], [ALONE]),
    "killer": ({2}, [], []),
    "occupy_door": ({2, 3}, [], []),
    "lie_at_door": ({2}, [], []),
    "every_byte": ({3}, [], []),
    "close_output": ({2}, [], []),
    "never_end": ({2}, [], []),
    "stop_itself": ({2}, [], []),
    "escape_sequences": ({3}, [], []),
    "good_citizen": ({2}, [WRAPPED], []),
    "forge_door": ({2}, [WRAPPED], []),
}
HEAVY = {"fork_bomb", "fill", "hog"}  # one of them at a time, whatever else is tested on this machine
VERDICTS = {1: "FAIL", 2: "INCONCLUSIVE", 3: "BROKEN"}


@contextlib.contextmanager
def turn(workshop, name):  # noqa: F811
    with open(workshop.directory / "heavy.lock", "w", encoding="utf-8") as lock:
        if name in HEAVY:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_probe_is_never_a_pass_and_never_a_hang(account, workshop, name):  # noqa: F811
    statuses, link_options, gate_options = HOSTILE[name]
    hostile = workshop.account(account, f"hostile/{name}.c", *link_options)
    with turn(workshop, name):
        began = time.monotonic()
        result = hostile.run("bottle-gate", "run", SHORT, "--format=json", *gate_options)
        took = time.monotonic() - began
        usable = account.run("bottle-gate", "run", "-q") if name in HEAVY else None
    assert result.returncode in statuses, result.stdout + result.stderr
    assert result.stderr == "" and took < 60
    report = json.loads(result.stdout)
    assert report["verdict"] == VERDICTS[result.returncode] and report["exit"] == result.returncode
    assert report["reason"], "the verdict stands there without a word"
    assert report["counts"]["blocked"] + report["counts"]["escaped"] < len(report["attempts"])
    assert report["counts"]["escaped"] == 0, "nothing got out"
    assert not re.search(r"[^\x20-\x7e\n\t]", result.stdout), "a byte of the bottle's in the report"
    assert not [name for name in os.listdir("/tmp") if name.startswith("hostile-file")]
    assert usable is None or usable.returncode == 0, usable.stdout + usable.stderr


def test_escape_sequences_never_reach_the_gates_terminal(account, workshop):  # noqa: F811
    shown, status = on_terminal(workshop.account(account, "hostile/escape_sequences.c"), "run", "-v")
    assert os.WEXITSTATUS(status) == 3 and "owned" not in shown
    own = re.compile(r"\x1b\[(1|1;3[1-3]|0)m|\r\x1b\[K|\r\n")  # the report's colours, the progress line, the lines' ends
    assert "\x1b" in shown and not re.search(r"[^\x20-\x7e]", own.sub("", shown))


# The same under `bottle run`.

def run_inside(account, program, *options, **streams):
    """`bottle run` of a static program, which comes in by standard input."""
    script = "cat >/tmp/program && chmod 755 /tmp/program && exec </dev/null /tmp/program"
    with open(program, "rb") as binary:
        return account.start("bottle", "run", *options, "sh", "-c", script, stdin=binary, **streams)


@pytest.fixture
def alone(workshop):  # noqa: F811
    return lambda name: workshop.program(f"hostile/{name}.c", "-DHOSTILE_ALONE")


@pytest.mark.parametrize("name, word", [("never_end", b"ready\n"), ("stop_itself", b"ready\n"), ("fork_bomb", b"full\n"),
                                        ("hog", b"taken\n")])
def test_whatever_runs_in_a_bottle_ends_with_it(account, workshop, alone, name, word):  # noqa: F811
    with turn(workshop, name):
        process = run_inside(account, alone(name), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout.readline() == word
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND) == 128 + signal.SIGTERM
        assert time.monotonic() - began < 30
        process.stdout.read()  # ends only when nobody holds the other end
        process.stdout.close()


def test_a_flood_ends_when_nobody_listens_any_more(account, alone):
    process = run_inside(account, alone("flood"), stdout=subprocess.PIPE)
    assert len(process.stdout.read(1 << 20)) == 1 << 20
    process.stdout.close()
    assert process.wait(BOUND) == 128 + signal.SIGPIPE


# Says so on standard error when the flood has come to a standstill.
FLOOD = """trap '' TERM HUP
yes &
until [ "$before" = "$now" ] && [ -n "$now" ]; do before=$now; sleep 0.2; now=$(grep wchar /proc/$!/io); done
echo stuck >&2
wait"""


def test_a_flood_on_a_terminal_that_nobody_reads_ends_too(account):
    path = account.home / "told"
    os.mkfifo(path)
    os.chmod(path, 0o666)
    told = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    flood = Terminal(account, "run", "sh", "-c", FLOOD, redirect=f"2>{path}")
    handle = os.open(path, os.O_WRONLY)  # or the end of file comes first
    read_until(told, b"stuck")
    os.read(flood.descriptor, 3000)  # now there is room for a little, and a write of more would wait
    began = time.monotonic()
    os.kill(flood.pid, signal.SIGTERM)
    assert flood.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 20
    flood.close()
    os.close(told)
    os.close(handle)


def test_a_bottles_files_have_an_end(account, workshop, alone):  # noqa: F811
    with turn(workshop, "fill"):
        assert run_inside(account, alone("fill"), stdout=subprocess.DEVNULL).wait(BOUND) == 0
        assert account.run("bottle", "run", "true").returncode == 0
    assert not [name for name in os.listdir("/tmp") if name.startswith("hostile-file")]


def test_a_killer_inside_reaches_neither_init_nor_anybody_outside(account, alone):
    bystander = account.start("bottle", "run", "sh", "-c", "echo ready; read line; exit 7", stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    assert bystander.stdout.readline() == b"ready\n"
    # The program's parent is the command itself, which its child kills: 137. PID 1 lives on, or it would be no exit status
    # of a command's.
    assert run_inside(account, alone("killer"), "--as", "root").wait(BOUND) in (0, 128 + signal.SIGKILL)
    bystander.communicate(b"\n", timeout=BOUND)
    assert bystander.returncode == 7


@contextlib.contextmanager
def sidecar():
    """An endpoint on loopback that greets everybody; gives its port."""
    def serve(listener):
        with contextlib.suppress(OSError):  # of the shut listener
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"the real one\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


@pytest.mark.parametrize("principal", ["user", "root"])
def test_nothing_inside_reaches_into_others_or_takes_the_doors_place(account, alone, principal):
    script = ("cat >/tmp/program && chmod 755 /tmp/program && /tmp/program </dev/null;"
              " exec 3<>/dev/tcp/127.0.0.1/7702; cat <&3")
    with sidecar() as port, open(alone("reach_into"), "rb") as program:
        result = account.run("bottle", "run", "--as", principal, "--door", f"127.0.0.1:{port}", "bash", "-c", script,
                             stdin=program)
    *tries, answer = result.stdout.splitlines()
    assert answer == "the real one", result.stderr
    outcome = dict(line.rsplit(" ", 1) for line in tries)
    assert len(outcome) == 18
    for what, error in outcome.items():
        assert int(error) in ((errno.EADDRINUSE,) if what.startswith("door") else (errno.EPERM, errno.EACCES)), what
