"""The acceptance of the smolmachines backend: real microVMs of the newest pinned engine on the lab's KVM, as an ordinary user.

One boot serves all: the policy that holds, the one that leaves DNS open, and an engine that says of a machine that it runs and never starts it. What each
run left on the lab's host is looked at there, and told as files beside its report.

A run of the whole core profile takes minutes where everything is emulated. So it is made where $WHOLE is set, as `ci/test --matrix` does; else it is the vectors
that an open machine must leak, and the resolver that it was given.
"""

import json
import os
import subprocess

import machines
import pytest
from machines import ENGINE, GATE

WHOLE = bool(os.environ.get("WHOLE"))
CHOSEN = ["BG-022", "BG-026", "BG-048", "BG-049", "BG-054", "BG-061", "BG-062"]

# At the end something is left on purpose: a look that can't see that would show nothing of anybody's.
SCRIPT = r"""
cat >"$HOME/liar" <<END
#!/bin/sh
# Starts the first machine, for which the preflight may have asked. Says of every other that it was started, and starts none.
[ "\$1 \$2" = "machine start" ] && ! mkdir $LAB_REPORT/started 2>/dev/null && exec echo "Started machine 'bottle'"
exec $(command -v smolvm) "\$@"
END
chmod 755 "$HOME/liar"

proven hardened $limits
gate liar --smolvm="$HOME/liar" --vector=BG-049
proven cidr --policy=cidr $limits
mkdir "$HOME/.smolvm" /tmp/bottle-machine-left
sleep 1000 >/dev/null 2>&1 &
until grep -q sleep /proc/$!/cmdline; do :; done
look left
exit $status
"""


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    """The lab's exit status, and the directory of what it brought back."""
    directory = tmp_path_factory.mktemp("smolmachines")
    return machines.boot(directory, f"limits={'' if WHOLE else '--vector=' + ','.join(CHOSEN)}\n{SCRIPT}"), directory


class Run(machines.Run):
    def check_whole(self):
        """Every vector was tried, or stands among what is not proved, and the report follows from its evidence."""
        core = set(CHOSEN) if not WHOLE else {vector["id"] for vector in json.loads(subprocess.run([GATE, "vectors", "--json", "--profile=core"], capture_output=True, check=True).stdout)}
        tried, not_proved = {attempt["id"] for attempt in self.report["attempts"]}, {vector["id"] for vector in self.report["not_proved"]}
        assert tried | not_proved == core
        assert sum(self.report["counts"].values()) == len(self.report["attempts"]) > (200 if WHOLE else 80)
        assert self.report["self_proof"]["mode"] == "open" and self.report["site"] == "sealed"
        assert {attempt["principal"] for attempt in self.report["attempts"]} == {"user", "root"}
        for attempt in self.report["attempts"]:
            controls = attempt["controls"]
            assert all(controls[name] is True for name in controls if name not in ("bare", "open")), attempt
            assert attempt["probe"] is not None, attempt
        self.check_replay()

    def check_engine(self):
        backend = self.report["backend"]
        assert (backend["name"], backend["engine"], backend["version"]) == ("smolmachines", "smolvm", ENGINE)
        assert backend["details"]["kernel"] != self.report["host"]["kernel"]


@pytest.fixture
def run(boot):
    return lambda name: Run(boot[1], name)


def test_the_hardened_machine_passes(run):
    hardened = run("hardened")
    assert (hardened.status, hardened.report["verdict"]) == (0, "PASS"), hardened.file("out")
    hardened.check_whole()
    hardened.check_engine()
    assert hardened.report["backend"]["policy"] == "hardened"
    assert len(hardened.attempts("BLOCKED")) == len(hardened.report["attempts"])


def test_a_list_of_addresses_alone_leaves_port_53_open_to_both_principals_and_nothing_else(run):
    """To any address, of either family, by datagrams and connections: all of them, and nothing that goes elsewhere."""
    cidr = run("cidr")
    assert (cidr.status, cidr.report["verdict"]) == (1, "FAIL"), cidr.file("out")
    cidr.check_whole()
    cidr.check_engine()
    assert cidr.report["backend"]["policy"] == "cidr"
    escaped, blocked = cidr.attempts("ESCAPED"), cidr.attempts("BLOCKED")
    assert len(escaped | blocked) == len(cidr.report["attempts"])
    assert {target.rpartition("/")[0].rpartition(":")[2] for _, target, _ in escaped} == {"53"}
    assert not {attempt for attempt in blocked if attempt[1].endswith((":53/udp", ":53/tcp"))}
    for principal in ("user", "root"):
        assert {"BG-048", "BG-049"} <= {vector for vector, _, who in escaped if who == principal}


def test_a_machine_that_is_said_to_run_and_never_started_is_no_proof_of_anything(run):
    """There was nothing to look at: the gate is as sound as ever, and the evidence is missing."""
    liar = run("liar")
    assert (liar.status, liar.report["verdict"]) == (2, "INCONCLUSIVE"), liar.file("out")
    assert "the engine says that the machine runs" in liar.report["reason"]
    assert liar.report["attempts"] and not liar.attempts("BLOCKED") and not liar.attempts("ESCAPED")


@pytest.mark.parametrize("name", ["hardened", "cidr", "liar"])
def test_nothing_is_left_on_the_host(run, name):
    run(name).check_nothing_is_left()


def test_what_is_left_on_the_host_is_seen(boot, run):
    left = set((boot[1] / "left").read_text().splitlines()) - set(run("cidr").file("after").splitlines())
    assert left == {"process sleep 1000", "file /tmp/bottle-machine-left", "file /home/gate/.smolvm"}


def test_the_lab_hands_back_the_status_of_the_gate(boot):
    assert boot[0] == 1, "the last run was that of the policy that leaks"
