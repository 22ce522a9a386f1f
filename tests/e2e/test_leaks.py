"""Leaks made by hand, outside of everything that is tested: each turns exactly its own attempts ESCAPED.

The probe stops itself in the fenced bottle (leaks/seam.c); the test makes the leak with nsenter and lets it go on, once
for each principal. What must escape follows from the report's targets by the rules of leaks/targets.py.
"""

import contextlib
import os
import select
import socket
import threading

import pytest

from conftest import BOUND
from leaks import targets
from leaks.plumbing import HeldGate, Relay, lay_cable, socket_in
from other_probe import workshop  # noqa: F401, a fixture

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can enter a bottle from outside")

PRINCIPALS = ("user", "root")


@pytest.fixture
def held(account, workshop):  # noqa: F811
    """The account, with an install whose probe holds still."""
    return workshop.account(account, "leaks/seam.c")


def judge(gate, leaks):
    """The run must say FAIL; the attempts for which leaks() is true, and no others, must have escaped. Returns those."""
    status, report = gate.report()
    said = {(a["id"], a["target"], a["principal"]): a for a in report["attempts"]}
    escaped = {key for key, attempt in said.items() if attempt["verdict"] == "ESCAPED"}
    expected = {key for key, attempt in said.items() if leaks(attempt)}
    assert expected, "the rule fits no attempt"
    assert escaped - expected == set(), "escaped, and should not"
    assert expected - escaped == set(), "leaked, and was not noticed"
    others = {key: attempt["reason"] for key, attempt in said.items()
              if key not in expected and attempt["verdict"] != "BLOCKED"}
    assert others == {}, report["reason"]
    assert (status, report["verdict"]) == (1, "FAIL")
    return [said[key] for key in sorted(expected)]


def principals_of(attempts):
    return {attempt["principal"] for attempt in attempts}


def by_nonce(attempt):
    """Was its nonce heard, if it has one?"""
    return not targets.carries_a_nonce(attempt) or any(hit["by"] == "nonce" for hit in attempt["hits"])


def leak_by_cable(held, leaks, **cable):
    with HeldGate(held) as gate:
        for principal in PRINCIPALS:
            scene = gate.hold()
            if principal == "user":
                lay_cable(scene, **cable)
            gate.go_on(scene)
        return judge(gate, leaks)


def leak_by_relay(held, make, leaks):
    """make(relay, scene, principal) sets up what leaks for each principal."""
    with HeldGate(held) as gate:
        relay = Relay()
        gate.cleanup.callback(relay.close)
        for principal in PRINCIPALS:
            scene = gate.hold()
            make(relay, scene, principal)
            gate.go_on(scene)
        return judge(gate, leaks)


def test_one_tcp_port_by_a_relay(held):
    def make(relay, scene, principal):
        if principal == "user":
            relay.tcp(scene, "8.8.4.4", 80)
    escaped = leak_by_relay(held, make, lambda attempt: attempt["target"] == "8.8.4.4:80/tcp")
    assert {attempt["id"] for attempt in escaped} == {"BG-061"} and principals_of(escaped) == set(PRINCIPALS)
    for attempt in escaped:
        assert {hit["witness"] for hit in attempt["hits"] if hit["by"] == "nonce"} >= {"tcp", "capture"}
        assert attempt["probe"]["stage"] == "answered"


LATE = "203.0.113.61"  # each principal has a port of its own here, so that a late SYN is known to be whose it is


def leak_late(held, ready_of):
    def make(relay, scene, principal):
        relay.tcp(scene, LATE, scene.planned(principal, "BG-061", LATE), ready_of(scene))
    escaped = leak_by_relay(held, make, lambda attempt: attempt["target"].startswith(f"{LATE}:"))
    assert principals_of(escaped) == set(PRINCIPALS)
    for attempt in escaped:
        assert by_nonce(attempt)
        assert attempt["probe"]["received"] == 0, "the relay answered in time: it was not late"


def test_a_relay_that_passes_on_what_it_took_800_ms_later(held):
    leak_late(held, lambda scene: lambda: threading.Event().wait(0.8))


def test_a_relay_that_passes_on_what_it_took_when_the_bottle_is_gone(held):
    with contextlib.ExitStack() as handles:
        def ready_of(scene):
            handle = os.pidfd_open(scene.init)
            handles.callback(os.close, handle)

            def wait():
                select.select([handle], [], [], BOUND)
                threading.Event().wait(0.4)  # well into the second that the witnesses listen on
            return wait
        leak_late(held, ready_of)


def test_abstract_sockets_by_a_relay(held):
    def make(relay, scene, principal):
        if principal == "user":
            relay.stream(scene, socket.AF_UNIX, "\0bg-114")
            relay.datagrams(scene, socket.AF_UNIX, "\0bg-114.d")
    escaped = leak_by_relay(held, make, lambda attempt: targets.is_abstract(attempt, "bg-114"))
    assert len(escaped) == 4 and all(map(by_nonce, escaped))


def test_an_inherited_connection(held):
    givers = []

    def give(listener, connection):
        channel, _ = listener.accept()
        with listener, channel, connection:
            socket.send_fds(channel, [b"!"], [connection.fileno()])

    def make(relay, scene, principal):
        connection = socket_in(scene.site, socket.AF_INET, socket.SOCK_STREAM)
        connection.connect(("203.0.113.116", 4116))
        listener = socket_in(scene.bottle, socket.AF_UNIX, socket.SOCK_STREAM, "\0leak-descriptor")
        listener.listen()
        relay.start(give, listener, connection)
    escaped = leak_by_relay(held, make, lambda attempt: targets.transport(attempt) == "descriptor")
    assert principals_of(escaped) == set(PRINCIPALS) and all(map(by_nonce, escaped))


def test_icmp_alone(held):
    escaped = leak_by_cable(held, lambda attempt: targets.transport(attempt) == "icmp" and targets.leaves_by_cable(attempt),
                            rules="icmp type echo-request accept; icmpv6 type echo-request accept; reject")
    assert {targets.version(attempt) for attempt in escaped} == {4, 6} and all(map(by_nonce, escaped))


def test_ipv6_alone(held):
    escaped = leak_by_cable(held, lambda attempt: targets.version(attempt) == 6 and targets.leaves_by_cable(attempt),
                            version4=False)
    assert {targets.transport(attempt) for attempt in escaped} >= {"tcp", "udp", "icmp"} and all(map(by_nonce, escaped))


def test_ipv4_with_a_source_that_nobody_masquerades(held):
    escaped = leak_by_cable(held, lambda attempt: targets.version(attempt) == 4 and targets.leaves_by_cable(attempt),
                            version6=False, masquerade=False)
    for attempt in escaped:
        assert by_nonce(attempt)
        assert all(hit["peer"].split(":")[0] == "172.30.0.2" for hit in attempt["hits"])


@pytest.mark.parametrize("leaking, kept_in", [("root", 65534), ("user", 0)])
def test_bare_syns_of_one_principal_alone(held, leaking, kept_in):
    if not held.is_root:
        pytest.skip("both principals have one uid outside where the gate runs as an ordinary user")

    def leaks(attempt):
        return attempt["principal"] == leaking and targets.transport(attempt) == "tcp" and targets.leaves_by_cable(attempt)
    escaped = leak_by_cable(held, leaks, rules=f"meta skuid {kept_in} reject; tcp flags & (syn | ack) == syn accept;"
                                               " meta l4proto tcp drop; reject")
    plain = [attempt for attempt in escaped if attempt["id"] == "BG-061" and targets.version(attempt) == 4]
    assert len({targets.port(attempt) for attempt in plain}) > 4
    assert all(hit["by"] == "tuple" for attempt in plain for hit in attempt["hits"])


TO_THE_HOST = "ip daddr 10.77.0.1 accept; ip6 daddr fd77::1 accept; reject"


def test_the_host_itself_by_a_cable(held):
    escaped = leak_by_cable(held, targets.reaches_the_host, rules=TO_THE_HOST)
    assert {targets.version(attempt) for attempt in escaped} == {4, 6} and all(map(by_nonce, escaped))
    assert {targets.transport(attempt) for attempt in escaped} == {"tcp", "udp"}


def test_the_host_itself_by_datagrams_over_a_cable(held):
    escaped = leak_by_cable(held, lambda attempt: targets.reaches_the_host(attempt) and targets.transport(attempt) == "udp",
                            rules=f"meta l4proto tcp reject; {TO_THE_HOST}")
    assert {targets.version(attempt) for attempt in escaped} == {4, 6} and all(map(by_nonce, escaped))
    assert {(hit["witness"], hit["point"]) for attempt in escaped for hit in attempt["hits"]} == {("host", "host")}


def test_the_host_itself_by_bare_syns_over_a_cable(held):
    escaped = leak_by_cable(held, lambda attempt: targets.reaches_the_host(attempt) and targets.transport(attempt) == "tcp",
                            rules="ip6 daddr fd77::1 tcp flags & (syn | ack) == syn accept;"
                                  " ip daddr 10.77.0.1 tcp flags & (syn | ack) == syn accept; meta l4proto tcp drop; reject")
    assert {targets.version(attempt) for attempt in escaped} == {4, 6}
    assert any(hit["by"] == "tuple" and hit["witness"] == "host" for attempt in escaped for hit in attempt["hits"])


def test_a_cable_whose_packets_the_host_drops_is_no_leak(held):
    with HeldGate(held) as gate:
        for principal in PRINCIPALS:
            scene = gate.hold()
            if principal == "user":
                lay_cable(scene, dropped=True)
            gate.go_on(scene)
        status, report = gate.report()
    others = {attempt["id"]: attempt["reason"] for attempt in report["attempts"] if attempt["verdict"] != "BLOCKED"}
    assert others == {}, report["reason"]
    assert (status, report["verdict"]) == (0, "PASS")
