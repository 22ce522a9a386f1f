"""The fences of a machine, each left out: with the newest pinned engine, in a boot of the lab for each run, because a boot with many machines in it freezes more often.

A mutant must let out all of its fence's vectors and no other attempt; `--self-proof=each` must prove every fence by its pair of runs. The policy `cidr` has one fence
less, and the gate must not claim to prove it.
"""

import machines
import pytest

# Each is of a kind of its own: what one fence stops alone, what two stop between them (18, 46), what no fence stops but the make of a machine (20, and some of 21 and 45), or
# its kernel (68).
VECTORS = "BG-018,BG-020,BG-021,BG-022,BG-044,BG-045,BG-046,BG-048,BG-049,BG-061,BG-062,BG-068"
METADATA = "169.254."

RUNS = {
    **{fence: f"gate {fence} --mutant={fence} --vector={VECTORS}" for fence in ("cidrs", "dns-filter", "floor")},
    "each": f"proven each --self-proof=each --vector={VECTORS}",
    "each-cidr": "proven each-cidr --policy=cidr --self-proof=each --vector=BG-022,BG-044",
}


def is_name(attempt):
    """At the engine's resolver, which answers at every address."""
    return attempt[1].rpartition("/")[0].endswith(":53")


def is_local(attempt):
    return attempt[1].startswith(METADATA) and not is_name(attempt)


def is_of_the_make(attempt):
    return attempt[0] in ("BG-020", "BG-068") or attempt[0] == "BG-021" and "[::ffff:127." in attempt[1] or attempt[0] == "BG-045" and "[fe80:" in attempt[1]


# What gets out without the fence, and those that mask it.
ESCAPES = {
    "cidrs": lambda attempt: not is_of_the_make(attempt) and not is_local(attempt),
    "dns-filter": is_name,
    "floor": lambda attempt: not is_of_the_make(attempt),
}


@pytest.fixture(scope="module")
def boots(tmp_path_factory):
    """A run by its name, made when it is first asked for."""
    made = {}

    def run(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            assert machines.boot(made[name], f"jobs=1\n{RUNS[name]} --sweep=off\n") == 0, "the lab gave no result"
        return machines.Run(made[name], name)

    return run


@pytest.mark.parametrize("fence", ESCAPES)
def test_without_a_fence_exactly_what_it_keeps_in_gets_out(boots, fence):
    run = boots(fence)
    assert (run.status, run.report["verdict"]) == (1, "FAIL"), run.file("out")
    escaped, blocked = run.attempts("ESCAPED"), run.attempts("BLOCKED")
    assert len(escaped | blocked) == len(run.report["attempts"]) > 80
    assert escaped == {attempt for attempt in escaped | blocked if ESCAPES[fence](attempt)}
    run.check_replay()


@pytest.mark.parametrize("name, fences", [("each", {"cidrs", "dns-filter", "floor"}), ("each-cidr", {"cidrs", "floor"})])
def test_each_fence_that_the_policy_has_is_proved_by_its_pair(boots, name, fences):
    run = boots(name)
    proof = {mutant["fence"]: mutant for mutant in run.report["self_proof"]["mutants"]}
    assert set(proof) == fences and run.report["self_proof"]["unproved_fences"] == []
    for mutant in proof.values():
        assert mutant["proved"] is True and mutant["escaped"] == mutant["planned"] > 0, mutant
    assert (run.status, run.report["verdict"]) == (0, "PASS"), run.file("out")
    run.check_replay()


@pytest.mark.parametrize("name", [*ESCAPES, "each", "each-cidr"])
def test_nothing_is_left_on_the_host(boots, name):
    boots(name).check_nothing_is_left()
