#!/usr/bin/python3 -SE
"""Plays smolvm for the launcher's tests: its command lines by version, its state database, and machines that are a process each, which does nothing.
What is run in a machine runs on the host, but the guest's /tmp and /proc/sys are in the machine's directory.

The test writes two files beside it: `version`, what --version says, and `behaviour`, lines of "VERB WORD":
  hang, die, junk, flood, nothing, refuse            instead of what the command does
  hang-after, die-after, junk-after                  after it was done
  create without-cidrs|without-names|without-dns|extra-names|wider|text|no-json  stores another row
  start late|never-ready                             doesn't become ready: the first two times, always
  start no-vmm|dead-vmm                              says "running": none is named, it has ended
  start hidden-vmm|plain-vmm                         one that shows no environment; one that isn't called as smolvm calls its own
  exec deaf|slow                                     says "is not running": always, twice
  exec breaks-off|always-breaks-off                  loses the connection in the middle of a file that is put: the first two times, always
  exec busy|always-busy                              says so of a machine into which a file is to be put: the first three times, always
  exec on-host|odd-kernel|odd-boot                   says the host's kernel and boot id, no kernel, no boot id
  status stranger                                    names the process in the file `stranger`
  egress-events none                                 lists nothing, and else two refusals
  delete keep-row|keep-vmm|shut-directory            and says that it is done

It writes: `log`, a line for each command line; `times`, when each `exec` began, in seconds; `environment`, of the last command.
"""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

HERE = pathlib.Path(sys.argv[0]).parent
WORDS = sys.argv[1:]
VERSION = (HERE / "version").read_text().strip()
NUMBER = tuple(map(int, re.findall(r"[0-9]+", VERSION)[:3]))
KERNEL = "6.12.87-fake\n5f2b9f0e-5d5c-4d0e-9a39-0c1d2e3f4a5b\n"


def fail(status, text):
    print(f"Error: {text}", file=sys.stderr)
    sys.exit(status)


def misbehave(word):
    if word == "hang":
        print("half a li", end="", flush=True)
        signal.pause()
    elif word == "die":
        print("half a li", end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "junk":
        os.write(1, b"\xff\x00{]\x1b[2J\n\n%s%n\n" * 9)
        os.write(2, b"\x80\x00\xfe\n")
        sys.exit(0)
    elif word == "flood":
        for _ in range(32):
            os.write(1, b"x" * 65536)
        sys.exit(0)
    elif word == "nothing":
        sys.exit(0)
    elif word == "refuse":
        fail(1, "agent operation failed: not today")


class Machines:
    """The table of machines, where smolvm has it."""

    def __init__(self):
        path = pathlib.Path(os.environ["XDG_DATA_HOME"]) / "smolvm/server/smolvm.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("CREATE TABLE IF NOT EXISTS vms(name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL)")

    def write(self, name, data):
        self.database.execute("INSERT OR REPLACE INTO vms VALUES(?, ?)", (name, data))

    def read(self, name):
        for data, in self.database.execute("SELECT data FROM vms WHERE name = ?", (name,)):
            if not isinstance(data, bytes):
                fail(1, "database operation failed: Invalid column type Text")
            return json.loads(data)
        fail(1, f"vm not found: {name}")

    def delete(self, name):
        self.database.execute("DELETE FROM vms WHERE name = ?", (name,))


def take_name(words, named):
    """The machine's name: after --name, or by itself before 1.0.2."""
    if named or NUMBER >= (1, 0, 2):
        if words[:1] != ["--name"] or len(words) < 2:
            fail(2, f"unexpected argument {words[:1]}: Usage: smolvm machine --name NAME")
        return words[1], words[2:]
    if not words or words[0].startswith("-"):
        fail(2, "the name is missing")
    return words[0], words[1:]


def options(words, known):
    found = {}
    while words:
        option = words.pop(0)
        if option not in known or option == "--dns" and NUMBER < (1, 2, 5):
            fail(2, f"unexpected argument '{option}' found")
        found[option] = words.pop(0) if known[option] else True
    return found


def directory(name):
    return pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "smolvm/vms" / name


def lives(pid):
    try:
        return pid is not None and pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def create(words, word):
    name, words = take_name(words, False)
    given = options(words, {"--cpus": 1, "--mem": 1, "--allow-host": 1, "--dns": 1, "--allow-cidr": 1, "--net": 0, "--net-backend": 1})
    door = given.get("--allow-host")
    cidrs = [f"{door}/32"] if door else [given["--allow-cidr"]] if "--allow-cidr" in given else None
    row = {"name": name, "state": "created", "pid": None, "cpus": int(given["--cpus"]), "mem": int(given["--mem"]), "network": True,
           "network_backend": given.get("--net-backend", "virtio-net"), "allowed_cidrs": cidrs, "unknown": 1.50}
    if door:
        row["dns_filter_hosts"] = [door]
    if "--dns" in given:
        row["dns"] = given["--dns"]
    for left_out, field in ("without-cidrs", "allowed_cidrs"), ("without-names", "dns_filter_hosts"), ("without-dns", "dns"):
        if word == left_out:
            del row[field]
    if word == "extra-names":
        row["dns_filter_hosts"] = ["elsewhere.test"]
    if word == "wider":
        row["allowed_cidrs"] = ["0.0.0.0/0"]
    text = "{not json" if word == "no-json" else json.dumps(row)
    Machines().write(name, text if word == "text" else text.encode())
    (directory(name) / "tmp").mkdir(parents=True)
    (directory(name) / "sys/net/ipv4").mkdir(parents=True)
    print(f"Created machine: {name}")


def start(words, word):
    name, _ = take_name(words, True)
    machines = Machines()
    row = machines.read(name)
    starts = (HERE / "log").read_text().count("machine start ")
    if word == "never-ready" or word == "late" and starts < 3:
        fail(1, "agent operation failed: wait for ready: agent did not become ready within 30 seconds")
    if word != "no-vmm":
        # A shell that waits for a line which never comes, called as smolvm calls its VMM.
        verb = "plain" if word == "plain-vmm" else "_boot-vm"
        (HERE / verb).write_text("read line\n")
        reads, writes = os.pipe()
        vmm = subprocess.Popen(["smolvm", verb, f"{directory(name)}/boot-config.json"], executable="/bin/sh", cwd=HERE, stdin=reads,
                               pass_fds=[writes], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               env={} if word == "hidden-vmm" else None)
        if word == "dead-vmm" or word == "dies-early" and starts < 3:
            vmm.kill()
            vmm.wait()
        row["pid"] = vmm.pid
        (directory(name) / "agent-console.log").write_bytes(b'a kernel boots\n{"level":"INFO","fields":{"message":"last \\u0001 words","uptime_ms":1}}\n')
    row["state"] = "running" if lives(row["pid"]) or word == "no-vmm" else "stopped"
    machines.write(name, json.dumps(row).encode())
    print(f"Machine '{name}' running (PID: {row['pid']})")


def status(words, word):
    name, _ = take_name(words, True)
    row = Machines().read(name)
    pid = int((HERE / "stranger").read_text()) if word == "stranger" else row["pid"]
    print(json.dumps({"name": name, "state": row["state"], "pid": pid}))


def run(words, word):
    name, words = take_name(words, True)
    row = Machines().read(name)
    with open(HERE / "times", "a+", encoding="utf-8") as times:
        times.write(f"{time.monotonic()}\n")
        times.seek(0)
        tries = len(times.readlines())
    if not lives(row["pid"]) or word == "deaf" or word == "slow" and tries < 3:
        fail(1, f"machine '{name}' is not running. Use 'smolvm machine start --name {name}' first.")
    command = words[words.index("--") + 1:]
    if word in ("busy", "always-busy") and "put" in command and (int(command[-1]) < 3 or word == "always-busy"):
        fail(1, f"agent operation failed: connect: machine '{name}' is not running. Start it with 'smolvm machine start --name {name}'")
    if command[-1] == "/proc/sys/kernel/random/boot_id" and word != "on-host":
        print({"odd-kernel": KERNEL.replace("6.12", "junk"), "odd-boot": KERNEL.replace("5f", "..")}.get(word, KERNEL), end="")
        return
    if word == "on-host":
        os.execvp(command[0], command)
    place = str(directory(name))
    own = [(place + one if one.startswith("/tmp/") else one).replace("/proc/sys/", f"{place}/sys/") for one in command]
    if word in ("breaks-off", "always-breaks-off") and "put" in own and (own[-1] < "2" or word == "always-breaks-off"):
        pathlib.Path(own[-3]).write_bytes(sys.stdin.buffer.read(3))
        fail(1, "io operation failed: connection closed")
    os.execvp(own[0], own)


def end(pid):
    if lives(pid):
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [])


def stop(words, word):
    name, _ = take_name(words, True)
    machines = Machines()
    row = machines.read(name)
    end(row["pid"])
    row.update(state="stopped", pid=None)
    machines.write(name, json.dumps(row).encode())


def delete(words, word):
    if words.pop(0) != "-f":
        fail(1, "do you mean it?")
    name, _ = take_name(words, False)
    machines = Machines()
    row = machines.read(name)
    if word != "keep-vmm":
        end(row["pid"])
    if word != "keep-row":
        machines.delete(name)
    if word == "shut-directory":
        directory(name).chmod(0)
    else:
        shutil.rmtree(directory(name))
    print(f"Deleted machine: {name}")


def events(words, word):
    take_name([each for each in words if each != "--json"], True)
    print(json.dumps([] if word == "none" else [{"timestamp": "", "operation": "connect", "dest": "10.0.0.1:80"}] * 2))


VERBS = {"create": create, "start": start, "status": status, "exec": run, "stop": stop, "delete": delete, "egress-events": events}


def main():
    with open(HERE / "log", "a", encoding="utf-8") as log:
        log.write(" ".join(WORDS) + "\n")
    (HERE / "environment").write_text("".join(f"{name}={value}\n" for name, value in os.environ.items()))
    verb = WORDS[1] if WORDS[0] == "machine" else "version"
    plan = dict(line.split() for line in (HERE / "behaviour").read_text().splitlines())
    word = plan.get(verb, "")
    misbehave(word)
    if verb == "version":
        print(f"smolvm {VERSION}")
    else:
        VERBS[verb](WORDS[2:], word)
    sys.stdout.flush()
    misbehave(word.removesuffix("-after"))


main()
