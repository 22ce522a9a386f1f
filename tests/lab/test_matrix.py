"""The matrix without a machine: each kind of row is what its run left, none is taken for another, and the README shows what is recorded."""

import json
import subprocess

import pytest

import programs
import rows
import wheel
from conftest import TOP, as_module

BOUND = 60
BOOTED = "lab: booting, emulated (as asked)\nlab: ended after 90 s: exit status 0\n"


@pytest.fixture
def matrix():
    return as_module("matrix")


def attempt(vector, principal, verdict="BLOCKED"):
    return {"id": vector, "principal": principal, "verdict": verdict}


LEAKS = [attempt("BG-049", "user", "ESCAPED"), attempt("BG-048", "root", "ESCAPED"), attempt("BG-049", "root", "ESCAPED")]


def report(verdict="PASS", exit=0, engine="1.32.2", attempts=(), reason="", policy="hardened"):
    return {"run": "ab" * 16, "backend": {"name": "smolmachines", "engine": "smolvm", "version": engine, "policy": policy}, "verdict": verdict, "exit": exit,
            "reason": reason, "attempts": [attempt("BG-049", "user"), *attempts], "milliseconds": {"total": 51600}}


def row(directory, written, status, said=BOOTED, policy="hardened"):
    if written is not None:
        (directory / "report.json").write_text(written if isinstance(written, str) else json.dumps(written))
    return rows.of_run("1.32.2", policy, status, directory, said)


def line(one):
    return rows.markdown([one]).splitlines()[2]


def test_a_run_that_passed(tmp_path):
    assert line(row(tmp_path, report(), 0)) == "| 1.32.2 | `hardened` | PASS | 1 | - | - | 52 s, emulated |"


def test_a_run_on_this_hosts_kvm_is_not_called_emulated(tmp_path):
    assert line(row(tmp_path, report(), 0, "lab: booting, on KVM (/dev/kvm is usable)\n")).endswith("| 52 s |")


def test_a_run_that_failed_names_each_vector_with_its_attempts_and_who_made_them(tmp_path):
    made = row(tmp_path, report("FAIL", 1, attempts=LEAKS, policy="cidr"), 1, policy="cidr")
    assert line(made) == "| 1.32.2 | `cidr` | FAIL | 4 | BG-048 (1), BG-049 (2) | root 2, user 1 | 52 s, emulated |"


@pytest.mark.parametrize("verdict, status", [("INCONCLUSIVE", 2), ("BROKEN", 3), ("VOID", 3)])
def test_any_other_verdict_comes_with_its_reason_which_cannot_end_its_cell(tmp_path, verdict, status):
    made = row(tmp_path, report(verdict, status, reason="the engine said: a|b\n<b>"), status)
    assert f"| {verdict}: the engine said: a\\|b &lt;b> |" in line(made)


def test_a_broken_gate_is_a_verdict_and_a_broken_lab_is_none(tmp_path):
    assert "verdict" in row(tmp_path, report("BROKEN", 3, reason="x"), 3)
    broken = row(tmp_path, report(), 3, BOOTED + "ci/lab/run: the lab froze: no sign of life for 150 s: BROKEN\n")
    assert line(broken) == "| 1.32.2 | `hardened` | no result: the lab froze: no sign of life for 150 s | - | - | - | - |"


def test_a_policy_that_an_engine_cannot_have_is_refused(tmp_path):
    said = BOOTED + "bottle-gate: smolvm 1.2.4 is too old: the first version that takes --dns is 1.2.5\n"
    assert line(row(tmp_path, None, 4, said)) == \
        "| 1.32.2 | `hardened` | refused: smolvm 1.2.4 is too old: the first version that takes --dns is 1.2.5 | - | - | - | - |"


def test_a_host_without_a_lab_is_no_row_at_all(tmp_path):
    with pytest.raises(rows.NotHere, match="fetching smolvm 1.4.0 failed"):
        row(tmp_path, None, 4, "ci/lab/run: fetching smolvm 1.4.0 failed\n")


@pytest.mark.parametrize("written, status, why", [
    (None, 0, "no report came back, exit status 0"),
    (None, 2, "no report came back, exit status 2"),
    ("{", 0, "can't be read"),
    ("{}", 0, "can't be read"),
    (report("MAYBE", 0), 0, "can't be read"),
    ({**report("BROKEN", 3, reason="no start"), "backend": {"name": "smolmachines", "engine": ""}}, 3, "BROKEN before there was a machine: no start"),
    (report(engine="1.4.0"), 0, "the report is of smolvm 1.4.0, hardened"),
    (report(policy="cidr"), 0, "the report is of smolvm 1.32.2, cidr"),
    (report(), 1, "says PASS, 0 escaped, and the exit status was 1"),
    (report(exit=1), 0, "says PASS"),
    (report("INCONCLUSIVE", 0), 0, "says INCONCLUSIVE"),
    (report(attempts=LEAKS), 0, "says PASS, 3 escaped"),
    (report("FAIL", 1), 1, "says FAIL, 0 escaped"),
])
def test_what_is_no_whole_report_of_that_run_is_no_result(tmp_path, written, status, why):
    assert why in row(tmp_path, written, status)["broken"]


def test_the_table_goes_between_the_markers_and_nowhere_else():
    text = f"before\n{rows.BEGIN}\nold\n{rows.END}\nafter\n"
    assert rows.placed(text, "new\n") == f"before\n{rows.BEGIN}\nnew\n{rows.END}\nafter\n"
    for wrong in ("", text.replace(rows.END, ""), text.replace(rows.BEGIN, ""), text + text, text + rows.BEGIN, f"{rows.END}\n{text}"):
        assert rows.placed(wrong, "new\n") is None


def test_rows_keep_their_place_and_what_is_not_pinned_any_more_goes():
    old = [{"engine": "2", "policy": "cidr", "n": 1}, {"engine": "1", "policy": "cidr", "n": 1}, {"engine": "0", "policy": "cidr", "n": 1}]
    new = [{"engine": "1", "policy": "cidr", "n": 2}, {"engine": "2", "policy": "hardened", "n": 2}]
    assert [(row["engine"], row["policy"], row["n"]) for row in rows.merge(old, new, ["1", "2"], ["hardened", "cidr"])] == \
        [("1", "cidr", 2), ("2", "hardened", 2), ("2", "cidr", 1)]


# The command

class Lab:
    """Stands in for the lab: each run takes the next of `script`, a report with a status or the last words of a lab without a result."""

    def __init__(self, matrix, monkeypatch, tmp_path, *script):
        self.script, self.asked = list(script), []
        self.record, self.document = tmp_path / "record.json", tmp_path / "document.md"
        self.document.write_text(f"{rows.BEGIN}\n{rows.END}\n")
        self.options = [f"--reports={tmp_path}/reports", f"--record={self.record}", f"--document={self.document}"]
        self.matrix = matrix
        monkeypatch.setattr(matrix, "in_lab", self.run)

    def run(self, engine, policy, directory):
        self.asked.append((engine, policy))
        written, status, *said = self.script.pop(0)
        directory.mkdir(parents=True, exist_ok=True)
        return rows.of_run(engine, policy, status, directory, said[0]) if said else \
            {"engine": engine, "policy": policy, **rows.of_report({**written, "backend": {**written["backend"], "policy": policy}}, engine, policy, status)}

    def __call__(self, *arguments):
        return self.matrix.guarded([*self.options, *arguments])


FROZEN = (None, 3, BOOTED + "ci/lab/run: the lab froze: no sign of life for 150 s: BROKEN\n")


def test_every_pinned_engine_is_run_with_both_policies_and_the_table_is_written(matrix, monkeypatch, tmp_path):
    engines = list(wheel.pinned())
    lab = Lab(matrix, monkeypatch, tmp_path, *[result for engine in engines for result in (
        (report(engine=engine), 0), (report("FAIL", 1, engine, LEAKS), 1))])
    assert lab() == 0
    assert lab.asked == [(engine, policy) for engine in engines for policy in ("hardened", "cidr")]
    assert lab.document.read_text() == f"{rows.BEGIN}\n{rows.markdown(json.loads(lab.record.read_text()))}{rows.END}\n"
    assert lab.document.read_text().count("| FAIL |") == len(engines)


def test_a_lab_without_a_result_is_made_again_once_and_the_table_says_so(matrix, monkeypatch, tmp_path):
    lab = Lab(matrix, monkeypatch, tmp_path, FROZEN, (report(), 0))
    assert lab("--engine=1.32.2", "--policy=hardened") == 0
    assert "| PASS (made again; the first time: the lab froze: no sign of life for 150 s) |" in lab.document.read_text()


@pytest.mark.parametrize("verdict, status", [("INCONCLUSIVE", 2), ("BROKEN", 3)])
def test_a_run_that_says_nothing_of_the_fences_is_made_again_once_and_no_other(matrix, monkeypatch, tmp_path, verdict, status):
    lab = Lab(matrix, monkeypatch, tmp_path, (report(verdict, status, reason="it died"), status), (report("FAIL", 1, attempts=LEAKS), 1))
    assert lab("--engine=1.32.2", "--policy=cidr") == 0
    assert f"| FAIL (made again; the first time: {verdict}: it died) |" in lab.document.read_text()
    lab = Lab(matrix, monkeypatch, tmp_path, *[(report(verdict, status, reason="it died"), status)] * 2)
    lab("--engine=1.32.2", "--policy=hardened")
    assert lab.script == [] and f"| {verdict}: it died (made again; the first time: {verdict}: it died) |" in lab.document.read_text()


def test_a_lab_that_gives_no_result_twice_is_told_and_is_no_success(matrix, monkeypatch, tmp_path):
    lab = Lab(matrix, monkeypatch, tmp_path, FROZEN, FROZEN)
    assert lab("--engine=1.32.2", "--policy=hardened") == 1
    assert "| no result: the lab froze" in lab.document.read_text() and "made again" in lab.document.read_text()


def test_a_run_that_comes_out_otherwise_than_recorded_is_told_and_is_no_success(matrix, monkeypatch, tmp_path, capsys):
    """Another number of attempts that got out is no difference: see rows.same."""
    lab = Lab(matrix, monkeypatch, tmp_path, (report("FAIL", 1, attempts=LEAKS), 1), (report("FAIL", 1, attempts=LEAKS + LEAKS), 1),
              (report("FAIL", 1, attempts=LEAKS[1:]), 1), (report("FAIL", 1, attempts=LEAKS[2:]), 1))
    chosen = ("--engine=1.32.2", "--policy=cidr")
    assert (lab(*chosen), lab(*chosen)) == (0, 0) and "NOT WHAT WAS RECORDED" not in capsys.readouterr().err
    assert lab(*chosen) == 1 and "NOT WHAT WAS RECORDED" in capsys.readouterr().err
    assert "| BG-048 (1), BG-049 (1) | root 2 |" in lab.document.read_text()
    assert lab(*chosen) == 1, "another vector"


def test_writing_runs_nothing(matrix, monkeypatch, tmp_path):
    lab = Lab(matrix, monkeypatch, tmp_path)
    lab.record.write_text(json.dumps([{"engine": "1.4.0", "policy": "cidr", "refused": "no"}]))
    assert lab("--write") == 0 and lab.asked == [] and "| refused: no |" in lab.document.read_text()


def test_a_document_without_a_place_for_the_table_is_refused_before_anything_is_run(matrix, monkeypatch, tmp_path, capsys):
    lab = Lab(matrix, monkeypatch, tmp_path)
    lab.document.write_text("no place\n")
    assert lab() == 4 and lab.asked == [] and lab.document.read_text() == "no place\n"
    assert "has no line" in capsys.readouterr().err


def test_an_earlier_runs_report_is_not_taken_for_this_ones(matrix, monkeypatch, tmp_path):
    """The lab brings nothing back this time."""
    directory = tmp_path / "1.32.2-cidr"
    directory.mkdir()
    (directory / "report.json").write_text(json.dumps(report("FAIL", 1, attempts=LEAKS)))
    started = programs.start
    monkeypatch.setattr(programs, "start", lambda _arguments, **options: started(["sh", "-c", "echo last words >&2; exit 1"], **options))
    assert matrix.in_lab("1.32.2", "cidr", directory) == {"engine": "1.32.2", "policy": "cidr", "broken": "no report came back, exit status 1"}
    assert (tmp_path / "1.32.2-cidr.log").read_text() == "last words\n"


@pytest.mark.parametrize("arguments, why", [
    (["--engine=0.0.1"], "is not of 1.4.0"), (["--policy=open"], "is not of hardened, cidr"), (["--unknown"], "unrecognized"), (["more"], "unrecognized"),
    (["--write", "--document=/nothing"], "/nothing"),
])
def test_a_wrong_option_is_one_line_and_exit_4(arguments, why):
    result = subprocess.run([TOP / "ci" / "lab" / "matrix", *arguments], capture_output=True, text=True, timeout=BOUND)
    assert result.returncode == 4 and result.stdout == ""
    assert result.stderr.startswith("ci/lab/matrix: ") and why in result.stderr and result.stderr.count("\n") == 1


def test_the_readme_shows_what_is_recorded():
    recorded, text = json.loads((TOP / "ci" / "lab" / "matrix.json").read_text()), (TOP / "README.md").read_text()
    assert recorded == rows.merge(recorded, [], list(wheel.pinned()), ["hardened", "cidr"])
    assert rows.placed(text, rows.markdown(recorded)) == text, "ci/lab/matrix --write brings it up to date"
