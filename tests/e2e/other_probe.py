"""Installs of the programs with another probe in the place of bottle-probe.

A probe for a test is made from the project's own probe sources and one more object, linked as CMakeLists.txt links the
real one. The gate takes the probe's digest from the file that it starts, so it accepts what stands in its place.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import TOP, Account

HERE = pathlib.Path(__file__).resolve().parent


class Workshop:
    """Compiles the probe's sources once, and links each test's object to them when it is first asked for."""

    def __init__(self, directory, programs):
        self.directory, self.programs = directory, programs
        multiarch = subprocess.run(["gcc", "-print-multiarch"], check=True, capture_output=True, text=True).stdout.strip()
        self.compiler = ["musl-gcc", "-std=gnu17", "-static", "-Os", "-s", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow",
                         "-Wconversion", "-Werror", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections",
                         "-idirafter", "/usr/include", "-idirafter", f"/usr/include/{multiarch}"]

    @contextlib.contextmanager
    def locked(self):
        """Test processes that run side by side share the directory."""
        with open(self.directory / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def objects(self):
        objects = self.directory / "objects"
        if not objects.exists():
            fresh = self.directory / "objects.new"
            fresh.mkdir()
            sources = [*(TOP / "probes").glob("*.c"), *(TOP / "probes/mechanisms").glob("*.c")]
            subprocess.run([*self.compiler, "-c", *map(str, sources)], check=True, cwd=fresh)
            fresh.rename(objects)
        return [str(path) for path in sorted(objects.glob("*.o"))]

    def probe(self, source, *options):
        """The real probe and `source` (a path below this folder) in one static program; returns its path."""
        with self.locked():
            program = self.directory / ("probe-" + source.replace("/", "-").removesuffix(".c"))
            if not program.exists():
                subprocess.run([*self.compiler, *options, "-o", f"{program}.new", str(HERE / source), *self.objects()],
                               check=True)
                os.rename(f"{program}.new", program)
        return program

    def program(self, source, *options):
        """`source` alone, with a main of its own; returns the path of the static program."""
        with self.locked():
            program = self.directory / ("program-" + source.replace("/", "-").removesuffix(".c"))
            if not program.exists():
                subprocess.run([*self.compiler, *options, "-o", f"{program}.new", str(HERE / source)], check=True)
                os.rename(f"{program}.new", program)
        return program

    def install(self, probe):
        """The programs' directory of an install that is the tested one but for its probe."""
        with self.locked():
            prefix = self.directory / f"install-{probe.name}"
            if not prefix.exists():
                fresh = self.directory / f"install-{probe.name}.new"
                shutil.copytree(self.programs.parent, fresh)
                shutil.copy(probe, fresh / "libexec/bottle-gate/bottle-probe")
                fresh.rename(prefix)
        return prefix / "bin"

    def account(self, account, source, *options):
        """`account` with an install whose probe is made with `source`."""
        return Account(account.name, self.install(self.probe(source, *options)), account.home)


@pytest.fixture(scope="session")
def workshop(programs, tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    directory = base
    while directory != pathlib.Path(tempfile.gettempdir()):  # pytest makes these 0700
        os.chmod(directory, 0o755)
        directory = directory.parent
    (base / "workshop").mkdir(mode=0o755, exist_ok=True)
    return Workshop(base / "workshop", programs)
