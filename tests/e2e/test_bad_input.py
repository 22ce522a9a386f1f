"""Bad input and bad days, for every command of both programs: one clear line on standard error, the documented status, and
nothing lost or left (conftest looks at that)."""

import itertools
import os
import re
import resource
import shutil
import socket
import subprocess

import pytest

from conftest import BOUND

# A line for every command: what it is given when it is to work, and the status that it then ends with.
WORKS = {
    ("bottle-gate", "run"): (["-q", "--vector=BG-020"], 0),
    ("bottle-gate", "preflight"): ([], 0),
    ("bottle-gate", "vectors"): ([], 0),
    ("bottle-gate", "explain"): (["BG-049"], 0),
    ("bottle-gate", "selftest"): (["--fault=none"], 0),
    ("bottle-gate", "gc"): ([], 0),
    ("bottle-gate", "replay"): (["/nonexistent"], 4),
    ("bottle-gate", "help"): ([], 0),
    ("bottle", "run"): (["true"], 0),
    ("bottle", "start"): (["--name", "bad-day"], 0),
    ("bottle", "exec"): (["nobody", "true"], 125),
    ("bottle", "put"): (["nobody", "/etc/passwd"], 125),
    ("bottle", "list"): ([], 0),
    ("bottle", "stop"): (["--all"], 0),
    ("bottle", "backends"): (["native"], 0),
    ("bottle", "help"): ([], 0),
}
EVERY = list(WORKS)
NAMES = [" ".join(command) for command in EVERY]
TURKISH = "tr_TR.UTF-8"


def one_line(program, text):
    return text.startswith(f"{program}: ") and text.endswith("\n") and text.count("\n") == 1


def refused(account, program, *arguments):
    result = account.run(program, *arguments)
    assert result.returncode == 4, (arguments, result.stdout, result.stderr)
    assert result.stdout == "" and one_line(program, result.stderr), (arguments, result.stderr)
    assert all(character.isprintable() for character in result.stderr[:-1]) and len(result.stderr) < 700
    return result.stderr


def options_of(account, program, command):
    """(letter or "", name, argument or "") of every option, from the help, which is from the table."""
    told = account.run(program, command, "--help").stdout
    rows = re.findall(r"^  (?:-(\w), |    )--([\w-]+)(=\S+)?", told, re.M)
    return [row for row in rows if row[1] not in ("help", "version")]


def test_every_command_has_its_line_here(account):
    for program in ("bottle", "bottle-gate"):
        listed = re.findall(r"^  ([a-z]+) {2,}", account.run(program, "--help").stdout, re.M)
        assert set(listed) == {command for other, command in EVERY if other == program}


# Options.

@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_options_that_no_table_has_are_refused(account, program, command):
    for word in ("--no-such-option", "--no-such=value", "-Z", "-qZ" if command == "run" else "-Z1", "---", "--=x",
                 "--" + "x" * 100000, "--\x1b[31m\nx", "--h\u00e9", os.fsdecode(b"--\xff\xfe")):
        told = refused(account, program, command, word)
        assert f"see {program} {command} --help" in told or "takes no value" in told


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_every_option_that_is_repeated_valueless_or_oversized_is_refused(account, program, command):
    operands, _ = WORKS[program, command]
    operands = [word for word in operands if not word.startswith("-")]
    for letter, name, argument in options_of(account, program, command):
        if argument:
            assert f"--{name} needs a value" in refused(account, program, command, f"--{name}")
            for value in ("x" * 100000, "", "\x1b[31m\n", "," if name != "fault" else ",,", os.fsdecode(b"\xff"), "0", "a/b"):
                if (name, value) in {("name", "0"), ("mode", "0")} or (
                        name in ("to", "report") and value not in ("x" * 100000, "", "a/b")):
                    continue  # a name like any other
                refused(account, program, command, f"--{name}={value}", *operands)
        else:
            assert f"--{name} takes no value" in refused(account, program, command, f"--{name}=yes", *operands)
            assert f"--{name} was given twice" in refused(account, program, command, f"--{name}", f"--{name}", *operands)
            if letter:
                assert f"--{name} was given twice" in refused(account, program, command, f"-{letter}{letter}", *operands)


GOOD_VALUES = {"backend": "native", "wrap": "x", "wrap-open": "x", "wrap-door": "x", "site": "sealed", "vector": "BG-020", "as": "user", "timeout": "2s", "sweep": "off",
               "self-proof": "open", "accept-unproved": "open", "require": "BG-020", "mutant": "mount", "format": "json", "fault": "none", "profile": "core", "door": "127.0.0.1:9",
               "policy": "cidr", "runtime": "runc", "smolvm": "/bin/sh", "name": "x", "to": "x", "mode": "600", "report": "/nonexistent/x", "jobs": "1"}


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_every_option_with_a_value_that_is_repeated_is_refused(account, program, command):
    operands, _ = WORKS[program, command]
    operands = [word for word in operands if not word.startswith("-")]
    for _, name, argument in options_of(account, program, command):
        if argument and name != "without":  # the one that may be given again
            value = GOOD_VALUES[name]
            assert f"--{name} was given twice" in refused(account, program, command, f"--{name}={value}", f"--{name}", value,
                                                          *operands)


@pytest.mark.parametrize("arguments, told", [
    (["bottle-gate", "run", "-v", "-q"], "contradict"),
    (["bottle-gate", "run", "-vq"], "contradict"),
    (["bottle-gate", "run", "--self-proof=each", "--mutant=mount"], "contradict"),
    (["bottle-gate", "run", "--self-proof=off", "--accept-unproved=open"], "--self-proof=bare makes it"),
    (["bottle-gate", "run", "--accept-unproved=open,BG-054", "--require=BG-020,BG-054"], "both name BG-054"),
    (["bottle-gate", "run", "--require=BG-054", "--vector=BG-020"], "which this run doesn't try"),
    (["bottle-gate", "run", "--vector=BG-020", "--accept-unproved=BG-054"], "which this run doesn't try"),
    (["bottle-gate", "run", "--accept-unproved=BG-999"], "no vector BG-999"),
    (["bottle-gate", "run", "--accept-unproved=bare"], "takes open and ids like BG-049"),
    (["bottle-gate", "run", "--accept-unproved=open,"], "empty entry"),
    (["bottle-gate", "run", "--require=open"], "no vector id"),
    (["bottle-gate", "run", "--policy=hardened"], "native has no policies"),
    (["bottle-gate", "preflight", "--policy=cidr", "--backend=native"], "native has no policies"),
    (["bottle-gate", "run", "--policy=open", "--backend=smolmachines"], "it has: hardened, cidr"),
    (["bottle-gate", "preflight", "--backend=smolmachines", "--policy="], "it has: hardened, cidr"),
    (["bottle-gate", "run", "--runtime=runc"], "--runtime: backend native has no runtimes"),
    (["bottle-gate", "run", "--runtime=crun", "--backend=docker"], 'backend docker has no runtime "crun"; it has: runsc, runc'),
    (["bottle-gate", "preflight", "--runtime=", "--backend=docker"], "it has: runsc, runc"),
    (["bottle-gate", "run", "--smolvm=/bin/sh"], "--smolvm: backend native"),
    (["bottle-gate", "run", "--backend=smolmachines", "--smolvm=/nonexistent/smolvm"], "/nonexistent/smolvm"),
    (["bottle-gate", "preflight", "--backend=smolmachines", "--smolvm="], "(--smolvm)"),
    (["bottle-gate", "run", "--backend=smolmachines", "--smolvm=/tmp"], "is no program"),
    (["bottle-gate", "explain", "BG-049", "BG-050"], "too many operands"),
    (["bottle-gate", "explain"], "id"),
    (["bottle-gate", "explain", "49"], "BG-049"),
    (["bottle-gate", "explain", "bg-049"], "BG-049"),
    (["bottle-gate", "explain", "BG-999"], "bottle-gate vectors"),
    (["bottle-gate", "explain", ""], "no vector id"),
    (["bottle-gate", "vectors", "BG-049", "BG-049"], "twice"),
    (["bottle-gate", "vectors", "--profile=most"], "core or all"),
    (["bottle-gate", "preflight", "native"], "takes no operand"),
    (["bottle-gate", "gc", "/tmp"], "takes no operand"),
    (["bottle-gate", "help", "run", "gc"], "too many operands"),
    (["bottle-gate", "help", "fly"], '"fly"'),
    (["bottle", "help", "fly"], '"fly"'),
    (["bottle", "stop", "--all", "dev"], "--all"),
    (["bottle", "run", "--without", "network,,mount", "true"], "no fence"),
    (["bottle", "run", "--as=user", "--as=root", "true"], "twice"),
    (["bottle", "start", "--name=a", "--name=b"], "twice"),
])
def test_contradictions_and_wrong_operands_are_told(account, arguments, told):
    assert told in refused(account, *arguments)


@pytest.mark.parametrize("program", ["bottle", "bottle-gate"])
def test_words_that_are_no_command_are_told(account, program):
    for word in ("fly", "", "--fly", "-", "RUN", "run ", "r", "\x1b[2J", "x" * 100000):
        told = refused(account, program, word)
        assert f"see {program} --help" in told


# Files.

@pytest.fixture
def files(account, tmp_path):
    """One of each kind that is no file to copy, and two that are odd."""
    made = account.home / "kinds"
    made.mkdir()
    (made / "directory").mkdir()
    os.mkfifo(made / "fifo")
    os.mkfifo(made / "fifo-with-reader")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(made / "socket"))
    (made / "link-to-nothing").symlink_to("nowhere")
    (made / "loop").symlink_to("loop")
    (made / "link-to-device").symlink_to("/dev/zero")
    (made / "unreadable").write_text("secret")
    os.chmod(made / "unreadable", 0)
    (made / "binary").write_bytes(bytes(range(256)) * 4096)
    with open(made / "huge", "wb") as huge:
        huge.truncate(1 << 40)
    os.chmod(made, 0o755)
    yield made
    listener.close()


@pytest.fixture
def dev(account):
    assert account.run("bottle", "start", "--name", "dev").returncode == 0
    yield "dev"
    account.run("bottle", "stop", "dev")


@pytest.mark.parametrize("name, status, told", [
    ("directory", 4, "regular file"), ("fifo", 4, "regular file"), ("socket", 125, "socket"),
    ("link-to-nothing", 125, "link-to-nothing"), ("loop", 125, "loop"), ("link-to-device", 4, "regular file"), ("none", 125, "none"),
    ("huge", 125, "huge")])
def test_what_is_no_file_to_copy_is_told(account, files, dev, name, status, told):
    result = account.run("bottle", "put", dev, str(files / name))
    assert (result.returncode, result.stdout) == (status, "") and one_line("bottle", result.stderr), result.stderr
    assert told in result.stderr
    assert account.run("bottle", "exec", dev, "ls", "/tmp").stdout == "", "nothing of it is left inside"


def test_a_file_that_may_not_be_read_is_told_and_a_binary_one_is_copied_whole(account, files, dev):
    result = account.run("bottle", "put", dev, str(files / "unreadable"))
    assert account.is_root or (result.returncode == 125 and one_line("bottle", result.stderr))
    assert account.run("bottle", "put", dev, str(files / "binary")).returncode == 0
    result = subprocess.run(account.command("bottle", "exec", dev, "cat", "/tmp/binary"), capture_output=True, timeout=BOUND,
                            env=account.environment(), stdin=subprocess.DEVNULL)
    assert result.stdout == (files / "binary").read_bytes()


def test_a_path_that_is_too_long_is_told(account, dev):
    for path in ("/" + "x" * 5000, "/".join(["x" * 200] * 40)):
        result = account.run("bottle", "put", dev, path, "--to", "x")
        assert result.returncode == 125 and one_line("bottle", result.stderr)


# Bad days. Each is tried with every command in its working form.

def works(account, program, command, run, **ignored):
    arguments, status = WORKS[program, command]
    result = run(program, command, *arguments)
    try:
        assert result.returncode == status, (result.stdout, result.stderr)
        assert status == 0 or one_line(program, result.stderr), result.stderr
        assert status != 0 or result.stderr == "", result.stderr
    finally:
        if command == "start":
            account.run("bottle", "stop", "--all", **ignored)


ENVIRONMENTS = {
    "no-home": {"HOME": None},
    "no-xdg": {"XDG_RUNTIME_DIR": None, "HOME": None},
    "empty": {"PATH": None, "HOME": None, "XDG_RUNTIME_DIR": None},
    "empty-values": {"HOME": "", "XDG_RUNTIME_DIR": "", "BOT_BOTTLE_BACKEND": "", "BOTTLE_LIBEXEC": "", "TERM": "", "TZ": "",
                     "LC_ALL": ""},
    "relative-xdg": {"XDG_RUNTIME_DIR": "not/absolute"},
    "locale-c": {"LC_ALL": "C"},
    "locale-turkish": {"LC_ALL": TURKISH, "LANG": TURKISH},
    "locale-unknown": {"LC_ALL": "xx_YY.nothing", "LANGUAGE": "xx"},
    "zone": {"TZ": "Pacific/Kiritimati"},
    "zone-unknown": {"TZ": ":" + "x" * 1000},
    "large": {"PADDING": "x" * 100000},
}


# In a mount namespace of its own, with an empty /tmp: without a run-time directory that is where bottles are.
PRIVATE = """
mount --bind "$1" /mnt && mount -t tmpfs none /tmp || exit 99
program=/mnt/bin/$2; shift 2
"$program" "$@"
status=$?
[ "$1 $status" != "start 0" ] || "$program" stop --all || exit 98
exit $status
"""


def with_environment(account, changes):
    environment = {name: value for name, value in {**account.environment(), **changes}.items() if value is not None}
    if environment.get("XDG_RUNTIME_DIR", "").startswith("/"):
        def run(*words):
            result = subprocess.run(account.command(*words), text=True, capture_output=True, timeout=BOUND, env=environment,
                                    stdin=subprocess.DEVNULL)
            if words[:2] == ("bottle", "start"):
                account.run("bottle", "stop", "--all")
            return result
        return run
    prefix = account.prefix() + ["unshare", "--mount"]
    if not account.is_root:
        prefix += ["--user", "--map-current-user", "--keep-caps"]
    return lambda *words: subprocess.run([*prefix, "sh", "-c", PRIVATE, "sh", str(account.programs.parent), *words], text=True, capture_output=True,
                                         timeout=BOUND, env=environment, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_odd_environments_change_nothing(account, name):
    run = with_environment(account, ENVIRONMENTS[name])
    for program, command in EVERY:
        if (program, command) == ("bottle-gate", "selftest"):
            continue
        arguments, status = WORKS[program, command]
        result = run(program, command, *arguments)
        assert result.returncode == status, (command, result.stdout, result.stderr)
        assert (status == 0) == (result.stderr == ""), (command, result.stderr)


@pytest.mark.parametrize("changes", [{"XDG_RUNTIME_DIR": "/nonexistent"}, {"XDG_RUNTIME_DIR": "/" + "x" * 5000},
                                     {"XDG_RUNTIME_DIR": "/etc/passwd"}, {"XDG_RUNTIME_DIR": "/dev/null"}], ids=range(4))
def test_a_run_time_directory_that_is_none_is_told_by_who_needs_it(account, changes):
    run = with_environment(account, changes)
    for program, command in EVERY:
        if command in ("selftest", "stop"):
            continue
        arguments, status = WORKS[program, command]
        result = run(program, command, *arguments)
        if command in ("start", "list", "exec", "put"):
            assert result.returncode == 125 and "XDG_RUNTIME_DIR" in result.stderr and one_line(program, result.stderr)
        else:
            assert result.returncode == status and "XDG_RUNTIME_DIR" not in result.stderr, (command, result.stderr)
            assert result.stderr == "" or status != 0, (command, result.stderr)


def test_reports_are_the_same_in_every_locale_and_zone(account):
    plain = account.run("bottle-gate", "explain", "BG-049").stdout
    for changes in (ENVIRONMENTS["locale-turkish"], ENVIRONMENTS["zone"]):
        assert account.run("bottle-gate", "explain", "BG-049", environment=changes).stdout == plain


SAYS = {("bottle-gate", "run"), ("bottle-gate", "preflight"), ("bottle-gate", "vectors"), ("bottle-gate", "explain"),
        ("bottle-gate", "selftest"), ("bottle-gate", "gc"), ("bottle-gate", "help"), ("bottle", "start"), ("bottle", "list"),
        ("bottle", "backends"), ("bottle", "help")}


@pytest.mark.parametrize("closed", [set(some) for count in range(1, 4) for some in itertools.combinations((0, 1, 2), count)],
                         ids=lambda closed: "".join(map(str, sorted(closed))))
def test_closed_descriptors_are_no_files_of_ours(account, closed):
    """What would have been said on a closed standard output is an error, and nothing is written into another file."""
    redirections = " ".join(f"{fd}>&-" for fd in closed)
    for program, command in EVERY:
        if command == "selftest" and closed != {0, 1, 2}:
            continue
        arguments, status = WORKS[program, command]
        result = subprocess.run(["sh", "-c", f'exec "$@" {redirections}', "sh", *account.command(program, command, *arguments)],
                                text=True, capture_output=True, timeout=BOUND, env=account.environment(), stdin=subprocess.DEVNULL)
        lost = 1 in closed and (program, command) in SAYS
        failure = 3 if program == "bottle-gate" else 125
        assert result.returncode == (failure if lost else status), (command, result.stdout, result.stderr)
        if 2 not in closed:
            assert (result.stderr != "") == (lost or status != 0), (command, result.stderr)
            assert result.stderr == "" or one_line(program, result.stderr), result.stderr
        assert 1 not in closed or result.stdout == ""
        if command == "start":
            left = account.run("bottle", "list").stdout.count("\n") - 1
            account.run("bottle", "stop", "--all")
            assert left == (0 if lost else 1), "a bottle that nobody knows of"


@pytest.mark.parametrize("program, command", sorted(SAYS - {("bottle", "start")}))
def test_a_full_standard_output_is_an_error(account, program, command):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = account.run(program, command, *WORKS[program, command][0], stdout=full)
    assert result.returncode == (3 if program == "bottle-gate" else 125) and one_line(program, result.stderr), result.stderr


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_started_in_a_directory_that_has_been_removed(account, program, command):
    def run(*words):
        script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
        place = account.home / "gone"
        place.mkdir()
        if os.getuid() == 0:
            os.chown(place, account.uid, account.uid)
        return subprocess.run([*account.prefix(), "sh", "-c", script, "sh", str(place), str(account.programs / words[0]), *words[1:]],
                              text=True, capture_output=True, timeout=BOUND, env=account.environment(), stdin=subprocess.DEVNULL)
    works(account, program, command, run)


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_started_in_a_very_deep_directory(account, program, command):
    here = os.open(account.home, os.O_RDONLY)
    depth = 40
    try:
        at = here
        for _ in range(depth):
            os.mkdir("d" * 200, dir_fd=at)
            at = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
            os.fchmod(at, 0o755)

        def run(*words):
            return subprocess.run(account.command(*words), text=True, capture_output=True, timeout=BOUND, env=account.environment(),
                                  stdin=subprocess.DEVNULL, preexec_fn=lambda: os.fchdir(at))
        works(account, program, command, run)
    finally:
        os.closerange(here, here + depth + 1)
        subprocess.run(["rm", "-rf", str(account.home / ("d" * 200))], check=True)


def installed_copy(account, tmp_path):
    copy = account.home / "installed"
    shutil.copytree(account.programs.parent, copy)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", str(account.uid), str(copy)], check=True)
    return copy


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_a_binary_that_is_deleted_while_it_runs_still_finds_its_helpers(account, tmp_path, program, command):
    copy = installed_copy(account, tmp_path)
    binary = copy / "bin" / program

    def run(*words):
        held = os.open(binary, os.O_RDONLY)
        binary.unlink()
        try:
            return subprocess.run([*account.prefix(), f"/proc/self/fd/{held}", *words[1:]], text=True, capture_output=True,
                                  timeout=BOUND, env=account.environment(), stdin=subprocess.DEVNULL, pass_fds=[held])
        finally:
            os.close(held)
    works(account, program, command, run)


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_a_binary_that_was_moved_away_from_its_helpers_says_so(account, tmp_path, program, command):
    moved = account.home / "alone"
    moved.mkdir()
    os.chmod(moved, 0o755)
    shutil.copy(account.programs / program, moved / program)
    arguments, status = WORKS[program, command]
    result = subprocess.run([*account.prefix(), str(moved / program), command, *arguments], text=True, capture_output=True,
                            timeout=BOUND, env=account.environment(), stdin=subprocess.DEVNULL)
    needs_helpers = (program, command) in {("bottle-gate", "run"), ("bottle-gate", "selftest"), ("bottle", "run"), ("bottle", "start")}
    if needs_helpers:
        assert result.returncode == (4 if program == "bottle-gate" else 125)
        assert one_line(program, result.stderr) and "BOTTLE_LIBEXEC" in result.stderr
    elif command == "preflight":
        assert result.returncode == 4 and "BOTTLE_LIBEXEC" in result.stdout
    else:
        assert result.returncode == status


def test_what_the_caller_has_open_is_not_touched(account):
    """The bare and the open probe write to every descriptor they find: none may be the caller's."""
    path = account.home / "open-in-the-caller"
    path.touch()
    with open(path, "r+b") as file:
        result = account.run("bottle-gate", "run", "-q", "--vector=BG-116,BG-020", pass_fds=[file.fileno()])
    assert result.returncode == 0, result.stdout + result.stderr
    assert path.read_bytes() == b""


# No space, and few descriptors.

FULL = """
mount -t tmpfs -o size=4k,mode=777 none "$1"
dd if=/dev/zero of="$1/filler" bs=4096 count=2 2>/dev/null || true
export XDG_RUNTIME_DIR=$1; runtime=$1; shift
"$@"
status=$?
[ "$2 $status" != "start 0" ] || "$1" stop --all
ls -A "$runtime" >&3
exit $status
"""


@pytest.mark.parametrize("program, command, arguments, status, named", [
    ("bottle", "start", [], 0, ""), ("bottle-gate", "run", ["-q", "--vector=BG-020"], 0, ""),
    ("bottle-gate", "run", ["-q", "--vector=BG-020", "--keep"], 3, "can't write"), ("bottle", "list", [], 0, ""),
    ("bottle-gate", "gc", [], 0, "")])
def test_a_full_run_time_directory(account, program, command, arguments, status, named):
    runtime = account.home / "full"
    runtime.mkdir()
    if os.getuid() == 0:
        os.chown(runtime, account.uid, account.uid)
    reading, writing = os.pipe()
    result = subprocess.run([*account.prefix(), "unshare", "--user", "--map-root-user", "--mount", "bash", "-c",
                             f"exec 3>&{writing}\n" + FULL, "bash", str(runtime), str(account.programs / program), command,
                             *arguments], text=True, capture_output=True, timeout=BOUND, env=account.environment(),
                            stdin=subprocess.DEVNULL, pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading) as left:
        names = set(left.read().split()) - {"filler"}
    # A directory takes no page of a tmpfs, and neither does a socket.
    assert result.returncode == status, (result.stdout, result.stderr)
    assert status == 0 or (one_line(program, result.stderr) and named in result.stderr)
    assert names <= {"bottle-gate"}


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
@pytest.mark.parametrize("limit", [3, 4, 6, 9])
def test_few_descriptors_are_told_or_enough(account, program, command, limit):
    arguments, status = WORKS[program, command]
    result = account.run(program, command, *arguments,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    account.run("bottle", "stop", "--all") if command == "start" else None
    allowed = {status, 4, 3} if program == "bottle-gate" else {status, 125}
    if "error while loading shared libraries" in result.stderr:
        return  # it never began
    assert result.returncode in allowed, (result.stdout, result.stderr)
    if result.returncode != 0 and command != "preflight":
        assert one_line(program, result.stderr), result.stderr


@pytest.mark.parametrize("program, command", EVERY, ids=NAMES)
def test_very_long_arguments_are_taken_or_told(account, program, command):
    long = "x" * 130000
    result = account.run(program, command, *([long] if command not in ("exec", "put") else ["nobody", long]))
    assert result.returncode in ({4} if (program, command) != ("bottle", "run") and command not in ("exec", "put")
                                 else {4, 125, 126, 127}), result.stderr
    assert one_line(program, result.stderr) or (program, command) == ("bottle", "run")
    assert len(result.stderr) < 1000
