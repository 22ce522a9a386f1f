"""Making leaks from outside a bottle: finding the probe that holds still in it, its namespaces, cables and relays."""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import threading
import time

from conftest import BOUND

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TICK = 0.005  # seconds between two looks at processes that give no sign


def children(pid):
    try:
        return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def status(pid):
    """(name, state letter) of a process, or (None, None)."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None, None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    return name, rest.split()[0]


class Scene:
    """One principal's probe, stopped in the fenced bottle before it has tried anything."""

    def __init__(self, probe, phase):
        self.probe, self.phase = probe, phase
        self.bottle = f"/proc/{probe}/ns/net"
        self.site = f"/proc/{phase}/ns/net"  # the site's host namespace
        own = os.stat(self.bottle).st_ino
        self.init = next(pid for pid in children(phase) if status(pid)[0] == "bottle-init"
                         and os.stat(f"/proc/{pid}/ns/net").st_ino == own)  # a second bottle has one too
        assert os.stat(self.bottle).st_ino != os.stat(self.site).st_ino, "the bottle is not fenced"

    def planned(self, principal, vector, address):
        """The port of a planned attempt, out of the plan that lies in the bottle."""
        plan = pathlib.Path(f"/proc/{self.probe}/root/tmp/plan-{principal}").read_text(encoding="ascii")
        lines = [line.split() for line in plan.splitlines()]
        ports = [int(line[6]) for line in lines if line[1] == "attempt" and line[3] == vector and line[5] == address]
        assert len(ports) == 1, (vector, address)
        return ports[0]


class HeldGate:
    """A gate whose probe (leaks/seam.c) stops itself in the fenced bottle; a JSON report comes out in the end."""

    def __init__(self, account, *arguments):
        self.process = account.start("bottle-gate", "run", "--format=json", *arguments, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen = set()
        self.cleanup = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        self.cleanup.close()

    def hold(self):
        """Waits for the next probe that has stopped itself."""
        handle, deadline = os.pidfd_open(self.process.pid), time.monotonic() + BOUND
        try:
            while time.monotonic() < deadline:
                for phase in children(self.process.pid):
                    for pid in children(phase):
                        if pid not in self.seen and status(pid) == ("bottle-probe", "T"):
                            self.seen.add(pid)
                            return Scene(pid, phase)
                ended, _, _ = select.select([handle], [], [], TICK)
                assert not ended, "the gate ended before its probe had started: " + self.process.stderr.read()
        finally:
            os.close(handle)
        raise AssertionError("no probe stopped in a bottle")

    def go_on(self, scene):
        os.kill(scene.probe, signal.SIGCONT)

    def report(self):
        """(exit status, report)."""
        out, errors = self.process.communicate(timeout=BOUND)
        assert errors == "", errors
        return self.process.returncode, json.loads(out)


def enter(namespace):
    with open(namespace, encoding="ascii") as file:
        if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def socket_in(namespace, family, kind, name=None):
    """A socket of the network namespace, bound to `name`. A thread enters a namespace for itself alone."""
    made = []

    def make():
        try:
            enter(namespace)
            made.append(socket.socket(family, kind))
            if name is not None:
                made[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made[0].bind(name)
        except OSError as failure:
            made.append(failure)
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[-1], OSError):
        raise made[-1]
    return made[0]


def shell_in(namespace, script):
    subprocess.run(["nsenter", f"--net={namespace}", "sh", "-e", "-c", script], check=True, timeout=BOUND)


MASQUERADE = """table inet leak {
  chain out {
    type nat hook postrouting priority srcnat
    iifname leak0 oifname lan0 masquerade
  }
}"""
JUDGED = """table inet leak {
  chain judged {
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
    %s
  }
  chain out {
    type filter hook output priority filter
    oifname eth0 jump judged
  }
}"""


DROPPED = """table inet fence {
  chain to_the_host {
    type filter hook input priority filter
    iifname leak0 drop
  }
  chain beyond_it {
    type filter hook forward priority filter
    iifname leak0 drop
  }
}"""


def lay_cable(scene, *, version4=True, version6=True, masquerade=True, rules="", dropped=False):
    """A veth from the bottle to the site's host namespace, which routes it on, or drops all that comes by it; `rules` are nft
    rules for what the bottle sends over it."""
    outside, inside = [], []
    outside.append(f"ip link add leak0 type veth peer name eth0 netns {scene.probe}")
    outside.append("ip link set leak0 up")
    inside.append("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad")
    inside.append("ip link set eth0 up")
    if version4:
        outside += ["ip address add 172.30.0.1/24 dev leak0", "echo 1 >/proc/sys/net/ipv4/ip_forward"]
        inside += ["ip address add 172.30.0.2/24 dev eth0", "ip route add default via 172.30.0.1"]
    if version6:
        outside += ["ip address add fd30::1/64 dev leak0 nodad", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"]
        inside += ["ip address add fd30::2/64 dev eth0 nodad", "ip route add default via fd30::1"]
    if dropped:
        outside.append(f"nft '{DROPPED}'")
    if not version6:
        inside.append("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    if masquerade:
        outside.append(f"nft '{MASQUERADE}'")
    if rules:
        inside.append(f"nft '{JUDGED % rules}'")
    shell_in(scene.site, "\n".join(outside))
    shell_in(scene.bottle, "\n".join(inside))


class Relay:
    """Listens in the bottle and carries what comes there to the same name or address outside."""

    def __init__(self):
        self.threads, self.sockets = [], []

    def listen(self, scene, family, kind, where):
        """(a bound socket in the bottle, the sockets in the site that carry on); the latter are made now, because a
        namespace may have no process any more when they are needed."""
        inner = socket_in(scene.bottle, family, kind, where)
        outer = [socket_in(scene.site, family, kind) for _ in range(4)]
        self.sockets += [inner, *outer]
        return inner, outer

    def start(self, function, *arguments):
        self.threads.append(threading.Thread(target=function, args=arguments))
        self.threads[-1].start()

    def tcp(self, scene, address, port, ready=None):
        """Connections to an address that becomes the bottle's own; outside, they are made once ready() has returned."""
        shell_in(scene.bottle, f"ip address replace {address}/32 dev lo")
        self.stream(scene, socket.AF_INET, (address, port), ready)

    def stream(self, scene, family, where, ready=None):
        listener, outer = self.listen(scene, family, socket.SOCK_STREAM, where)
        listener.listen()
        self.start(self.accept, listener, outer, where, ready)

    def datagrams(self, scene, family, where):
        inner, outer = self.listen(scene, family, socket.SOCK_DGRAM, where)
        self.start(self.repeat, inner, outer[0], where)

    def accept(self, listener, outer, where, ready):
        with contextlib.suppress(OSError):  # of the closed listener
            while True:
                inner, _ = listener.accept()
                self.start(self.carry, inner, outer.pop(), where, ready)

    @staticmethod
    def carry(inner, outer, where, ready):
        with inner, outer:
            if ready is not None:
                ready()
            outer.settimeout(BOUND)
            outer.connect(where)
            others = {inner: outer, outer: inner}
            while others:
                readable, _, _ = select.select(list(others), [], [], BOUND)
                for source in readable:
                    other = outer if source is inner else inner
                    try:
                        data = source.recv(65536)
                        other.sendall(data)
                        if not data:
                            other.shutdown(socket.SHUT_WR)
                    except OSError:
                        data = b""
                    if not data:
                        del others[source]
                if not readable:
                    return

    @staticmethod
    def repeat(inner, outer, where):
        with contextlib.suppress(OSError):
            while data := inner.recv(65536):
                outer.sendto(data, where)

    def close(self):
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(BOUND)
            assert not thread.is_alive()
        for one in self.sockets:
            one.close()
