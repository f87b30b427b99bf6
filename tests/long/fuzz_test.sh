#!/bin/sh
# fuzz_test.sh - runs every fuzzer of tests/c for FUZZ_SECONDS (60) each, from its corpus, with clang's
# libFuzzer under AddressSanitizer and UBSan. A finding is left in $TMPDIR and named.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${FUZZ_SECONDS:-60}
passed=0 failed=0
if ! command -v clang >/dev/null; then
  echo "fuzz_test: there is no clang here (make deps-dev): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/fuzz.XXXXXX") || exit 1

for source in tests/c/*/fuzz_*.c; do
  name=$(basename "$source" .c)
  # Its own head says how it is built: the lines from "clang" to "-o NAME".
  build=$(sed -n '/^ \*  *clang /,/-o /p' "$source" | sed 's/^ \* *//; s/\\$//; s/ -o .*//' | tr '\n' ' ')
  mkdir -p "$T/$name"
  if ! bash -c "$build -O1 -g -o $T/$name/run" >"$T/$name/build.log" 2>&1; then
    echo "FAIL: $name does not build: $build"
    cat "$T/$name/build.log"
    failed=$((failed + 1))
    continue
  fi
  mkdir -p "$T/$name/found"
  if "$T/$name/run" -max_total_time="$seconds" -rss_limit_mb=2048 -artifact_prefix="$T/$name/" \
    "$T/$name/found" "tests/corpus/${name#fuzz_}" >"$T/$name/log" 2>&1; then
    echo "$name: $(grep -o 'Done [0-9]* runs in [0-9]* second' "$T/$name/log")s, no finding"
    passed=$((passed + 1))
  else
    echo "FAIL: $name, see $T/$name"
    tail -20 "$T/$name/log"
    failed=$((failed + 1))
  fi
done
[ "$failed" -gt 0 ] || rm -rf "$T"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
