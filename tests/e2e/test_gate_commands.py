"""bottle-gate's commands beside run and selftest, from the outside: preflight, vectors, explain, gc, help."""

import json
import os
import pathlib
import re
import select
import signal
import subprocess

import pytest

from conftest import BOUND

RUN = "0123456789abcdef0123456789abcdef"


def gate(account, *arguments, **options):
    result = account.run("bottle-gate", *arguments, **options)
    assert result.stderr == "", result.stderr
    return result


def in_namespace(account, script, *arguments, options=("--user", "--map-root-user", "--mount")):
    """bottle-gate as root of a user namespace, after `script` has done something to it."""
    shell = f'{script}\nexec "$@"'
    return subprocess.run([*account.prefix(), "unshare", *options, "sh", "-ec", shell, "sh",
                           str(account.programs / "bottle-gate"), *arguments], text=True, capture_output=True, timeout=BOUND,
                          env=account.environment())


def states(result):
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


# preflight

def test_preflight_says_that_this_host_can_and_what_it_proves_less(account):
    result = gate(account, "preflight", "--json")
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert report["schema"] == "bottle-gate/preflight/1" and report["usable"] is True and report["backend"] == "native"
    checks = states(result)
    assert {"descriptors", "helpers", "user.max_user_namespaces", "kernel.apparmor_restrict_unprivileged_userns", "namespaces",
            "veth", "nft-tproxy", "nft-fib", "ping-sockets", "site", "bottle", "ids", "ipv6", "vsock-loopback", "mptcp",
            "socket-diag"} <= set(checks)
    for check in checks.values():
        assert check["state"] == "ok" or (check["state"] == "less" and not check["needed"])
        assert (check["problem"] is None) == (check["state"] == "ok")
        assert check["needed"] == (check["not_proved"] is None)
    assert (checks["ids"]["state"] == "ok") == account.is_root
    told = gate(account, "preflight").stdout
    assert all(name in told for name in checks) and "\nUSABLE" in told


def test_what_preflight_calls_less_is_what_a_run_does_not_prove(account):
    less = {check["name"] for check in states(gate(account, "preflight", "--json")).values() if check["state"] == "less"}
    report = json.loads(account.run("bottle-gate", "run", "--format=json", "--sweep=off").stdout)
    unproved = {entry["id"] for entry in report["not_proved"]}
    assert ("vsock-loopback" in less) == ("BG-106" in unproved)
    assert ("ids" in less) == ("BG-112" in unproved)


def test_preflight_tells_all_that_is_missing_and_not_only_the_first(account):
    script = "echo 0 >/proc/sys/user/max_net_namespaces; echo 0 >/proc/sys/user/max_user_namespaces; ulimit -n 64"
    result = in_namespace(account, script, "preflight", "--json")
    assert result.returncode == 4 and result.stderr == ""
    checks = states(result)
    missing = {name for name, check in checks.items() if check["state"] == "missing"}
    assert missing == {"descriptors", "user.max_user_namespaces", "user.max_net_namespaces"}
    assert "ulimit -n" in checks["descriptors"]["problem"]
    assert "sudo sysctl -w user.max_net_namespaces=15000" in checks["user.max_net_namespaces"]["problem"]
    assert checks["site"]["state"] == checks["bottle"]["state"] == checks["veth"]["state"] == "unknown"
    told = in_namespace(account, script, "preflight")
    assert told.returncode == 4 and "NOT USABLE  3 missing" in told.stdout


def test_preflight_tells_a_masked_proc_and_goes_on(account):
    result = in_namespace(account, "mount -t tmpfs none /proc/driver", "preflight", "--json")
    checks = states(result)
    assert result.returncode == 4
    assert checks["proc"]["state"] == "missing" and "systempaths=unconfined" in checks["proc"]["problem"]
    assert checks["nft-tproxy"]["state"] == checks["veth"]["state"] == "ok"


def test_preflight_tells_helpers_that_are_not_there(account):
    result = account.run("bottle-gate", "preflight", "--json", environment={"BOTTLE_LIBEXEC": "/nonexistent"})
    checks = states(result)
    assert result.returncode == 4 and checks["helpers"]["state"] == "missing" and checks["bottle"]["state"] == "unknown"


def test_a_host_that_preflight_calls_usable_can_run_and_another_cannot(account):
    for script in ["true", "echo 0 >/proc/sys/user/max_net_namespaces", "mount -t tmpfs none /proc/driver"]:
        usable = in_namespace(account, script, "preflight").returncode
        ran = in_namespace(account, script, "run", "-q", "--vector=BG-020")
        assert usable in (0, 4) and (usable == 4) == (ran.returncode == 4), (script, ran.stdout, ran.stderr)


# vectors and explain

def test_vectors_lists_what_a_run_plans(account):
    listed = json.loads(gate(account, "vectors", "--json").stdout)
    core = {vector["id"] for vector in listed if vector["core"]}
    report = json.loads(account.run("bottle-gate", "run", "--format=json", "--sweep=sample").stdout)
    planned = {attempt["id"] for attempt in report["attempts"]}
    assert planned == core - {"BG-106"} or planned == core
    for vector in listed:
        targets = {a["target"] for a in report["attempts"] if a["id"] == vector["id"] and a["principal"] == "user"}
        assert vector["id"] not in planned or 0 < len(targets) <= vector["targets"]
        assert vector["title"] and vector["witnesses"]
    assert [vector["id"] for vector in json.loads(gate(account, "vectors", "--json", "--profile=core").stdout)] == \
        [vector["id"] for vector in listed if vector["core"]]


def test_vectors_for_people_and_only_those_that_are_asked_for(account):
    told = gate(account, "vectors").stdout
    assert told.startswith("ID ") and "BG-049" in told and "heard by: capture dns-tcp" in told
    some = gate(account, "vectors", "BG-114", "BG-049").stdout
    assert re.findall(r"^BG-\d+", some, re.M) == ["BG-049", "BG-114"]


def test_every_vector_is_explained_for_people_and_programs(account):
    for vector in json.loads(gate(account, "vectors", "--json").stdout):
        told = gate(account, "explain", vector["id"]).stdout
        explained = json.loads(gate(account, "explain", vector["id"], "--json").stdout)
        assert explained["id"] == vector["id"] and explained["title"] == vector["title"]
        assert len(explained["targets"]) == vector["targets"]
        assert [witness["witness"] for witness in explained["witnesses"]] == vector["witnesses"]
        assert vector["title"] in told and explained["remedy"] in told and explained["source"] in told
        assert f"bottle-gate run -v --vector={vector['id']}\n" in told
        assert explained["fences"], "the native backend stops all of them"
        assert all(command in told for command in explained["mutants"])
        assert "@" not in told and "(null)" not in told


def test_the_commands_that_explain_names_do_what_it_says(account):
    explained = json.loads(gate(account, "explain", "BG-114", "--json").stdout)
    assert gate(account, *explained["try"].split()[1:]).returncode == 0
    assert ["native" in mutant for mutant in explained["mutants"]] == [True, False]
    for mutant in explained["mutants"] if account.is_root else explained["mutants"][:1]:
        result = gate(account, *mutant.split()[1:])
        assert result.returncode == 1 and explained["remedy"] in result.stdout, result.stdout + result.stderr


# gc

WHOLE = ["evidence.json", "report.json", "report.md", "report.tap", "report.txt", "report.xml"]


@pytest.fixture(params=[RUN, f".bottle-gate-{RUN}.0a1b2c"], ids=["run", "unfinished"])
def kept(account, request):
    """Evidence that was kept whole, and what a killed run has left beside it."""
    whole = account.run("bottle-gate", "run", "--keep", "-q", "--vector=BG-114").stderr.split()[-1]
    left = os.path.join(os.path.dirname(whole), request.param)
    for part in ["", "evidence.json"]:
        path = os.path.join(left, part)
        os.makedirs(path) if part == "" else open(path, "w", encoding="ascii").close()
        if os.getuid() == 0:
            os.chown(path, account.uid, account.uid)
    return whole, left


def test_gc_removes_what_is_left_says_so_and_keeps_the_rest(account, kept):
    whole, left = kept
    dry = gate(account, "gc", "--dry-run")
    assert dry.returncode == 0 and dry.stdout.startswith(f"would remove {left}: ") and os.path.isdir(left)
    result = gate(account, "gc")
    assert result.returncode == 0 and result.stdout.startswith(f"removed {left}: ")
    assert not os.path.exists(left) and sorted(os.listdir(whole)) == WHOLE
    assert gate(account, "gc").stdout == "nothing was left behind\n"


def test_gc_removes_the_socket_of_a_killed_keeper_and_of_no_other(account):
    for name in ("alive", "killed"):
        assert account.run("bottle", "start", "--name", name).returncode == 0
    rows = {row["name"]: row["pid"] for row in json.loads(account.run("bottle", "list", "--json").stdout)}
    handle = os.pidfd_open(rows["killed"])
    os.kill(rows["killed"], signal.SIGKILL)
    assert select.select([handle], [], [], BOUND)[0]
    os.close(handle)
    socket = account.home / "bottle-gate" / "bottles" / "killed"
    assert socket.exists()
    assert f"removed {socket}: " in gate(account, "gc").stdout
    assert not socket.exists()
    assert account.run("bottle", "exec", "alive", "true").returncode == 0
    assert gate(account, "gc").stdout == "nothing was left behind\n"
    account.run("bottle", "stop", "alive")


def test_gc_leaves_a_run_alone_that_lives(account, kept):
    """Every moment of a run that keeps its evidence, and of the collector beside it."""
    _, left = kept
    runs = [account.start("bottle-gate", "run", "--keep", "-q", "--vector=BG-114", stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True) for _ in range(2)]
    while any(run.poll() is None for run in runs):
        result = account.run("bottle-gate", "gc")
        assert result.returncode == 0 or (result.returncode == 4 and "at this moment" in result.stderr)
        # Runs of other tests, beside this one, may have been killed.
        told = [line for line in result.stdout.splitlines() if not line.startswith("removed /sys/fs/cgroup/")]
        assert told in ([], ["nothing was left behind"]) or left in result.stdout
    for run in runs:
        told = run.communicate(timeout=BOUND)[1]
        assert run.returncode == 0 and sorted(os.listdir(told.split()[-1])) == WHOLE


def selftest_directory(process):
    """The directory that a process which the selftest started holds open, once there is one."""
    while process.poll() is None:
        for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            try:
                opened = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{child}/fd").iterdir()]
            except OSError:
                continue
            for path in opened:
                if path.startswith("/tmp/bottle-selftest-"):
                    return pathlib.Path(path)
    return pytest.fail("the selftest ended before it was seen to hold a directory")


def test_gc_removes_what_a_killed_selftest_has_left_and_leaves_a_living_one_alone(account):
    living, killed = (account.start("bottle-gate", "selftest", "--fault=evidence-edited", stdout=subprocess.PIPE, text=True)
                      for _ in range(2))
    own, left = selftest_directory(living), selftest_directory(killed)
    killed.kill()
    killed.wait(BOUND)
    killed.stdout.read()  # ends only when nobody holds the other end
    killed.stdout.close()
    told = gate(account, "gc", "--dry-run").stdout
    assert f"would remove {left}: reports of a selftest that was killed\n" in told and str(own) not in told
    told = gate(account, "gc").stdout
    assert f"removed {left}: reports of a selftest that was killed\n" in told and str(own) not in told
    assert not left.exists()
    assert living.communicate(timeout=BOUND)[0].startswith("ok     evidence-edited ")
    assert living.returncode == 0 and not own.exists()


# help and version

COMMANDS = {"bottle-gate": ["run", "preflight", "vectors", "explain", "selftest", "gc", "help"],
            "bottle": ["run", "start", "exec", "put", "list", "stop", "backends", "help"]}
EVERY = [(program, command) for program, commands in COMMANDS.items() for command in commands]


@pytest.mark.parametrize("program, command", EVERY)
def test_help_is_the_same_however_it_is_asked_for(account, program, command):
    one = account.run(program, command, "--help")
    assert one.returncode == 0 and one.stderr == "" and one.stdout.startswith(f"usage: {program} {command}")
    for other in ([command, "-h"], ["help", command]):
        assert account.run(program, *other).stdout == one.stdout
    assert max(map(len, one.stdout.splitlines())) <= 100
    whole = account.run(program, "help").stdout
    assert whole == account.run(program, "--help").stdout and f"\n  {command} " in whole
    version = account.run(program, command, "--version")
    assert version.returncode == 0 and version.stdout == account.run(program, "--version").stdout
