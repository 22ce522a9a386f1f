"""A sandbox without a network whose port 3128 leads to a proxy on the host's loopback, as agents' sandboxes are made.

  behind_proxy.py SETTING... -- COMMAND...

SETTINGs are tinyproxy's own lines. In place of them, "relay PORT" leads there with no proxy between, and "swallow" to a listener that reads and says nothing.
"""

import os
import pathlib
import select
import socket
import subprocess
import sys
import tempfile
import threading

PROXY = 20000 + os.getuid() % 1000  # two of them run side by side


def pump(one, other):
    with one, other:
        ends = {one: other, other: one}
        while True:
            for ready in select.select(list(ends), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                ends[ready].sendall(data)


def relay(listener, dial):
    def serve():
        while True:
            guest = listener.accept()[0]
            try:
                threading.Thread(target=pump, args=(guest, dial()), daemon=True).start()
            except OSError:
                guest.close()

    threading.Thread(target=serve, daemon=True).start()


def swallow(listener):
    def serve():
        guests = []
        while True:
            guests.append(listener.accept()[0])

    threading.Thread(target=serve, daemon=True).start()


def start_proxy(settings, directory):
    (directory / "conf").write_text("\n".join([f"Port {PROXY}", "Listen 127.0.0.1", "Timeout 20", "LogLevel Info", *settings]) + "\n")
    proxy = subprocess.Popen(["tinyproxy", "-d", "-c", directory / "conf"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    for line in proxy.stdout:
        if b"Accepting connections" in line:
            threading.Thread(target=proxy.stdout.read, daemon=True).start()
            return
    raise SystemExit("tinyproxy did not start")


def outside(settings, command):
    directory = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    port = PROXY
    if settings[0].startswith("relay "):
        port = int(settings[0].split()[1])
    elif settings[0] == "swallow":
        swallow(socket.create_server(("127.0.0.1", PROXY)))
    else:
        start_proxy(settings, directory)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "socket"))
    listener.listen(64)
    relay(listener, lambda: socket.create_connection(("127.0.0.1", port)))
    return subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--tmpfs", "/run", "--dev", "/dev", "--proc", "/proc",
                           sys.executable, __file__, str(directory / "socket"), *command], check=False).returncode


def inside(path, command):
    def dial():
        there = socket.socket(socket.AF_UNIX)
        there.connect(path)
        return there

    relay(socket.create_server(("127.0.0.1", 3128)), dial)
    return subprocess.run(command, env={**os.environ, "HTTPS_PROXY": "http://me:s%65cret@localhost:3128"}, check=False).returncode


if "--" in sys.argv:
    split = sys.argv.index("--")
    sys.exit(outside(sys.argv[1:split], sys.argv[split + 1:]))
sys.exit(inside(sys.argv[1], sys.argv[2:]))
