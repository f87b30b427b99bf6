#!/usr/bin/env bash
# layers.sh [libbnn.a] - nothing looks up: experiments -> scripts -> bindings -> runtime -> libraries.
#
# Reads the sources without their comments and, where it has been built, the library's undefined
# symbols.  Prints each violation as file:line: what; status 1 when there is one.
set -u
lib=${1:-build/libbnn.a}
violations=0
code=$(mktemp -d) || exit 1 # the sources as strip_c and strip_lua leave them, same paths
trap 'rm -rf "$code"' EXIT

# strip_c FILE...: without comments and, except in #include, without the text of strings.
strip_c() {
  awk -v to="$code/" '
    FNR == 1 { close(file); file = to FILENAME; comment = 0 }
    {
      out = ""; quote = ""; keep = /^[ \t]*#[ \t]*include/; n = length($0)
      for (i = 1; i <= n; i++) {
        c = substr($0, i, 1); two = substr($0, i, 2)
        if (comment) { if (two == "*/") { comment = 0; i++ } }
        else if (quote != "") {
          if (c == "\\") i++
          else if (c == quote) { out = out c; quote = "" }
          else if (keep) out = out c
        }
        else if (two == "/*") { comment = 1; i++; out = out " " }
        else if (two == "//") break
        else { if (c == "\"" || c == "\x27") quote = c; out = out c }
      }
      print out >file
    }' "$@"
}

# strip_lua FILE...: without comments (a long one with = signs is not known here).
strip_lua() {
  awk -v to="$code/" '
    FNR == 1 { close(file); file = to FILENAME; block = 0 }
    {
      line = $0
      if (block) {
        at = index(line, "]]"); line = at ? substr(line, at + 2) : ""; block = !at
      }
      while ((at = index(line, "--[["))) {
        rest = substr(line, at + 4); line = substr(line, 1, at - 1); end = index(rest, "]]")
        if (!end) { block = 1; break }
        line = line substr(rest, end + 2)
      }
      sub(/--.*/, "", line)
      print line >file
    }' "$@"
}

# strip STRIPPER GLOB: with these files.
strip() {
  local files
  mapfile -t files < <(find runtime bindings scripts experiments -type f -name "$2")
  [ ${#files[@]} -eq 0 ] || "$1" "${files[@]}"
}

# refuse WHY DIR REGEX [ALLOWED FILE]: a line of code that matches is a violation.
refuse() {
  local file line
  while IFS=: read -r file line _; do
    [ "$file" = "${4:-}" ] && continue
    echo "$file:$line: $1"
    violations=$((violations + 1))
  done < <(cd "$code" && grep -rnE "$3" "$2" 2>/dev/null | LC_ALL=C sort -t: -k1,1 -k2,2n)
}

find runtime bindings scripts experiments -type d -exec mkdir -p "$code"/{} ';'
strip strip_c '*.[ch]'
strip strip_c '*.def'
strip strip_lua '*.lua'

include='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*/)?'
word='(^|[^[:alnum:]_.>])'
end='([^[:alnum:]_]|$)'
loads='(require|dofile|loadfile)[[:space:](]*["'\'']'
blas='(cblas|openblas|lapacke?|f77blas)[^/]*\.h'

# runtime: no Lua, no binding; never prints, exits or reads the environment.
refuse "runtime includes Lua" runtime "$include(lua[^/]*|lauxlib)\.h"
refuse "runtime includes a binding" runtime "$include(bind[^/]*\.h|bindings/)"
refuse "runtime prints" runtime \
  "$word((v?printf|puts|putchar|perror)[[:space:]]*\(|(stdout|stderr)$end)"
refuse "runtime ends the program" runtime "$word(_?exit|_Exit|quick_exit|abort)[[:space:]]*\("
# OpenBLAS takes settings from nowhere else, so its door shows it an environment of its own.
refuse "runtime reads the environment" runtime \
  "$word((secure_)?getenv|setenv|putenv|environ)$end" runtime/blas.c

# Numbers as text have one door, which knows no locale; the locale has another.
refuse "a number is read outside runtime/number.c (bnn_number_read)" runtime \
  "$word(strto(d|f|ld)|ato[fil]+|v?s?f?scanf|localeconv)[[:space:]]*\(" runtime/number.c
refuse "a locale is set outside runtime/c_locale.c" runtime \
  "$word(set|new|use)locale[[:space:]]*\(" runtime/c_locale.c
refuse "a number is read past runtime/number.h" bindings \
  "$word(strto(d|f|ld)|atof|v?s?f?scanf|setlocale|localeconv)[[:space:]]*\("

# OpenBLAS has one door; bindings hold no numerics.
refuse "OpenBLAS is included outside runtime/blas.c" runtime "$include$blas" runtime/blas.c
refuse "bindings include OpenBLAS" bindings "$include$blas"
refuse "bindings include a vector kernel" bindings "$include(vec/.*|vec[_.][^/]*)h[>\"]"

# scripts do not know the experiments, nor the program its tests.
refuse "scripts load an experiment" scripts "${loads}experiments"
refuse "scripts load tests" scripts "$loads(tests[./]|luaunit)"
refuse "experiments load tests" experiments "$loads(tests[./]|luaunit)"

# A name says which file is meant: unique across the tree (init.lua, tools and experiments, which are
# called as what they do, and the fuzzers' inputs aside).
tree() {
  find runtime bindings scripts tests -type f -not -path 'tests/corpus/*' \
    -not -path 'scripts/tools/*' "$@"
}
while IFS= read -r name; do
  tree -name "$name" | LC_ALL=C sort | sed 's|$|: another file has this name|'
  violations=$((violations + 1))
done < <(tree -not -name init.lua -not -name README.md | sed 's|.*/||' | LC_ALL=C sort | uniq -d)

# The same of the library as compiled, which macros cannot hide.
up='lua_.*|luaL_.*|luaopen_.*|bind_.*'
prints='_*v?printf(_chk)?|puts|putchar|perror|stdout|stderr'
ends='_?exit|_Exit|quick_exit|abort'
environment='(secure_)?getenv|setenv|putenv|environ'
if [ -f "$lib" ]; then
  while IFS= read -r symbol; do
    echo "$lib: needs $symbol"
    violations=$((violations + 1))
  done < <(nm -u "$lib" 2>/dev/null | awk '
    /:$/ { file = $1 }
    $1 == "U" { sub(/@.*/, "", $2); if (file != "blas.o:" || $2 != "environ") print $2 }' |
    sort -u | grep -E "^($up|$prints|$ends|$environment)$")
fi

[ $violations -eq 0 ] && { echo "layers: nothing looks up"; exit 0; }
echo "layers: $violations violation(s)"
exit 1
