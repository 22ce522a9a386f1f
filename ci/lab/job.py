"""What the lab is booted for: the disk that tells it, and what comes back. The other end is image/files/usr/local/sbin/lab-job."""

import io
import os
import secrets
import subprocess
import tarfile
import tempfile

import programs

LARGEST = 1 << 30  # bytes of a result: more is none


class Job:
    def __init__(self, build, command, shell, user, report):
        self.home = "/root" if user == "root" else "/home/gate"
        self.report = f"{self.home}/report" if report else ""
        self.user = user
        self.ending = b"\0" + secrets.token_hex(16).encode()
        if shell is not None:
            self.argv = ["sh", "-c", shell]
        else:
            self.argv = ["bottle-gate", *command, *([f"--report={self.report}"] if report else [])]
        self.build = build

    def disk(self):
        """A descriptor of the disk: a tar in memory, that ends with the last who holds it."""
        descriptor = os.memfd_create("lab-job")
        with open(descriptor, "wb", closefd=False) as file, tarfile.open(fileobj=file, mode="w") as tar, \
                tempfile.TemporaryDirectory(prefix="bottle-gate-lab-") as stage:
            programs.run("installing the built gate", ["cmake", "--install", self.build, "--prefix", "/usr/local"],
                         env={**os.environ, "DESTDIR": stage}, stdout=subprocess.DEVNULL)
            tar.add(stage, "gate", filter=owned_by_root)
            for name, content in (("argv", b"".join(word.encode(errors="surrogateescape") + b"\0" for word in self.argv)),
                                  ("user", self.user.encode()), ("report", self.report.encode()), ("ending", self.ending)):
                member = tarfile.TarInfo(f"job/{name}")
                member.size, member.mode = len(content), 0o600  # the ending is nobody's business
                tar.addfile(member, io.BytesIO(content))
        return descriptor


def owned_by_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


class Stream:
    """Passes on what the command wrote, as it comes, up to the ending."""

    def __init__(self, output, ending):
        self.output, self.ending, self.held, self.ended = output, ending, b"", False

    def take(self, data):
        if self.ended:
            return
        self.held += data
        at = self.held.find(self.ending)
        if at >= 0:
            self.ended, ready, self.held = True, self.held[:at], b""
        else:
            # The ending may have come in part.
            keep = max(n for n in range(len(self.ending)) if self.held.endswith(self.ending[:n]))
            ready, self.held = self.held[:len(self.held) - keep], self.held[len(self.held) - keep:]
        self.output.write(ready)
        self.output.flush()


class Result:
    """The length of a tar as a line, then the tar. Only a whole one is a result."""

    def __init__(self):
        self.bytes = b""

    def take(self, data):
        self.bytes += data
        if len(self.bytes) > LARGEST:
            raise programs.Broken("sent a result that is too large")

    def whole(self):
        """The tar, or None as long as it hasn't all come."""
        line, newline, content = self.bytes.partition(b"\n")
        if not newline:
            return None
        if not line.isdigit():
            raise programs.Broken("sent a result that can't be read")
        return content if len(content) == int(line) else None

    def unpack(self, directory):
        """The command's exit status. The report's files go to `directory`, if one is given."""
        try:
            with tarfile.open(fileobj=io.BytesIO(self.whole()), mode="r:") as tar:
                members = {os.path.normpath(member.name): member for member in tar.getmembers()}
                status = int(tar.extractfile(members["status"]).read())
                if directory:
                    for name, member in members.items():
                        if name.startswith("report/"):  # normal: with no .. in it
                            keep(tar, member, os.path.join(directory, name[len("report/"):]))
        except (tarfile.TarError, KeyError, ValueError, AttributeError) as error:
            raise programs.Broken(f"sent a result that can't be read ({error})") from None
        return status, any(name.startswith("report/") for name in members)


def keep(tar, member, path):
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.isreg():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(tar.extractfile(member).read())
