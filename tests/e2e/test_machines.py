"""What is said to and of machines of smolvm where none can be booted: policies, the engine's path, and every check of preflight. The
engine is a script; the real one is run in the lab."""

import json
import os
import re
import shutil

import pytest

DEVICE = "/dev/kvm"
PARTS = ["smolvm", "smolvm-version", "smolvm-policy", "smolvm-libraries", "smolvm-rootfs", "mkfs.ext4", "tar", "zstd", "kvm", "kvm-boots"]
DNS = ["BG-018", "BG-046", "BG-048", "BG-049", "BG-054", "BG-055", "BG-056"]


def script(account, name, says, mode=0o755):
    path = account.home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    os.chmod(path, mode)
    return path


def nothing_on_path(account):
    """Nothing but what the test itself starts programs with."""
    directory = account.home / "bare"
    directory.mkdir(exist_ok=True)
    for name in account.prefix()[:1]:
        (directory / name).symlink_to(shutil.which(name))
    return {"PATH": str(directory)}


def checks(account, *arguments, **options):
    result = account.run("bottle-gate", "preflight", "--backend=smolmachines", "--json", *arguments, **options)
    assert result.stderr == "", result.stderr
    report = json.loads(result.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert set(PARTS) <= set(found) and "bottle" not in found
    assert report["usable"] is (result.returncode == 0) and result.returncode in (0, 4)
    return report, found


def states(found, *names):
    return [found[name]["state"] for name in names]


def test_without_an_engine_it_is_said_how_to_get_one_and_what_needs_it_is_unknown(account):
    report, found = checks(account, environment=nothing_on_path(account))
    assert report["usable"] is False and report["policy"] == "hardened"
    assert found["smolvm"]["state"] == "missing"
    for told in ("smolvm is not on PATH", "pip install smolmachines", "--smolvm=PATH", "--backend=native"):
        assert told in found["smolvm"]["problem"]
    assert set(states(found, *PARTS[1:5], "tar", "zstd", "kvm-boots")) == {"unknown"}
    assert found["mkfs.ext4"]["state"] in ("ok", "missing"), "it is needed whatever the engine is"


def test_a_wrapper_on_the_path_is_enough(account):
    directory = script(account, "bin/smolvm", "echo smolvm 1.32.2").parent
    _, found = checks(account, environment={"PATH": f"{directory}:{os.environ['PATH']}"})
    assert set(states(found, *PARTS[:5])) == {"ok"}


def test_the_option_wins_over_the_environment_and_that_over_the_path(account):
    old, new = script(account, "old", "echo smolvm 0.7.9"), script(account, "new", "echo smolvm 1.32.2")
    directory = script(account, "bin/smolvm", "echo smolvm 0.7.8").parent
    path = f"{directory}:{os.environ['PATH']}"
    _, found = checks(account, environment={"PATH": path})
    assert "0.7.8" in found["smolvm-version"]["problem"]
    _, found = checks(account, environment={"PATH": path, "BOTTLE_SMOLVM": str(old)})
    assert "0.7.9" in found["smolvm-version"]["problem"]
    _, found = checks(account, f"--smolvm={new}", environment={"PATH": path, "BOTTLE_SMOLVM": str(old)})
    assert found["smolvm-version"]["state"] == "ok"
    _, found = checks(account, "--smolvm=new", environment={"BOTTLE_SMOLVM": str(old)}, cwd=account.home)
    assert found["smolvm-version"]["state"] == "ok"


@pytest.mark.parametrize("says, mode, check, told", [
    ("", 0o644, "smolvm", "(--smolvm) is not executable by you: chmod a+rx"),
    ("echo something else", 0o755, "smolvm-version", "something else"),
    ("exit 1", 0o755, "smolvm-version", "status 1"),
    ("echo smolvm 0.7.9", 0o755, "smolvm-version", "0.7.9"),
    ("echo smolvm 1.2.4", 0o755, "smolvm-policy", "--policy=cidr runs it without that"),
])
def test_what_is_wrong_with_an_engine_is_told_by_its_own_check_and_ends_a_run(account, says, mode, check, told):
    engine = script(account, "engine", says, mode)
    _, found = checks(account, f"--smolvm={engine}")
    assert found[check]["state"] == "missing" and told in found[check]["problem"]
    assert found["kvm-boots"]["state"] == "unknown"
    result = account.run("bottle-gate", "run", "--backend=smolmachines", f"--smolvm={engine}", "--vector=BG-049")
    assert result.returncode == 4 and result.stdout == ""
    assert result.stderr == f"bottle-gate: {found[check]['problem']}\n"


def test_an_engine_without_its_parts_is_told(account):
    engine = account.home / "smol-vmm"
    engine.write_bytes(b"\x7fELF")
    os.chmod(engine, 0o755)
    _, found = checks(account, f"--smolvm={engine}")
    assert "libkrun.so and libkrunfw.so.5 are not" in found["smolvm-libraries"]["problem"]
    assert found["smolvm-rootfs"]["state"] == "unknown"
    for name in ("libkrun.so", "libkrunfw.so.5"):
        (account.home / name).write_text("")
    _, found = checks(account, f"--smolvm={engine}")
    assert found["smolvm-libraries"]["state"] == "ok" and "SMOLVM_AGENT_ROOTFS_TAR" in found["smolvm-rootfs"]["problem"]
    (account.home / "agent-rootfs.tar.zst").write_text("")
    _, found = checks(account, f"--smolvm={engine}", environment=nothing_on_path(account))
    assert found["smolvm-rootfs"]["state"] == "ok" and "apt install zstd" in found["zstd"]["problem"]


def test_a_policy_that_an_old_engine_can_keep_is_no_reason_to_refuse_it(account):
    engine = script(account, "engine", "echo smolvm 1.2.4")
    report, found = checks(account, f"--smolvm={engine}", "--policy=cidr")
    assert report["policy"] == "cidr" and found["smolvm-policy"]["state"] == "ok"
    for policy, refused in (("cidr", False), ("hardened", True)):
        result = account.run("bottle-gate", "run", "--backend=smolmachines", f"--policy={policy}", f"--smolvm={engine}", "--vector=BG-049")
        assert result.returncode != 0 and ("can't keep DNS in" in result.stderr) is refused, result.stderr
    told = account.run("bottle-gate", "preflight", "--backend=smolmachines", "--policy=cidr", f"--smolvm={engine}").stdout
    assert told.startswith("bottle-gate ") and "  backend smolmachines  policy cidr\n" in told.split("\n\n")[0] + "\n"


def test_a_fence_that_the_policy_has_not_cannot_be_left_out(account):
    result = account.run("bottle-gate", "run", "--backend=smolmachines", "--policy=cidr", "--mutant=dns-filter")
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr == "bottle-gate: the policy cidr of backend smolmachines has no fence dns-filter to leave out; it has: cidrs, floor\n"


def test_the_device_is_looked_at_whatever_the_engine_is(account):
    _, found = checks(account, environment=nothing_on_path(account))
    problem = found["kvm"]["problem"]
    if not os.path.exists(DEVICE):
        assert all(told in problem for told in (DEVICE, "kvm-intel", "kvm-amd", "firmware", "--backend=native"))
    else:
        assert problem is None or DEVICE in problem
        assert problem is None or "usermod -aG kvm" in problem or "modprobe" in problem or "docker run" in problem


def test_native_runs_have_no_policy(account):
    for arguments in (["preflight", "--json"], ["run", "--format=json", "--vector=BG-020"]):
        report = json.loads(account.run("bottle-gate", *arguments).stdout)
        assert report.get("policy", report["backend"]["policy"] if isinstance(report["backend"], dict) else 0) is None


def test_explain_names_the_flags_that_shut_dns_on_machines(account):
    for vector in [*DNS, "BG-022"]:
        told = account.run("bottle-gate", "explain", vector).stdout
        own = json.loads(account.run("bottle-gate", "explain", "--json", vector).stdout)["backend_remedies"]
        own.pop("docker", None)
        if vector == "BG-022":
            assert own == {} and "--allow-host" not in told
            continue
        assert list(own) == ["smolmachines"]
        assert re.search(r"--allow-host DOOR --dns DOOR instead of --allow-cidr\b.*--policy=hardened$", own["smolmachines"])
        assert f"  backend smolmachines: {own['smolmachines']}\n" in told.split("How to shut it\n")[1]
