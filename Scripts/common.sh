# Shared by the project's scripts; sourced, never run. The caller sets `set -euo pipefail`.
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

# Names the caller in every message, so that a line in a long log says where it comes from.
program=${0##*/}

section() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s: %s\n' "$program" "$*"; }
complain() { printf '%s: %s\n' "$program" "$*" >&2; }
die() {
  complain "$*"
  exit 1
}

# Packages of the arguments that are not installed, one a line.
missing_packages() {
  local name
  for name in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
  done
}

# Runs a command as root: directly, or by sudo (which may ask for a password on a terminal only).
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif ! command -v sudo >/dev/null; then
    complain "needs root for: $*"
    complain "this user is not root and sudo is not installed; run that command as root, then again"
    return 1
  elif [ -t 0 ]; then
    sudo "$@"
  elif ! sudo -n true 2>/dev/null; then
    complain "needs root for: $*"
    complain "sudo asks for a password and there is no terminal; run that command as root, then again"
    return 1
  else
    sudo -n "$@"
  fi
}

# Installs those of the named Debian packages that are missing, and says which. Silent when none is.
install_packages() {
  local missing log
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
    complain "cannot install: $*"
    complain "this is no Debian (apt-get not found); install their equivalents by hand"
    return 1
  }
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]} (apt-get)"
  log=$(mktemp)
  if ! as_root apt-get update -qq >"$log" 2>&1 ||
    ! as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    complain "apt-get could not install ${missing[*]}; it said:"
    tail -15 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# The closing line 'N passed, M failed[, K skipped]' of a log, as "N M K"; nothing if it has none.
closing_counts() {
  sed -nE -e 's/^([a-z-]+: )?([0-9]+) passed, ([0-9]+) failed$/\2 \3 0/p' \
    -e 's/^([a-z-]+: )?([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\2 \3 \4/p' "$1" |
    tail -1
}

# Passed, failed and skipped tests of a report; a crash leaves it cut short, so it is read by line.
report_counts() {
  awk '/<testcase / { tests++; bad = 0 }
    /<failure/ && !bad { failed++; bad = 1 }
    /<skipped/ { skipped++ }
    END { printf "%d %d %d\n", tests - failed - skipped, failed, skipped }' "$1" 2>/dev/null ||
    echo "0 0 0"
}

require_swift() {
  command -v swift >/dev/null || die "swift not found in PATH: install Swift 6.3 (swift.org/install)"
  local version
  version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -1)
  [ -n "$version" ] || die "swift --version names no version: install Swift 6.3 (swift.org/install)"
  [ "$(printf '%s\n' 6.3 "$version" | sort -V | head -1)" = 6.3 ] ||
    die "Swift $version is too old: install Swift 6.3 or later (swift.org/install)"
}
