"""What the tests of real microVMs share: a boot of the lab with the newest pinned engine, and what a run of the gate in it left."""

import json
import os
import pathlib
import subprocess

import wheel
from conftest import TOP

BOUND = 1800  # seconds; a bound on hangs, not an expectation
ENGINE = list(wheel.pinned())[-1]
GATE = pathlib.Path(os.environ.get("BOTTLE_BUILD", TOP / "build")) / "bottle-gate"
HOST = (pathlib.Path(__file__).parent / "host.sh").read_text()


def boot(directory, script):
    """Runs `script` after host.sh in a lab of its own; the exit status. What it wrote to $LAB_REPORT is in `directory` then. A lab that gave no result (an
    emulated host with two processors freezes at times) says nothing of the gate, and is made again, once."""
    for again in (True, False):
        result = subprocess.run([TOP / "ci" / "lab" / "run", f"--smolvm={ENGINE}", f"--report={directory}", f"--timeout={BOUND}", "--shell", HOST + script],
                                capture_output=True, timeout=BOUND + 600, stdin=subprocess.DEVNULL)
        said = result.stderr.decode(errors="replace")
        print(said)
        if not (again and gave_no_result(result.returncode, said)):
            return result.returncode


def gave_no_result(status, said):
    last = (said.strip().splitlines() or [""])[-1]
    return status == 3 and last.startswith("ci/lab/run: the lab ") and last.endswith(": BROKEN")


class Run:
    """One `gate NAME ...` of a boot."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.status, self.seconds = int(self.file("status")), int(self.file("seconds"))
        report = directory / name / "report.json"
        self.report = json.loads(report.read_text()) if report.exists() else None

    def file(self, kind):
        return (self.directory / f"{self.name}.{kind}").read_text()

    def attempts(self, verdict):
        return {(attempt["id"], attempt["target"], attempt["principal"]) for attempt in self.report["attempts"] if attempt["verdict"] == verdict}

    def check_replay(self):
        """The report follows from its evidence."""
        again = subprocess.run([GATE, "replay", self.directory / self.name], capture_output=True, text=True)
        assert again.returncode == 0, again.stdout + again.stderr

    def check_nothing_is_left(self):
        assert self.file("after") == self.file("before")
