#!/bin/sh
# The engine smolvm with one sabotage, which is the name of this program; all else is the engine's. $0.acted is there afterwards if it was committed.
# Each machine of the gate's has a HOME of its own, where it is noted what was asked for at its creation. The machine of the preflight is left alone.
mode=${0##*/}
engine=$(command -v smolvm)

acts() { : >"$0.acted"; }
vmm() { "$engine" machine status --name bottle --json | sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p'; }

# COMMAND...: passes on what it reads, and runs the command after the probe's third record.
midway() {
  passed=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    passed=$((passed + 1))
    [ $passed = 3 ] && acts && "$@" >/dev/null 2>&1
  done
}

# Another machine than was asked for and looked at is started under its name.
start_another() {
  acts
  "$engine" machine delete -f --name bottle && "$engine" machine create --name bottle --cpus 1 --mem 512 "$@" && exec "$engine" machine start --name bottle
}

# What is asked: "create", "start", "stop", "delete", "listen", "put user", "probe root" and the like; "" for the rest, and in machines that aren't meant.
case $* in
*" --allow-host 192.0.2.1 "*) ;;
"machine create "*" --allow-host "*) echo fenced >"$HOME/machine" ;;
"machine create "*) echo open >"$HOME/machine" ;;
esac
read -r machine 2>/dev/null <"$HOME/machine" || machine=
case $mode in open-*) meant=open ;; *) meant=fenced ;; esac
case $* in
*"/bottle-probe /tmp/plan-"*) step="probe ${*##*/plan-}" ;;
*" put /tmp/plan-"*) step=${*##*/plan-} step="put ${step%% *}" ;;
*"/bottle-probe --listen "*) step=listen ;;
*) step=$2 ;;
esac
[ "$machine" = $meant ] || step=

case "$mode: $step" in
"vmm-killed: probe user" | "vmm-killed-last: probe root")
  killed=$(vmm)
  "$engine" "$@" | midway kill -9 "$killed"
  exit
  ;;
"vmm-killed-between: put root") acts && kill -9 "$(vmm)" ;;
"vmm-frozen: probe user")
  frozen=$(vmm)
  "$engine" "$@" | midway kill -STOP "$frozen"
  exit
  ;;
"deleted: probe user")
  "$engine" "$@" | midway "$engine" machine delete -f --name bottle
  exit
  ;;
"restarted: put root")
  acts
  "$engine" machine stop --name bottle && "$engine" machine start --name bottle
  ;;
"exec-dead: probe user" | "open-exec-dead: probe user" | "peer-dead: listen") acts && exit ;;
"exec-hangs: probe user") acts && exec tail -f /dev/null ;;
"exec-leaves: probe user")
  acts
  tail -f /dev/null >/dev/null 2>&1 &
  ;;
"cut: probe user")
  acts
  "$engine" "$@" | sed '5{s/.\{8\}$//;q}' | head -c -1
  exit
  ;;
"junk-before: probe user") acts && echo "Note: a newer version is available" ;;
"junk-within: probe user")
  acts
  "$engine" "$@" | sed '4s/$/\n[connection reset, retrying]/'
  exit
  ;;
"twice: probe user")
  acts
  "$engine" "$@" >"$HOME/records"
  exec cat "$HOME/records" "$HOME/records"
  ;;
"others-records: probe user")
  "$engine" "$@" | tee "$HOME/records"
  exit
  ;;
"others-records: probe root") acts && exec cat "$HOME/records" ;;
"no-plan: put user") acts && exec "$engine" "$@" </dev/null ;;
"wrong-principal: probe root")
  acts
  exec "$engine" machine exec --name bottle --stream -- /tmp/bottle-step user /tmp/bottle-probe /tmp/plan-root
  ;;
"on-host: exec")
  acts
  while [ "$1" != -- ]; do shift; done
  shift
  exec "$@"
  ;;
"no-start: start") acts && echo "Error: agent operation failed: start: on holiday" >&2 && exit 1 ;;
"ends-nothing: stop" | "ends-nothing: delete") acts && echo "Deleted machine: bottle" && exit ;;
"no-policy: create" | "open-is-limited: create")
  acts
  [ $machine = open ] && exec "$engine" machine create --name bottle --cpus 1 --mem 512 --allow-host 10.88.0.1 --dns 10.88.0.1
  exec "$engine" machine create --name bottle --cpus 1 --mem 512 --net --net-backend virtio-net
  ;;
"policy-lost: start") start_another --net --net-backend virtio-net ;;
"no-network: start") start_another ;;
"open-is-fenced: start") start_another --allow-host 10.88.0.1 --dns 10.88.0.1 ;;
esac
exec "$engine" "$@"
