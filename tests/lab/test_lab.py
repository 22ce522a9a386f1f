"""The lab, booted: what a real host would show an ordinary user, statuses and output as they are, and an end whatever happens.

One boot takes some twenty seconds where the processor is emulated and idle otherwise: what can be asked of one boot is asked of one.
"""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess

import pytest

import image
from conftest import TOP

RUN = TOP / "ci" / "lab" / "run"
BOUND = 600  # seconds; a bound on hangs, not an expectation


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory, monkeypatch):
    """Whatever it did, no temporary file of ours remains."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert os.listdir(temporary) == []


def lab(*arguments):
    return subprocess.run([RUN, *arguments], capture_output=True, timeout=BOUND, stdin=subprocess.DEVNULL)


def emulators_of(parent):
    found = []
    for process in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and f"\nPPid:\t{parent}\n" in (process / "status").read_text() and \
                    (process / "cmdline").read_bytes().startswith(b"qemu-system"):
                found.append(int(process.name))
    return found


@pytest.fixture(scope="module", autouse=True)
def made():
    """What is kept is made first: it is no part of what is measured here."""
    subprocess.run([RUN, "--prepare"], check=True, timeout=3600)
    return image.get(print)


def test_a_run_of_the_gate_as_an_ordinary_user_passes_and_its_report_comes_back(tmp_path):
    result = lab(f"--report={tmp_path}/report", "--", "run", "--backend=native", "--vector=BG-106,BG-114,BG-026", "--format=json")
    assert result.returncode == 0, result.stderr.decode()
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["verdict"] == "PASS"
    vsock = [attempt for attempt in report["attempts"] if attempt["id"] == "BG-106"]
    assert vsock and all(attempt["verdict"] == "BLOCKED" for attempt in vsock)
    assert (tmp_path / "report" / "evidence.json").exists()


HOST = r"""
set -u
id -nG; stat -c '%a %U %G' /dev/kvm; ls /sys/class/net; id -u gate; cat /sys/module/kvm_*/parameters/nested
lsmod | grep -c -E '^(vsock_loopback|nf_tables) '
bottle-gate run --quiet --backend=native --vector=BG-106 >/dev/null; echo "root $?"
gate="setpriv --reuid=gate --regid=gate --init-groups"
$gate env HOME=/home/gate XDG_RUNTIME_DIR=/run/user/1000 bottle-gate run --quiet --backend=native --mutant=seccomp --vector=BG-106 >/dev/null; echo "mutant $?"
$gate sh -c 'exec 3<>/dev/kvm && echo "kvm opens"'
printf 'bytes \000\377' >&2
sleep 1000 &
exit 7
"""


def test_a_command_as_root_sees_a_host_with_kvm_and_no_network_and_its_status_and_bytes_come_back():
    result = lab("--as=root", "--shell", HOST)
    assert result.returncode == 7, result.stderr.decode(errors="replace")
    groups, device, *rest = result.stdout.decode().splitlines()
    assert (groups, device) == ("root", "660 root kvm")
    assert rest[:3] == ["lo", "1000", "1"] and rest[3] == "2"
    assert rest[4:] == ["root 0", "mutant 1", "kvm opens"]
    assert b"bytes \0\xff" in result.stderr


MACHINES = r"""
bottle-gate preflight --backend=smolmachines --json
gate="setpriv --reuid=gate --regid=gate --init-groups env HOME=/home/gate XDG_RUNTIME_DIR=/run/user/1000"
$gate bottle-gate preflight --backend=smolmachines --json
cmp /home/gate/.cache/bottle-gate/kvm-runs-kernels /proc/sys/kernel/random/boot_id && echo '"remembered"'
$gate bottle-gate preflight --backend=smolmachines --policy=cidr --smolvm=/opt/smolvm/smol/smol-vmm --json
"""


def test_an_installed_engine_is_enough_for_an_ordinary_user_and_root_is_told_what_it_lacks():
    """The engine on the PATH is a wrapper, and nothing else is set."""
    result = lab("--as=root", "--smolvm=1.32.2", "--shell", MACHINES)
    told, decoder = result.stdout.decode(), json.JSONDecoder()
    answers = []
    while told.strip():
        answer, end = decoder.raw_decode(told.lstrip())
        answers.append(answer)
        told = told.lstrip()[end:]
    root, user, remembered, named = answers
    states = [{check["name"]: check["state"] for check in report["checks"]} for report in (root, user, named)]
    assert remembered == "remembered"
    assert [report["usable"] for report in (root, user, named)] == [False, True, True], result.stdout.decode()
    assert states[0]["kvm"] == "missing" and states[0]["kvm-boots"] == "unknown" and states[1]["kvm-boots"] == "ok"
    (problem,) = (check["problem"] for check in root["checks"] if check["name"] == "kvm")
    assert "sudo usermod -aG kvm root" in problem
    assert named["policy"] == "cidr"


def test_a_lab_that_is_not_done_in_time_is_broken():
    result = lab("--timeout=2", "--", "run")
    assert result.returncode == 3
    assert result.stderr.decode().splitlines()[-1] == "ci/lab/run: the lab gave no result in 2 s: BROKEN"


def test_a_lab_that_panics_is_broken_and_its_last_words_are_shown(made, tmp_path, run, monkeypatch, capsys):
    """Its kernel finds no system on the disk."""
    (tmp_path / "vmlinuz").symlink_to(made / "vmlinuz")
    (tmp_path / "initrd").write_bytes(b"")
    (tmp_path / "root.img").write_bytes(bytes(1 << 20))
    monkeypatch.setattr(run.image, "get", lambda *_: tmp_path)
    assert run.guarded(["--accelerator=tcg", "--", "run"]) == 3
    *said, last = capsys.readouterr().err.splitlines()
    assert last == "ci/lab/run: the lab stopped before it gave a result: BROKEN"
    assert any(line.startswith("  console: ") and "Kernel panic" in line for line in said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_a_signal_ends_it_with_all_that_it_started(number):
    process = subprocess.Popen([RUN, "--verbose", "--", "run"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    for line in process.stderr:
        if b"TCG doesn't support" in line or b"Linux version" in line:
            break  # the emulator itself has spoken
    emulators = [os.pidfd_open(pid) for pid in emulators_of(process.pid)]
    assert emulators
    process.send_signal(number)
    last = process.stderr.read().decode(errors="replace").splitlines()[-1:]
    assert process.wait(BOUND) == -number
    assert number == signal.SIGKILL or last == [f"ci/lab/run: stopped by signal {int(number)}; there is no result"]
    for handle in emulators:
        assert select.select([handle], [], [], BOUND)[0], "the emulator outlived it"
        os.close(handle)
