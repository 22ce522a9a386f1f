# The lab's host, for tests of real microVMs: sourced in a boot of it, as an ordinary user. Each run of the gate leaves in $LAB_REPORT its report, output,
# status and time, and what was on the host before and after it.
set -u
mkdir -p "$LAB_REPORT"

# What of this user's is on the host: processes (what it runs itself comes too late for its list), files, mounts, interfaces, sockets. Before and after a run that
# must be the same.
look() {
  ps -u "$(id -u)" -o state=,args= >"$HOME/processes"
  {
    grep -v -e ' sh -c ' -e ' ps -u ' "$HOME/processes" | sed 's/^[^ ]* */process /' | sort
    find /tmp /var/tmp /dev/shm "$XDG_RUNTIME_DIR" "$HOME" -path "$LAB_REPORT" -prune -o -print | sort | sed 's/^/file /'
    sed 's/^/mount /' /proc/self/mounts
    ls /sys/class/net | sed 's/^/interface /'
    grep -o '[^ ]*bottle[^ ]*' /proc/net/unix | sed 's/^/socket /'
  } >"$LAB_REPORT/$1"
}

# NAME ARGUMENT...: a run of the gate that must come to PASS or FAIL. An emulated host at times loses a machine, which the gate tells as what it is: then once more.
proven() {
  gate "$@"
  # A fence that was tried and isn't what keeps its vectors in is no loss.
  ! grep -q '^VOID ' "$LAB_REPORT/$1.out" || grep -q 'could not be made' "$LAB_REPORT/$1.out" || return 0
  case $status in 2 | 3) mv "$LAB_REPORT/$1.out" "$LAB_REPORT/$1.first" && rm -rf "$LAB_REPORT/$1" && gate "$@" ;; esac
}

# NAME ARGUMENT...: a run of the gate; its open and fenced runs one after the other, for an emulated host loses machines more often when two phases have some.
gate() {
  name=$1
  shift
  look "$name.before"
  began=$(date +%s)
  bottle-gate run --backend=smolmachines --jobs="${jobs:-2}" --report="$LAB_REPORT/$name" --quiet "$@" >"$LAB_REPORT/$name.out" 2>&1
  status=$?
  echo $status >"$LAB_REPORT/$name.status"
  echo $(($(date +%s) - began)) >"$LAB_REPORT/$name.seconds"
  look "$name.after"
}
