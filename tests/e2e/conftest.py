"""What the end-to-end tests share: the installed programs, and running them as root and as an ordinary user."""

import contextlib
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36
BOUND = 120  # seconds; a bound on hangs, not an expectation


def pytest_configure(config):
    # What was started in the background by a script ignores it, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Orphans come to us, so that a process that a program left behind can be seen.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.fixture(scope="session")
def programs():
    """The build, installed where an ordinary user can reach it."""
    build = os.environ.get("BOTTLE_BUILD", str(TOP / "build"))
    with tempfile.TemporaryDirectory(prefix="e2e-") as prefix:
        os.chmod(prefix, 0o755)
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        yield pathlib.Path(prefix) / "bin"


class Account:
    """Somebody who runs programs: root, or an ordinary user who owns nothing."""

    def __init__(self, name, programs, home):
        self.name, self.programs, self.home = name, programs, home
        self.is_root = name == "root"
        self.uid = 0 if self.is_root else NOBODY if os.getuid() == 0 else os.getuid()

    def prefix(self):
        if self.is_root or os.getuid() != 0:
            return []
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    def environment(self, extra=None):
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home), **(extra or {})}

    def command(self, program, *arguments):
        # A whole sweep takes seconds of processor time; what is not about it does with a sample.
        if program == "bottle-gate" and arguments[:1] == ("run",) and not any(a.startswith("--sweep") for a in arguments):
            arguments = ("run", "--sweep=sample", *arguments[1:])
        return [*self.prefix(), str(self.programs / program), *arguments]

    def run(self, program, *arguments, environment=None, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(program, *arguments), text=True, timeout=BOUND,
                              env=self.environment(environment), **options)

    def start(self, program, *arguments, **options):
        return subprocess.Popen(self.command(program, *arguments), env=self.environment(), **options)


@pytest.fixture(params=["root", "user"])
def account(request, programs, tmp_path_factory):
    if request.param == "root" and os.getuid() != 0:
        pytest.skip("not root")
    home = tmp_path_factory.mktemp("home")
    directory = home
    while directory != pathlib.Path(tempfile.gettempdir()):  # pytest makes these 0700
        os.chmod(directory, 0o755)
        directory = directory.parent
    if os.getuid() == 0 and request.param == "user":
        os.chown(home, NOBODY, NOBODY)
    return Account(request.param, programs, home)


def children():
    """Pids of our own children, adopted orphans included."""
    found = set()
    for task in pathlib.Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended has no children
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def reap_orphans(family):
    """What the init of a machine does: a PID namespace can't end before the last zombie in it is reaped, in whatever order."""
    while fresh := children() - family:
        handles = {}
        for pid in fresh:
            try:
                handles[os.pidfd_open(pid)] = pid
            except ProcessLookupError:
                continue
        ended, _, _ = select.select(list(handles), [], [], BOUND)
        for handle, pid in handles.items():
            if handle in ended:
                os.waitpid(pid, 0)
            os.close(handle)
        assert ended or not handles, f"processes {fresh} were left behind"


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Whatever a test did, no process, mount, interface or file of ours remains."""
    def look():
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        interfaces = sorted(os.listdir("/sys/class/net"))
        files = sorted(name for name in os.listdir("/tmp") if name.startswith("bottle-gate"))
        return mounts, interfaces, files
    before, family = look(), children()
    yield
    reap_orphans(family)
    assert look() == before


@pytest.fixture
def terminal(account):
    """Starts `bottle` on a terminal of ours."""
    from terminals import Terminal  # it needs this module
    opened = []

    def start(*arguments, **options):
        opened.append(Terminal(account, *arguments, **options))
        return opened[-1]
    yield start
    for one in opened:
        one.close()
