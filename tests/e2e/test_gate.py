"""bottle-gate from the outside: verdicts, exit statuses, reports, bad input, bad days."""

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess

import pytest

from conftest import BOUND

VECTORS = {"BG-020", "BG-022", "BG-026", "BG-027", "BG-044", "BG-048", "BG-049", "BG-054", "BG-061", "BG-062", "BG-064",
           "BG-114"}


def report_of(result):
    return json.loads(result.stdout)


def test_the_native_bottle_passes_and_every_verdict_stands_on_evidence(account):
    result = account.run("bottle-gate", "run", "--format=json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    report = report_of(result)
    assert report["schema"] == "bottle-gate/report/1"
    assert report["verdict"] == "PASS" and report["exit"] == 0
    assert report["backend"]["name"] == "native" and report["site"] == "sealed" and report["profile"] == "core"
    assert {attempt["id"] for attempt in report["attempts"]} == VECTORS
    assert {attempt["principal"] for attempt in report["attempts"]} == {"user", "root"}
    assert report["counts"] == {"blocked": len(report["attempts"]), "escaped": 0, "inconclusive": 0, "broken": 0}
    for attempt in report["attempts"]:
        assert attempt["verdict"] == "BLOCKED" and attempt["hits"] == []
        controls = attempt["controls"]
        assert all(controls[key] is True for key in ("witness_before", "witness_during", "witness_after", "door_before",
                                                     "door_after"))
        if attempt["how"] == "fence":
            assert controls["open"] == "caught"
        else:
            assert attempt["how"] == "unsupported" and controls["open"] == "unsupported"
    assert "BG-001" in {entry["id"] for entry in report["not_proved"]}, "what can't be tried yet must be told"


def test_every_attempt_is_caught_in_the_bare_and_the_open_run(account):
    report = report_of(account.run("bottle-gate", "run", "--format=json"))
    missed = [(a["id"], a["target"], a["principal"], a["controls"]) for a in report["attempts"]
              if a["controls"]["bare"] != "caught" or a["controls"]["open"] != "caught"]
    assert missed == []


def test_without_the_network_fence_everything_gets_out_and_is_named(account):
    result = account.run("bottle-gate", "run", "--mutant=network", "--format=json")
    assert result.returncode == 1, result.stdout + result.stderr
    report = report_of(result)
    assert report["verdict"] == "FAIL" and report["self_proof"]["mutants"] == ["network"]
    assert {a["verdict"] for a in report["attempts"]} == {"ESCAPED"}
    for attempt in report["attempts"]:
        assert attempt["hits"] != [] and attempt["remedy"]
        assert any(hit["by"] == "nonce" for hit in attempt["hits"]), attempt

    told = account.run("bottle-gate", "run", "--mutant=network").stdout
    for vector in VECTORS:
        assert vector in told
    assert "remedy:" in told and "8.8.8.8:53/udp" in told and re.search(r"^FAIL ", told, re.M)


@pytest.mark.parametrize("fence", ["mount", "pid", "user", "ipc", "uts", "cgroup", "time", "no-new-privs", "capabilities",
                                   "seccomp", "limits", "descriptors", "session", "nesting"])
def test_a_mutant_of_a_fence_that_nothing_exercises_is_never_a_pass(account, fence):
    result = account.run("bottle-gate", "run", f"--mutant={fence}", "--format=json")
    assert result.returncode == 2, result.stdout + result.stderr
    assert fence in report_of(result)["reason"]


def test_without_the_open_run_there_is_no_pass(account):
    result = account.run("bottle-gate", "run", "--self-proof=off", "--format=json")
    assert result.returncode == 2
    report = report_of(result)
    assert report["verdict"] == "INCONCLUSIVE" and "self-proof" in report["reason"]
    assert {a["controls"]["open"] for a in report["attempts"]} == {"skipped"}


def test_vectors_and_principals_can_be_chosen(account):
    result = account.run("bottle-gate", "run", "--vector=BG-049,BG-114", "--as=user", "--format=json")
    assert result.returncode == 0, result.stdout + result.stderr
    report = report_of(result)
    assert {a["id"] for a in report["attempts"]} == {"BG-049", "BG-114"}
    assert {a["principal"] for a in report["attempts"]} == {"user"}


def test_the_terminal_report_is_plain_where_there_is_no_terminal(account):
    result = account.run("bottle-gate", "run")
    assert result.returncode == 0 and result.stderr == ""
    assert "\033" not in result.stdout and "\r" not in result.stdout
    assert re.search(r"^PASS  \d+ attempts: \d+ blocked, 0 escaped", result.stdout, re.M)
    for word in ("loopback", "lan", "metadata", "dns", "transport", "ipc", "not proved here"):
        assert word in result.stdout


def test_quiet_is_one_line_and_verbose_shows_every_attempt(account):
    quiet = account.run("bottle-gate", "run", "-q", "--vector=BG-020").stdout
    assert len(quiet.splitlines()) == 1 and quiet.startswith("PASS")
    verbose = account.run("bottle-gate", "run", "-v", "--vector=BG-020").stdout
    assert "127.9.9.9" in verbose and "the probe got as far as" in verbose


BAD_INPUT = [
    (["run", "--backend=nope"], "native"),
    (["run", "--vector=BG-999"], "BG-999"),
    (["run", "--vector=49"], "BG-049"),
    (["run", "--vector="], "empty"),
    (["run", "--vector=BG-049,,BG-054"], "empty"),
    (["run", "--as=admin"], "user, root"),
    (["run", "--format=xml"], "pretty, json"),
    (["run", "--timeout=soon"], "100ms"),
    (["run", "--timeout=0"], "100ms"),
    (["run", "--timeout=nan"], "100ms"),
    (["run", "--timeout=99999999999999999999"], "100ms"),
    (["run", "--self-proof=maybe"], "off or open"),
    (["run", "--mutant=nothing"], "network"),
    (["run", "--site=host"], "sealed"),
    (["run", "--format"], "needs a value"),
    (["run", "--keep=yes"], "takes no value"),
    (["run", "-v", "-q"], "contradict"),
    (["run", "-q", "-q"], "twice"),
    (["run", "--frobnicate"], "--help"),
    (["run", "operand"], "operand"),
    (["run", "--vector=" + "A" * 5000], "too long"),
    (["frobnicate"], "--help"),
    (["selftest", "--fault=none-such"], "no fault"),
]


@pytest.mark.parametrize("arguments,names", BAD_INPUT, ids=[" ".join(a)[:40] for a, _ in BAD_INPUT])
def test_bad_input_gets_one_line_and_status_4(account, arguments, names):
    result = account.run("bottle-gate", *arguments)
    assert result.returncode == 4
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("bottle-gate: ")
    assert names in result.stderr


def test_no_command_shows_usage_and_ends_with_4(account):
    result = account.run("bottle-gate")
    assert result.returncode == 4 and "usage:" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["selftest", "--help"], ["--version"]])
def test_help_and_version_go_to_standard_output(account, arguments):
    result = account.run("bottle-gate", *arguments)
    assert result.returncode == 0 and result.stdout and result.stderr == ""


def test_the_backend_comes_from_the_environment_unless_it_is_named(account):
    wrong = {"BOT_BOTTLE_BACKEND": "nope"}
    assert account.run("bottle-gate", "run", environment=wrong).returncode == 4
    result = account.run("bottle-gate", "run", "--backend=native", "-q", "--vector=BG-020", environment=wrong)
    assert result.returncode == 0, result.stderr


def test_without_user_namespaces_it_ends_with_4_and_names_the_setting(account):
    gate = str(account.programs / "bottle-gate")
    shell = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {gate} run"
    result = subprocess.run([*account.prefix(), "unshare", "--user", "--map-root-user", "sh", "-c", shell], text=True,
                            capture_output=True, timeout=BOUND, env=account.environment())
    assert result.returncode == 4, result.stderr
    assert len(result.stderr.splitlines()) == 1 and "max_user_namespaces" in result.stderr


@pytest.mark.parametrize("limit", [8, 16, 32, 64, 127])
def test_a_low_descriptor_limit_ends_with_4_and_names_the_command(account, limit):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    result = account.run("bottle-gate", "run", preexec_fn=lower)
    assert result.returncode == 4 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "ulimit -n" in result.stderr


def test_a_low_soft_limit_of_descriptors_is_raised(account):
    def lower():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, hard))
    result = account.run("bottle-gate", "run", "-q", preexec_fn=lower)
    assert result.returncode == 0, result.stdout + result.stderr


def test_two_gates_at_once_are_both_right(account):
    good = account.start("bottle-gate", "run", "-q", stdout=subprocess.PIPE, text=True)
    bad = account.start("bottle-gate", "run", "-q", "--mutant=network", stdout=subprocess.PIPE, text=True)
    assert "PASS" in good.communicate(timeout=BOUND)[0] and good.returncode == 0
    assert "FAIL" in bad.communicate(timeout=BOUND)[0] and bad.returncode == 1


def test_a_report_that_nobody_can_read_is_no_success(account):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = account.run("bottle-gate", "run", "--vector=BG-020", stdout=full)
    assert result.returncode == 3 and "report" in result.stderr
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *account.command("bottle-gate", "run", "--vector=BG-020")],
                            stderr=subprocess.PIPE, text=True, timeout=BOUND, env=account.environment())
    assert closed.returncode == 3 and "report" in closed.stderr


def test_keep_keeps_the_evidence_and_says_where(account):
    result = account.run("bottle-gate", "run", "--keep", "-q", "--vector=BG-114")
    assert result.returncode == 0, result.stderr
    directory = re.search(r"kept in (\S+)", result.stderr).group(1)
    assert directory.startswith(str(account.home))
    assert sorted(os.listdir(directory)) == ["evidence.txt", "report.json"]
    with open(os.path.join(directory, "evidence.txt"), encoding="utf-8") as evidence:
        text = evidence.read()
    assert "== bare run: finished" in text and "heard by unix" in text


def on_terminal(account, *arguments, react=None):
    """Runs the gate with its standard output and error on a terminal; returns (what was shown, wait status)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(account.command("bottle-gate", *arguments)[0], account.command("bottle-gate", *arguments),
                   account.environment({"TERM": "xterm"}))
    shown = b""
    while True:
        ready, _, _ = select.select([master], [], [], BOUND)
        assert ready, "the gate hangs"
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
        if react is not None:
            react(pid, shown)
    os.close(master)
    return shown.decode(), os.waitpid(pid, 0)[1]


def test_on_a_terminal_there_is_colour_and_progress(account):
    shown, status = on_terminal(account, "run", "--vector=BG-020")
    assert os.WEXITSTATUS(status) == 0
    assert "\033[1;32m" in shown and "fenced: starting the bottle" in shown


STEPS = ["opening the site", "starting the witnesses", "starting the bottle", "attempts as user", "attempts as root",
         "listening on"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.parametrize("step", STEPS)
def test_a_signal_at_any_stage_ends_everything(account, number, step):
    sent = []

    def react(pid, shown):
        if not sent and f"fenced: {step}".encode() in shown:
            os.kill(pid, number)
            sent.append(True)
    shown, status = on_terminal(account, "run", react=react)
    assert sent, shown
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
    assert "PASS" not in shown
    if number != signal.SIGKILL:
        assert "there is no verdict" in shown
    # nothing_is_left looks at the rest


def test_the_gate_tests_itself(account):
    result = account.run("bottle-gate", "selftest")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("ok ")]
    assert len(lines) == 7 and "not ok" not in result.stdout
    for fault in ("dead-witness", "deaf-capture", "probe-killed", "records-truncated", "records-forged", "wrong-run"):
        line = next(line for line in lines if fault in line)
        assert "exit 0" not in line and "left behind: nothing" in line
