"""Watches a lab from outside until it has handed back its result. One that stops, freezes, or takes too long gives none: it is Broken."""

import sys
import time

import job
import programs

BOOT = (120, 300)  # seconds until the inside of the lab must have started: at the first try, and at the next
SILENCE = 150  # seconds without a sign of life, of which it gives one every five


class NotBooted(programs.Broken):
    """It froze before anything ran in it: an emulated machine with two processors does so at times. Another one may be started."""


def watch(machine, work, seconds, say, verbose, boot=BOOT[-1]):
    """The whole result of the job that the machine was started with."""
    streams = {"stdout": job.Stream(sys.stdout.buffer, work.ending), "stderr": job.Stream(sys.stderr.buffer, work.ending)}
    result = job.Result()
    began = heard = time.monotonic()
    started, events = False, b""

    while not (result.whole() is not None and all(stream.ended for stream in streams.values())):
        came = machine.read(1)
        for name, data in came:
            if name in streams:
                streams[name].take(data)
            elif name == "result":
                result.take(data)
            elif name == "events":
                heard, started = time.monotonic(), True
                events += data
                *lines, events = events.split(b"\n")
                for line in lines:
                    tell(line.decode(errors="replace"), time.monotonic() - began, say)
            elif verbose:
                sys.stderr.buffer.write(data)
                sys.stderr.buffer.flush()
        now = time.monotonic()
        if not machine.open:
            raise programs.Broken("stopped before it gave a result")
        if now - began > seconds:
            raise programs.Broken(f"gave no result in {seconds:g} s")
        if not started and now - began > boot:
            raise NotBooted(f"did not boot in {boot} s")
        if started and not came and now - heard > SILENCE:
            raise programs.Broken(f"froze: no sign of life for {SILENCE} s")
    return result


def until_booted(lab, say):
    """What lab(SECONDS) returns, the seconds being those that it may take to boot: a lab in which nothing ran is followed by another."""
    for boot in BOOT:
        try:
            return lab(boot)
        except NotBooted as error:
            if boot == BOOT[-1]:
                raise
            say(f"{error}; nothing ran in it: booting another")


def tell(event, seconds, say):
    if event.startswith("started"):
        say(f"booted in {seconds:.0f} s: {event.partition(' ')[2]}")
    elif event.startswith("status"):
        say(f"ended after {seconds:.0f} s: exit {event}")
    elif event not in ("alive", "running"):
        say(event)
