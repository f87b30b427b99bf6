# records_checks.sh - what long tests of records share; they source it after checks.sh.

# flip_byte FILE: changes a random byte of it, read-only or not
flip_byte() {
  chmod u+w "$1"
  at=$(awk -v n="$(wc -c <"$1")" -v s="$(od -An -N4 -tu4 /dev/urandom)" 'BEGIN {printf "%d", s % n}')
  byte=$(dd if="$1" bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1)
  # shellcheck disable=SC2059
  printf "\\$(printf %o $((byte ^ 4)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
