# Shared by the two commands: installs what is missing and builds. Sourced, not run.
# It says what it installs, skips what is done, and never changes the host's security settings.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$top/ci/packages.sh"

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 4
}

# Prints those of the given packages that are not installed.
missing_packages() {
  local wanted installed
  wanted=$(printf '%s\n' "$@" | sort -u)
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package}\n' "$@" 2>/dev/null |
    sed -n 's/^ii  *//p' | sed 's/:.*//' | sort -u)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# A service that comes with a package isn't started by installing it here, as in an image of a container: the tests start their own Docker
# Engine, and one that starts by itself changes the host's firewall. Who has a policy of their own keeps it.
policy=/usr/sbin/policy-rc.d

start_no_services() {
  [ -e "$policy" ] || as_root sh -c 'printf "#!/bin/sh\n# bottle-gate: while packages for its tests are installed\nexit 101\n" >"$1" && chmod 755 "$1"' - "$policy"
}

start_services_again() {
  grep -qs '^# bottle-gate: ' "$policy" && as_root rm -f "$policy" || true
}

install_missing() {
  local missing log
  command -v dpkg-query >/dev/null || return 0 # not Debian or Ubuntu: the build says what it doesn't find
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    fail "these packages are missing and there is no sudo; as root: apt-get install --no-install-recommends $missing"
  fi
  echo "installing: $missing" >&2
  log=$(mktemp)
  trap start_services_again EXIT
  start_no_services
  # shellcheck disable=SC2086
  if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "could not install: $missing"
  fi
  rm -f "$log"
  start_services_again
  trap - EXIT
}

# Those of the given packages that are installed already or that this release has. A machine may have no package lists yet.
available_packages() {
  local package
  for package in "$@"; do
    if [ -z "$(missing_packages "$package")" ] || apt-cache show "$package" >/dev/null 2>&1 ||
      { as_root apt-get update -qq >/dev/null 2>&1 && apt-cache show "$package" >/dev/null 2>&1; }; then
      echo "$package"
    fi
  done
}

# build DIRECTORY [cmake option...]: configures once and builds; prints nothing unless something fails.
build() {
  local directory=$1 log
  shift
  mkdir -p "$directory" 2>/dev/null && [ -w "$directory" ] ||
    fail "can't write $directory; set BOTTLE_BUILD to a directory of yours"
  log=$directory/build.log
  if [ ! -f "$directory/build.ninja" ]; then
    echo "building $directory for the first time" >&2
    cmake -G Ninja -S "$top" -B "$directory" "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$directory/CMakeCache.txt"; fail "could not configure; see $log"; }
  fi
  if ! cmake --build "$directory" >"$log" 2>&1; then
    grep -E 'error:|warning:|^FAILED' -A 5 "$log" | head -n 40 >&2
    fail "could not build; see $log"
  fi
}
