"""The selftest's sabotages of a bottle and its engine, on real microVMs: in a few boots of the lab, because a long one freezes more often, a run of the gate with each
`saboteur.sh` in the engine's place.

None may end with PASS, claim a BLOCKED that nothing shows, take for ever, or leave anything on the host. What the saboteur did to the fenced machine it did to that
alone, and to the open one where the name begins with "open".
"""

import pathlib
from typing import NamedTuple

import machines
import pytest

LONGEST = 300  # seconds that a run with a dead channel may take: its bounds are on the attempts and on each command of the engine
VERDICTS = {0: "PASS", 1: "FAIL", 2: "INCONCLUSIVE", 3: "BROKEN"}

# A PASS takes all of these: bare, open and fenced, both principals. What ends BROKEN must do so whatever else is proved, and is asked of fewer.
WHOLE = "--vector=BG-049,BG-062"
USER = WHOLE + " --as=user"
FENCED = "--vector=BG-049 --self-proof=off"
START = FENCED + " --as=user"


class Row(NamedTuple):
    arguments: str
    status: int
    reason: str
    blocked: tuple = ()  # the principals whose attempts may be said to be blocked


SABOTAGES = {
    "vmm-killed": Row(FENCED, 3, "is not running"),
    "vmm-killed-last": Row(WHOLE, 2, "fenced run, root: the probe's records fall short: cut after line", ("user",)),
    "vmm-killed-between": Row(FENCED, 3, "is not running"),
    "vmm-frozen": Row(USER, 2, "fenced run, user: the probe's records fall short: cut after line"),
    "deleted": Row(FENCED, 3, "not"),
    "restarted": Row(FENCED, 3, "boot"),
    "exec-dead": Row(USER, 2, "fenced run, user: the probe's records fall short: not one record"),
    "exec-hangs": Row(USER, 2, "fenced run, user: the probe's records fall short: not one record"),
    "cut": Row(USER, 2, "fenced run, user: the probe's records fall short: cut"),
    "no-policy": Row(START, 3, "another policy than was asked for"),
    "policy-lost": Row(USER, 1, ""),
    "ends-nothing": Row(START, 3, "its row is still there"),
}

SCRIPT = f"""
engines=$LAB_REPORT/engines
mkdir "$engines"
cat >"$engines/saboteur" <<'END'
{(pathlib.Path(__file__).parent / "saboteur.sh").read_text()}
END
chmod 755 "$engines/saboteur"
sabotage() {{
  ln "$engines/saboteur" "$engines/$1"
  gate "$1" --smolvm="$engines/$@"
}}
"""


RUNS = {"honest": WHOLE, **{name: row.arguments for name, row in SABOTAGES.items()}}
IN_A_BOOT = 4


@pytest.fixture(scope="module")
def boots(tmp_path_factory):
    """The directory of the boot in which a run is, by the run's name; made when it is first asked for."""
    made = {}

    def directory_of(name):
        names = list(RUNS)
        first = names.index(name) // IN_A_BOOT * IN_A_BOOT
        if first not in made:
            made[first] = tmp_path_factory.mktemp("sabotage")
            lines = [f"sabotage {each} {RUNS[each]}" for each in names[first:first + IN_A_BOOT]]
            machines.boot(made[first], SCRIPT + "\n".join(lines) + "\n")
        return made[first]

    return directory_of


def check(directory, name, row):
    run = machines.Run(directory, name)
    assert run.seconds < LONGEST
    assert run.report is not None, run.file("out")
    assert (run.status, run.report["verdict"]) == (row.status, VERDICTS[row.status]), run.file("out")
    assert row.reason in (run.report["reason"] or ""), run.report["reason"]
    assert {principal for _, _, principal in run.attempts("BLOCKED")} <= set(row.blocked)
    assert bool(run.attempts("ESCAPED")) is (row.status == 1)
    run.check_replay()
    assert (directory / "engines" / f"{name}.acted").exists(), "nothing was sabotaged"


def test_the_engine_that_does_all_that_it_is_asked_passes(boots):
    boot = boots("honest")
    run = machines.Run(boot, "honest")
    assert (run.status, run.report["verdict"]) == (0, "PASS"), run.file("out")
    assert len(run.attempts("BLOCKED")) == len(run.report["attempts"]) > 20
    assert not (boot / "engines" / "honest.acted").exists()
    run.check_nothing_is_left()


@pytest.mark.parametrize("name", SABOTAGES)
def test_no_sabotage_is_taken_for_a_machine_that_holds(boots, name):
    check(boots(name), name, SABOTAGES[name])


@pytest.mark.parametrize("name", SABOTAGES)
def test_nothing_is_left_on_the_host(boots, name):
    machines.Run(boots(name), name).check_nothing_is_left()


@pytest.mark.parametrize("name", SABOTAGES)
def test_without_its_sabotage_each_check_fails(boots, name):
    with pytest.raises(AssertionError):
        check(boots("honest"), "honest", SABOTAGES[name])
