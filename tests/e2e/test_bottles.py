"""Bottles that live on: start, exec, put, list, stop, from the outside, and that nothing of them stays."""

import concurrent.futures
import contextlib
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
import time

import pytest

from conftest import BOUND
from terminals import one_line, read_until


class Bottles:
    """One account's bottles."""

    def __init__(self, account):
        self.account = account
        self.directory = account.home / "bottle-gate" / "bottles"

    def start(self, *arguments):
        result = self.account.run("bottle", "start", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.rstrip("\n")

    def exec(self, *arguments, **options):
        return self.account.run("bottle", "exec", *arguments, **options)

    def list(self):
        return json.loads(self.account.run("bottle", "list", "--json").stdout)

    def keeper(self, name):
        return next(row["pid"] for row in self.list() if row["name"] == name)

    def stop(self, *arguments):
        result = self.account.run("bottle", "stop", *arguments)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")

    def connect(self, name):
        """A connection to the keeper that is nobody's command."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        directory = os.open(self.directory, os.O_RDONLY)
        connection.connect(f"/proc/self/fd/{directory}/{name}")
        os.close(directory)
        connection.settimeout(BOUND)
        return connection

    def files(self):
        return sorted(os.listdir(self.directory)) if self.directory.exists() else []


@pytest.fixture
def bottles(account):
    """No bottle and no socket of one is left when a test has stopped what it started; and if it failed, neither."""
    all_of_them = Bottles(account)
    yield all_of_them
    left = [row["name"] for row in all_of_them.list()]
    files = all_of_them.files()
    account.run("bottle", "stop", "--all")
    assert left == [] and files == []


@pytest.fixture
def dev(bottles):
    name = bottles.start("--name", "dev")
    yield name
    bottles.account.run("bottle", "stop", name)


def as_account(bottles):
    """Root may be whom the keeper runs for, or not: its sockets are its user's alone."""
    return not bottles.account.is_root and os.getuid() == 0


def has_ended(pid):
    handle = os.pidfd_open(pid)
    ended, _, _ = select.select([handle], [], [], BOUND)
    os.close(handle)
    return bool(ended)


# The life of one.

def test_one_is_started_listed_used_and_stopped(bottles):
    before = time.time()
    assert bottles.start("--name", "dev") == "dev"
    (row,) = bottles.list()
    assert (row["name"], row["as"], row["door"], row["without"]) == ("dev", "user", None, [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["since"])
    assert abs(time.mktime(time.strptime(row["since"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")) - time.timezone - before) < 3700
    assert bottles.exec("dev", "--", "cat", "/proc/1/comm").stdout == "bottle-init\n"
    assert bottles.exec("dev", "sh", "-c", "echo kept > /tmp/file").returncode == 0
    assert bottles.exec("dev", "cat", "/tmp/file").stdout == "kept\n"
    table = bottles.account.run("bottle", "list").stdout.splitlines()
    assert table[0].startswith("NAME") and len(table) == 2 and table[1].startswith("dev ") and str(row["pid"]) in table[1]
    bottles.stop("dev")
    assert bottles.list() == [] and bottles.files() == [] and has_ended(row["pid"])


def test_names_are_made_up_short_and_different(bottles):
    names = [bottles.start() for _ in range(3)]
    assert len(set(names)) == 3 and all(re.fullmatch("[a-z][a-z0-9]{5}", name) for name in names)
    assert [row["name"] for row in bottles.list()] == sorted(names)
    bottles.stop(*names)


def test_what_a_bottle_was_started_with_is_listed_and_holds(bottles):
    bottles.start("--name", "odd", "--door", "[::1]:99", "--without", "uts,session", "--as", "root")
    (row,) = bottles.list()
    assert (row["as"], row["door"], row["without"]) == ("root", "[::1]:99", ["uts", "session"])
    assert "[::1]:99" in bottles.account.run("bottle", "list").stdout
    assert bottles.exec("odd", "id", "-u").stdout == "0\n"
    assert bottles.exec("--as", "user", "odd", "id", "-u").stdout == "65534\n"
    assert bottles.exec("odd", "readlink", "/proc/self/ns/uts").stdout.strip() == os.readlink("/proc/self/ns/uts")
    assert bottles.exec("odd", "sh", "-c", "echo $BOTTLE_DOOR").stdout == "127.0.0.1:7702\n"
    bottles.stop("odd")


def test_the_door_of_a_bottle_that_lives_on_leads_where_it_was_told(bottles):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bottles.start("--name", "dev", "--door", f"127.0.0.1:{listener.getsockname()[1]}")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            inside = pool.submit(bottles.exec, "dev", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7702; cat <&3")
            listener.settimeout(BOUND)
            connection, _ = listener.accept()
            connection.sendall(b"through\n")
            connection.close()
            assert inside.result().stdout == "through\n"
    bottles.stop("dev")


def test_the_keeper_has_no_terminal_no_file_and_a_session_of_its_own(bottles, dev):
    pid = bottles.keeper(dev)
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    assert int(fields[3]) == pid and int(fields[4]) == 0  # session, terminal
    for number in range(3):
        assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
    opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    home = str(bottles.account.home)
    assert all(path == str(bottles.directory) for path in opened if path.startswith(home) or "pytest" in path)
    assert not any(path.startswith(("pipe:", "/dev/pts")) for path in opened)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"


def test_start_returns_though_its_output_is_a_pipe_that_is_read_to_its_end(bottles):
    # A keeper that kept the pipe would keep the reader waiting: this is $(bottle start).
    assert bottles.account.run("bottle", "start", "--name", "dev").stdout == "dev\n"
    bottles.stop("dev")


# Names.

def test_a_name_is_taken_once(bottles, dev):
    result = bottles.account.run("bottle", "start", "--name", dev)
    assert result.returncode == 125 and one_line(result.stderr) and "lives already" in result.stderr and result.stdout == ""
    assert bottles.exec(dev, "true").returncode == 0


def test_of_starts_at_the_same_time_exactly_one_wins(bottles):
    for _ in range(3):
        starts = [bottles.account.start("bottle", "start", "--name", "dev", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                  for _ in range(8)]
        results = [start.communicate(timeout=BOUND) for start in starts]
        assert sorted(start.returncode for start in starts) == [0] + [125] * 7
        assert sorted(output for output, _ in results) == [b""] * 7 + [b"dev\n"]
        assert bottles.exec("dev", "true").returncode == 0
        bottles.stop("dev")


def test_a_long_run_time_directory_is_no_obstacle(account):
    deep = account.home / ("d" * 120)
    deep.mkdir()
    if os.getuid() == 0:
        os.chown(deep, account.home.stat().st_uid, -1)
    environment = {"XDG_RUNTIME_DIR": str(deep)}
    assert account.run("bottle", "start", "--name", "dev", environment=environment).returncode == 0
    assert account.run("bottle", "exec", "dev", "echo", "here", environment=environment).stdout == "here\n"
    assert account.run("bottle", "list").stdout.count("\n") == 1  # another directory's bottles are not these
    assert account.run("bottle", "stop", "dev", environment=environment).returncode == 0


# Bad input.

@pytest.mark.parametrize("arguments, told", [
    (["start", "--name", "Dev"], '"Dev"'),
    (["start", "--name", ""], "no name"),
    (["start", "--name", "a/b"], '"a/b"'),
    (["start", "--name", "x" * 33], "no name"),
    (["start", "--door", "nowhere"], "nowhere"),
    (["start", "--without", "moat"], "moat"),
    (["start", "--as", "admin"], "admin"),
    (["start", "true"], "takes no command"),
    (["start", "--fly"], "--fly"),
    (["exec"], "name is missing"),
    (["exec", "../dev", "true"], '"../dev"'),
    (["exec", "--as", "admin", "dev", "true"], "admin"),
    (["exec", "dev", ""], "empty"),
    (["put", "dev"], "one file"),
    (["put", "dev", "a", "b"], "one file"),
    (["put", "dev", "/etc/passwd", "--mode", "999"], "999"),
    (["put", "dev", "/etc/passwd", "--mode", "4755"], "4755"),
    (["put", "dev", "/etc/passwd", "--mode", ""], "--mode"),
    (["put", "dev", "/etc/passwd", "--to", "a/b"], '"a/b"'),
    (["put", "dev", "/etc/passwd", "--to", ".."], '".."'),
    (["put", "dev", "/etc"], "regular file"),
    (["put", "dev", "/dev/null"], "regular file"),
    (["put", "DEV", "/etc/passwd"], '"DEV"'),
    (["list", "dev"], "no name"),
    (["stop"], "--all"),
    (["stop", "--all", "dev"], "--all"),
    (["stop", "-dev"], "unknown option"),
])
def test_wrong_usage_is_one_line_and_status_4(account, arguments, told):
    result = account.run("bottle", *arguments)
    assert result.returncode == 4 and result.stdout == ""
    assert one_line(result.stderr) and told in result.stderr


@pytest.mark.parametrize("arguments", [["exec", "nobody", "true"], ["put", "nobody", "/etc/passwd"], ["stop", "nobody"]])
def test_a_bottle_that_is_not_there_is_125_and_one_line(account, arguments):
    result = account.run("bottle", *arguments)
    assert result.returncode == 125 and result.stdout == ""
    assert one_line(result.stderr) and "nobody" in result.stderr


@pytest.mark.parametrize("command", ["start", "exec", "put", "list", "stop"])
def test_each_has_its_help_and_is_listed(account, command):
    result = account.run("bottle", command, "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"usage: bottle {command}")
    assert f"  {command} " in account.run("bottle", "--help").stdout


def test_a_bottle_that_cannot_be_started_says_why_and_leaves_nothing(bottles):
    result = bottles.account.run("bottle", "start", "--name", "dev", environment={"BOTTLE_LIBEXEC": "/nonexistent"})
    assert result.returncode == 125 and one_line(result.stderr) and "bottle-init" in result.stderr
    broken = bottles.account.home / "bottle-init"
    broken.write_text("no program")
    os.chmod(broken, 0o755)
    result = bottles.account.run("bottle", "start", "--name", "dev", environment={"BOTTLE_LIBEXEC": str(broken.parent)})
    assert result.returncode == 125 and one_line(result.stderr) and "bottle-init" in result.stderr
    assert bottles.files() == []


def test_a_bottle_whose_name_nobody_could_read_does_not_live(bottles):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = bottles.account.run("bottle", "start", "--name", "dev", stdout=full)
    assert result.returncode == 125 and one_line(result.stderr)
    deadline = time.monotonic() + BOUND
    while bottles.list() and time.monotonic() < deadline:
        pass
    assert bottles.list() == []


# exec.

@pytest.mark.parametrize("arguments, status", [
    (["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$"], 137),
    (["/nonexistent"], 127), (["nonexistent"], 127), (["/etc/passwd"], 126), (["/tmp"], 126)])
def test_the_exit_status_is_the_commands(bottles, dev, arguments, status):
    assert bottles.exec(dev, "--", *arguments).returncode == status


def test_the_three_streams_are_passed_as_they_are(bottles, dev):
    result = bottles.exec(dev, "sh", "-c", "cat; echo lost >&2", stdin=None, input="found\n" * 20000)
    assert result.stdout == "found\n" * 20000 and result.stderr == "lost\n" and result.returncode == 0


def test_closed_streams_are_null_inside(bottles, dev):
    result = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "sh",
                             *bottles.account.command("bottle", "exec", dev, "sh", "-c",
                                                      "cat; readlink /proc/self/fd/0 /proc/self/fd/2")],
                            stdout=subprocess.PIPE, text=True, env=bottles.account.environment(), timeout=BOUND, check=False)
    assert result.stdout == "/dev/null\n/dev/null\n" and result.returncode == 0


def test_a_commands_own_options_are_the_commands(bottles, dev):
    assert bottles.exec(dev, "echo", "--help", "--as", "nobody").stdout == "--help --as nobody\n"
    assert bottles.exec(dev, "--", "echo", "--", "x").stdout == "-- x\n"


def test_nothing_of_the_environment_or_of_earlier_commands_goes_in(bottles, dev):
    result = bottles.exec(dev, "env", environment={"SECRET": "mine", "TERM": "vt100"})
    assert "SECRET" not in result.stdout and "TERM" not in result.stdout


def test_commands_run_side_by_side(bottles, dev):
    first = bottles.account.start("bottle", "exec", dev, "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda number: bottles.exec(dev, "sh", "-c", f"echo {number}; exit {number}"), range(12)))
    assert [(result.stdout, result.returncode) for result in results] == [(f"{n}\n", n) for n in range(12)]
    assert first.communicate(b"still here", timeout=BOUND)[0] == b"still here" and first.returncode == 0


def test_what_a_command_left_running_stays_until_the_bottle_stops(bottles, dev):
    assert bottles.exec(dev, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $! > /tmp/pid").returncode == 0
    assert bottles.exec(dev, "sh", "-c", "kill -0 $(cat /tmp/pid)").returncode == 0
    bottles.stop(dev)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_the_end_of_exec_is_the_end_of_its_command_and_of_no_other(bottles, dev, number):
    other = bottles.account.start("bottle", "exec", dev, "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = bottles.account.start("bottle", "exec", dev, "sh", "-c",
                                    "trap '' TERM INT HUP QUIT; sleep 1000 & echo ready; sleep 1000; sleep 1000",
                                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    read_until(process.stdout.fileno(), b"ready")
    process.send_signal(number)
    assert process.wait(BOUND) == (-number if number == signal.SIGKILL else 128 + number)
    ready, _, _ = select.select([process.stdout], [], [], BOUND)
    assert ready and process.stdout.read() == b""  # everybody who held the other end is gone
    assert bottles.exec(dev, "true").returncode == 0
    assert other.communicate(b"still here", timeout=BOUND)[0] == b"still here"


def test_a_command_of_many_words_goes_in_and_of_too_many_is_told(bottles, dev):
    words = ["x" * 100] * 1000
    assert bottles.exec(dev, "sh", "-c", "echo $#", "sh", *words).stdout == "1000\n"
    result = bottles.exec(dev, "true", *["x"] * 5000)
    assert result.returncode == 4 and one_line(result.stderr)
    result = bottles.exec(dev, "true", "x" * 130000, "x" * 10000)
    assert result.returncode == 4 and one_line(result.stderr)
    assert bottles.exec(dev, "true").returncode == 0


# Terminals.

def test_on_a_terminal_the_command_has_one_of_the_bottles_own(terminal, bottles, dev):
    shell = terminal("exec", dev, "sh", "-c", "tty; stty size; echo $TERM; stat -Lc dev=%d /proc/self/fd/0; echo ready; "
                                              "read line; echo got $line; exit 5")
    shown = read_until(shell.descriptor, b"ready").decode()
    assert "/dev/pts/0" in shown and "33 101" in shown and "vt100" in shown
    assert f"dev={os.stat(shell.name()).st_dev}\r" not in shown
    os.write(shell.descriptor, b"a line\r")
    assert b"got a line" in read_until(shell.descriptor, b"got a line")
    assert shell.wait() == 5


def test_keys_and_sizes_reach_a_command_on_a_terminal(terminal, bottles, dev):
    shell = terminal("exec", dev, "sh", "-c", "trap 'echo interrupted; exit 9' INT; trap 'stty size' WINCH; echo ready; "
                                              "while :; do sleep 0.05; done")
    read_until(shell.descriptor, b"ready")
    fcntl.ioctl(shell.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 202, 0, 0))
    read_until(shell.descriptor, b"44 202")
    os.write(shell.descriptor, b"\x03")
    read_until(shell.descriptor, b"interrupted")
    assert shell.wait() == 9


def test_there_is_job_control_inside(terminal, bottles, dev):
    shell = terminal("exec", dev, "bash", "--norc", "-i")
    os.write(shell.descriptor, b"sh -c 'echo run''ning; read line; echo got $line'\r")
    read_until(shell.descriptor, b"running")
    os.write(shell.descriptor, b"\x1a")
    read_until(shell.descriptor, b"Stopped")
    os.write(shell.descriptor, b"f''g\r")
    read_until(shell.descriptor, b"\rsh -c")
    os.write(shell.descriptor, b"this\r")
    read_until(shell.descriptor, b"got this")
    os.write(shell.descriptor, b"exit 6\r")
    assert shell.wait() == 6


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_the_terminal_is_raw_while_the_command_runs_and_as_before_afterwards(terminal, bottles, dev, number):
    shell = terminal("exec", dev, "sh", "-c", "echo ready; read line")
    slave = os.open(shell.name(), os.O_RDWR | os.O_NOCTTY)  # keeps its settings after the last close
    read_until(shell.descriptor, b"ready")
    assert shell.settings()[3] & termios.ECHO == 0
    if number is None:
        os.write(shell.descriptor, b"\r")
    else:
        os.kill(shell.pid, number)
    assert shell.wait() == (0 if number is None else 128 + number)
    assert shell.settings()[3] & termios.ECHO != 0
    os.close(slave)


def test_all_of_a_long_output_is_shown(terminal, bottles, dev):
    shell = terminal("exec", dev, "sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    assert read_until(shell.descriptor, b"line 19999\r\n").count(b"line ") == 20000
    assert shell.wait() == 0


def test_a_terminal_that_goes_away_ends_the_command(bottles, dev):
    from terminals import Terminal
    shell = Terminal(bottles.account, "exec", dev, "sh", "-c", "trap '' HUP; echo $$ > /tmp/pid; echo ready; sleep 1000")
    read_until(shell.descriptor, b"ready")
    shell.close()
    assert shell.wait() == 128 + signal.SIGHUP
    assert bottles.exec(dev, "sh", "-c", "kill -0 $(cat /tmp/pid)").returncode != 0


# put.

def test_what_is_put_is_there_with_its_name_and_mode_and_once(bottles, dev):
    path = bottles.account.home / "script"
    path.write_text("#!/bin/sh\necho ran\n")
    put = ["put", dev, str(path)]
    assert bottles.account.run("bottle", *put).returncode == 0
    assert bottles.exec(dev, "sh", "-c", "cat /tmp/script; stat -c %a /tmp/script").stdout == "#!/bin/sh\necho ran\n644\n"
    assert bottles.account.run("bottle", *put, "--to", "run", "--mode", "0755").returncode == 0
    assert bottles.exec(dev, "/tmp/run").stdout == "ran\n"
    again = bottles.account.run("bottle", *put)
    assert again.returncode == 125 and one_line(again.stderr) and "exists" in again.stderr


def test_what_the_user_may_not_read_is_not_put(bottles, dev):
    path = bottles.account.home / "secret"
    path.write_text("secret")
    os.chmod(path, 0)
    result = bottles.account.run("bottle", "put", dev, str(path))
    assert bottles.account.is_root or (result.returncode == 125 and one_line(result.stderr))
    result = bottles.account.run("bottle", "put", dev, "/nonexistent")
    assert result.returncode == 125 and one_line(result.stderr) and "/nonexistent" in result.stderr


def test_a_fifo_is_told_and_not_waited_for(bottles, dev):
    path = bottles.account.home / "fifo"
    os.mkfifo(path)
    os.chmod(path, 0o644)
    assert bottles.account.run("bottle", "put", dev, str(path)).returncode == 4


# The end.

def test_several_are_stopped_and_what_is_not_there_is_told(bottles):
    for name in "abc":
        bottles.start("--name", name)
    result = bottles.account.run("bottle", "stop", "a", "nobody", "b")
    assert result.returncode == 125 and one_line(result.stderr) and "nobody" in result.stderr
    assert [row["name"] for row in bottles.list()] == ["c"]
    bottles.stop("--all")
    assert bottles.list() == []
    bottles.stop("--all")


def test_stop_ends_commands_that_run_and_everything_in_the_bottle(bottles, dev):
    process = bottles.account.start("bottle", "exec", dev, "sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000",
                                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    read_until(process.stdout.fileno(), b"ready")
    bottles.stop(dev)
    assert process.wait(BOUND) == 128 + signal.SIGKILL
    assert process.stdout.read() == b""


def test_two_stops_at_once_both_succeed_or_find_nothing(bottles, dev):
    stops = [bottles.account.start("bottle", "stop", dev, stderr=subprocess.PIPE) for _ in range(4)]
    results = [(stop.communicate(timeout=BOUND)[1], stop.returncode) for stop in stops]
    assert (b"", 0) in results
    assert all(status == 0 or (status == 125 and b"no bottle is named" in told) for told, status in results)


def test_a_killed_keeper_leaves_a_socket_at_most_and_its_name_is_free(bottles):
    for use in ["list", "exec", "start"]:
        bottles.start("--name", "dev", "--door", "127.0.0.1:9")
        process = bottles.account.start("bottle", "exec", "dev", "sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000",
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        read_until(process.stdout.fileno(), b"ready")
        pid = bottles.keeper("dev")
        os.kill(pid, signal.SIGKILL)
        assert has_ended(pid)
        told = process.communicate(timeout=BOUND)
        assert process.returncode == 125 and one_line(told[1].decode()) and told[0] == b""  # nobody in the bottle lives
        assert bottles.files() == ["dev"]
        if use == "list":
            assert bottles.list() == []
        elif use == "exec":
            assert bottles.exec("dev", "true").returncode == 125
        else:
            assert bottles.start("--name", "dev") == "dev"
            bottles.stop("dev")
        assert bottles.files() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_keeper_that_is_told_to_end_cleans_up(bottles, number):
    bottles.start("--name", "dev")
    pid = bottles.keeper("dev")
    os.kill(pid, number)
    assert has_ended(pid) and bottles.files() == []


def test_a_bottle_whose_init_is_killed_from_outside_ends(bottles):
    bottles.start("--name", "dev")
    pid = bottles.keeper("dev")
    (init,) = open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()
    os.kill(int(init), signal.SIGKILL)
    assert has_ended(pid) and bottles.list() == []


# The keeper and those who don't speak its language.

def request(kind, *words, version=1, magic=0x424F5454, size=None, principal=0, terminals=0, mode=0):
    body = b"".join(word + b"\0" for word in words)
    return struct.pack("<10I", magic, version, kind, size or 40 + len(body), principal, terminals, 0, 0, mode, len(words)) + body


JUNK = [b"x", b"GET / HTTP/1.1\r\n\r\n", bytes(40), os.urandom(4096), bytes(200000), request(9), request(0, version=2),
        request(0, magic=1), request(0, size=39), request(1, b"", b"true"), request(1, b"", b"true", terminals=255),
        request(1, b"a b", b"true", terminals=7), request(2, b"file"), request(2, b"", mode=0o644), request(3, b"x")]


def test_junk_is_answered_or_dropped_and_harms_nobody(bottles, dev):
    if as_account(bottles):
        pytest.skip("root is not the user")
    for junk in JUNK:
        with bottles.connect(dev) as connection:
            connection.send(junk)
            answer = connection.recv(4096)
            assert answer == b"" or struct.unpack("<3I", answer[:12])[2] == 0, junk[:48]
    assert bottles.exec(dev, "echo", "alive").stdout == "alive\n"


def test_descriptors_that_are_no_files_or_too_many_are_refused_and_not_kept(bottles, dev):
    if as_account(bottles):
        pytest.skip("root is not the user")
    pid = bottles.keeper(dev)
    assert bottles.exec(dev, "true").returncode == 0  # of the last command it holds a handle until the next one
    before = os.listdir(f"/proc/{pid}/fd")
    for count, asked in [(1, request(2, b"file", mode=0o644)), (3, request(0)), (3, request(2, b"f")), (2, request(1, b"", b"true")),
                         (4, request(0)), (200, request(0)), (3, b"junk")]:
        reader, writer = os.pipe()
        with bottles.connect(dev) as connection:
            socket.send_fds(connection, [asked], [writer] * count)
            os.close(writer)
            answer = connection.recv(4096)
            assert len(answer) > 12 and struct.unpack("<3I", answer[:12])[2] == 0, (count, asked)
            assert os.read(reader, 1) == b""  # the keeper holds none of them
        os.close(reader)
    assert bottles.exec(dev, "true").returncode == 0
    deadline = time.monotonic() + BOUND  # the keeper sees the end of a connection after its client does
    while len(os.listdir(f"/proc/{pid}/fd")) > len(before) and time.monotonic() < deadline:
        pass
    assert len(os.listdir(f"/proc/{pid}/fd")) <= len(before)


def test_those_who_say_nothing_keep_nobody_waiting(bottles, dev):
    if as_account(bottles):
        pytest.skip("root is not the user")
    silent = [bottles.connect(dev) for _ in range(150)]
    began = time.monotonic()
    assert bottles.exec(dev, "echo", "served").stdout == "served\n"
    assert time.monotonic() - began < 5  # the silent ones have ten seconds each
    for connection in silent:
        connection.close()


def test_another_user_is_turned_away(bottles, dev):
    if not as_account(bottles):
        pytest.skip("needs a second user")
    with bottles.connect(dev) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(request(3))
            assert connection.recv(4096) == b""
    assert bottles.exec(dev, "true").returncode == 0
