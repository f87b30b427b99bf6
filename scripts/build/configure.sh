#!/bin/sh
# configure.sh - what the Makefile needs to know about this machine.
#
#   configure.sh [--install] build FILE      finds compiler and libraries, writes their flags
#   configure.sh [--install] tests FILE      the same for the test libraries
#   configure.sh --install packages GROUP... installs the Debian packages of these groups
#
# With --install what is missing is installed through apt first, as root or through sudo; else
# (or where that cannot be) the command to run is printed and the status is 1.  A package counts
# as there when dpkg says so or, for systems without dpkg, when a test program links.
# A compiler for other processors (CC=aarch64-linux-gnu-gcc) needs the libraries for those, Debian's
# NAME:arm64; with --sysroot=DIR in CC they are looked for there and nothing is installed.
# Environment: CC, SAN.
set -u
: "${CC:=gcc}" "${SAN:=}"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# Debian's name for the processors that $CC compiles for, when they are not this machine's.
find_foreign() {
  case $($CC -dumpmachine 2>/dev/null) in
  aarch64-*) machine=arm64 ;;
  x86_64-*) machine=amd64 ;;
  arm*-gnueabihf) machine=armhf ;;
  powerpc64le-*) machine=ppc64el ;;
  riscv64-*) machine=riscv64 ;;
  s390x-*) machine=s390x ;;
  *) return ;;
  esac
  [ "$machine" = "$(dpkg --print-architecture 2>/dev/null || echo "$machine")" ] || echo $machine
}
foreign=$(find_foreign)

sysroot=$(echo "$CC" | sed -n 's/.*--sysroot=\([^ ]*\).*/\1/p')

# for_target PACKAGE...: under their names for the processors that are compiled for.
for_target() {
  for package in "$@"; do printf '%s ' "$package${foreign:+:$foreign}"; done
}

# The packages of a group.
packages_of() {
  case $1 in
  build) echo "$(compiler_packages) $(for_target libopenblas-dev liblua5.4-dev zlib1g-dev)" ;;
  optional)
    echo "$(for_target libedit-dev libcurl4-openssl-dev libssl-dev libzip-dev libpng-dev) \
      $(for_target libjansson-dev libsqlite3-dev libpq-dev) gnuplot-nox"
    ;;
  tests) echo "$(for_target check) lua-unit lua5.4" ;;
  cross) echo "gcc-aarch64-linux-gnu qemu-user" ;;
  long)
    echo "dataset-fashion-mnist slurmctld slurmd slurm-client munge parallel tmux python3-pip \
      luarocks lua-busted lua-lpeg lua-cjson lua-filesystem lua-sql-sqlite3"
    ;;
  developers) echo "clang libclang-rt-14-dev clang-format lua-check valgrind python3 openssl" ;;
  *) echo "configure.sh: no group $1" >&2; exit 2 ;;
  esac
}

# Those of $CC; of a compiler that Debian does not know, none.
compiler_packages() {
  case ${CC##*[ /]} in
  clang | clang-[0-9]*) echo "${CC##*[ /]} libc6-dev${SAN:+ libclang-rt-14-dev}" ;;
  gcc-[0-9]*) echo "${CC##*[ /]} libc6-dev" ;;
  *-linux-gnu-gcc) echo "gcc-${CC##*[ /]} $(for_target libc6-dev)" | sed 's/-gcc / /' ;;
  gcc | cc) echo "gcc libc6-dev" ;;
  esac
}

# links SOURCE FLAGS...: does a program with this line link?
links() {
  printf '%s\nint main(void) { USE; return 0; }\n' "$1" >"$dir/try.c"
  shift
  $CC -std=gnu11 -o "$dir/try" "$dir/try.c" "$@" >"$dir/log" 2>&1
}

# first_that_links SOURCE FLAGS...: prints the first of the flags (one word a set) that serves.
first_that_links() {
  source=$1
  shift
  for flags in "$@"; do
    # shellcheck disable=SC2086
    links "$source" $flags && { echo "$flags"; return 0; }
  done
  return 1
}

# pkg-config knows this machine's libraries; those for others by $CC's name in front of its own.
from_pkg_config() {
  program=pkg-config
  [ -z "$foreign" ] || program=$($CC -dumpmachine)-pkg-config
  [ -z "$sysroot" ] && command -v "$program" >/dev/null && "$program" --cflags --libs "$1" 2>/dev/null
}

find_compiler() { links '#include <stdio.h>
#define USE puts("")'; }

# Warnings that only some compilers know.  Cutting an error message short is meant to happen, so
# gcc need not say where snprintf may.
find_warnings() {
  for flag in -Wlogical-op -Wduplicated-cond -Wno-format-truncation; do
    links '#define USE' -Werror $flag && printf '%s ' $flag
  done
}

find_x86_64() { links '#ifndef __x86_64__
#error
#endif
#define USE'; }

# Do programs of this compiler run here?
find_runs() { links '#define USE' && "$dir/try"; }

find_lua() {
  first_that_links '#include <lua.h>
#include <lauxlib.h>
#if LUA_VERSION_NUM != 504
#error
#endif
#define USE luaL_newstate()' "$(from_pkg_config lua5.4)" "$(from_pkg_config lua-5.4)" \
    "-I=/usr/include/lua5.4 -llua5.4" "-llua5.4" "-llua -lm -ldl"
}

find_blas() {
  multiarch=$($CC -print-multiarch 2>/dev/null)
  : "${multiarch:=x86_64-linux-gnu}"
  first_that_links '#include <cblas.h>
#define USE openblas_set_num_threads(1), cblas_sdot(0, 0, 1, 0, 1)' "$(from_pkg_config openblas)" \
    "-I=/usr/include/$multiarch/openblas-pthread -lopenblas" \
    "-I=/usr/include/$multiarch/openblas-pthread -L=/usr/lib/$multiarch/openblas-pthread -lopenblas" \
    "-I=/usr/include/openblas -lopenblas" "-lopenblas"
}

find_zlib() { first_that_links '#include <zlib.h>
#define USE zlibVersion()' "-lz"; }

find_edit() { first_that_links '#include <histedit.h>
#define USE el_end(0)' "$(from_pkg_config libedit)" "-ledit"; }

find_curl() { first_that_links '#include <curl/curl.h>
#define USE curl_easy_init()' "$(from_pkg_config libcurl)" "-lcurl"; }

find_crypto() { first_that_links '#include <openssl/evp.h>
#define USE EVP_sha256()' "$(from_pkg_config libcrypto)" "-lcrypto"; }

find_zip() { first_that_links '#include <zip.h>
#define USE zip_libzip_version(), zip_source_buffer_fragment(0, 0, 0, 0)' "$(from_pkg_config libzip)" "-lzip"; }

find_png() { first_that_links '#include <png.h>
#define USE png_access_version_number()' "$(from_pkg_config libpng)" "-lpng16 -lz" "-lpng -lz"; }

find_jansson() { first_that_links '#include <jansson.h>
#define USE json_loadb(0, 0, JSON_DECODE_ANY | JSON_ALLOW_NUL, 0), json_dumpb(0, 0, 0, 0), json_get_alloc_funcs(0, 0)' "$(from_pkg_config jansson)" "-ljansson"; }

find_sqlite() { first_that_links '#include <sqlite3.h>
#define USE sqlite3_open_v2(0, 0, 0, 0), sqlite3_bind_text64(0, 0, 0, 0, 0, 0)' "$(from_pkg_config sqlite3)" "-lsqlite3"; }

# PostgreSQL's own installations bring pg_config; libpq itself is loaded at run time.
find_pq() {
  [ -n "$foreign$sysroot" ] || by_pg_config=$(pg_config --includedir 2>/dev/null)
  first_that_links '#include <libpq-fe.h>
#define USE PQconnectStartParams(0, 0, 0)' "$(from_pkg_config libpq)" \
    "-I=/usr/include/postgresql -lpq" \
    "${by_pg_config:+-I$by_pg_config -L$(pg_config --libdir 2>/dev/null)} -lpq"
}

find_check() {
  first_that_links '#include <check.h>
#define USE suite_create("")' "$(from_pkg_config check)" "-lcheck_pic -lsubunit -lrt -lm -lpthread" \
    "-lcheck -lsubunit -lrt -lm -lpthread" "-lcheck -lrt -lm -lpthread"
}

# Is what this package brings there, dpkg or not?
found() {
  case ${1%:*} in
  gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc ;;
  qemu-user) command -v qemu-aarch64 ;;
  gcc* | libc6-dev) find_compiler ;;
  libopenblas-dev) find_blas ;;
  liblua5.4-dev) find_lua ;;
  zlib1g-dev) find_zlib ;;
  libedit-dev) find_edit ;;
  libcurl4-openssl-dev) find_curl ;;
  libssl-dev) find_crypto ;;
  libzip-dev) find_zip ;;
  libpng-dev) find_png ;;
  libjansson-dev) find_jansson ;;
  libsqlite3-dev) find_sqlite ;;
  libpq-dev) find_pq ;;
  check) find_check ;;
  lua-unit) lua5.4 -e 'require "luaunit"' ;;
  gnuplot-nox) command -v gnuplot ;;
  lua-check) command -v luacheck ;;
  lua-busted) command -v busted ;;
  lua-lpeg) lua5.4 -e 'require "lpeg"' ;;
  lua-cjson) lua5.4 -e 'require "cjson"' ;;
  lua-filesystem) lua5.4 -e 'require "lfs"' ;;
  lua-sql-sqlite3) lua5.4 -e 'require "luasql.sqlite3"' ;;
  python3-pip) python3 -m pip --version ;;
  dataset-*) ls "/usr/share/datasets/${1#dataset-}" || ls "/usr/local/share/datasets/${1#dataset-}" ;;
  libclang-rt-*) CC=clang; links '#define USE' -fsanitize=address,undefined ;;
  *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

# missing PACKAGE...: prints those that are not there.
missing() {
  installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' | tr '\n' ' ')"
  [ -z "$foreign" ] || installed= # those of this machine; whether the others serve is tried
  for package in "$@"; do
    case $installed in
    *" $package "*) ;;
    *) (found "$package") || printf '%s ' "$package" ;;
    esac
  done
}

# Installs the packages, or says why not and how.
install_packages() {
  by_hand="apt-get update && apt-get install -y --no-install-recommends $*"
  [ -z "$foreign" ] || by_hand="dpkg --add-architecture $foreign && $by_hand"
  if [ "$sysroot" ]; then
    echo "Not in $sysroot: what these Debian packages hold: $*" >&2
    return 1
  elif ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here; install what these Debian packages hold: $*" >&2
    return 1
  elif [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
  else
    echo "Missing packages: $*" >&2
    echo "Neither root nor sudo here.  As root, run:" >&2
    echo "  $by_hand" >&2
    return 1
  fi
  echo "Installing: $*" >&2
  apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
  [ -z "$foreign" ] || $as_root dpkg --add-architecture "$foreign"
  # A mirror of something else may be out of reach: install says whether ours was.
  $apt update >&2 || echo "apt-get update failed; trying on" >&2
  # shellcheck disable=SC2086
  $apt install -y --no-install-recommends "$@" >&2 && return 0
  echo "Could not install the packages.  What was tried:" >&2
  echo "  $by_hand" >&2
  return 1
}

# need GROUP...: all of it is there afterwards, or the program ends.
need() {
  wanted=
  for group in "$@"; do wanted="$wanted $(packages_of "$group")"; done
  # shellcheck disable=SC2086
  lacking=$(missing $wanted)
  [ -z "$lacking" ] && return 0
  if [ -z "$install" ]; then
    echo "Missing packages: $lacking" >&2
    echo "\`make deps\` installs what bnnlua needs." >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  install_packages $lacking || exit 1
}

# setting NAME FINDER: writes NAME_CFLAGS and NAME_LIBS, headers as the system's (no warnings).
setting() {
  flags=$($2) || { echo "$CC does not compile and link with $1:" >&2; cat "$dir/log" >&2; exit 1; }
  write_setting "$1" "$flags"
}

write_setting() {
  cflags='' libs=''
  for flag in $2; do
    case $flag in
    -I*) cflags="$cflags -isystem ${flag#-I}" ;;
    -pthread | -D*) cflags="$cflags $flag" ;;
    *) libs="$libs $flag" ;;
    esac
  done
  echo "$1_CFLAGS :=$cflags"
  echo "$1_LIBS :=$libs"
}

write_build() {
  find_compiler || { echo "$CC does not compile:" >&2; cat "$dir/log" >&2; exit 1; }
  echo "CC_WARN := $(find_warnings)"
  echo "X86_64 := $(find_x86_64 && echo 1)"
  echo "RUNS := $(find_runs 2>/dev/null && echo 1)"
  setting LUA find_lua
  write_blas
  setting ZLIB find_zlib
  if edit=$(find_edit); then write_setting EDIT "-DBNN_HAVE_LIBEDIT=1 $edit"; fi
  # Loaded at run time, when it is first wanted.
  if curl=$(find_curl); then write_setting CURL "-DBNN_HAVE_CURL=1 $curl"; fi
  if crypto=$(find_crypto); then write_setting CRYPTO "-DBNN_HAVE_CRYPTO=1 $crypto"; fi
  if zip=$(find_zip); then write_setting ZIP "-DBNN_HAVE_LIBZIP=1 $zip"; fi
  if png=$(find_png); then write_setting PNG "-DBNN_HAVE_LIBPNG=1 $png"; fi
  if jansson=$(find_jansson); then write_setting JANSSON "-DBNN_HAVE_JANSSON=1 $jansson"; fi
  if sqlite=$(find_sqlite); then write_setting SQLITE "-DBNN_HAVE_SQLITE=1 $sqlite"; fi
  if pq=$(find_pq); then write_setting PQ "-DBNN_HAVE_PQ=1 $pq"; fi # loaded at run time
}

# Loaded at run time, under the name that a program linked with it would ask for.
write_blas() {
  blas=$(setting BLAS find_blas) || exit 1
  echo "$blas" | grep CFLAGS
  soname=$(LC_ALL=C readelf -d "$dir/try" 2>/dev/null |
    sed -n 's/.*(NEEDED).*\[\(lib[^]]*blas[^]]*\)\]$/\1/p')
  [ -z "$soname" ] || echo "BLAS_CFLAGS += -DBNN_BLAS_SONAME='\"$soname\"'"
}

write_tests() { setting CHECK find_check; }

install=
[ "$1" = --install ] && { install=1; shift; }
case $1 in
packages)
  shift
  need "$@"
  echo "All packages are there." >&2
  ;;
build | tests)
  # What is optional comes along when something has to be installed anyhow.
  # shellcheck disable=SC2046
  if [ -n "$install" ] && [ "$1" = build ] && [ -n "$(missing $(packages_of build))" ]; then
    need build optional tests
  fi
  need "$1"
  "write_$1" >"$2.new" && mv "$2.new" "$2"
  ;;
*)
  echo "configure.sh: no command $1" >&2
  exit 2
  ;;
esac
