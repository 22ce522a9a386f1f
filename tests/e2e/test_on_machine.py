"""--site=host: containers of a machine's own Docker Engine, in its own network. The machine is made for the test (on_machine.py). What the gate says is true of its
firewall as it is; what else runs there neither suffers nor disturbs; nothing leaves it; and nothing is left, whatever becomes of the gate."""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys

import pytest

import on_machine
from test_docker_gvisor import RUNSC, WHOLE

CORE_THERE = {"BG-001", "BG-017", "BG-018", "BG-020", "BG-021", "BG-022", "BG-026", "BG-027", "BG-028", "BG-048", "BG-049", "BG-056", "BG-061",
              "BG-062", "BG-064", "BG-068", "BG-069", "BG-070", "BG-114", "BG-116"}
FEW = "--vector=BG-017,BG-022,BG-061"
HOST = ("198.18.7.2", "172.31.77.1")
UNASKED = "no runtime is asked for"


@pytest.fixture
def root(account):
    if not account.is_root:
        pytest.skip("root only; what others are told is tested")
    return account


@pytest.fixture
def machine(root):
    with on_machine.machine("net/ipv4/ping_group_range=0 2147483647") as made:
        yield made


def command(machine, account, *arguments):
    options = ["--backend=docker", "--site=host", "--sweep=sample", "--format=json", *arguments]
    if not any(argument.startswith("--runtime") for argument in arguments) and UNASKED not in arguments:
        options.append("--runtime=runc")
    options = [option for option in options if option != UNASKED]
    return machine.enter("env", "-i", *(f"{name}={value}" for name, value in account.environment().items()),
                         str(account.programs / "bottle-gate"), "run", *options)


def run(machine, account, *arguments, status=0):
    """A run, of which nothing has come out of the machine, and nothing is left on it."""
    before, engine = machine.has(), machine.engine_has()
    result = subprocess.run(command(machine, account, *arguments), text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=300)
    reason = json.loads(result.stdout)["reason"] if result.stdout.startswith("{") else ""
    assert result.returncode == status, reason + result.stderr
    assert machine.has() == before and machine.engine_has() == engine
    assert machine.left() == []
    return json.loads(result.stdout) if status < 4 else result.stderr


def escaped(report):
    return {(attempt["id"], attempt["target"].rsplit(":", 1)[0]) for attempt in report["attempts"] if attempt["verdict"] == "ESCAPED"}


def test_the_hardened_bottle_passes_by_the_machines_own_engine(machine, root, tmp_path):
    report = run(machine, root, f"--report={tmp_path}/report")
    assert report["site"] == "host" and report["verdict"] == "PASS"
    assert {attempt["id"] for attempt in report["attempts"]} == CORE_THERE
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"BLOCKED"}
    assert {attempt["how"] for attempt in report["attempts"] if attempt["id"] != "BG-116"} == {"fence"}
    assert {"BG-034", "BG-044", "BG-078", "BG-112"} <= {row["id"] for row in report["not_proved"]}
    assert "the machine's own engine" in report["backend"]["details"]["fingerprint"]
    targets = {attempt["target"] for attempt in report["attempts"]}
    assert all(any(host in target for target in targets) for host in HOST)
    replayed = root.run("bottle-gate", "replay", f"{tmp_path}/report")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "site host" in (tmp_path / "report" / "report.txt").read_text()
    assert "site host" in (tmp_path / "report" / "report.tap").read_text()


def test_an_internal_network_reaches_the_machine_by_its_own_address_and_the_bridges(machine, root):
    report = run(machine, root, "--policy=internal", "--vector=BG-001,BG-017,BG-018,BG-022,BG-026,BG-061,BG-152", status=1)
    assert escaped(report) == {("BG-017", HOST[1]), ("BG-018", HOST[1]), ("BG-022", HOST[0]), ("BG-152", HOST[0]), ("BG-152", HOST[1])}
    for attempt in report["attempts"]:
        if attempt["verdict"] == "ESCAPED":
            assert {hit["witness"] for hit in attempt["hits"]} == {"host"} and attempt["hits"][0]["peer"].startswith("172.31.77.3:")


def test_each_fence_is_proved_there(machine, root):
    if not WHOLE:
        pytest.skip("a slow one: it is for ci/test --matrix")
    report = run(machine, root, "--self-proof=each", FEW)
    mutants = {mutant["fence"]: mutant for mutant in report["self_proof"]["mutants"]}
    assert set(mutants) == {"network", "input"} and all(mutant["proved"] for mutant in mutants.values())


def test_a_bottle_without_its_network_gets_out_to_everything_that_is_tried(machine, root):
    report = run(machine, root, "--mutant=network", "--vector=BG-001,BG-020,BG-022,BG-061,BG-064,BG-114", status=1)
    assert {attempt["verdict"] for attempt in report["attempts"]} == {"ESCAPED"}


def test_a_machine_whose_own_firewall_shuts_its_input_is_told_so(machine, root):
    """What keeps the bottle of an internal network in is this machine's firewall, and the gate hears the difference."""
    machine.check("nft", "add table inet own; add chain inet own input { type filter hook input priority 0; policy drop; }; "
                  "add rule inet own input iif lo accept; add rule inet own input ct state established,related accept; "
                  "add rule inet own input meta l4proto ipv6-icmp accept")
    report = run(machine, root, "--policy=internal", "--vector=BG-017,BG-018,BG-022,BG-061,BG-152")
    assert report["verdict"] == "PASS"


def preflight(machine, root, *arguments):
    result = machine.run(str(root.programs / "bottle-gate"), "preflight", "--backend=docker", "--site=host", "--json", *arguments)
    return result.returncode, {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_preflight_tells_all_that_such_a_machine_lacks_and_changes_nothing(machine, root):
    before, engine = machine.has(), machine.engine_has()
    status, checks = preflight(machine, root)
    assert status == 0 and {check["state"] for check in checks.values()} <= {"ok", "less"}
    assert {"machine-rights", "machine-place", "machine-engine", "machine-room", "machine-ports", "ping-groups"} <= set(checks)
    machine.check("ip", "route", "add", "203.0.113.128/25", "via", on_machine.FAR)
    machine.check("sh", "-c", "echo 1 0 >/proc/sys/net/ipv4/ping_group_range; mv /run/docker.sock /run/another.sock")
    status, checks = preflight(machine, root)
    assert status == 4
    assert {name for name, check in checks.items() if check["state"] == "missing"} == {"machine-engine", "machine-room"}
    assert checks["ping-groups"]["state"] == "less" and checks["ping-groups"]["not_proved"] == "BG-064"
    machine.check("sh", "-c", "mv /run/another.sock /run/docker.sock; echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range")
    machine.check("ip", "route", "del", "203.0.113.128/25")
    assert machine.has() == before and machine.engine_has() == engine and machine.left() == []


def test_what_would_leave_by_another_way_is_heard_and_kept_back(machine, root):
    """Policy routing, as a VPN's, leads one of the gate's addresses out of the machine."""
    machine.check("ip", "route", "add", "default", "via", on_machine.FAR, "table", "200")
    machine.check("ip", "rule", "add", "to", "203.0.113.61", "lookup", "200")
    report = run(machine, root, "--mutant=network", "--as=user", "--vector=BG-061", status=1)
    astray = [attempt for attempt in report["attempts"] if attempt["target"].startswith("203.0.113.61:")]
    assert len(astray) == 1 and {attempt["verdict"] for attempt in report["attempts"]} == {"ESCAPED"}
    assert {hit["witness"] for attempt in astray for hit in attempt["hits"]} == {"host"}
    assert run(machine, root, "--as=user", "--vector=BG-061")["verdict"] == "PASS"


def test_strict_checks_of_sources_disturb_nothing(root):
    settings = ("net/ipv4/conf/all/rp_filter=1", "net/ipv4/conf/default/rp_filter=1", "net/ipv4/ping_group_range=0 2147483647",
                "net/ipv6/conf/default/disable_ipv6=1")
    with on_machine.machine(*settings) as machine:
        machine.check("nft", "add table inet own; add chain inet own pre { type filter hook prerouting priority -300; }; "
                      "add rule inet own pre fib saddr . iif oif missing drop")
        assert run(machine, root, FEW + ",BG-020,BG-064")["verdict"] == "PASS"


def test_a_machine_that_lets_nobody_ping_says_so(root):
    with on_machine.machine() as machine:
        report = run(machine, root, "--vector=BG-061,BG-064")
        assert {attempt["id"] for attempt in report["attempts"]} == {"BG-061"}
        assert [row["reason"] for row in report["not_proved"] if row["id"] == "BG-064"][0].startswith("net.ipv4.ping_group_range")


# Two services, who say all that they are sent, and a client that never stops; datagrams to a group on every cable.
BUSY = r"""
import os, socket, sys, threading
tcp, udp = socket.create_server(("127.0.0.1", 8080)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 8081))
heard = set()
def serve():
    while True:
        with tcp.accept()[0] as one:
            heard.add(one.recv(100))
            one.sendall(b"hello")
def listen():
    while True:
        heard.add(udp.recv(100))
def call():
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        with socket.create_connection(("127.0.0.1", 8080)) as one:
            one.sendall(b"mine")
            assert one.recv(100) == b"hello"
        out.sendto(b"mine", ("127.0.0.1", 8081))
        for name in os.listdir("/sys/class/net"):
            try:
                out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.77.0.1") if name == "lan0" else socket.inet_aton("127.0.0.1"))
                out.sendto(b"mine", ("224.0.0.251", 5353))
            except OSError:
                pass
for work in (serve, listen, call):
    threading.Thread(target=work, daemon=True).start()
print("busy", flush=True)
sys.stdin.readline()
print(sorted(heard), flush=True)
"""


def test_what_else_runs_there_neither_disturbs_nor_is_touched(machine, root):
    busy = subprocess.Popen(machine.enter(sys.executable, "-c", BUSY), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert on_machine.read_line(busy) == "busy"
        report = run(machine, root, "--vector=BG-001,BG-020,BG-022,BG-061")
        assert report["verdict"] == "PASS"
        assert busy.communicate("\n", timeout=60)[0].strip() == "[b'mine']"
    finally:
        busy.kill()
        busy.wait()


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begun(machine, root):
    """A run whose bottle is there: its process as the host sees it, its guardian, and what there was before."""
    before, engine = machine.has(), machine.engine_has()
    events = subprocess.Popen(machine.enter(sys.executable, "-c", on_machine.ASK, "events?since=1&filters=%7B%22event%22%3A%5B%22start%22%5D%7D"),
                              stdout=subprocess.PIPE, text=True)
    process = subprocess.Popen(command(machine, root, "--self-proof=off", "--timeout=20s"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(2):  # the sidecar and the bottle
            assert "start" in on_machine.read_line(events)
    finally:
        events.kill()
        events.wait()
        events.stdout.close()
    nsenter = process.pid
    gate = children(nsenter)[0] if children(nsenter) and b"nsenter" in pathlib.Path(f"/proc/{nsenter}/cmdline").read_bytes() else nsenter
    same = os.stat(f"/proc/{gate}/ns/pid").st_ino
    guardians = [child for child in children(gate) if os.stat(f"/proc/{child}/ns/pid").st_ino == same]
    assert len(guardians) == 1
    return process, gate, guardians[0], before, engine


def wait_for_end(handle):
    ready, _, _ = select.select([handle], [], [], on_machine.BOUND)
    assert ready
    os.close(handle)


def test_a_gate_that_is_killed_leaves_nothing(machine, root):
    process, gate, guardian, before, engine = begun(machine, root)
    handle = os.pidfd_open(guardian)
    os.kill(gate, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for_end(handle)
    assert machine.has() == before and machine.engine_has() == engine and machine.left() == []


def test_what_a_gate_leaves_that_is_killed_with_its_guardian_is_removed_by_gc(machine, root):
    process, gate, guardian, before, engine = begun(machine, root)
    handle = os.pidfd_open(gate)
    os.kill(guardian, signal.SIGKILL)
    os.kill(gate, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for_end(handle)
    assert machine.engine_has() != engine
    gc = machine.run(str(root.programs / "bottle-gate"), "gc", "--dry-run")
    assert gc.returncode == 0 and "would remove" in gc.stdout, gc.stdout + gc.stderr
    refused = run_line(machine, root)
    assert "bottle-gate gc" in refused, refused
    gc = machine.run(str(root.programs / "bottle-gate"), "gc")
    assert gc.returncode == 0 and "removed docker: containers, networks and images" in gc.stdout, gc.stdout + gc.stderr
    assert machine.has() == before and machine.engine_has() == engine and machine.left() == []
    again = machine.run(str(root.programs / "bottle-gate"), "gc")
    assert again.returncode == 0 and "docker" not in again.stdout and "side0" not in again.stdout


def test_an_interrupted_run_leaves_nothing(machine, root):
    process, gate, _, before, engine = begun(machine, root)
    os.kill(gate, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT) and "interrupted" in said, said
    assert machine.has() == before and machine.engine_has() == engine and machine.left() == []


def test_an_engine_that_is_killed_midway_ends_the_run_and_what_it_kept_is_told(machine, root):
    if not WHOLE:
        pytest.skip("a slow one (it may come back for a minute): it is for ci/test --matrix")
    process, _, _, before, _ = begun(machine, root)
    (engine,) = [child for child in children(machine.pid) if pathlib.Path(f"/proc/{child}/comm").read_text() == "dockerd\n"]
    os.kill(engine, signal.SIGKILL)
    told, said = process.communicate(timeout=200)
    assert process.returncode == 3 and said == "", said
    assert "Docker" in json.loads(told)["reason"], json.loads(told)["reason"]
    now = machine.has()
    assert now["routes"].count("lan0") == 0 and "side0" not in now["links"] and now["forwarding"] == before["forwarding"]
    assert machine.left() == []


def test_only_one_run_has_the_machine(machine, root):
    process, gate, _, _, _ = begun(machine, root)
    try:
        assert "under way" in run_line(machine, root)
    finally:
        os.kill(gate, signal.SIGINT)
        process.communicate(timeout=120)


def run_line(machine, account, *arguments, environment=()):
    words = command(machine, account, FEW, *arguments)
    words[words.index("-i") + 1:words.index("-i") + 1] = environment
    result = subprocess.run(words, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    assert result.returncode == 4 and result.stdout == "" and result.stderr.count("\n") == 1, result.stdout[-500:] + result.stderr
    return result.stderr


def test_what_a_machine_lacks_or_has_itself_is_told_in_one_line_and_nothing_is_touched(machine, root):
    before, engine = machine.has(), machine.engine_has()
    assert "/run/no.sock" in run_line(machine, root, environment=["DOCKER_HOST=unix:///run/no.sock"])
    assert "DOCKER_HOST" in run_line(machine, root, environment=["DOCKER_HOST=tcp://127.0.0.1:2375"])
    assert "runsc" in run_line(machine, root, "--runtime=runsc")
    server = subprocess.Popen(machine.enter(sys.executable, "-c", "import socket, sys; s = socket.create_server(('127.0.0.1', 20005)); print('up', flush=True); "
                                            "sys.stdin.read()"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert on_machine.read_line(server) == "up"
    assert "port 20005 of this machine (tcp) is in use" in run_line(machine, root)
    server.communicate("")
    machine.check("ip", "route", "add", "203.0.113.128/25", "via", on_machine.FAR)
    assert "203.0.113.0/24" in run_line(machine, root)
    machine.check("ip", "route", "del", "203.0.113.128/25")
    machine.check("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    assert "an interface lan0" in run_line(machine, root)
    machine.check("ip", "link", "del", "lan0")
    assert machine.has() == before and machine.engine_has() == engine and machine.left() == []


def test_an_engine_whose_networks_are_elsewhere_is_refused(machine, root):
    with on_machine.machine() as other:
        before, engine = machine.has(), other.engine_has()
        # The other's socket, as one that is forwarded would be.
        words = command(machine, root, FEW)
        words[words.index("-i") + 1:words.index("-i") + 1] = [f"DOCKER_HOST=unix:///proc/{other.pid}/root/run/docker.sock"]
        result = subprocess.run(["nsenter", f"--target={machine.pid}", "--net", "--ipc", "--uts", "--", *words[words.index("--") + 1:]], text=True,
                                capture_output=True, stdin=subprocess.DEVNULL, timeout=300)
        # Its processes are seen from here, which is not so of a machine that is one: then what they have to show is missing (unit-launcher_docker_machine).
        assert result.returncode == 4 and "has its networks elsewhere" in result.stderr and result.stderr.count("\n") == 1, result.stdout[-2000:] + result.stderr
        assert machine.has() == before and other.engine_has() == engine


def test_gvisor_is_taken_unasked_where_the_machines_engine_has_it(root):
    if not WHOLE:
        pytest.skip("a slow one: it is for ci/test --matrix")
    assert RUNSC is not None
    engine = json.dumps({"runtimes": {"runsc": {"path": RUNSC, "runtimeArgs": ["--network=host"]}}})
    with on_machine.machine(engine=engine) as machine:
        report = run(machine, root, UNASKED, FEW)
        assert report["verdict"] == "PASS" and report["backend"]["runtime"] == "runsc"
        report = run(machine, root, UNASKED, FEW, "--policy=internal", status=1)
        assert escaped(report) == {("BG-017", HOST[1]), ("BG-022", HOST[0])}


def test_an_ordinary_user_and_other_backends_are_told_in_one_line(account):
    result = account.run("bottle-gate", "run", "--site=host", "--backend=native")
    assert result.returncode == 4 and result.stderr.count("\n") == 1 and "docker" in result.stderr and result.stdout == ""
    result = account.run("bottle-gate", "run", "--site=elsewhere")
    assert result.returncode == 4 and "there are: sealed, host" in result.stderr
    result = account.run("bottle-gate", "preflight", "--site=host", "--backend=native")
    assert result.returncode == 4 and result.stderr.count("\n") == 1 and "docker" in result.stderr
    # Root of a user namespace is nobody on the machine.
    words = account.command("bottle-gate", "preflight", "--site=host", "--backend=docker", "--runtime=runc", "--json")
    place = len(account.prefix())
    result = subprocess.run([*words[:place], "unshare", "--user", "--map-root-user", *words[place:]], text=True, capture_output=True, timeout=60)
    checks = {check["name"]: check["state"] for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 4 and checks["machine-rights"] == "missing" and checks["machine-engine"] == "unknown"
    if not account.is_root:
        result = account.run("bottle-gate", "preflight", "--site=host", "--backend=docker", "--runtime=runc", "--json")
        checks = {check["name"]: check["state"] for check in json.loads(result.stdout)["checks"]}
        assert result.returncode == 4 and checks["machine-rights"] == "missing" and checks["machine-engine"] == "unknown"
        result = account.run("bottle-gate", "run", "--site=host", "--backend=docker")
        assert result.returncode == 4 and result.stderr.count("\n") == 1 and "root" in result.stderr, result.stderr
