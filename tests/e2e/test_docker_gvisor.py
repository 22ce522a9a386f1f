"""Containers on a kernel of their own: gVisor's runsc is taken unasked where it is, and proved; what has only its name, or is gone, ends the run.

Where there is no runsc what needs it is skipped; in `ci/test --matrix` (WHOLE), which installs it, that is a failure. It is hidden or replaced by something mounted
over it, in mounts of the test's own."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess

import pytest

from test_docker import descendants, root  # noqa: F401 (a fixture)

WHOLE = bool(os.environ.get("WHOLE"))
ENGINE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUNSC = shutil.which("runsc", path=ENGINE_PATH)
# What its kernel doesn't have, by its own account alone.
UNPROVED = {"BG-064", "BG-068"}
STRUCTURE = {"BG-028", "BG-034", "BG-039", "BG-069", "BG-114", "BG-116"}


@pytest.fixture
def gvisor(root):
    if RUNSC is None and not WHOLE:
        pytest.skip("there is no runsc here")
    assert RUNSC is not None
    return root


class Elsewhere:
    """The account, where another file lies in runsc's place."""

    def __init__(self, account, over):
        self.account, self.over = account, over

    def command(self, *arguments):
        script = 'mount --make-rprivate / && { [ -z "$1" ] || mount --bind "$0" "$1"; } && shift && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, str(self.over), os.path.realpath(RUNSC) if RUNSC else "", *self.account.command(*arguments)]

    def run(self, *arguments):
        return subprocess.run(self.command(*arguments), text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
                              env=self.account.environment())


@pytest.fixture
def without(root, tmp_path):
    (tmp_path / "nothing").touch(mode=0o644)
    return Elsewhere(root, tmp_path / "nothing")


def run(account, *arguments, status):
    result = account.run("bottle-gate", "run", "--backend=docker", "--format=json", *arguments)
    assert result.returncode == status and result.stderr == "", result.stdout[-2000:] + result.stderr
    return json.loads(result.stdout)


def test_runc_is_taken_where_there_is_no_runsc_and_runsc_only_if_it_is_there(without):
    report = run(without, "--vector=BG-020", status=0)
    assert report["verdict"] == "PASS" and report["backend"]["runtime"] == "runc"
    told = without.run("bottle", "backends").stdout
    assert re.search(r"^docker +ready +8 fences, runtime runc$", told, re.M), told
    for command in ("run", "preflight"):
        result = without.run("bottle-gate", command, "--backend=docker", "--runtime=runsc")
        assert result.returncode == 4 and result.stdout == ""
        assert result.stderr == "bottle-gate: runsc isn't here: sudo apt install runsc, or take --runtime=runc\n"


def test_it_is_taken_unasked_and_named_by_who_looks_at_the_host(gvisor):
    told = gvisor.run("bottle-gate", "preflight", "--backend=docker")
    assert told.returncode == 0 and "backend docker  runtime runsc  policy hardened\n" in told.stdout and "docker-runsc" in told.stdout
    assert json.loads(gvisor.run("bottle-gate", "preflight", "--backend=docker", "--json").stdout)["runtime"] == "runsc"
    other = gvisor.run("bottle-gate", "preflight", "--backend=docker", "--runtime=runc").stdout
    assert "runtime runc  policy hardened\n" in other and "docker-runsc" not in other
    assert re.search(r"^docker +ready +8 fences, runtime runsc$", gvisor.run("bottle", "backends").stdout, re.M)


def test_the_whole_core_passes_but_for_what_only_its_kernel_says_that_it_lacks(gvisor, tmp_path):
    kept = tmp_path / "report"
    report = run(gvisor, f"--report={kept}", "--accept-unproved=" + ",".join(sorted(UNPROVED)), status=0)
    assert report["verdict"] == "PASS" and report["backend"]["runtime"] == "runsc"
    assert report["backend"]["details"]["kernel"] != os.uname().release
    assert re.search(r"runtime runsc \S*\d\S*, kernel log: Starting gVisor", report["backend"]["details"]["fingerprint"])
    assert {attempt["id"] for attempt in report["attempts"] if attempt["verdict"] != "BLOCKED"} in (UNPROVED, UNPROVED | {"BG-106"})
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED", "INCONCLUSIVE"}
    assert {attempt["id"] for attempt in report["attempts"] if attempt["how"] == "structure"} == STRUCTURE
    replay = gvisor.run("bottle-gate", "replay", str(kept))
    assert replay.returncode == 0, replay.stdout + replay.stderr


def test_what_only_its_kernel_says_is_not_taken_as_the_hosts_word(gvisor):
    for more, status, verdict in (((), 2, "INCONCLUSIVE"), (("--runtime=runc",), 0, "PASS")):
        report = run(gvisor, "--vector=" + ",".join(sorted(UNPROVED)), *more, status=status)
        assert report["verdict"] == verdict
        assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED" if status == 0 else "INCONCLUSIVE"}


def test_each_fence_that_a_vector_tries_is_proved(gvisor):
    report = run(gvisor, "--self-proof=each", "--vector=BG-022,BG-034,BG-069,BG-112,BG-114,BG-152,BG-153", status=0)
    mutants = {mutant["fence"]: mutant for mutant in report["self_proof"]["mutants"]}
    assert set(mutants) == {"network", "input", "files"} and all(mutant["proved"] for mutant in mutants.values())


def test_an_internal_network_reaches_the_host_as_it_does_with_runc(gvisor):
    report = run(gvisor, "--policy=internal", "--vector=BG-022,BG-023,BG-152", status=1)
    assert {attempt["id"] for attempt in report["attempts"] if attempt["verdict"] == "ESCAPED"} == {"BG-022", "BG-152"}


def test_fences_that_it_keeps_always_are_none_to_leave_out(gvisor):
    result = gvisor.run("bottle-gate", "run", "--backend=docker", "--mutant=seccomp")
    assert result.returncode == 4 and "has no fence seccomp to leave out; it has: network, input, files" in result.stderr


def test_a_runtime_that_has_only_the_name_is_broken(gvisor, tmp_path):
    fake = tmp_path / "runsc"
    fake.write_text('#!/bin/sh\nfor word; do\n  shift\n  case $word in --network=*|--ignore-cgroups|--host-uds=*|--net-raw) ;; *) set -- "$@" "$word" ;; esac\n'
                    f'done\nexec {shutil.which("runc", path=ENGINE_PATH)} "$@"\n')
    fake.chmod(0o755)
    report = run(Elsewhere(gvisor, fake), "--vector=BG-020", status=3)
    assert report["verdict"] == "BROKEN" and "the container was to be run by runsc and another program runs it" in report["reason"]


def test_losing_it_after_the_preflight_is_an_error_and_no_silent_runc(gvisor, tmp_path):
    """One run after the other: the bare one, which needs no bottle, says that it begins when the host has been looked at."""
    (tmp_path / "nothing").touch(mode=0o644)
    (tmp_path / "bin").mkdir()
    shutil.copy(RUNSC, tmp_path / "bin" / "runsc")
    inside = 'mount --make-rprivate / && mount --bind "$0/nothing" "$1" && mount --bind "$0/bin" /usr/local/sbin && shift && exec "$@"'
    command = gvisor.command("bottle-gate", "run", "--backend=docker", "--vector=BG-020", "--jobs=1", "--format=json")
    master, slave = os.openpty()
    with subprocess.Popen(["unshare", "-m", "sh", "-c", inside, str(tmp_path), os.path.realpath(RUNSC), *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=slave, env=gvisor.environment()) as gate:
        os.close(slave)
        said = b""
        while b"bare:" not in said:
            said += os.read(master, 4096)
        (tmp_path / "bin" / "runsc").unlink()
        report = json.loads(gate.stdout.read())
    os.close(master)
    assert gate.returncode == 3 and report["verdict"] == "BROKEN"
    assert report["reason"] == "open run: runsc was here when the host was looked at, and is gone: nothing else is taken in its place"


# "exe" is what runsc calls itself: the kernel of each bottle, and its file server.
@pytest.mark.parametrize("victim, statuses", [("dockerd", {3}), ("exe", {2, 3}), ("bottle-gate", {-signal.SIGKILL})])
def test_whoever_is_killed_midway_no_kernel_is_left(gvisor, victim, statuses):
    master, slave = os.openpty()
    with gvisor.start("bottle-gate", "run", "--backend=docker", "--vector=BG-020,BG-061", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave) as gate:
        os.close(slave)
        said = b""
        while b"fenced: attempts as user" not in said:
            said += os.read(master, 4096)
        family = descendants(gate.pid)
        assert {"dockerd", "exe"} <= {name for _, name in family}
        handles = [os.pidfd_open(pid) for pid, _ in family if pathlib.Path(f"/proc/{pid}").exists()]
        for pid in [gate.pid] if victim == "bottle-gate" else [pid for pid, name in family if name == victim]:
            if pathlib.Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        out = gate.stdout.read().decode()
    os.close(master)
    assert gate.returncode in statuses and "PASS" not in out, out
    for handle in handles:
        assert select.select([handle], [], [], 60)[0], "a process of the engine lives on"
        os.close(handle)
    assert not [name for name in os.listdir("/tmp") if name.startswith("bottle-docker")]
