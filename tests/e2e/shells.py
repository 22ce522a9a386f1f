"""Asks real shells what they would offer at the end of a line: bash, zsh and fish, with the installed completion scripts."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

from conftest import BOUND
from terminals import read_until

BASH = r'''
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
function=$(complete -p "${2%% *}")
function=${function#*-F }
"${function%% *}"
printf '%s\n' "${COMPREPLY[@]}"
'''

# What is added to the matches is written down as well; a completion that only asks (-O, -A, -D) adds nothing.
ZSH_SETUP = r'''
PS1=''; unsetopt prompt_cr prompt_sp beep; LISTMAX=100000
fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >>%s
  builtin compadd "$@"
}
say() { print -r -- "the end of it" }
zle -N say; bindkey '^X' say
print -r -- "rea""dy"
'''


class Shells:
    def __init__(self, account, share, scratch):
        self.account, self.share, self.scratch = account, share, scratch
        self.environment = {**account.environment({"TERM": "xterm", "ZDOTDIR": str(account.home)}),
                            "PATH": f"{account.programs}:{os.environ['PATH']}"}

    def _run(self, *command):
        result = subprocess.run([*self.account.prefix(), *command], text=True, capture_output=True, timeout=BOUND,
                                env=self.environment, cwd=self.scratch)
        assert result.stderr == "", result.stderr
        return result.stdout.splitlines()

    def bash(self, line):
        script = self.share / "bash-completion" / "completions" / line.split()[0]
        return {word for word in self._run("bash", "--norc", "-c", BASH, "bash", str(script), line) if word}

    def fish(self, line):
        script = self.share / "fish" / "vendor_completions.d" / f"{line.split()[0]}.fish"
        offered = self._run("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", str(script), line)
        return {word.split("\t")[0] for word in offered}

    def zsh(self, line):
        hits = self.scratch / "hits"
        hits.unlink(missing_ok=True)
        hits.touch()
        os.chmod(hits, 0o666)
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.scratch)
            os.execvpe([*self.account.prefix(), "zsh"][0], [*self.account.prefix(), "zsh", "-f", "-i"], self.environment)
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 300, 0, 0))
            setup = ZSH_SETUP % (self.share / "zsh" / "site-functions", hits)
            os.write(terminal, b"".join(b" " + part.encode() + b"\n" for part in setup.strip().split("\n")))
            read_until(terminal, b"\nready")
            os.write(terminal, line.encode() + b"\t\x18")
            read_until(terminal, b"the end of it")
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)
        return {word for word in hits.read_text().splitlines() if word}
