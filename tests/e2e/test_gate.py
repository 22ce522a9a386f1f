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
from leaks.targets import carries_a_nonce

# The core profile, for good. BG-106 is planned only where the kernel has vsock's loopback transport.
CORE = {f"BG-{number:03}" for number in (1, 17, 18, 20, 21, 22, 23, 26, 27, 28, 34, 38, 39, 44, 45, 46, 48, 49, 54, 55, 56, 60,
                                         61, 62, 64, 68, 69, 70, 78, 106, 112, 114, 116)}
# What each fence of the native backend keeps in; the others keep in nothing that the core profile tries.
STOPPED_BY = {"mount": {"BG-112"}, "descriptors": {"BG-116"}, "seccomp": {"BG-106"}}
STOPPED_BY["network"] = CORE - set.union(*STOPPED_BY.values())


def report_of(result):
    return json.loads(result.stdout)


def test_the_native_bottle_passes_and_every_verdict_stands_on_evidence(account):
    result = account.run("bottle-gate", "run", "--sweep=all", "--format=json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    report = report_of(result)
    assert report["schema"] == "bottle-gate/report/1"
    assert report["verdict"] == "PASS" and report["exit"] == 0
    assert report["backend"]["name"] == "native" and report["site"] == "sealed" and report["profile"] == "core"
    planned = {attempt["id"] for attempt in report["attempts"]}
    unproved = {entry["id"]: entry["reason"] for entry in report["not_proved"]}
    assert planned in (CORE, CORE - {"BG-106"})
    assert ("BG-106" in unproved) == ("BG-106" not in planned)
    assert set(unproved) <= {"BG-106", "BG-112"}, "the list of what is not proved is short"
    assert "vsock" in unproved.get("BG-106", "vsock")
    uids = {who: each["host_uid"] for who, each in report["principals"].items()}
    if account.is_root:
        assert uids["user"] - uids["root"] == 65534 and uids["root"] >= 65536
        assert "BG-112" not in unproved
    else:
        assert uids["user"] == uids["root"] == account.uid
        assert "permissions" in unproved["BG-112"]
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


def test_every_attempt_is_caught_in_the_bare_and_the_open_run(account):
    report = report_of(account.run("bottle-gate", "run", "--format=json"))
    missed = [(a["id"], a["target"], a["principal"], a["controls"]) for a in report["attempts"]
              if a["controls"]["bare"] != "caught" or a["controls"]["open"] != "caught"]
    assert missed == []


@pytest.mark.parametrize("fence", sorted(STOPPED_BY))
def test_without_a_fence_exactly_its_vectors_get_out_and_are_named(account, fence):
    result = account.run("bottle-gate", "run", f"--mutant={fence}", "--format=json")
    report = report_of(result)
    planned = {a["id"] for a in report["attempts"]}
    if not STOPPED_BY[fence] & planned:
        assert result.returncode == 2 and fence in report["reason"]
        return
    assert result.returncode == 1, result.stdout + result.stderr
    assert report["verdict"] == "FAIL" and [mutant["fence"] for mutant in report["self_proof"]["mutants"]] == [fence]
    for attempt in report["attempts"]:
        if attempt["id"] not in STOPPED_BY[fence]:
            assert attempt["verdict"] == "BLOCKED" and attempt["hits"] == [], attempt
            continue
        assert attempt["verdict"] == "ESCAPED", attempt
        assert attempt["hits"] != [] and attempt["remedy"]
        assert not carries_a_nonce(attempt) or any(hit["by"] == "nonce" for hit in attempt["hits"]), attempt

    told = account.run("bottle-gate", "run", f"--mutant={fence}").stdout
    for vector in STOPPED_BY[fence] & planned:
        assert vector in told
    assert "remedy:" in told and re.search(r"^FAIL ", told, re.M)


@pytest.mark.parametrize("fence", ["pid", "user", "ipc", "uts", "cgroup", "time", "no-new-privs", "capabilities",
                                   "limits", "session", "nesting"])
def test_a_mutant_of_a_fence_that_nothing_exercises_is_never_a_pass(account, fence):
    result = account.run("bottle-gate", "run", f"--mutant={fence}", "--sweep=off", "--format=json")
    assert result.returncode == 2, result.stdout + result.stderr
    assert fence in report_of(result)["reason"]


def test_each_fence_that_a_vector_exercises_is_proved_by_its_pair(account):
    result = account.run("bottle-gate", "run", "--self-proof=each", "--sweep=sample", "--format=json")
    assert result.returncode == 0, result.stdout + result.stderr
    report = report_of(result)
    planned = {a["id"] for a in report["attempts"]}
    proof = report["self_proof"]
    assert proof["mode"] == "each"
    assert {m["fence"]: set(m["vectors"]) for m in proof["mutants"]} == {
        fence: vectors & planned for fence, vectors in STOPPED_BY.items() if vectors & planned}
    for mutant in proof["mutants"]:
        assert mutant["proved"] is True and mutant["reason"] == ""
        assert mutant["escaped"] == mutant["planned"] > 0
    assert not set(proof["unproved_fences"]) & {m["fence"] for m in proof["mutants"]}
    assert {"pid", "user", "limits"} <= set(proof["unproved_fences"])

    told = account.run("bottle-gate", "run", "--self-proof=each", "--vector=BG-112,BG-116").stdout
    assert re.search(r"proved +mount ", told) and re.search(r"proved +descriptors ", told)
    assert re.search(r"^PASS ", told, re.M)


def test_the_sweep_tries_as_many_ports_as_it_says(account):
    for extent, ports in (("all", 65535), ("sample", 1000)):
        report = report_of(account.run("bottle-gate", "run", "--vector=BG-001", f"--sweep={extent}", "--format=json"))
        assert report["verdict"] == "PASS" and len(report["attempts"]) == 8
        for attempt in report["attempts"]:
            assert attempt["probe"]["sent"] == ports and "ports" not in attempt
        assert ("BG-001" in {entry["id"] for entry in report["not_proved"]}) == (extent == "sample")
    report = report_of(account.run("bottle-gate", "run", "--vector=BG-001,BG-020", "--sweep=off", "--format=json"))
    assert {a["id"] for a in report["attempts"]} == {"BG-020"}
    assert "--sweep=off" in {entry["id"]: entry["reason"] for entry in report["not_proved"]}["BG-001"]


def test_a_sweep_that_gets_out_tells_at_which_ports_it_was_heard(account):
    report = report_of(account.run("bottle-gate", "run", "--vector=BG-001", "--mutant=network", "--format=json"))
    assert report["verdict"] == "FAIL"
    for attempt in report["attempts"]:
        assert attempt["verdict"] == "ESCAPED" and 1 <= attempt["ports"]["heard"] <= 65535
        assert re.fullmatch(r"[\d,.-]+", attempt["ports"]["ranges"])


def test_without_the_open_run_there_is_no_pass(account):
    result = account.run("bottle-gate", "run", "--self-proof=off", "--format=json")
    assert result.returncode == 2
    report = report_of(result)
    assert report["verdict"] == "INCONCLUSIVE" and "self-proof" in report["reason"]
    assert {a["controls"]["open"] for a in report["attempts"]} == {"skipped"}


def test_the_bare_run_alone_is_enough_only_where_that_is_accepted(account):
    """Of every attempt of the core profile: what each caught bare run is compared with is the fenced one."""
    for accepted in (False, True):
        options = ["--accept-unproved=open"] if accepted else []
        result = account.run("bottle-gate", "run", "--self-proof=bare", "--sweep=sample", *options, "--format=json")
        assert result.returncode == (0 if accepted else 2), result.stdout + result.stderr
        report = report_of(result)
        assert report["self_proof"]["mode"] == "bare" and report["verdict"] == ("PASS" if accepted else "INCONCLUSIVE")
        assert {a["controls"]["open"] for a in report["attempts"]} == {"skipped"}
        assert {a["controls"]["bare"] for a in report["attempts"]} == {"caught"}
        assert {a["how"] for a in report["attempts"]} == {"bare" if accepted else None}
        assert report["accept_unproved"] == report["accepted"] == (["open"] if accepted else [])
        assert accepted or "--accept-unproved=open" in report["reason"]
    told = account.run("bottle-gate", "run", "-q", "--self-proof=bare", "--accept-unproved=open", "--vector=BG-020").stdout
    assert re.search(r"^PASS .*\naccepted without proof: open\n$", told)


def test_what_is_caught_in_bare_still_escapes_without_its_fence(account):
    result = account.run("bottle-gate", "run", "--self-proof=bare", "--accept-unproved=open,BG-020", "--vector=BG-020,BG-114",
                         "--mutant=network", "--format=json")
    report = report_of(result)
    assert result.returncode == 1 and report["verdict"] == "FAIL" and report["accepted"] == []
    assert {a["verdict"] for a in report["attempts"]} == {"ESCAPED"}


def test_what_is_required_and_not_proved_here_is_named_with_why(account):
    options = ["--vector=BG-001,BG-020", "--sweep=sample"]
    for required, status in (("BG-020", 0), ("BG-020,BG-001", 2)):
        result = account.run("bottle-gate", "run", *options, f"--require={required}", "--format=json")
        report = report_of(result)
        assert result.returncode == status and report["require"] == required.split(",")
        assert report["counts"]["blocked"] == len(report["attempts"]) > 0
        assert (report["reason"] == "") == (status == 0)
    assert report["reason"].startswith("BG-001 is required, and not proved here: the ports that --sweep=sample leaves out")
    told = account.run("bottle-gate", "run", *options, "--require=BG-001").stdout
    assert re.search(r"^INCONCLUSIVE .*\nBG-001 is required", told, re.M)
    assert account.run("bottle-gate", "run", "--vector=BG-001", "--sweep=all", "--require=BG-001").returncode == 0


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
    (["run", "--self-proof=maybe"], "off, bare, open or each"),
    (["run", "--self-proof=each", "--mutant=mount"], "contradict"),
    (["run", "--sweep=some"], "all, sample or off"),
    (["run", "--mutant=nothing"], "network"),
    (["run", "--site=elsewhere"], "sealed, host"),
    (["run", "--site=host", "--backend=native"], "docker"),
    (["run", "--format"], "needs a value"),
    (["run", "--keep=yes"], "takes no value"),
    (["run", "-v", "-q"], "contradict"),
    (["run", "-q", "-q"], "twice"),
    (["run", "--frobnicate"], "--help"),
    (["run", "operand"], "operand"),
    (["run", "--vector=" + "A" * 5000], "too long"),
    (["frobnicate"], "--help"),
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


def test_nothing_is_written_to_what_the_caller_has_open(account):
    with open(account.home / "open", "w+b") as file:
        os.set_inheritable(file.fileno(), True)
        result = account.run("bottle-gate", "run", "--vector=BG-116", "-q", pass_fds=[file.fileno()])
        assert result.returncode == 0, result.stdout + result.stderr
        assert file.seek(0, os.SEEK_END) == 0


@pytest.mark.parametrize("count", [2, 4, 8])
def test_several_gates_at_once_are_all_right(account, count):
    pairs = [[account.start("bottle-gate", "run", "-q", *mutant, stdout=subprocess.PIPE, text=True)
              for mutant in ([], ["--mutant=network"])] for _ in range(count // 2)]
    for good, bad in pairs:
        said = good.communicate(timeout=BOUND)[0], bad.communicate(timeout=BOUND)[0]
        assert (good.returncode, bad.returncode) == (0, 1) and "PASS" in said[0] and "FAIL" in said[1], said


def test_a_report_that_nobody_can_read_is_no_success(account):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = account.run("bottle-gate", "run", "--vector=BG-020", stdout=full)
    assert result.returncode == 3 and "report" in result.stderr
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *account.command("bottle-gate", "run", "--vector=BG-020")],
                            stderr=subprocess.PIPE, text=True, timeout=BOUND, env=account.environment())
    assert closed.returncode == 3 and "report" in closed.stderr


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
