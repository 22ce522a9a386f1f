"""The virtual machine of the lab: its processor, disks and channels. It has no network interface, shares no directory, and writes to nothing that is kept.

Everything between us and it goes over sockets that both ends hold from the beginning: the serial console, and the ports of image/files/usr/local/sbin/lab-job.
"""

import os
import selectors
import socket
import subprocess

import programs

# AMD's virtualisation is emulated with nested paging. With an x2APIC the emulated host hangs at times.
PROCESSORS = {"tcg": ["-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,-x2apic"], "kvm": ["-accel", "kvm", "-cpu", "host"]}
# Mitigations make emulation slower and protect nobody here.
KERNEL_LINE = "root=/dev/vda rw console=ttyS0 quiet loglevel=4 systemd.show_status=error panic=-1 mitigations=off"
PORTS = ("events", "stdout", "stderr", "result")
CONSOLE = "console"
KEPT = 65536  # bytes of the console
NOISE = ("TCG doesn't support requested feature", "]  ? ")  # what the emulated processor lacks; frames of which the kernel isn't sure


class Guest:
    """A machine that runs from construction to close(). `read()` gives what came from it."""

    def __init__(self, image, accelerator, job=None, engine=None):
        self.console = b""
        self.errors = b""
        self.selector = selectors.DefaultSelector()
        self.open = set()
        self.process = None
        theirs = []
        arguments = ["qemu-system-x86_64", "-M", "q35,sata=off,smbus=off", *PROCESSORS[accelerator], "-smp", "2", "-m", "4096", "-nic", "none",
                     "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
                     "-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd", "-append", KERNEL_LINE,
                     *disk("root", f"{image}/root.img", "snapshot=on,cache=unsafe")]
        passed = []
        if job is not None:
            passed.append(job)
            arguments += disk("lab-job", f"/proc/self/fd/{job}", "readonly=on")
        if engine is not None:
            arguments += disk("lab-smolvm", engine, "readonly=on")
        arguments += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        try:
            for name in (CONSOLE, *PORTS):
                ours, other = socket.socketpair()
                theirs.append(other)
                self.listen(ours, name)
                arguments += ["-chardev", f"socket,id={name},fd={other.fileno()}"]
                arguments += ["-serial", f"chardev:{name}"] if name == CONSOLE else \
                             ["-device", f"virtserialport,chardev={name},name=lab.{name}"]
            passed += [other.fileno() for other in theirs]
            self.process = programs.start(arguments, pass_fds=passed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.listen(self.process.stderr, "qemu")
        except BaseException:
            self.close()
            raise
        finally:
            for other in theirs:
                other.close()

    def listen(self, file, name):
        os.set_blocking(file.fileno(), False)
        self.selector.register(file, selectors.EVENT_READ, name)
        self.open.add(name)

    def read(self, seconds):
        """What came within that time: a list of (channel, bytes). Empty if nothing did. When `open` is empty the machine is gone."""
        came = []
        for key, _ in self.selector.select(max(seconds, 0)):
            try:
                data = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                self.selector.unregister(key.fileobj)
                self.open.discard(key.data)
            elif key.data == CONSOLE:
                self.console = (self.console + data)[-KEPT:]
            elif key.data == "qemu":
                self.errors = (self.errors + data)[-KEPT:]
            came.append((key.data, data))
        return came

    def last_words(self):
        """What the console, and the emulator, said last."""
        lines = (self.console + self.errors).decode(errors="replace").replace("\r", "\n").split("\n")
        return [line.rstrip() for line in lines if line.strip() and not any(noise in line for noise in NOISE)][-40:]

    def close(self):
        if self.process:
            programs.end(self.process)
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
        self.selector.close()


def disk(name, path, options):
    return ["-drive", f"if=none,id={name},format=raw,file={path},{options}", "-device", f"virtio-blk-pci,drive={name},serial={name}"]
