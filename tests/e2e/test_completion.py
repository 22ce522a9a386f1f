"""Completion as real shells give it, manual pages as man reads them, and that they, the help and the README say the same."""

import json
import os
import re
import subprocess

import pytest

from conftest import BOUND, TOP
from shells import Shells
from terminals import read_until

COMMANDS = {"bottle-gate": ["run", "preflight", "vectors", "explain", "selftest", "gc", "replay", "help"],
            "bottle": ["run", "start", "exec", "put", "list", "stop", "backends", "help"]}
EVERY = [(program, command) for program, commands in COMMANDS.items() for command in commands]
FENCES = {"network", "mount", "pid", "user", "ipc", "uts", "cgroup", "time", "no-new-privs", "capabilities", "seccomp", "limits",
          "descriptors", "session", "nesting"}
MACHINE_FENCES = {"cidrs", "dns-filter", "floor"}
CONTAINER_FENCES = {"network", "input", "files", "capabilities", "no-new-privs", "seccomp", "read-only", "limits"}


@pytest.fixture
def share(programs):
    return programs.parent / "share"


@pytest.fixture
def shells(account, share, tmp_path):
    for directory in (tmp_path, *tmp_path.parents[:3]):
        if os.stat(directory).st_uid == os.getuid() and str(directory) != "/tmp":
            os.chmod(directory, 0o755)
    if os.getuid() == 0:
        os.chown(tmp_path, account.uid, account.uid)
    return Shells(account, share, tmp_path)


def options_in_help(account, program, command):
    """The names of all options, from the help, which is from the tables."""
    told = account.run(program, command, "--help").stdout
    return re.findall(r"^  (?:-\w, |    )--([\w-]+)", told, re.M), told


# What each shell offers. The values are what must be offered, exactly, after the word under the cursor is taken away.

OFFERS = [
    ("bottle-gate ", set(COMMANDS["bottle-gate"])),
    ("bottle ", set(COMMANDS["bottle"])),
    ("bottle-gate pre", {"preflight"}),
    ("bottle-gate run --self-proof=", {"open", "each", "bare", "off"}),
    ("bottle-gate run --accept-unproved=o", {"open"}),
    ("bottle-gate run --accept-unproved=BG-04", {"BG-044", "BG-045", "BG-046", "BG-048", "BG-049"}),
    ("bottle-gate run --require=BG-11", {"BG-112", "BG-114", "BG-116"}),
    ("bottle-gate run --sweep=", {"all", "sample", "off"}),
    ("bottle-gate run --sweep ", {"all", "sample", "off"}),
    ("bottle-gate run --site=", {"sealed", "host"}),
    ("bottle-gate run --backend=", {"native", "smolmachines", "docker", "wrap"}),
    ("bottle-gate run --policy=", {"hardened", "cidr", "internal"}),
    ("bottle-gate preflight --policy=h", {"hardened"}),
    ("bottle-gate run --runtime=", {"runsc", "runc"}),
    ("bottle-gate run --mutant=", FENCES | MACHINE_FENCES | CONTAINER_FENCES),
    ("bottle-gate run --mutant=se", {"seccomp", "session"}),
    ("bottle-gate run -v --mutant ne", {"network", "nesting"}),
    ("bottle-gate run --vector=BG-04", {"BG-044", "BG-045", "BG-046", "BG-048", "BG-049"}),
    ("bottle-gate run --as=", {"user", "root"}),
    ("bottle-gate explain BG-11", {"BG-112", "BG-114", "BG-116"}),
    ("bottle-gate vectors BG-001 BG-11", {"BG-112", "BG-114", "BG-116"}),
    ("bottle-gate vectors --profile=", {"core", "all"}),
    ("bottle-gate preflight --backend=n", {"native"}),
    ("bottle-gate selftest --fault=records", {"records-after-bye", "records-replayed"}),
    ("bottle-gate help ex", {"explain"}),
    ("bottle help st", {"start", "stop"}),
    ("bottle backends ", {"native", "smolmachines", "docker", "wrap"}),
    ("bottle run --as=", {"user", "root"}),
    ("bottle start --name x --as ", {"user", "root"}),
    ("bottle run --without=", FENCES),
    ("bottle put --mode 0644 dev some", {"some-file"}),
    ("bottle-gate preflight --smolvm some", {"some-file"}),
    ("bottle-gate run --smolvm=some", {"some-file"}),
]


def values(offered):
    """Without what stands before the value: some shells offer the whole word, some its last part."""
    return {word.rsplit("=", 1)[-1].rstrip("/ ") for word in offered}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("line, offer", OFFERS, ids=[line for line, _ in OFFERS])
def test_a_shell_offers_what_the_tables_know(shells, shell, line, offer):
    (shells.scratch / "some-file").touch()
    offered = values(getattr(shells, shell)(line))
    # Faults grow in number; what else is offered before a command are the options.
    begun = "records-" if "--fault" in line else "-"
    assert offer <= offered and all(word.startswith(begun) for word in offered - offer), offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program, command", EVERY)
def test_a_shell_offers_every_option_of_every_command(account, shells, shell, program, command):
    options, _ = options_in_help(account, program, command)
    offered = {word.rstrip("=") for word in getattr(shells, shell)(f"{program} {command} --")}
    assert {f"--{option}" for option in options} == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_several_values_of_one_option_are_completed_after_the_comma(shells, shell):
    offered = getattr(shells, shell)("bottle-gate run --vector=BG-049,BG-11")
    assert {word.rsplit(",", 1)[-1] for word in offered} == {"BG-112", "BG-114", "BG-116"}
    assert shell == "zsh" or all("BG-049," in word for word in offered), "what stands there already stays"  # zsh adds to it


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_offers_the_bottles_that_live(account, shells, shell):
    assert account.run("bottle", "start", "--name", "first").returncode == 0
    assert account.run("bottle", "start", "--name", "second").returncode == 0
    try:
        for line in ("bottle exec ", "bottle stop ", "bottle put ", "bottle exec --as root ", "bottle stop first "):
            offered = {word for word in getattr(shells, shell)(line) if not word.startswith("-")}
            assert offered == {"first", "second"}, line
        assert getattr(shells, shell)("bottle exec fi") == {"first"}
        assert "first" not in getattr(shells, shell)("bottle put first ")
    finally:
        account.run("bottle", "stop", "--all")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_behind_the_command_that_is_run_the_options_are_its_own(shells, shell):
    assert "--door" not in {word.rstrip("=") for word in getattr(shells, shell)("bottle run true --do")}
    assert "--as" not in {word.rstrip("=") for word in getattr(shells, shell)("bottle exec dev true --a")}
    assert "env" in {os.path.basename(word) for word in getattr(shells, shell)("bottle run --as root en")}


def test_the_tab_key_completes_in_bash(account, share):
    """Through readline, which cuts words at "=" and ":"."""
    import pty
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "-i"], {**account.environment({"TERM": "dumb", "PS1": "$ "})})
    for script in ("bottle-gate", "bottle"):
        os.write(terminal, f"source {share}/bash-completion/completions/{script}\n".encode())
    os.write(terminal, b"bottle-gate() { printf '<%s>' \"$@\"; echo; }\n")
    os.write(terminal, b"bottle-gate run --self\te\t --vect\tBG-049,BG-11\t4 --mut\tmo\t -\n")
    shown = read_until(terminal, b"<->")
    assert b"<run><--self-proof=each><--vector=BG-049,BG-114><--mutant=mount><->" in shown
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)


# Manual pages, help and README.

@pytest.fixture
def manual(share):
    pages = share / "man" / "man1"
    if not pages.exists():
        pytest.skip("no scdoc here: no manual pages were made")

    def read(name):
        result = subprocess.run(["mandoc", "-Tutf8", "-Owidth=400", str(pages / f"{name}.1")], text=True, capture_output=True, timeout=BOUND)
        assert result.returncode in (0, 2), result.stderr
        return re.sub(r".\x08", "", result.stdout)
    return read


@pytest.mark.parametrize("program, command", EVERY)
def test_every_command_has_a_manual_page_that_says_what_its_help_says(account, manual, program, command):
    page = manual(f"{program}-{command}")
    options, told = options_in_help(account, program, command)
    sections = re.findall(r"^([A-Z][A-Z ]+)$", page, re.M)
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"]
    assert [section for section in wanted if section in sections] == sections
    assert {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"} <= set(sections)
    flat = " ".join(page.split())
    assert f"{program}-{command} - " in flat
    for option in options:
        assert f"--{option}" in flat
    assert "=_" not in flat and "\\" not in flat.replace("\\n", ""), "marks that scdoc didn't take for marks"
    for title, section in [("Exit status:", "EXIT STATUS"), ("Environment:", "ENVIRONMENT"), ("Files:", "FILES")]:
        assert (title in told) == (section in sections)
    # Word for word: what stands right of the options, operands and statuses in the help stands in the page.
    for text in re.findall(r"^  +(?:-\w, )?(?:--)?\S.*?  +(\S.*)$", told, re.M):
        assert text in flat or text in ("show this",), text


@pytest.mark.parametrize("program", COMMANDS)
def test_a_program_has_a_manual_page_that_lists_its_commands(account, manual, program):
    page = " ".join(manual(program).split())
    for command in COMMANDS[program]:
        assert f"{program}-{command}(1)" in page
    for line in re.findall(r"^  [a-z]+ +(.*)$", account.run(program, "--help").stdout, re.M):
        assert line in page


def test_pages_name_only_pages_that_there_are(share, manual):
    pages = {path.stem for path in (share / "man" / "man1").iterdir()}
    assert pages == {f"{program}-{command}" for program, command in EVERY} | set(COMMANDS)
    for page in pages:
        named = set(re.findall(r"([\w-]+)\(1\)", manual(page).split("SEE ALSO")[-1]))
        assert named <= pages, (page, named - pages)


def test_man_finds_them(account, share, manual):
    result = subprocess.run(["man", "-M", str(share / "man"), "-w", "bottle-gate-run"], text=True, capture_output=True,
                            timeout=BOUND)
    assert result.returncode == 0 and result.stdout.strip().startswith(str(share))


def shown_commands(text):
    """Words of every `bottle...` command in a Markdown text, in code spans and blocks."""
    spans = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (\S.*)$", text, re.M)
    for span in spans:
        words = re.sub(r"'[^']*'", "''", span).split()  # what is quoted is another program's
        if words and words[0] in COMMANDS and len(words) > 1 and re.fullmatch("[a-z-]+", words[1]):
            yield span, words


def test_the_readmes_show_commands_and_options_that_there_are(account):
    seen = set()
    for readme in ["README.md", "gates/README.md", "launcher/README.md", "tests/README.md"]:
        for span, words in shown_commands((TOP / readme).read_text(encoding="utf-8")):
            if words[1] == "--help" or words[1].startswith("-"):
                continue
            assert words[1] in COMMANDS[words[0]], (readme, span)
            seen.add((words[0], words[1]))
            options, _ = options_in_help(account, words[0], words[1])
            for option in re.findall(r"(?<!\S)--([\w-]+)", " ".join(words[2:]).split(" -- ")[0]):
                assert option in options, (readme, span)
    assert set(EVERY) - seen <= {("bottle", "help"), ("bottle-gate", "help"), ("bottle", "list"), ("bottle", "put")}, \
        "the README shows every command"


def test_the_readmes_tell_the_exit_statuses_of_the_help(account):
    told = account.run("bottle-gate", "run", "--help").stdout
    statuses = dict(re.findall(r"^  (\d)  +([A-Z]+)[:,]", told, re.M))
    assert statuses == {"0": "PASS", "1": "FAIL", "2": "INCONCLUSIVE", "3": "BROKEN"}
    top = (TOP / "README.md").read_text(encoding="utf-8")
    line = next(line for line in top.splitlines() if line.startswith("Exit status:"))
    assert dict(re.findall(r"(\d) ([A-Z]+)", line)) == statuses
    rows = re.findall(r"^\| (\S+(?: \+ n)?) \| (\S+?)[,. ]", (TOP / "gates/README.md").read_text(encoding="utf-8"), re.M)
    assert {status: verdict for status, verdict in rows if status in statuses} == statuses
    assert {status for status, _ in rows if re.match(r"\d", status)} == {"0", "1", "2", "3", "4", "128 + n"}
    launcher = (TOP / "launcher/README.md").read_text(encoding="utf-8")
    section = launcher.split("## Exit status")[1].split("##")[0]
    for status in re.findall(r"^  (4|125|126|127|128)\b", account.run("bottle", "--help").stdout, re.M):
        assert status in section
