"""Containers of a real Docker Engine in the sealed site, run by runc: the hardened bottle passes, an internal network alone leaks what is said of it, and
nothing is left, whatever becomes of the engine. Root only: the engine needs ids of its own."""

import contextlib
import fcntl
import json
import os
import pathlib
import select
import signal
import subprocess

import pytest

from other_probe import workshop  # noqa: F401, a fixture
from test_gate import CORE

STOPPED_BY_INPUT = {"BG-017", "BG-018", "BG-022", "BG-038", "BG-152", "BG-153"}
# Some that an internal network does stop, beside those.
SOME = STOPPED_BY_INPUT | {"BG-001", "BG-023", "BG-026", "BG-028", "BG-048", "BG-054", "BG-061", "BG-112", "BG-116"}


@pytest.fixture
def root(account):
    if not account.is_root:
        pytest.skip("the engine needs root; what others are told is tested")
    ready = account.run("bottle-gate", "preflight", "--backend=docker", "--runtime=runc", "--json")
    if ready.returncode != 0 and os.environ.get("MUST_WORK") != "1":
        pytest.skip(ready.stdout)
    assert ready.returncode == 0, ready.stdout
    return account


GROUPS = pathlib.Path("/sys/fs/cgroup")
LIMITED, UNLIMITED = "; memory and processes limited by control groups: 1024 MiB, 2304; ", "; no limits by control groups; "


def own_groups(pid="self"):
    """The directories of a process's control groups, by their controllers ("" is version 2)."""
    rows = [line.split(":", 2) for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    return {names: GROUPS / names / path.lstrip("/") for _, names, path in rows}


def can_limit():
    own = own_groups()
    if "memory" in own and "pids" in own:
        return all(os.access(own[names], os.W_OK) for names in ("memory", "pids"))
    for place in (own[""], own[""].parent) if "" in own and "memory" not in own and "pids" not in own else ():
        control = place / "cgroup.subtree_control"
        if control.exists() and {"memory", "pids"} <= set(control.read_text().split()):
            return os.access(place, os.W_OK)
    return False


def engine_groups(pid):
    return {path for path in own_groups(pid).values() if path.name.startswith("bottle-gate-")}


def run(account, *arguments, status):
    result = account.run("bottle-gate", "run", "--backend=docker", "--runtime=runc", "--format=json", *arguments)
    assert result.returncode == status and result.stderr == "", result.stdout[-2000:] + result.stderr
    return json.loads(result.stdout)


def with_verdict(report, verdict):
    return {(attempt["id"], attempt["target"].split(":")[0]) for attempt in report["attempts"] if attempt["verdict"] == verdict}


def test_an_ordinary_user_is_told_what_is_missing(account):
    if account.is_root:
        pytest.skip("root has it")
    result = account.run("bottle-gate", "run", "--backend=docker")
    assert result.returncode == 4 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "run it as root" in result.stderr


def test_the_hardened_bottle_passes_and_only_descriptors_are_its_make(root):
    report = run(root, status=0)
    assert report["verdict"] == "PASS"
    assert report["backend"]["name"] == "docker" and report["backend"]["engine"] == "Docker Engine"
    assert report["backend"]["policy"] == "hardened" and report["backend"]["runtime"] == "runc"
    said = report["backend"]["details"]["fingerprint"]
    assert "runtime runc; " in said and (LIMITED if can_limit() else UNLIMITED) + "hardened; image " in said, said
    assert not list(GROUPS.rglob(f"bottle-gate-{report['run']}-*"))
    assert {attempt["id"] for attempt in report["attempts"]} in (CORE, CORE - {"BG-106"})
    assert {attempt["id"] for attempt in report["attempts"] if attempt["how"] == "structure"} == {"BG-116"}
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED"}


def test_an_internal_network_reaches_the_host_by_all_its_addresses_and_nothing_else(root):
    report = run(root, "--policy=internal", "--vector=" + ",".join(sorted(SOME)), status=1)
    host = "10.77.0.1"
    assert with_verdict(report, "ESCAPED") == {
        ("BG-017", "gateway(IPv4)"), ("BG-018", "gateway(IPv4)"), ("BG-022", host), ("BG-038", "255.255.255.255"),
        ("BG-038", "10.77.0.255"), ("BG-152", "gateway(IPv4)"), ("BG-152", host), ("BG-153", host)}
    assert {attempt["id"] for attempt in report["attempts"] if attempt["verdict"] == "BLOCKED"} == SOME - {"BG-038", "BG-152", "BG-153"}
    for attempt in report["attempts"]:
        if attempt["verdict"] == "ESCAPED":
            assert {hit["witness"] for hit in attempt["hits"]} == {"host"}, attempt
            assert "iifname BRIDGE drop" in attempt["remedy"]
    hardened = run(root, "--vector=" + ",".join(sorted(SOME)), status=0)
    assert {attempt["id"] for attempt in hardened["attempts"]} == SOME


def test_each_fence_that_a_vector_tries_is_proved(root):
    report = run(root, "--self-proof=each", "--vector=BG-017,BG-018,BG-022,BG-038,BG-112,BG-152,BG-153", status=0)
    mutants = {mutant["fence"]: mutant for mutant in report["self_proof"]["mutants"]}
    assert set(mutants) == {"network", "input", "files"} and all(mutant["proved"] for mutant in mutants.values())


def test_memory_is_limited_of_all_processes_together_and_nobody_outside_suffers(root, workshop):  # noqa: F811
    if not can_limit():
        assert os.environ.get("MUST_WORK") != "1", "control groups can't be written here"
        pytest.skip("control groups can't be written here")
    report = run(workshop.account(root, "hostile/hog_family.c"), "--vector=BG-020,BG-061", "--as=user", status=0)
    assert LIMITED in report["backend"]["details"]["fingerprint"]
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED"}
    assert not list(GROUPS.rglob(f"bottle-gate-{report['run']}-*"))


def test_a_host_that_lets_nobody_limit_it_is_told_of_and_is_no_error(root):
    place = "/sys/fs/cgroup/pids" if os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup"
    if os.path.ismount(place):
        script = f'mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    else:
        command = []
    command += root.command("bottle-gate", "run", "--backend=docker", "--runtime=runc", "--format=json", "--vector=BG-020")
    result = subprocess.run(command, env=root.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert result.returncode == 0 and result.stderr == "", result.stdout[-2000:] + result.stderr
    report = json.loads(result.stdout)
    assert UNLIMITED in report["backend"]["details"]["fingerprint"]
    assert not list(GROUPS.rglob(f"bottle-gate-{report['run']}-*"))


def descendants(pid):
    children = {}
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, rest = pathlib.Path(f"/proc/{number}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(int(rest.split()[1]), []).append((int(number), name))
    found, left = [], [pid]
    while left:
        for child in children.get(left.pop(), []):
            found.append(child)
            left.append(child[0])
    return found


def kill_each(gate, victim, killed):
    """Every process of that name that the gate has or gets, as soon as it is there, until the gate ends."""
    while gate.poll() is None:
        for pid, name in descendants(gate.pid):
            if name == victim and pid not in killed:
                killed.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_an_engine_that_is_killed_as_it_starts_is_no_lack_of_the_host(root):
    with root.start("bottle-gate", "run", "--backend=docker", "--runtime=runc", "--vector=BG-020", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as gate:
        killed = set()
        kill_each(gate, "dockerd", killed)
        out = gate.stdout.read().decode()
    assert killed and gate.returncode == 3, out
    assert "run: the Docker Engine of the site was killed as it was started" in out, out
    assert not [name for name in os.listdir("/tmp") if name.startswith("bottle-docker")]


@pytest.mark.parametrize("victim, number", [("dockerd", signal.SIGKILL), ("containerd", signal.SIGKILL), ("bottle-gate", signal.SIGKILL)])
def test_whoever_is_killed_midway_nothing_is_left(root, victim, number):
    master, slave = os.openpty()
    with root.start("bottle-gate", "run", "--backend=docker", "--runtime=runc", "--vector=BG-020,BG-061", stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=slave) as gate:
        os.close(slave)
        said = b""
        while b"fenced: attempts as user" not in said:
            got = os.read(master, 4096)
            assert got, said
            said += got
        family = descendants(gate.pid)
        assert any(name == "dockerd" for _, name in family)
        grouped = {pid: engine_groups(pid) for pid, _ in family if pathlib.Path(f"/proc/{pid}").exists()}
        groups = set().union(*grouped.values())
        assert bool(groups) == can_limit()
        # The engine's init, which has our name, is in them; neither the gate nor a phase nor a witness is.
        inside = [name for pid, name in family if grouped.get(pid)]
        assert not groups or (inside.count("bottle-gate") == 1 and {"dockerd", "containerd", "bottle-step"} <= set(inside)), inside
        handles = [os.pidfd_open(pid) for pid, _ in family if pathlib.Path(f"/proc/{pid}").exists()]
        locks = [os.open(group, os.O_RDONLY) for group in groups]
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_SH)  # as the gate itself does: nobody else's gc comes before ours
        victims = [gate.pid] if victim == "bottle-gate" else [pid for pid, name in family if name == victim]
        for pid in victims:
            os.kill(pid, number)
        # dockerd starts its containerd anew, which must not be there again before the next command asks for it.
        if victim == "containerd":
            kill_each(gate, victim, set(victims))
        out = gate.stdout.read().decode()
        status = gate.wait()
    os.close(master)
    assert status == (-number if victim == "bottle-gate" else 3), out
    assert victim == "bottle-gate" or "fenced run: " in out
    for handle in handles:  # each of them has ended, or ends now
        assert select.select([handle], [], [], 60)[0], "a process of the engine lives on"
        os.close(handle)
    assert not [name for name in os.listdir("/tmp") if name.startswith("bottle-docker")]
    if victim == "bottle-gate":
        root.run("bottle-gate", "gc")
        assert all(group.exists() for group in groups), "gc removed what is locked"
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_UN)
        assert root.run("bottle-gate", "gc").returncode == 0
    for lock in locks:
        os.close(lock)
    assert not [group for group in groups if group.exists()]
