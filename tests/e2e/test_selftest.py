"""bottle-gate selftest from the outside: every fault is made and noticed, as root and as an ordinary user, and the list of
them in the documents is the program's own."""

import json
import os
import re
import signal
import subprocess

import pytest

from conftest import BOUND, TOP

README = TOP / "gates" / "README.md"
BEGIN, END = "<!-- faults: begin (ci/write-tables) -->", "<!-- faults: end -->"
LINE = re.compile(r"^(ok|not ok|skip) +(\S+) +(.*) \(([a-z-]+)\): (.*)$")
FEWEST = 60
STAGES = {"witnesses", "probe", "bottle", "door", "records", "sweep", "runs", "signals", "output", "limits", "report"}
# What must never be missing from the list, whatever it grows to.
MUST_HAVE = {
    "dead-tcp", "dead-udp", "dead-dns-udp", "dead-dns-tcp", "dead-icmp", "dead-host", "dead-unix-abstract", "dead-unix-path",
    "dead-capture-wan0", "dead-capture-lo", "dead-descriptor", "dead-peer", "dead-listener", "dead-neighbours",
    "witness-killed-before", "witness-killed-during", "witness-killed-after", "control-late", "capture-overrun", "udp-overrun",
    "listen-overflow", "table-full", "probe-missing", "probe-not-executable", "probe-another-program", "probe-another-digest",
    "probe-stops", "records-without-bye", "records-replayed", "records-junk-first", "records-after-bye", "bits-of-bye",
    "bytes-in-hello", "door-silent", "door-echoes", "door-dead", "door-dies", "no-bottle", "nothing-runs", "end-leaves",
    "another-kernel", "another-boot", "open-is-fenced", "no-network-fence", "second-bottle-silent", "disk-full",
    "output-closed", "output-full", "fenced-run-dies", "memory-64", "descriptors-128", "processes-5", "sweep-killed",
    "report-room-4", "report-nowhere", "report-verdict-edited", "evidence-edited",
} | {f"control-lost-{when}" for when in ("before", "during-user", "during-root", "after-user", "after-root", "sweep", "final")
     } | {f"{number}-{stage}" for number in ("int", "term", "hup", "kill")
          for stage in ("site", "witnesses", "bottle", "user", "root", "sweep", "drain")}


def all_faults(account):
    result = account.run("bottle-gate", "selftest", "--list", "--json")
    assert result.returncode == 0 and result.stderr == ""
    return {fault["name"]: fault for fault in json.loads(result.stdout)}


def ends_as(text, wanted):
    number = int(text.split()[-1])
    return (128 + number if text.startswith("signal ") else number) in wanted


def test_the_gate_tests_itself(account):
    """The whole list, once. On a machine that is busy with other tests a run can lose packets for real, or be too slow; such a
    fault is made once more, alone. One that ends in 0 is never forgiven."""
    wanted = all_faults(account)
    process = account.start("bottle-gate", "selftest", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate(timeout=15 * BOUND)
    assert errors == ""
    *lines, last = [line for line in output.splitlines() if not line.startswith("       ")]
    rows = [LINE.match(line) for line in lines]
    assert all(rows), lines
    assert [row[2] for row in rows] == list(wanted), "every fault has one line, in the list's order"
    made = [row for row in rows if row[1] != "skip"]
    skipped = {row[2] for row in rows if row[1] == "skip"}
    if not account.is_root:
        skipped -= {name for name in wanted if name.startswith("report-room-")}  # only root can make a disk that is too small
    assert len(made) > FEWEST and len(skipped) <= 2
    for row in made:
        ending = row[5].split("; ")
        assert (row[2] == "none") == (ending[0] == "exit 0"), row[0]
        assert row[3] == wanted[row[2]]["breaks"] and row[4] == wanted[row[2]]["stage"] or row[2] == "none"
        if row[1] == "ok":
            assert ends_as(ending[0], wanted[row[2]]["wanted"]) and ending[1:] == ["left behind: nothing"], row[0]
    bad = [row[2] for row in made if row[1] == "not ok"]
    assert re.fullmatch(rf"{len(made) - len(bad)} of {len(made)} as a sound gate must(; \d skipped)?", last)
    assert process.returncode == (3 if bad else 0)
    assert len(bad) <= 8, output
    for name in bad:
        again = account.run("bottle-gate", "selftest", f"--fault={name}")
        assert again.returncode == 0, again.stdout


def test_the_list_has_every_kind_of_fault(account):
    faults = all_faults(account)
    assert len(faults) > FEWEST and MUST_HAVE <= set(faults)
    assert {fault["stage"] for fault in faults.values()} == STAGES | {"-"}
    assert [name for name, fault in faults.items() if 0 in fault["wanted"]] == ["none"]
    assert {f"BG-{number}" for number in range(131, 141)} - {"BG-139"} <= {fault["id"] for fault in faults.values()}
    plain = account.run("bottle-gate", "selftest", "--list").stdout
    assert [line.split()[0] for line in plain.splitlines()] == list(faults)


def test_the_table_in_the_readme_is_current(account):
    table = account.run("bottle-gate", "selftest", "--list", "--markdown").stdout
    written = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert written.strip() == table.strip(), "ci/write-tables writes it"
    assert len(table.splitlines()) == len(all_faults(account)) + 2


def test_one_fault_can_be_made_alone_and_told_to_a_machine(account):
    result = account.run("bottle-gate", "selftest", "--fault=records-forged-in-open", "--json")
    assert result.returncode == 0, result.stdout
    told = json.loads(result.stdout)
    assert told["schema"] == "bottle-gate/selftest/1" and told["good"] is True and told["made"] == 1
    (fault,) = told["faults"]
    assert fault["name"] == "records-forged-in-open" and fault["exit"] == 3 and fault["wanted"] == [3]
    assert fault["left"] == "" and fault["why"] == "" and "not in the plan" in fault["reason"] and fault["id"] == "BG-131"


def test_verbose_shows_what_the_run_said_and_quiet_only_what_went_wrong(account):
    loud = account.run("bottle-gate", "selftest", "--fault=door-dead", "-v").stdout
    assert "did not reach its door" in loud
    quiet = account.run("bottle-gate", "selftest", "--fault=door-dead", "-q")
    assert quiet.returncode == 0 and quiet.stdout == "1 of 1 as a sound gate must\n"


@pytest.mark.parametrize("arguments,names", [
    (["--fault=none-such"], "no fault"), (["--jobs=0"], "1 to 64"), (["--jobs=65"], "1 to 64"), (["--jobs=-1"], "1 to 64"),
    (["--jobs=two"], "1 to 64"), (["--markdown"], "--list"), (["--list=yes"], "takes no value"), (["operand"], "operand"),
], ids=str)
def test_bad_input_gets_one_line_and_status_4(account, arguments, names):
    result = account.run("bottle-gate", "selftest", *arguments)
    assert result.returncode == 4 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and names in result.stderr


def test_without_user_namespaces_it_ends_with_4(account):
    gate = str(account.programs / "bottle-gate")
    shell = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {gate} selftest"
    result = subprocess.run([*account.prefix(), "unshare", "--user", "--map-root-user", "sh", "-c", shell], text=True,
                            capture_output=True, timeout=BOUND, env=account.environment())
    assert result.returncode == 4 and "max_user_namespaces" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("arguments", [["--list"], ["--list", "--json"], ["--fault=door-dead"], ["--fault=door-dead", "--json"]],
                         ids=" ".join)
def test_what_nobody_can_read_is_no_success(account, arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert account.run("bottle-gate", "selftest", *arguments, stdout=full).returncode == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_ends_it_and_everything_that_it_made(account, number):
    process = account.start("bottle-gate", "selftest", "--jobs=3", stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("ok     none ")
    os.kill(process.pid, number)
    assert process.wait(BOUND) == -number
    process.stdout.read()  # ends only when nobody holds the other end
    process.stdout.close()
    # nothing_is_left looks at the rest
