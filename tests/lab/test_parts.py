"""The parts of ci/lab without a machine: what is kept is whole, what is watched is bounded, and only a whole result counts."""

import io
import json
import os
import subprocess
import tarfile
import threading
import types

import pytest

import accelerator
import cache
import image
import job
import programs
import watch
import wheel
from conftest import TOP

BOUND = 60
ENDING = b"\0" + b"0123456789abcdef" * 2


# What is kept

def test_an_entry_is_made_once_even_by_two_at_once(own_cache):
    made, inside, go_on = [], threading.Event(), threading.Event()

    def make(part):
        made.append(part)
        inside.set()
        assert go_on.wait(BOUND)
        part.write_text("whole")
    said = []

    def say(text):
        said.append(text)
        go_on.set()  # the second waits: the first may end
    first = threading.Thread(target=cache.made_once, args=("thing", make, say))
    first.start()
    assert inside.wait(BOUND) and not (own_cache / "thing").exists()
    assert cache.made_once("thing", make, say).read_text() == "whole"
    first.join()
    assert len(made) == 1 and said == ["another lab is making thing: waiting for it"]


def test_an_interrupted_making_leaves_nothing_and_what_a_killed_one_left_is_no_entry(own_cache):
    def stopped(part):
        part.mkdir()
        (part / "half").write_text("")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        cache.made_once("thing", stopped, print)
    assert os.listdir(own_cache) == ["thing.lock"]
    (own_cache / "thing.part").mkdir()
    assert cache.made_once("thing", lambda part: part.write_text("whole"), print).read_text() == "whole"
    assert sorted(os.listdir(own_cache)) == ["thing", "thing.lock"]


def test_the_image_has_another_name_when_anything_that_it_is_made_from_changes(tmp_path, monkeypatch):
    subprocess.run(["cp", "-a", image.SOURCE, tmp_path / "image"], check=True)
    monkeypatch.setattr(image, "SOURCE", tmp_path / "image")
    names = {image.name()}
    for path in ("packages", "release", "setup", "files/etc/fstab", "files/usr/local/sbin/lab-job"):
        with open(tmp_path / "image" / path, "a") as file:
            file.write("# more\n")
        names.add(image.name())
    assert len(names) == 6
    os.utime(tmp_path / "image" / "setup", (1, 1))
    os.chmod(tmp_path / "image" / "setup", 0o700)
    assert image.name() in names, "who checked it out, and when, is nothing that it is made from"


def test_another_wheel_than_the_pinned_one_is_refused(own_cache, monkeypatch):
    def fetched(_what, _arguments, cwd, **_options):
        (cwd / "smolmachines-1.32.2.whl").write_bytes(b"another")
    monkeypatch.setattr(programs, "run", fetched)
    with pytest.raises(programs.Refused, match="not the one that wheels.txt pins"):
        wheel.get("1.32.2", lambda _: None)
    assert [name for name in os.listdir(own_cache) if not name.endswith(".lock")] == []


def test_every_row_of_the_table_pins_a_version_and_a_digest():
    assert set(wheel.pinned()) >= {"1.4.0", "1.27.3", "1.32.2"}
    for line, digest in wheel.pinned().values():
        assert len(digest) == 64 and int(digest, 16) and line.startswith("smolmachines==")


# What is watched

class Machine:
    """Stands in for a machine: gives what the script says, a step a read; afterwards nothing comes, and time passes."""

    def __init__(self, clock, *script):
        self.clock, self.script, self.open = clock, list(script), {"console"}

    def read(self, seconds):
        if self.script:
            step = self.script.pop(0)
            if step == "gone":
                self.open = set()
                return []
            return [step]
        self.clock.now += seconds
        return []


@pytest.fixture
def clock(monkeypatch):
    fake = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(watch.time, "monotonic", lambda: fake.now)
    return fake


@pytest.fixture
def written(monkeypatch):
    outputs = types.SimpleNamespace(stdout=io.BytesIO(), stderr=io.BytesIO())
    monkeypatch.setattr(watch, "sys", types.SimpleNamespace(
        **{name: types.SimpleNamespace(buffer=output) for name, output in vars(outputs).items()}))
    return outputs


def packed(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return b"%d\n" % len(buffer.getvalue()) + buffer.getvalue()


def look(machine, seconds=1000):
    return watch.watch(machine, types.SimpleNamespace(ending=ENDING), seconds, lambda _: None, False)


def test_what_the_command_wrote_is_passed_on_byte_by_byte_up_to_the_ending(clock, written, tmp_path):
    text = b"one\n\0two" + ENDING[:9] + b"\xff"
    pieces = [("stdout", bytes([byte])) for byte in text + ENDING + b"what came later"]
    whole = packed(status=b"7\n", report__report_json=b"{}")
    result = look(Machine(clock, *pieces, ("stderr", b"e" + ENDING), ("result", whole[:20]), ("result", whole[20:])))
    assert (written.stdout.getvalue(), written.stderr.getvalue()) == (text, b"e")
    assert result.unpack(tmp_path) == (7, True) and (tmp_path / "report_json").read_text() == "{}"


def test_a_report_is_kept_nowhere_but_in_its_directory(tmp_path):
    result = job.Result()
    result.take(packed(**{"status": b"0", "report__..__..__out": b"x", "__abs": b"x", "report__in": b"x"}))
    assert result.unpack(tmp_path / "report") == (0, True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["in"]


ENDED = [("stdout", ENDING), ("stderr", ENDING)]


@pytest.mark.parametrize("script, why", [
    ([], "did not boot in"),
    ([("events", b"started\n")], "no sign of life"),
    (["gone"], "stopped before it gave a result"),
    ([("events", b"started\n"), "gone"], "stopped before it gave a result"),
    ([*ENDED, ("result", packed(status=b"0")[:-1]), "gone"], "stopped before it gave a result"),
    ([*ENDED, ("result", b"0 \n")], "can't be read"),
    ([*ENDED, ("result", b"\n")], "can't be read"),
    ([("events", b"started\n"), *ENDED, "gone"], "stopped before it gave a result"),
    ([("result", packed(status=b"0")), "gone"], "stopped before it gave a result"),
])
def test_no_whole_result_is_broken(clock, written, script, why):
    with pytest.raises(programs.Broken, match=why):
        look(Machine(clock, *script))


def test_a_lab_that_did_not_boot_is_followed_by_another_and_no_other_is(clock, written):
    machines = [Machine(clock), Machine(clock, *ENDED, ("result", packed(status=b"7")))]
    said, tries = [], []

    def lab(boot):
        tries.append(boot)
        return watch.watch(machines[len(tries) - 1], types.SimpleNamespace(ending=ENDING), 1000, lambda _: None, False, boot).unpack(None)

    assert watch.until_booted(lab, said.append) == (7, False)
    assert tries == list(watch.BOOT) and len(said) == 1 and "booting another" in said[0]
    for second, why in ((Machine(clock), "did not boot in"), (Machine(clock, "gone"), "stopped before")):
        machines[:] = [Machine(clock), second]
        tries.clear()
        with pytest.raises(programs.Broken, match=why):
            watch.until_booted(lab, said.append)
        assert len(tries) == 2
    machines[:] = [Machine(clock, ("events", b"started\n"))]
    tries.clear()
    with pytest.raises(programs.Broken, match="no sign of life"):
        watch.until_booted(lab, said.append)
    assert len(tries) == 1


def test_a_lab_that_lives_but_never_ends_is_broken_when_its_time_is_up(clock, written):
    machine = Machine(clock)
    machine.read = lambda seconds: (setattr(clock, "now", clock.now + 5), [("events", b"alive\n")])[1]
    with pytest.raises(programs.Broken, match="gave no result in 1000 s"):
        look(machine)


@pytest.mark.parametrize("content", [b"5\nabcde", packed(other=b"0"), packed(status=b""), packed(status=b"zero")])
def test_a_result_without_a_status_is_broken(content):
    result = job.Result()
    result.take(content)
    with pytest.raises(programs.Broken, match="can't be read"):
        result.unpack(None)


# Which processor

class Trial:
    """Stands in for the machine of the trial boot."""

    def __init__(self, clock, *came):
        self.clock, self.came, self.open, self.closed = clock, list(came), {"console"}, False

    def __call__(self, _image, accelerator):
        assert accelerator == "kvm"
        return self

    def read(self, seconds):
        self.clock.now += seconds
        if self.came:
            return [self.came.pop(0)]
        return []

    def last_words(self):
        return ["qemu: failed to initialize kvm"]

    def close(self):
        self.closed = True


@pytest.mark.parametrize("came, kind, why", [
    ([("events", b"started kernel=6 kv"), ("events", b"m=yes\n")], "kvm", "is usable"),
    ([("events", b"started kernel=6 kvm=no\n")], "tcg", "no nested virtualisation"),
    ([("console", b"Linux version 6.1\n")], "tcg", "booted no kernel within"),
])
def test_kvm_is_usable_when_the_lab_has_booted_on_it_up_to_its_own_kvm(own_cache, clock, monkeypatch, tmp_path, came, kind, why):
    trial = Trial(clock, *came)
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accelerator, "DEVICE", str(device))
    monkeypatch.setattr(accelerator.guest, "Guest", trial)
    monkeypatch.setattr(accelerator.time, "monotonic", lambda: clock.now)
    chosen, reason = accelerator.choose("image", "auto", lambda _: None)
    assert chosen == kind and why in reason and trial.closed and clock.now <= accelerator.BOUND
    monkeypatch.setattr(accelerator.guest, "Guest", None)  # the answer is kept: no second trial
    assert accelerator.choose("image", "auto", None) == (chosen, reason)
    if kind == "tcg":
        with pytest.raises(programs.Refused, match=why):
            accelerator.choose("image", "kvm", None)


def test_an_answer_of_another_boot_is_forgotten(own_cache, clock, monkeypatch, tmp_path):
    own_cache.mkdir()
    (own_cache / "kvm-another-boot.json").write_text(json.dumps({"boot": "x", "reason": None}))
    monkeypatch.setattr(accelerator, "DEVICE", str(tmp_path / "kvm"))
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(accelerator.guest, "Guest", Trial(clock))
    monkeypatch.setattr(accelerator.time, "monotonic", lambda: clock.now)
    assert accelerator.choose("image", "auto", lambda _: None)[0] == "tcg"
    assert not (own_cache / "kvm-another-boot.json").exists()


def test_a_device_that_does_not_open_is_not_tried(own_cache, monkeypatch, tmp_path):
    monkeypatch.setattr(accelerator, "DEVICE", str(tmp_path / "none"))
    assert accelerator.choose("image", "auto", None) == ("tcg", f"{tmp_path}/none: no such file or directory")


# The command

@pytest.mark.parametrize("arguments, why", [
    ([], "one of these is needed"),
    (["--"], "one of these is needed"),
    (["--prepare", "--", "run"], "one of these is needed"),
    (["--shell", "true", "--", "run"], "one of these is needed"),
    (["--smolvm=0.0.1", "--", "run"], "--smolvm: invalid choice"),
    (["--as=nobody", "--", "run"], "--as: invalid choice"),
    (["--timeout=0", "--", "run"], "--timeout: invalid"),
    (["--timeout=soon", "--", "run"], "--timeout: invalid"),
    (["--timeout=nan", "--", "run"], "--timeout: invalid"),
    (["--unknown", "--", "run"], "unrecognized arguments"),
    (["--report=", "--", "run"], "--report needs a directory"),
    (["--report=/proc/nothing", "--", "run"], "/proc/nothing"),
    (["--report=/proc/self", "--", "run"], "/proc/self"),
    (["--report=x", "--", "vectors"], "--report goes with"),
    (["--", "run", "--report=x"], "--report stands before"),
    (["run"], "unrecognized arguments"),
])
def test_a_wrong_option_is_one_line_and_exit_4(own_cache, arguments, why):
    result = subprocess.run([TOP / "ci" / "lab" / "run", *arguments], capture_output=True, text=True, timeout=BOUND)
    assert result.returncode == 4 and result.stdout == ""
    assert result.stderr.startswith("ci/lab/run: ") and why in result.stderr and result.stderr.count("\n") == 1


def test_help_shows_every_option(own_cache):
    result = subprocess.run([TOP / "ci" / "lab" / "run", "--help"], capture_output=True, text=True, timeout=BOUND)
    assert result.returncode == 0 and result.stderr == ""
    for option in ("--smolvm", "--as", "--report", "--timeout", "--accelerator", "--verbose", "--prepare", "--shell"):
        assert option in result.stdout
    assert "Exit status" in result.stdout
