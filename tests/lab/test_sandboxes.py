"""The table of other people's sandboxes: its rows from records, and that the README shows what is recorded. How the sandboxes run is for tests/e2e/test_wrap.py."""

import json

import pytest

import rows
from conftest import TOP, as_module

sandboxes = as_module("run", "sandboxes")


@pytest.mark.parametrize("ids, text", [
    ([], "-"),
    (["BG-049"], "BG-049"),
    (["BG-049", "BG-048"], "BG-048, 049"),
    (["BG-020", "BG-021", "BG-022", "BG-023", "BG-001", "BG-112"], "BG-001, 020 to 023, 112"),
])
def test_vectors_in_a_row_are_drawn_together(ids, text):
    assert sandboxes.numbers(ids) == text


def row(**other):
    return {"name": "a", "version": "1", "verdict": "PASS", "reason": "", "attempts": 3, "escaped": [], "tried": 2, "date": "2026-11-23", **other}


@pytest.mark.parametrize("made, recipe, cells", [
    (row(), {}, "| a | 1 | PASS | 3 | - | - | 2026-11-23 |"),
    (row(verdict="FAIL", escaped=["BG-049"]), {"closed by": "b"}, "| a | 1 | FAIL | 3 | 1 of 2: BG-049 | closed by: b | 2026-11-23 |"),
    (row(verdict="FAIL", escaped=["BG-049"]), {"closed by": "b", "note": "n|"}, "| a | 1 | FAIL | 3 | 1 of 2: BG-049 | n\\|; closed by: b | 2026-11-23 |"),
    (row(verdict="INCONCLUSIVE", reason="it said | nothing"), {}, "| a | 1 | INCONCLUSIVE: it said \\| nothing | 3 | - | - | 2026-11-23 |"),
])
def test_a_row_for_each_kind_of_outcome(made, recipe, cells):
    assert sandboxes.markdown([made], {"a": recipe}).splitlines()[2] == cells


def test_a_run_that_comes_out_otherwise_is_noticed():
    for other in ({"verdict": "FAIL"}, {"escaped": ["BG-001"]}):
        assert not sandboxes.as_recorded(row(), row(**other))
    assert sandboxes.as_recorded(row(), row(date="2027-01-01", version="2"))


def test_the_readme_shows_what_is_recorded_and_every_row_has_a_recipe():
    record, known = json.loads((TOP / "ci" / "sandboxes" / "record.json").read_text()), sandboxes.recipes()
    assert [each["name"] for each in record] == [name for name in known], "a recipe that was never run, or a row without a recipe"
    text = (TOP / "README.md").read_text()
    assert rows.placed(text, sandboxes.markdown(record, known), sandboxes.BEGIN, sandboxes.END) == text
    for recipe in known.values():
        assert recipe.get("closed by", next(iter(known))) in known
        assert "version" in recipe or "npm" in recipe


def test_no_lock_file_says_where_packages_come_from_and_each_has_a_digest():
    locks = list((TOP / "ci" / "sandboxes").glob("*/package-lock.json"))
    assert locks
    for lock in locks:
        for name, package in json.loads(lock.read_text())["packages"].items():
            assert "resolved" not in package and (name == "" or package["integrity"].startswith("sha512-")), (lock, name)


def test_what_a_host_lacks_is_said_and_counts_only_where_everything_must_work(monkeypatch, tmp_path, capsys):
    chosen = sandboxes.options([f"--reports={tmp_path}"])
    recipe = {"wrap": "{probe}", "version": "true", "needs": "no-such-program"}
    monkeypatch.delenv("MUST_WORK", raising=False)
    assert sandboxes.make("a", recipe, chosen, None) == (None, True)
    assert "left out: no-such-program is not installed" in capsys.readouterr().err
    monkeypatch.setenv("MUST_WORK", "1")
    assert sandboxes.make("a", recipe, chosen, row()) == (row(), False)
