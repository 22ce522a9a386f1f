"""The table of other people's sandboxes: its rows from records, and that the README shows what is recorded. How the sandboxes run is for tests/e2e/test_wrap.py."""

import json
import os
import pathlib
import subprocess

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


@pytest.mark.parametrize("recipe, version", [
    ({"version": "printf thing\\040of\\0401.2.0\\nwith\\0403.4\\n"}, "1.2.0"),
    ({"npm": "srt-0.0.14"}, "0.0.14"),
    ({"version": "cat {files}/no-such-file"}, None),
])
def test_a_version_is_the_last_word_of_a_first_line_and_a_command_that_fails_leaves_the_row_out(recipe, version):
    if version is None:
        with pytest.raises(sandboxes.Missing, match=r"^cat: .*/files/no-such-file: "):
            sandboxes.version_of(recipe)
    else:
        assert sandboxes.version_of(recipe) == version


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
    refused = row(verdict="BROKEN", reason="there is nothing around it")
    assert sandboxes.as_recorded(refused, refused) and not sandboxes.as_recorded(refused, row(verdict="BROKEN", reason="the witness process died"))
    assert sandboxes.as_recorded(row(verdict="FAIL", escaped=["BG-001"], reason="one"), row(verdict="FAIL", escaped=["BG-001"], reason="other"))


def test_what_the_gate_refuses_is_a_row_and_never_a_pass():
    record = {each["name"]: each for each in json.loads((TOP / "ci" / "sandboxes" / "record.json").read_text())}
    for name, why in (("firejail: as it comes, in a PID namespace", "there is nothing around"), ("gVisor: rootless, no network", "not among this host's processes")):
        assert record[name]["verdict"] == "BROKEN" and why in record[name]["reason"]


def test_the_readme_shows_what_is_recorded_and_every_row_has_a_recipe():
    record, known = json.loads((TOP / "ci" / "sandboxes" / "record.json").read_text()), sandboxes.recipes()
    assert [each["name"] for each in record] == [name for name in known], "a recipe that was never run, or a row without a recipe"
    text = (TOP / "README.md").read_text()
    assert rows.placed(text, sandboxes.markdown(record, known), sandboxes.BEGIN, sandboxes.END) == text
    for recipe in known.values():
        assert recipe.get("closed by", next(iter(known))) in known
        assert "version" in recipe or "npm" in recipe or "run" in recipe  # of these the report says it


def test_no_lock_file_says_where_packages_come_from_and_each_has_a_digest():
    locks = list((TOP / "ci" / "sandboxes").glob("*/package-lock.json"))
    assert locks
    for lock in locks:
        for name, package in json.loads(lock.read_text())["packages"].items():
            assert "resolved" not in package and (name == "" or package["integrity"].startswith("sha512-")), (lock, name)


@pytest.mark.parametrize("needs, why", [
    ("no-such-program", "no-such-program is not installed"),
    ("true /dev/no-such-device", "/dev/no-such-device can't be opened: No such file or directory"),
])
def test_what_a_host_lacks_is_said_and_counts_only_where_everything_must_work(needs, why, monkeypatch, tmp_path, capsys):
    chosen = sandboxes.options([f"--reports={tmp_path}"])
    recipe = {"wrap": "{probe}", "version": "echo 1", "needs": needs}
    monkeypatch.delenv("MUST_WORK", raising=False)
    assert sandboxes.make("a", recipe, chosen, None) == (None, True)
    assert f"left out: {why}" in capsys.readouterr().err
    monkeypatch.setenv("MUST_WORK", "1")
    assert sandboxes.make("a", recipe, chosen, row()) == (row(), False)


def test_a_device_that_others_can_open_is_left_as_it_is():
    assert sandboxes.with_device("/dev/null", ["true"], "/nowhere") == ["true"]


def test_a_device_of_its_owner_is_opened_by_root_for_one_command_alone(tmp_path, monkeypatch):
    device = tmp_path / "null"
    if os.geteuid() == 0:
        os.mknod(device, 0o020600, os.makedev(1, 3))
        command = sandboxes.with_device(str(device), ["sh", "-c", 'stat -c %a "$1"; echo x >"$1"', "sh", str(device)], tmp_path)
        assert subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout == "666\n"
        assert device.stat().st_mode & 0o777 == 0o600 and [each.name for each in tmp_path.rglob("*") if each.name == "node"] == []
    else:
        device.touch(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(sandboxes.Missing, match="can't be opened by others than its owner"):
        sandboxes.with_device(str(device), ["true"], tmp_path)


def test_a_cgroup_that_anybody_in_it_may_divide_is_there_for_one_command_alone():
    divide = """at=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)
        mkdir $at/in; echo $$ >$at/in/cgroup.procs; sed -n s/^0:://p /proc/self/cgroup"""
    try:
        with sandboxes.with_cgroup(["setpriv", "--reuid=65534", "--clear-groups", "sh", "-ec", divide]) as command:
            told = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout.strip()
            top, place = command[6:8]
            assert told == place.removeprefix(top) + "/in" and os.path.isdir(top + told)
    except sandboxes.Missing as missing:
        if os.environ.get("MUST_WORK"):
            raise
        pytest.skip(str(missing))
    assert not os.path.exists(place)


def test_a_cgroup_is_for_root_to_make(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(sandboxes.Missing, match="root alone can make"), sandboxes.with_cgroup(["true"]):
        pass


def test_what_the_hosts_root_alone_may_read_is_copied_for_everybody(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "helper").write_text("text")
    (tmp_path / "kept" / "helper").chmod(0o711)
    with sandboxes.reachable({"copied": f"{tmp_path}/k*t"}) as directory:
        assert sandboxes.what({"wrap": "cat {copied}/helper {probe}"}, directory)[1] == f"--wrap=cat {directory}/copied/helper {{probe}}"
        helper = pathlib.Path(directory, "copied", "helper")
        assert (helper.read_text(), helper.stat().st_mode & 0o777) == ("text", 0o755)
    with pytest.raises(sandboxes.Missing, match="there are 0 of"):
        sandboxes.copy(f"{tmp_path}/no-such-*", tmp_path / "copy")
