"""smolvm for the lab: the wheel that wheels.txt pins, unpacked onto a disk that the lab mounts read-only at /opt/smolvm.

Its disk templates are left out: unpacking their 10 and 20 GB takes minutes where the processor is emulated, and without them smolvm makes its disks
with mkfs.ext4. `bin/smolvm` starts it as an installed one would be started.
"""

import hashlib
import pathlib
import subprocess
import zipfile

import cache
import programs

HERE = pathlib.Path(__file__).resolve().parent
PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_34_x86_64"]
STARTER = """#!/bin/sh
for tar in /opt/smolvm/smol/agent-rootfs.tar*; do export SMOLVM_LIB_DIR=/opt/smolvm/smol SMOLVM_AGENT_ROOTFS_TAR="$tar"; done
exec /opt/smolvm/smol/smol-vmm "$@"
"""


def pinned():
    """Version -> (line of the table, sha256)."""
    table = {}
    for line in (HERE / "wheels.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            requirement, _, digest = line.partition(" --hash=sha256:")
            table[requirement.partition("==")[2]] = (line, digest)
    return table


def download(version, part, say):
    line, digest = pinned()[version]
    say(f"fetching smolvm {version}: once")
    part.mkdir()
    (part / "requirements").write_text(line + "\n")
    programs.run(f"fetching smolvm {version}", [
        "/usr/bin/python3", "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:",
        "--implementation=cp", "--python-version=3.11", "--abi=abi3", "--abi=none", *(f"--platform={one}" for one in PLATFORMS),
        "--dest=.", "--requirement=requirements"], cwd=part, stdout=subprocess.DEVNULL)
    wheel, = part.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise programs.Refused(f"{wheel.name} is not the one that wheels.txt pins")
    return wheel


def make(version, part, say):
    part.mkdir()
    wheel = download(version, part / "download", say)
    root = part / "root"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(root)
    for template in root.glob("smol/*-template.ext4*"):
        template.unlink()
    (root / "smol" / "smol-vmm").chmod(0o755)
    (root / "bin").mkdir()
    (root / "bin" / "smolvm").write_text(STARTER)
    (root / "bin" / "smolvm").chmod(0o755)
    programs.run("making the engine's disk", ["fakeroot", "sh", "-c", "chmod -R a+rX root && truncate -s 512M disk && mke2fs -q -F -t ext4 -d root disk"],
                 cwd=part, stdout=subprocess.DEVNULL)
    return part / "disk"


def get(version, say):
    """The disk with that version of smolvm."""
    _, digest = pinned()[version]
    recipe = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:8]

    def once(part):
        work = part.with_name(f"{part.name}-work")
        cache.remove(work)
        try:
            make(version, work, say).rename(part)
        finally:
            cache.remove(work)
    return cache.made_once(f"smolvm-{version}-{digest[:16]}-{recipe}", once, say)
