#!/usr/bin/env bash
# layers.sh [libbnn.a] - nothing looks up: experiments -> scripts -> bindings -> runtime -> libraries;
# and inside a layer, where a folder is a room, rooms know only those below them.
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
  "$word((secure_)?getenv|setenv|putenv|environ)$end" runtime/kernels/blas.c

# Numbers as text have one door, which knows no locale; the locale has another.
refuse "a number is read outside runtime/base/number.c (bnn_number_read)" runtime \
  "$word(strto(d|f|ld)|ato[fil]+|v?s?f?scanf|localeconv)[[:space:]]*\(" runtime/base/number.c
refuse "a locale is set outside runtime/base/c_locale.c" runtime \
  "$word(set|new|use)locale[[:space:]]*\(" runtime/base/c_locale.c
refuse "a number is read past runtime/base/number.h" bindings \
  "$word(strto(d|f|ld)|atof|v?s?f?scanf|setlocale|localeconv)[[:space:]]*\("

# OpenBLAS has one door; bindings hold no numerics.
refuse "OpenBLAS is included outside runtime/kernels/blas.c" runtime "$include$blas" runtime/kernels/blas.c
refuse "bindings include OpenBLAS" bindings "$include$blas"
refuse "bindings include a vector kernel" bindings "$include(vec/.*|vec[_.][^/]*)h[>\"]"

# scripts do not know the experiments, nor the program its tests.
refuse "scripts load an experiment" scripts "${loads}experiments"
refuse "scripts load tests" scripts "$loads(tests[./]|luaunit)"
refuse "experiments load tests" experiments "$loads(tests[./]|luaunit)"

# ---- rooms: the folders of a layer from the top. What a file includes or requires, wherever in it,
# is its own room's or a lower one's; no file leads back to itself. ----
rooms_of() {
  case $1 in
  runtime) echo . inference batches augment program fused families rules densities \
    ops/{attention,conv,densities,elementwise,products,recurrent,reductions,shapes} ops gp metrics tables formats images \
    store files kernels noise vec tensor base ;;
  bindings) echo . command inference program ops gp metrics tables formats images files store system tensor base ;;
  scripts/bnn) echo . prompt show reference slurm sweep sweep/books run report records html help ood plot plot/canvas checkpoint data data/splits data/preprocessing data/tables data/formats inference predict posterior model \
    model/likelihoods nn nn/layers nn/base metrics autodiff ops \
    params search search/methods search/pruners search/analysis store log base ;;
  esac
}

# arrows LAYER: "FROM TO" for each include or require of another file of the layer, files below it.
# pcall(require, "bnn.x") is one too; require("bnn.x.y_" .. name) is one to each file that it may mean.
arrows() {
  (cd "$code/$1" && find . -name '*.[ch]' -o -name '*.def' -o -name '*.lua') | LC_ALL=C sort |
    awk -v layer="$code/$1/" '
    { file = substr($0, 3); files[++n] = file; name = file; sub(".*/", "", name); of[name] = file
      if (sub("[.]lua$", "", file)) { # as it is required
        file = "bnn." file; sub("[./]init$", "", file); gsub("/", ".", file); of[file] = files[n] } }
    function arrow(to) { if (to in of && of[to] != files[i]) print files[i], of[to] }
    END {
      for (i = 1; i <= n; i++) while ((getline line < (layer files[i])) > 0) {
        if (match(line, /^[ \t]*#[ \t]*include[ \t]*"[^"]+/)) {
          to = substr(line, RSTART, RLENGTH); sub(/.*["\/]/, "", to); arrow(to)
        }
        while (match(line, /require[ (,]*["\047][a-z_0-9.]+["\047]?( *[.][.])?/)) {
          to = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
          is_prefix = to ~ /[.][.]$/
          sub(/^[^"\047]*["\047]/, "", to); sub(/["\047].*/, "", to)
          if (!is_prefix) arrow(to)
          else for (name in of) if (index(name, to) == 1) arrow(name)
        }
      }
    }'
}

# check_rooms LAYER: arrows that run up, rooms that are not in the list or too full, circles.
check_rooms() {
  local found
  arrows "$1" | sort -u >"$code/arrows"
  found=$({
    awk -v layer="$1" -v rooms="$(rooms_of "$1" | xargs)" '
      function room(file) { return sub("/[^/]*$", "", file) ? file : "." }
      BEGIN { n = split(rooms, name, " "); for (i = 1; i <= n; i++) depth[name[i]] = i }
      depth[room($2)] < depth[room($1)] { print layer "/" $1 ": looks up to " layer "/" $2 }' \
      "$code/arrows"
    (cd "$1" && find . -type f -name '*.[chl]*') | sed 's|^\./||; s|/*[^/]*$||; s|^$|.|' | sort | uniq -c |
      awk -v layer="$1" -v rooms=" $(rooms_of "$1" | xargs) " '
        !index(rooms, " " $2 " ") { print layer "/" $2 ": not in the list of rooms of tests/layers.sh" }
        $1 > 24 { print layer "/" $2 ": " $1 " files; a room has some 20" }'
    tsort <"$code/arrows" 2>&1 >/dev/null | sed -n "s|^tsort: \(.*\.[a-z]*\)$|$1/\1: leads back to itself|p" | sort -u
  })
  [ -z "$found" ] && return
  echo "$found"
  violations=$((violations + $(wc -l <<<"$found")))
}
for layer in runtime bindings scripts/bnn; do check_rooms $layer; done

# Every folder with code has a README.md, and the files that it names are there.
while IFS= read -r folder; do
  [ -f "$folder/README.md" ] && continue
  echo "$folder: no README.md"
  violations=$((violations + 1))
done < <(find runtime bindings scripts/bnn tests -type f -name '*.[chls]*' -not -path 'tests/corpus/*' |
  sed 's|/[^/]*$||' | LC_ALL=C sort -u)
while IFS=: read -r file name; do
  [ -n "$(find runtime bindings scripts tests -name "${name##*/}" -print -quit)" ] && continue
  echo "$file: names $name, which is not there"
  violations=$((violations + 1))
done < <(find runtime bindings scripts tests -name README.md -print0 |
  xargs -0 grep -oHE '`[a-z0-9_./]+\.(c|h|def|lua|sh|py|safetensors)`' | tr -d '`' | LC_ALL=C sort -u)

# Modules that are required are there: files of scripts/, or what the bindings open ("bnn.core").
while IFS=: read -r file line module; do
  path=scripts/${module//.//}
  [ -f "$path.lua" ] || [ -f "$path/init.lua" ] || grep -rqF "\"$module\"" bindings && continue
  echo "$file:$line: there is no module $module"
  violations=$((violations + 1))
done < <(cd "$code" && grep -rnoE 'require[ (,]*["'\'']bnn[a-z_0-9.]*["'\'']( *\.\.)?' scripts experiments |
  sed -nE "s/:require[ (,]*[\"']([a-z_0-9.]*)[\"']\$/:\1/p" | LC_ALL=C sort -t: -k1,1 -k2,2n)

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
