"""A machine for --site=host: namespaces with a Docker Engine of their own and an uplink, whose far end is another namespace made for it. What comes out
there is written down, so that a test can say that nothing did."""

import contextlib
import os
import pathlib
import select
import subprocess
import sys
import uuid

import pytest

ADDRESS, FAR = "198.18.7.2", "198.18.7.1"
BOUND = 60  # seconds; a bound on hangs

# Empty places for all that an engine writes, and its socket, at which who asks before it is ready waits.
INSIDE = r"""
import os, socket, subprocess, sys
for path in ("/run", "/var/lib/docker", "/etc/docker"):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
os.makedirs("/run/lock")
with open("/etc/docker/daemon.json", "w") as settings:
    settings.write(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for path, value in (setting.split("=") for setting in sys.argv[3:]):
    with open("/proc/sys/" + path, "w") as file:
        file.write(value)
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/docker.sock")
os.chmod("/run/docker.sock", 0o600)
listener.listen(64)
os.dup2(listener.fileno(), 3)
log = os.open("/run/engine.log", os.O_WRONLY | os.O_CREAT, 0o644)
engine = os.fork()
if engine == 0:
    os.set_inheritable(3, True)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execvp("dockerd", ["dockerd", "--host=fd://", "--data-root=/var/lib/docker", "--userland-proxy=false", "--log-level=warn",
                          "--cgroup-parent=" + sys.argv[2]])
for mine in {listener.detach(), 3}:  # so who asks an engine that has ended is told
    os.close(mine)
print("ready", flush=True)
sys.stdin.read()
"""

# Every packet that arrives, as "PROTOCOL DESTINATION" (ARP is the far end's own to answer).
OUTSIDE = r"""
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
print("ready", flush=True)
sys.stdin.readline()
taps = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print("listening", flush=True)
while True:
    packet, source = taps.recvfrom(65536)
    if source[2] == socket.PACKET_OUTGOING:
        continue
    if source[1] == 0x0800 and len(packet) >= 20:
        print(packet[9], socket.inet_ntop(socket.AF_INET, packet[16:20]), flush=True)
    elif source[1] == 0x86DD and len(packet) >= 40:
        print(packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40]), flush=True)
"""


# What the engine answers to one question, as it comes.
ASK = r"""
import os, socket, sys
engine = socket.socket(socket.AF_UNIX)
engine.connect("/run/docker.sock")
engine.sendall(b"GET /%s HTTP/1.0\r\nHost: engine\r\n\r\n" % sys.argv[1].encode())
answer = b""
while b"\r\n\r\n" not in answer:
    answer += engine.recv(65536)
head, text = answer.split(b"\r\n\r\n", 1)
assert b" 200 " in head.split(b"\r\n")[0], head
while True:
    os.write(1, text)
    text = engine.recv(65536)
    if not text:
        break
"""


def read_line(process):
    """The next line; what has come behind it is kept beside the process, where no waiting for more can miss it."""
    process.rest = getattr(process, "rest", b"")
    while b"\n" not in process.rest:
        ready, _, _ = select.select([process.stdout], [], [], BOUND)
        assert ready, "nothing came in time"
        more = os.read(process.stdout.fileno(), 65536)
        assert more, "it ended"
        process.rest += more
    line, process.rest = process.rest.split(b"\n", 1)
    return line.decode().strip()


def start(flags, text, *arguments):
    process = subprocess.Popen(["unshare", *flags, sys.executable, "-c", text, *arguments], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert read_line(process) == "ready"
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, int(children[0]) if "--fork" in flags else process.pid


class Machine:
    def __init__(self, pid, outside):
        self.pid, self.outside = pid, outside

    def enter(self, *command):
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--ipc", "--uts", "--", *command]

    def run(self, *command, **options):
        return subprocess.run(self.enter(*command), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=BOUND * 3, **options)

    def check(self, *command):
        result = self.run(*command)
        assert result.returncode == 0, (command, result.stderr, pathlib.Path(f"/proc/{self.pid}/root/run/engine.log").read_text())
        return result.stdout

    def engine_has(self):
        """Everything of the engine's that a run could leave there."""
        return {what: self.check(sys.executable, "-c", ASK, path) for what, path in (
            ("containers", "containers/json?all=true"), ("networks", "networks?filters=%7B%22type%22%3A%7B%22custom%22%3Atrue%7D%7D"),
            ("images", "images/json?all=true"))}

    def has(self):
        """What of the machine a run could change."""
        return {"links": self.check("ip", "-o", "link").replace("state UNKNOWN", ""), "addresses": self.check("ip", "-o", "address"),
                "routes": self.check("ip", "route", "show", "table", "all") + self.check("ip", "-6", "route", "show", "table", "all"),
                "rules": self.check("nft", "list", "tables"), "forwarding": self.check("cat", "/proc/sys/net/ipv4/ip_forward")}

    def left(self):
        """What has come out at the far end of the uplink so far, but for what a kernel says of an interface by itself; and that this is heard."""
        self.check(sys.executable, "-c", f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'end', ('{FAR}', 9))")
        lines = []
        while (line := read_line(self.outside)) != f"17 {FAR}":
            lines.append(line)
        return [line for line in lines if line.split()[0] not in ("0", "58")]  # MLD and neighbour discovery


@contextlib.contextmanager
def machine(*settings, engine="{}"):
    with contextlib.ExitStack() as stack:
        groups = f"/bottle-gate-machine-{uuid.uuid4().hex}"
        stack.callback(remove_groups, groups)
        inside, pid = start(["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "--propagation=private"],
                            INSIDE, engine, groups, *settings)
        stack.callback(end, inside, pid)
        outside, far = start(["--net"], OUTSIDE)
        stack.callback(end, outside, far)
        for words in (["link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", str(far)], ["address", "add", f"{ADDRESS}/24", "dev", "up0"],
                      ["link", "set", "up0", "addrgenmode", "none", "up"]):
            subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words], check=True)
        for words in (["address", "add", f"{FAR}/24", "dev", "up1"], ["link", "set", "up1", "addrgenmode", "none", "up"]):
            subprocess.run(["nsenter", f"--net=/proc/{far}/ns/net", "ip", *words], check=True)
        subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "route", "add", "default", "via", FAR], check=True)
        outside.stdin.write("\n")
        outside.stdin.flush()
        assert read_line(outside) == "listening"
        made = Machine(pid, outside)
        try:
            made.engine_has()  # waits until the engine answers
        except AssertionError:
            said = pathlib.Path(f"/proc/{pid}/root/run/engine.log").read_text().strip().rsplit("\n", 1)[-1]
            assert os.environ.get("MUST_WORK") != "1", said
            pytest.skip(f"no Docker Engine can be started here: {said}")
        yield made


def end(process, first):
    """`first` is the first process of its namespaces, with which they end."""
    handle = os.pidfd_open(first)
    process.kill()
    process.wait(BOUND)
    select.select([handle], [], [], BOUND)
    os.close(handle)
    process.stdin.close()
    process.stdout.close()


def remove_groups(name):
    """What is left of the control groups of containers that ended with their machine."""
    for top in pathlib.Path("/sys/fs/cgroup").glob(f"*{name}"), [pathlib.Path("/sys/fs/cgroup" + name)]:
        for group in top:
            for directory, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
