#!/usr/bin/env bash
# run_tests.sh SUITE... - runs every suite, one line each; `make test` calls it.
#
# A suite is a program (Check), a .lua file (luaunit, run by bnnlua) or a .sh file.  It passes when
# its status is 0 and its summary tells of no failure:
#   Check     100%: Checks: 12, Failures: 0, Errors: 0
#   luaunit   Ran 10 tests in 0.002 seconds, 9 successes, 1 failure
#   shell     5 passed, 0 failed          (one without a summary counts as one test)
# The output of a failed suite is shown in full.  The last line is `N passed, M failed`.
#
# Given by make: BUILD, CC, SAN, REAL.  Suites find BNNLUA, BUILD, CC, SAN and REAL in their
# environment; BNNLUA_DATA passes through.  TEST_TIMEOUT: seconds a suite may take (600; those of
# tests/long an hour).  TEST_JOBS: suites at a time; by default one more than there are processors,
# as some suites wait for the clock, and at most 4.
set -u
export BUILD=${BUILD:-build} CC=${CC:-gcc} SAN=${SAN:-} REAL=${REAL:-float}
BNNLUA=$(cd "$BUILD" && pwd)/bnnlua
export BNNLUA

# Check gives a test 4 seconds; a loaded machine may need more.
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-120}
if [ -n "$SAN" ]; then
  export CK_FORK=no # leaks are seen at the exit of the process that made them
  # Tests ask for absurd sizes: NULL as malloc gives, not the end of the program.
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
fi

# Prints "passed failed skipped" from the summaries in a suite's output; nothing where none is.
count_tests() {
  awk '
    function before(word,   i) { # the number before a word that starts so
      for (i = 2; i <= NF; i++) if (index($i, word) == 1) return $(i - 1) + 0
      return 0
    }
    /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
      bad = $5 + $7; failed += bad; passed += $3 - bad; seen = 1
    }
    /^(# )?Ran [0-9]+ tests? in / {
      sub(/.*seconds,/, ",")
      failed += before("failure") + before("error")
      passed += before("success"); skipped += before("skipped"); seen = 1
    }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; seen = 1 }
    END { if (seen) print passed + 0, failed + 0, skipped + 0 }' "$1"
}

limit_of() {
  case $1 in *tests/long/*) echo 3600 ;; *) echo 600 ;; esac
}

# run SUITE: its output goes to stdout and stderr as the suite wrote it.
run() {
  local limit=(timeout --foreground --kill-after=10 "${TEST_TIMEOUT:-$(limit_of "$1")}")
  case $1 in
  */layers.sh) "${limit[@]}" bash "$1" "$BUILD/libbnn.a" ;;
  *.lua) "${limit[@]}" "$BNNLUA" "$1" ;;
  *.sh) "${limit[@]}" bash "$1" ;;
  *) "${limit[@]}" "$1" ;;
  esac
}

# Says in words what a status means that no test gave itself.
explain() {
  case $1 in
  0) ;;
  124 | 137) echo "killed after ${TEST_TIMEOUT:-$(limit_of "$2")} s (or by another)" ;;
  12[6-9] | 1[3-9][0-9]) echo "status $1, signal $(kill -l "$1" 2>/dev/null)" ;;
  *) echo "status $1" ;;
  esac
}

at_once=${TEST_JOBS:-$(($(nproc) + 1))}
[ -n "${TEST_JOBS:-}" ] || [ "$at_once" -le 4 ] || at_once=4

# Tests never leave the machine and do not see what the user has downloaded.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tmp"
chmod 711 "$scratch" # a suite runs a program as another user
export TMPDIR=$scratch/tmp # what suites leave there is removed too
export BNNLUA_RUNS= BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$scratch/cache no_proxy=127.0.0.1,localhost

total_passed=0 total_failed=0
trap 'kill $(jobs -p) 2>/dev/null; echo; echo "interrupted"; exit 130' INT

# start NUMBER SUITE: runs it; leaves its output, and its status and time behind.
start() {
  local begin=${EPOCHREALTIME/[^0-9]/} status
  run "$2" >"$scratch/$1.log" 2>&1 </dev/null
  status=$?
  echo "$status $(((${EPOCHREALTIME/[^0-9]/} - begin) / 10000))" >"$scratch/$1.new"
  mv "$scratch/$1.new" "$scratch/$1.end"
}

# report NUMBER SUITE: its line, and its output where it failed.
report() {
  local log=$scratch/$1.log suite=$2 status time passed failed skipped note verdict=ok
  note=''
  read -r status time <"$scratch/$1.end"
  read -r passed failed skipped <<<"$(count_tests "$log")"
  if [ -z "$passed" ]; then
    passed=0 failed=0 skipped=0
    if [ "$status" -eq 0 ] && [[ $suite == *.sh ]]; then
      passed=1
    elif [ "$status" -eq 0 ]; then
      failed=1 note="no summary of its tests"
    fi
  fi
  if [ "$status" -ne 0 ]; then
    [ "$failed" -eq 0 ] && failed=1
    note=$(explain "$status")
  fi
  [ "$skipped" -ne 0 ] && note="${note:+$note, }$skipped skipped"

  [ "$failed" -ne 0 ] && verdict=FAIL
  printf '%-4s  %-40s %5d passed %3d failed %6d.%02d s%s\n' "$verdict" "${suite#"$BUILD"/}" \
    "$passed" "$failed" $((time / 100)) $((time % 100)) "${note:+  ($note)}"
  if [ $verdict = FAIL ]; then sed 's/^/    | /' "$log"; fi
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
}

# Suites run side by side and are reported in order.
suites=("$@") reported=0
report_finished() {
  while [ -e "$scratch/$reported.end" ]; do
    report $reported "${suites[reported]}"
    reported=$((reported + 1))
  done
}
for number in "${!suites[@]}"; do
  while [ "$(jobs -pr | wc -l)" -ge "$at_once" ]; do wait -n; done
  report_finished
  start "$number" "${suites[number]}" &
done
while [ $reported -lt ${#suites[@]} ]; do
  wait -n
  # One whose shell was killed has left nothing behind.
  [ -n "$(jobs -pr)" ] || [ -e "$scratch/$reported.end" ] || echo "137 0" >"$scratch/$reported.end"
  report_finished
done

echo
echo "$total_passed passed, $total_failed failed"
[ $total_failed -eq 0 ]
