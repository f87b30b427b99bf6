#!/usr/bin/env bash
# cross_test.sh - all of it built for aarch64 by Debian's cross compiler, warnings as errors, and its
# C and Lua suites run there, on a processor that qemu emulates.
#
# Needs gcc-aarch64-linux-gnu and qemu-user, which root installs here; the libraries for arm64 are
# unpacked into a folder by an apt with a state of its own, so that the system stays as it is.  What
# cannot be had is a skip with a word.  CROSS_DIR keeps everything for the next time.  Half an hour
# on two cores.  SUITES="..." runs those only.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1

skip() {
  echo "$1: skipped"
  echo "0 passed, 0 failed"
  exit 0
}

[ "$(uname -m)" != aarch64 ] || skip "this is an aarch64"
[ -z "${SAN:-}" ] || skip "sanitizers are another test"
scripts/build/configure.sh --install packages cross 2>/dev/null || skip "no cross compiler or no qemu"

if [ -n "${CROSS_DIR:-}" ]; then
  mkdir -p "$CROSS_DIR" && dir=$(cd "$CROSS_DIR" && pwd) || exit 1
else
  dir=$(mktemp -d) || exit 1
  trap 'rm -rf "$dir"' EXIT
fi
sysroot=$dir/sysroot build=$dir/build run=$dir/run

# ---- the libraries ----

packages="libc6-dev libopenblas-dev liblua5.4-dev zlib1g-dev libedit-dev libcurl4-openssl-dev
  libssl-dev libzip-dev libpng-dev libjansson-dev check lua-unit"

# apt as on an arm64 that has nothing yet.
apt() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Debug::NoLocking=1 \
    -o APT::Sandbox::User= -o Dir::State::Lists="$dir/apt/lists" \
    -o Dir::State::status="$dir/apt/status" -o Dir::Cache="$dir/apt" "$@" >>"$dir/apt/log" 2>&1
}

unpack_libraries() {
  mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$sysroot" || return 1
  : >"$dir/apt/status"
  apt update
  # shellcheck disable=SC2086
  apt install -y --no-install-recommends --download-only $packages || return 1
  for package in "$dir"/apt/archives/*.deb; do dpkg -x "$package" "$sysroot" || return 1; done
  # As update-alternatives would.
  for library in "$sysroot"/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so*; do
    ln -sf "openblas-pthread/${library##*/}" "$sysroot/usr/lib/aarch64-linux-gnu/${library##*/}"
  done
  touch "$dir/unpacked"
}

[ -e "$dir/unpacked" ] || unpack_libraries || skip "no packages for arm64 (see apt's words: $(
  tail -n 1 "$dir/apt/log"))"

# ---- the build ----

cc="aarch64-linux-gnu-gcc --sysroot=$sysroot"
case ${CC:-} in "ccache "*) cc="ccache $cc" ;; esac
if ! make -j"$(nproc)" CC="$cc" WERROR=1 BUILD="$build" all test-programs >"$dir/log" 2>&1; then
  tail -n 30 "$dir/log"
  echo "0 passed, 1 failed"
  exit 1
fi

# ---- the suites ----

# In place of each program a script that has qemu run it; programs that it starts itself go through
# BNNLUA, which is such a script too.
wrap() {
  mkdir -p "$(dirname "$run/$1")"
  printf '#!/bin/sh\nexec qemu-aarch64 -L %s %s "$@"\n' "'$sysroot'" "'$build/$1'" >"$run/$1"
  chmod +x "$run/$1"
}
wrap bnnlua
suites=
for suite in "$build"/tests/c/*/test_*; do
  case $suite in
  *.o | *.d) continue ;;
  */test_bounds) continue ;; # the peak of memory would be qemu's
  esac
  wrap "${suite#"$build"/}"
  suites="$suites $run/${suite#"$build"/}"
done
for suite in tests/lua/*/test_*.lua; do
  case $suite in
  */test_process.lua) continue ;; # qemu's vfork is a fork, which loses why posix_spawn failed
  esac
  suites="$suites $suite"
done

# shellcheck disable=SC2086
CC="$cc" BUILD="$run" TEST_TIMEOUT=1800 CK_DEFAULT_TIMEOUT=1200 tests/run_tests.sh ${SUITES:-$suites}
