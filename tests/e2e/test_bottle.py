"""bottle from the outside: what goes in and comes out, exit statuses, terminals, bad input, and that nothing stays."""

import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from conftest import BOUND, children, reap_orphans
from terminals import Terminal, one_line, read_until


# Help and the tables.

@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], ["run", "--help"], ["backends", "--help"],
                                       ["run", "--as", "root", "--help"]])
def test_help_is_on_standard_output(account, arguments):
    result = account.run("bottle", *arguments)
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith("usage: bottle")


def test_a_commands_own_help_is_the_commands(account):
    result = account.run("bottle", "run", "echo", "--help", "--as", "nobody")
    assert (result.returncode, result.stdout) == (0, "--help --as nobody\n")
    assert account.run("bottle", "run", "--", "echo", "hello").stdout == "hello\n"


def test_the_version(account):
    assert account.run("bottle", "--version").stdout.startswith("bottle 0.")


def test_backends_and_their_fences_for_people_and_programs(account):
    listed = account.run("bottle", "backends")
    assert listed.returncode == 0 and listed.stdout.startswith("native ")
    table = account.run("bottle", "backends", "native").stdout
    everything = json.loads(account.run("bottle", "backends", "--json").stdout)
    assert [backend["name"] for backend in everything] == ["native", "smolmachines", "docker", "wrap"]
    assert re.search(r"^native +ready +15 fences$", listed.stdout, re.M) and everything[0]["ready"] and everything[0]["problem"] is None
    machines = everything[1]  # what is missing is told, in one line
    assert machines["ready"] == (machines["problem"] is None) and (machines["ready"] or f"not ready  3 fences\n{' ' * 17}{machines['problem']}\n" in listed.stdout)
    fences = {fence["name"]: fence for fence in everything[0]["fences"]}
    assert list(fences) == ["network", "mount", "pid", "user", "ipc", "uts", "cgroup", "time", "no-new-privs", "capabilities",
                            "seccomp", "limits", "descriptors", "session", "nesting"]
    assert fences["mount"]["vectors"] == [112] and 49 in fences["network"]["vectors"]
    for name, fence in fences.items():
        assert f"  {name} " in table and fence["keeps"] in table
        assert fence["masked_by"] == []
        if fence["vectors"]:
            assert fence["proof"] == f"bottle-gate run --mutant={name}" and f"proved by: {fence['proof']}\n" in table
        else:
            assert fence["proof"] is None
        assert all(f"BG-{vector:03}" in table for vector in fence["vectors"])
    assert table.count("unproved: no vector tries it yet") == sum(not fence["vectors"] for fence in fences.values())
    assert json.loads(account.run("bottle", "backends", "native", "--json").stdout) == everything[:1]
    machines = everything[1]["fences"]
    assert {fence["name"]: fence["masked_by"] for fence in machines} == {"cidrs": ["dns-filter"], "dns-filter": [], "floor": ["cidrs", "dns-filter"]}
    assert all(fence["proof"] == f"bottle-gate run --backend=smolmachines --mutant={fence['name']}" for fence in machines)


# Bad input.

@pytest.mark.parametrize("arguments, told", [
    ([], "a command is missing"),
    (["fly"], '"fly"'),
    (["--fly"], '"--fly"'),
    (["run", "--fly", "true"], "--fly"),
    (["run", "--door"], "--door"),
    (["run", "--door", "10.0.0.1", "true"], "10.0.0.1"),
    (["run", "--door", "10.0.0.1:0", "true"], "10.0.0.1:0"),
    (["run", "--door", "10.0.0.1:65536", "true"], "65536"),
    (["run", "--door", "10.0.0.1:80x", "true"], "80x"),
    (["run", "--door", "10.0.0.1:-1", "true"], ":-1"),
    (["run", "--door", "example.org:80", "true"], "IP address"),
    (["run", "--door", "fd00::1:80", "true"], "IP address"),
    (["run", "--door", "[10.0.0.1]:80", "true"], "IP address"),
    (["run", "--door", "1" * 200 + ":80", "true"], "--door"),
    (["run", "--as", "admin", "true"], "admin"),
    (["run", "--without", "moat", "true"], '"moat"'),
    (["run", "--without", "network,moat", "true"], '"moat"'),
    (["run", "--without", "x" * 300, "true"], "bottle backends native"),
    (["run", ""], "empty"),
    (["backends", "docker-compose"], '"docker-compose"'),
    (["backends", "native", "native"], "too many"),
    (["backends", "--yaml"], "--yaml"),
])
def test_wrong_usage_is_one_line_and_status_4(account, arguments, told):
    result = account.run("bottle", *arguments)
    assert result.returncode == 4 and result.stdout == ""
    assert one_line(result.stderr) and told in result.stderr


# Exit statuses and streams.

@pytest.mark.parametrize("arguments, status", [
    (["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$"], 137),
    (["/nonexistent"], 127), (["nonexistent"], 127), (["/etc/passwd"], 126), (["/tmp"], 126)])
def test_the_exit_status_is_the_commands(account, arguments, status):
    assert account.run("bottle", "run", "--", *arguments).returncode == status


def test_a_bottle_that_cannot_be_started_is_125_and_says_why(account):
    result = account.run("bottle", "run", "true", environment={"BOTTLE_LIBEXEC": "/nonexistent"})
    assert result.returncode == 125 and one_line(result.stderr) and "bottle-init" in result.stderr


def test_the_three_streams_are_passed_as_they_are(account):
    result = account.run("bottle", "run", "sh", "-c", "cat; echo lost >&2", stdin=None, input="found\n" * 20000)
    assert result.stdout == "found\n" * 20000 and result.stderr == "lost\n" and result.returncode == 0


def test_closed_streams_are_null_inside(account):
    result = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *account.command("bottle", "run", "sh", "-c",
                             "cat; readlink /proc/self/fd/0 /proc/self/fd/2")],
                            stdout=subprocess.PIPE, text=True, env=account.environment(), timeout=BOUND, check=False)
    assert result.stdout == "/dev/null\n/dev/null\n" and result.returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["backends"], ["run", "--help"]])
def test_a_full_standard_output_is_an_error(account, arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = account.run("bottle", *arguments, stdout=full)
    assert result.returncode == 125 and one_line(result.stderr)


def test_who_one_is_and_what_one_sees(account):
    assert account.run("bottle", "run", "id", "-u").stdout == "65534\n"
    assert account.run("bottle", "run", "--as", "root", "id", "-u").stdout == "0\n"
    assert account.run("bottle", "run", "cat", "/proc/1/comm").stdout == "bottle-init\n"
    secret = account.home / "secret"
    secret.write_text("mine")
    assert account.run("bottle", "run", "cat", str(secret)).returncode != 0


def test_a_fence_that_is_left_out_is_gone(account):
    here = os.readlink("/proc/self/ns/net")
    look = ["readlink", "/proc/self/ns/net"]
    assert account.run("bottle", "run", *look).stdout.strip() != here
    assert account.run("bottle", "run", "--without", "network", *look).stdout.strip() == here
    assert account.run("bottle", "run", "--without=uts,network", *look).stdout.strip() == here
    assert account.run("bottle", "run", "--without=uts", "--without=network", *look).stdout.strip() == here


# The door.

@pytest.fixture(params=["127.0.0.1", "::1"])
def sidecar(request):
    """An endpoint of ours on loopback that answers a line with the line turned round."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        listener = socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 loopback here")

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", encoding="utf-8") as stream:
                stream.write(stream.readline().rstrip("\n")[::-1] + "\n")
                stream.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    host = f"[{request.param}]" if ":" in request.param else request.param
    yield host, listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


DIAL = 'exec 3<>/dev/tcp/%s/%s; echo hello >&3; cat <&3'


def test_the_door_is_reached_and_what_is_behind_it_only_through_it(account, sidecar):
    host, port = sidecar
    inside = 'IFS=: read host port <<< "$BOTTLE_DOOR"; ' + DIAL % ("$host", "$port")
    result = account.run("bottle", "run", "--door", f"{host}:{port}", "bash", "-c", inside)
    assert result.stdout == "olleh\n"
    if host == "127.0.0.1":
        assert account.run("bottle", "run", "--door", f"localhost:{port}", "bash", "-c", inside).stdout == "olleh\n"
        beside = account.run("bottle", "run", "--door", f"{host}:{port}", "bash", "-c", DIAL % (host, port))
        assert beside.stdout == "" and "refused" in beside.stderr
        without = account.run("bottle", "run", "--without", "network", "bash", "-c", DIAL % (host, port))
        assert without.stdout == "olleh\n"


def test_a_door_to_nowhere_closes(account):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = account.run("bottle", "run", "--door", f"127.0.0.1:{port}", "bash", "-c", DIAL % ("127.0.0.1", 7702))
    assert result.stdout == ""


# The end.

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_the_bottle_and_everything_in_it(account, number):
    process = account.start("bottle", "run", "--door", "127.0.0.1:9", "sh", "-c",
                            "trap '' TERM INT HUP QUIT; setsid sleep 1000 & echo ready; sleep 1000; sleep 1000",
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    read_until(process.stdout.fileno(), b"ready")
    process.send_signal(number)
    assert process.wait(BOUND) == 128 + number
    assert process.stdout.read() == b""  # everybody who held the other end is gone


def test_a_killed_bottle_leaves_nothing(account):
    family = children()
    process = account.start("bottle", "run", "--door", "127.0.0.1:9", "sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000",
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    read_until(process.stdout.fileno(), b"ready")
    process.kill()
    assert process.wait(BOUND) == -signal.SIGKILL
    reap_orphans(family)
    ready, _, _ = select.select([process.stdout], [], [], BOUND)
    assert ready and process.stdout.read() == b""


def test_a_background_process_ends_with_the_command(account):
    result = account.run("bottle", "run", "sh", "-c", "sleep 1000 & exit 3")
    assert result.returncode == 3


# Terminals.

def test_on_a_terminal_the_command_has_one_of_its_own(terminal):
    shell = terminal("run", "sh", "-c", "tty; stty size; echo $TERM; stat -Lc dev=%d /proc/self/fd/0; echo ready; read line; "
                                        "echo got $line; exit 5")
    shown = read_until(shell.descriptor, b"ready").decode()
    assert "/dev/pts/0" in shown and "33 101" in shown and "vt100" in shown
    here = os.stat(shell.name()).st_dev
    assert f"dev={here}\r" not in shown
    os.write(shell.descriptor, b"a line\r")
    assert b"got a line" in read_until(shell.descriptor, b"got a line")
    assert shell.wait() == 5


def test_the_terminal_is_raw_while_the_bottle_runs_and_as_before_afterwards(terminal):
    def echoes(settings):
        return settings[3] & termios.ECHO != 0
    for ending, status in [(b"\r", 0), (signal.SIGTERM, 143)]:
        shell = terminal("run", "sh", "-c", "echo ready; read line")
        slave = os.open(shell.name(), os.O_RDWR | os.O_NOCTTY)  # keeps its settings after the last close
        read_until(shell.descriptor, b"ready")
        assert not echoes(shell.settings())
        if isinstance(ending, bytes):
            os.write(shell.descriptor, ending)
        else:
            os.kill(shell.pid, ending)
        assert shell.wait() == status
        assert echoes(shell.settings())
        os.close(slave)


def test_control_c_goes_to_the_command(terminal):
    shell = terminal("run", "sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done")
    read_until(shell.descriptor, b"ready")
    os.write(shell.descriptor, b"\x03")
    read_until(shell.descriptor, b"interrupted")
    assert shell.wait() == 9


def test_there_is_job_control_inside(terminal):
    shell = terminal("run", "bash", "--norc", "-i")
    os.write(shell.descriptor, b"sh -c 'echo run''ning; read line; echo got $line'\r")
    read_until(shell.descriptor, b"running")
    os.write(shell.descriptor, b"\x1a")
    read_until(shell.descriptor, b"Stopped")
    os.write(shell.descriptor, b"f''g\r")
    read_until(shell.descriptor, b"\rsh -c")  # bash says what it continues
    os.write(shell.descriptor, b"this\r")
    read_until(shell.descriptor, b"got this")
    os.write(shell.descriptor, b"exit 6\r")
    assert shell.wait() == 6


def test_a_changed_window_is_told_inside(terminal):
    shell = terminal("run", "sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done")
    read_until(shell.descriptor, b"33 101")
    fcntl.ioctl(shell.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 202, 0, 0))
    read_until(shell.descriptor, b"44 202")
    os.kill(shell.pid, signal.SIGTERM)
    assert shell.wait() == 143


def test_all_of_a_long_output_is_shown(terminal):
    shell = terminal("run", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    assert read_until(shell.descriptor, b"line 19999\r\n").count(b"line ") == 20000
    assert shell.wait() == 0


def test_a_redirected_stream_is_not_replaced_by_the_terminal(terminal, account):
    path = account.home / "output"
    path.touch()
    os.chmod(path, 0o666)
    shell = terminal("run", "sh", "-c", "echo shown >&2; echo kept; test -t 0 && test -t 2 && ! test -t 1", redirect=f">{path}")
    read_until(shell.descriptor, b"shown")
    assert shell.wait() == 0
    assert path.read_text() == "kept\n"


def test_a_terminal_that_goes_away_ends_the_bottle(account):
    shell = Terminal(account, "run", "sh", "-c", "trap '' HUP; echo ready; sleep 1000")
    read_until(shell.descriptor, b"ready")
    shell.close()
    assert shell.wait() == 128 + signal.SIGHUP
