"""tests/bench/machine without its machine: what it counts, and which goals it finds missed."""

import importlib.machinery
import importlib.util
import json

import pytest

from conftest import TOP

ASK = "machine exec --name bottle --timeout 60s -- /bin/cat /proc/sys/kernel/osrelease /proc/sys/kernel/random/boot_id"
PEER = ["machine exec --name bottle -i -- /bin/sh -c cat sh /tmp/controls-0-{} 444", "machine exec --name bottle --stream -- /tmp/bottle-step user /tmp/peer-probe /tmp/controls-0-{}"]


@pytest.fixture
def machine():
    loader = importlib.machinery.SourceFileLoader("bench_machine", str(TOP / "tests" / "bench" / "machine"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def one_bottle(home, asked=1, sent=1, more=()):
    calls = ["machine create --name bottle", "machine start --name bottle", *[ASK] * asked, *["machine status --name bottle --json"] * asked]
    for again in range(sent):
        calls += [call.format(again) for call in PEER]
    return [f"{home} {call}" for call in [*calls, *more, "machine delete -f --name bottle"]]


def write(directory, name, calls, verdict="INCONCLUSIVE", probe=True):
    (directory / name).mkdir(exist_ok=True)
    report = {"verdict": verdict, "reason": "", "attempts": [{"probe": {} if probe else None}] * 4, "milliseconds": {"attempts": 4000}}
    (directory / name / "report.json").write_text(json.dumps(report))
    (directory / f"{name}.calls").write_text("".join(f"{call}\n" for call in calls))


@pytest.fixture
def good(tmp_path):
    for name in ("one", "ten", "core"):
        write(tmp_path, name, ["- --version", *one_bottle("/tmp/a"), *one_bottle("/tmp/b")])
    (tmp_path / "times").write_text("together 1000000\neach 20000000\ntogether 1200000\neach 19000000\n")
    return tmp_path


def test_equal_counts_and_one_exec_for_all_meet_the_goals(machine, good, capsys):
    machine.tell(good)
    told = capsys.readouterr().out
    assert machine.bench.missed == [] and "GOAL MISSED" not in told
    assert "15.0 calls" in told and "6.0 execs" in told and "1000.0 ms an attempt" in told and "ratio  0.05  0.06" in told


def test_what_is_asked_for_again_by_chance_is_no_growth(machine, good):
    write(good, "core", ["- --version", *one_bottle("/tmp/a", asked=3), *one_bottle("/tmp/b", sent=4)])
    machine.tell(good)
    assert machine.bench.missed == []


@pytest.mark.parametrize("more, missed", [
    ([ASK.replace("/bin/cat", "/bin/true").removesuffix("boot_id")], ["calls of the engine", "of them commands in a machine"]),
    ([PEER[1].format(0)], ["calls of the engine", "of them commands in a machine"]),
    (["machine egress-events --name bottle"], ["calls of the engine"]),
], ids=["exec", "same", "call"])
def test_one_call_more_is_a_missed_goal(machine, good, more, missed):
    write(good, "core", ["- --version", *one_bottle("/tmp/a", more=more), *one_bottle("/tmp/b")])
    machine.tell(good)
    assert machine.bench.missed == missed


def test_checks_that_are_hardly_faster_together_are_a_missed_goal(machine, good):
    (good / "times").write_text("together 5100000\neach 20000000\n")
    machine.tell(good)
    assert machine.bench.missed == ["20 checks in a machine, in one exec"]


@pytest.mark.parametrize("how", [{"verdict": "BROKEN"}, {"verdict": "FAIL"}, {"probe": False}], ids=str)
def test_a_run_that_shows_nothing_is_no_result(machine, good, how, capsys):
    write(good, "ten", one_bottle("/tmp/a"), **how)
    with pytest.raises(SystemExit) as ended:
        machine.tell(good)
    assert ended.value.code == 3 and "the run with ten is no whole one" in capsys.readouterr().err


def test_a_run_without_a_report_is_no_result(machine, good, capsys):
    (good / "ten" / "report.json").unlink()
    with pytest.raises(SystemExit) as ended:
        machine.tell(good)
    assert ended.value.code == 3 and "the run with ten left no report" in capsys.readouterr().err
