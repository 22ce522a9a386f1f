"""The fences of a machine, each left out: in one boot of the lab, with the newest pinned engine.

A mutant must let out all of its fence's vectors and no other attempt; `--self-proof=each` must prove every fence by its pair of runs. The policy `cidr` has one fence
less, and the gate must not claim to prove it.
"""

import machines
import pytest

# Each is of a kind of its own: what one fence stops alone, what two stop between them (18, 46), what no fence stops but the make of a machine (20).
VECTORS = "BG-018,BG-020,BG-022,BG-044,BG-046,BG-048,BG-049,BG-061,BG-062"
METADATA = "169.254."

SCRIPT = f"""
jobs=1
limits="--sweep=off --vector={VECTORS}"
for fence in cidrs dns-filter floor; do gate "$fence" --mutant=$fence $limits; done
proven each --self-proof=each --sweep=off
proven each-cidr --policy=cidr --self-proof=each --sweep=off --vector=BG-022,BG-044
"""


def is_name(attempt):
    """At the engine's resolver, which answers at every address."""
    return attempt[1].rpartition("/")[0].endswith(":53")


def is_local(attempt):
    return attempt[1].startswith(METADATA) and not is_name(attempt)


def is_of_the_make(attempt):
    return attempt[0] == "BG-020"


# What gets out without the fence, and those that mask it.
ESCAPES = {
    "cidrs": lambda attempt: not is_of_the_make(attempt) and not is_local(attempt),
    "dns-filter": is_name,
    "floor": lambda attempt: not is_of_the_make(attempt),
}


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    directory = tmp_path_factory.mktemp("fences")
    assert machines.boot(directory, SCRIPT) == 0, "the last run was one that passes"
    return directory


@pytest.mark.parametrize("fence", ESCAPES)
def test_without_a_fence_exactly_what_it_keeps_in_gets_out(boot, fence):
    run = machines.Run(boot, fence)
    assert (run.status, run.report["verdict"]) == (1, "FAIL"), run.file("out")
    escaped, blocked = run.attempts("ESCAPED"), run.attempts("BLOCKED")
    assert len(escaped | blocked) == len(run.report["attempts"]) > 80
    assert escaped == {attempt for attempt in escaped | blocked if ESCAPES[fence](attempt)}
    run.check_replay()


@pytest.mark.parametrize("name, fences", [("each", {"cidrs", "dns-filter", "floor"}), ("each-cidr", {"cidrs", "floor"})])
def test_each_fence_that_the_policy_has_is_proved_by_its_pair(boot, name, fences):
    run = machines.Run(boot, name)
    proof = {mutant["fence"]: mutant for mutant in run.report["self_proof"]["mutants"]}
    assert set(proof) == fences and run.report["self_proof"]["unproved_fences"] == []
    for mutant in proof.values():
        assert mutant["proved"] is True and mutant["escaped"] == mutant["planned"] > 0, mutant
    assert (run.status, run.report["verdict"]) == (0, "PASS"), run.file("out")
    run.check_replay()


@pytest.mark.parametrize("name", [*ESCAPES, "each", "each-cidr"])
def test_nothing_is_left_on_the_host(boot, name):
    machines.Run(boot, name).check_nothing_is_left()
