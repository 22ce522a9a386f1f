"""Whether the lab can run on this host's /dev/kvm. A device that opens, and even makes a machine, may yet boot no kernel: usable is what has
booted the lab itself, up to its own KVM, within a bound. The answer is kept until this host boots again.
"""

import json
import os
import pathlib
import time

import cache
import guest
import programs

DEVICE = "/dev/kvm"
BOUND = 45  # seconds; a usable one boots in under ten


def trial(image):
    """None if the lab boots on KVM and has KVM itself; else why not."""
    began, events = time.monotonic(), b""
    machine = guest.Guest(image, "kvm")
    try:
        while machine.open and time.monotonic() - began < BOUND:
            for name, data in machine.read(1):
                events += data if name == "events" else b""
            started, _, _ = events.partition(b"\n")
            if b"\n" in events:
                return None if b"kvm=yes" in started else f"{DEVICE} has no nested virtualisation"
        if machine.open:
            return f"{DEVICE} opens, but booted no kernel within {BOUND} s"
        words = machine.last_words()
        return f"{DEVICE} opens, but runs no machine" + (f" ({words[-1].strip()})" if words else "")
    finally:
        machine.close()


def choose(image, wanted, say):
    """("kvm" or "tcg", why)."""
    if wanted == "tcg":
        return "tcg", "as asked"
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        reason = f"{DEVICE}: {error.strerror.lower()}"
    else:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()

        def once(part):
            say(f"trying {DEVICE}: once until this host boots again, {BOUND} s at most")
            reason = trial(image)
            for old in cache.directory().glob("kvm-*.json"):
                cache.remove(old)
            part.write_text(json.dumps({"boot": boot, "reason": reason}))
        reason = json.loads(cache.made_once(f"kvm-{boot}.json", once, say).read_text())["reason"]
        if reason is None:
            return "kvm", f"{DEVICE} is usable"
    if wanted == "kvm":
        raise programs.Refused(f"--accelerator=kvm: {reason}")
    return "tcg", reason
