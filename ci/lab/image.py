"""The lab's host: a kernel, an initrd and a root disk, made from image/ by mmdebstrap, with no need for root.

Its name in the cache is the hash of image/ and of this file: a change of either makes a new one. `packages.txt` in it says what was installed.
The packages come from where this host's apt gets those of that release, or, if it knows none, from mmdebstrap's own default.
"""

import hashlib
import io
import os
import pathlib
import subprocess
import tarfile

import cache
import programs

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "image"
DISK = "6G"  # sparse: an empty block takes no room
# Not needed in a virtual machine, and half of the time and room.
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*",
            *(f"/lib/modules/*/kernel/{part}/*" for part in
              ("sound", "drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/iio", "drivers/infiniband"))]
# The disk is filled under fakeroot, so that its files belong to root whoever makes it.
FILL = """set -e
mkdir root new && tar -x --exclude='./dev/*' -f root.tar -C root && rm root.tar
cp root/boot/vmlinuz-* new/vmlinuz && cp root/boot/initrd.img-* new/initrd && mv root/packages.txt new/
truncate -s "$1" new/root.img && mke2fs -q -F -t ext4 -d root new/root.img"""


def files():
    """image/files as a tar that is the same whoever checked it out: what it holds, not who owns it or when it was written."""
    def plain(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted((SOURCE / "files").rglob("*")):
            tar.add(path, path.relative_to(SOURCE / "files"), recursive=False, filter=plain)
        tar.add(SOURCE / "setup", "setup", filter=plain)
    return buffer.getvalue()


def words(name):
    return [word for line in (SOURCE / name).read_text().splitlines() for word in line.partition("#")[0].split()]


def name():
    digest = hashlib.sha256(files())
    for path in (SOURCE / "packages", SOURCE / "release", pathlib.Path(__file__)):
        digest.update(path.read_bytes())
    return f"lab-{digest.hexdigest()[:16]}"


def sources(release):
    """This host's own apt sources of that release, or none."""
    try:
        listed = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)",
                                 "Created-By: Packages"], check=True, text=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    found = []
    for line in dict.fromkeys(listed.splitlines()):
        site, suite, component, key = line.split("|")
        if component == "main" and suite in (release, f"{release}-updates", f"{release}-security"):
            found.append(f"deb {f'[signed-by={key}] ' if key.startswith('/') else ''}{site} {suite} main")
    return found if any(f" {release} main" in line for line in found) else []


def make(part, shown):
    part.mkdir()
    release = words("release")[0]
    (part / "files.tar").write_bytes(files())
    (part / "sources").write_text("".join(f"{line}\n" for line in sources(release)))
    arguments = [
        "mmdebstrap", "--variant=minbase", f"--include={','.join(words('packages'))}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        # Before the kernel is installed, so that its initrd is made as files/ says.
        "--essential-hook=tar-in files.tar /",
        '--customize-hook=chroot "$1" sh /setup && rm "$1/setup"',
        """--customize-hook=chroot "$1" dpkg-query -W -f '${Package} ${Version}\\n' >"$1/packages.txt\"""",
        release, "root.tar", *(["sources"] if sources(release) else []),
    ]
    environment = dict(os.environ)
    if os.getuid() == 0:
        # It mounts this host's /proc, /sys and devices into its work: in namespaces of its own, that end with it, so that nothing is
        # mounted where we remove. (An ordinary user's is in such namespaces anyway, under ids that may not enter a home.)
        environment["TMPDIR"] = str(part)
        arguments = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *arguments]
    programs.run("making the lab's system", [*arguments, *([] if shown else ["--quiet"])],
                 cwd=part, env=environment, stdout=subprocess.DEVNULL, **({"stderr": None} if shown else {}))
    programs.run("making the lab's disk", ["fakeroot", "sh", "-c", FILL, "sh", DISK], cwd=part, stdout=subprocess.DEVNULL)
    return part / "new"


def get(say, shown=False):
    """The image's directory: vmlinuz, initrd, root.img, packages.txt."""
    def once(part):
        say(f"building the image of the host ({words('release')[0]}): once, some minutes")
        work = part.with_name(f"{part.name}-work")
        cache.remove(work)
        try:
            os.rename(make(work, shown), part)
        finally:
            cache.remove(work)
    return cache.made_once(name(), once, say)
