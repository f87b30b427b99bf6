#!/usr/bin/env bash
# locales.sh DIR - makes locales for LOCPATH=DIR whose LC_NUMERIC is not C's: `comma` has a decimal
# comma, `arabic` the Arabic separator of two bytes.  localedef is in Debian's libc-bin, which every
# machine has; its sources (package locales) are not needed, as two characters are declared here.
# Status 1 when it cannot.
set -eu
command -v localedef >/dev/null || exit 1
mkdir -p "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/charmap" <<'END'
<code_set_name> UTF-8
<comment_char> %
<escape_char> /
<mb_cur_min> 1
<mb_cur_max> 6
CHARMAP
<U002C> /x2c COMMA
<U066B> /xd9/xab ARABIC DECIMAL SEPARATOR
END CHARMAP
END
make_locale() { # NAME CHARACTER; the categories that are not declared are of no use, and complained of
  printf 'LC_NUMERIC\ndecimal_point "<%s>"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n' "$2" \
    >"$work/source"
  localedef -c -i "$work/source" -f "$work/charmap" "$work/$1" 2>/dev/null || true
  mkdir -p "$1"
  cp "$work/$1/LC_NUMERIC" "$1/"
}
cd "$1"
make_locale comma U002C
make_locale arabic U066B
