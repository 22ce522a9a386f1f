"""Which attempts a leak lets out, by rules over the targets that a report names: no list of vectors stands here.

A rule is a function from an attempt of report.json to bool. A new kind of target needs a word here only if it is a new
kind of address.
"""

import ipaddress

HOST = {ipaddress.ip_address("10.77.0.1"), ipaddress.ip_address("fd77::1")}  # the site's host, on its LAN
LIMITED_BROADCAST = ipaddress.ip_address("255.255.255.255")
LAN = ipaddress.ip_network("10.77.0.0/24")


def transport(attempt):
    """tcp, udp, icmp, unix, group ... : the word after the last slash of a target."""
    return attempt["target"].rsplit("/", 1)[1]


def address(attempt):
    """The target's IP address as packets carry it (an IPv4-mapped one is IPv4), or None where it has none."""
    text = attempt["target"].split("/", 1)[0]
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    text = text.split("%", 1)[0]
    if "*" in text:  # the plan has put bits of the nonce there
        text = text.replace("*", "1" if ":" in text else ".".join("1" * (4 - text.count("."))))
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def port(attempt):
    text = attempt["target"].split("/", 1)[0]
    return int(text.rsplit(":", 1)[1]) if "]:" in text or text.count(":") == 1 else None


def crosses_a_router(attempt):
    """Does a packet to this target go to a default route, and beyond the first machine there?

    What is loopback, of one link, of a group, a broadcast or the host itself does not.
    """
    to = address(attempt)
    if to is None or to in HOST or to == LIMITED_BROADCAST or to == LAN.broadcast_address:
        return False
    return not (to.is_loopback or to.is_unspecified or to.is_multicast or to.is_link_local and to.version == 6)


def reaches_the_host(attempt):
    """Does it go to the host itself, by its address on the LAN?"""
    return address(attempt) in HOST


def is_gateway(attempt):
    """Does it go to whatever gateway the bottle has?"""
    return attempt["target"].startswith("gateway(")


EVERY_HOST = {ipaddress.ip_address("224.0.0.1"), ipaddress.ip_address("ff02::1")}  # the groups that nobody has to join


def is_let_in(attempt):
    """Does it end at the host where a cable joins the bottle to it? The host is the bottle's gateway then. Groups that nobody
    on the host has joined end nowhere."""
    to = address(attempt)
    return is_gateway(attempt) or to in HOST | EVERY_HOST or to == LIMITED_BROADCAST or to == LAN.broadcast_address


def leaves_by_cable(attempt):
    """What a witness hears where a cable joins the bottle to the host, which routes everything on."""
    return crosses_a_router(attempt) or is_let_in(attempt)


def version(attempt):
    if is_gateway(attempt):
        return 6 if "IPv6" in attempt["target"] else 4
    to = address(attempt)
    return None if to is None else to.version


def is_abstract(attempt, name):
    """Is it @NAME, or the datagram socket beside it?"""
    return transport(attempt) == "unix" and attempt["target"].split("/", 1)[0] in (f"@{name}", f"@{name}.d")


def carries_a_nonce(attempt):
    """Or is it known only by where it goes? So are a bare SYN, the case of a name's letters and an IPv4 group report; and
    nothing answers for an IPv4 address in the lowest bits of IPv6."""
    by_target = attempt["id"] == "BG-070" or attempt["target"] == "76.76.2.0:53/udp" or (
        attempt["target"].endswith("/group") and ":" not in attempt["target"])
    return not by_target and not (attempt["target"].startswith("[::127.0.0.1]") and attempt["target"].endswith("/tcp"))
