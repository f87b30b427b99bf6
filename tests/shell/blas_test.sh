#!/bin/sh
# blas_test.sh - when and how the program loads OpenBLAS, by a small library that stands in for it
# and writes down what it sees; then the real one under limits of memory and of processes.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
: "${CC:=gcc}" "${SAN:=}"
unset OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS
cd "$T" || exit 1

cat >library.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char core[32], config[128];

static const char *of(const char *name, const char *unset) {
  return getenv(name) ? getenv(name) : unset;
}

__attribute__((constructor)) static void start(void) {
  FILE *log = fopen(of("SEEN", "/dev/null"), "a");
  fprintf(log, "%s %s\n", of("OPENBLAS_NUM_THREADS", "-"), of("OPENBLAS_CORETYPE", "-"));
  fclose(log);
  snprintf(core, sizeof core, "%s", of("OPENBLAS_CORETYPE", of("CHOOSES", "Prescott")));
  if (strcmp(core, "nonsense") == 0) strcpy(core, "Cooperlake"); /* as 0.3.21 does */
  snprintf(config, sizeof config, "OpenBLAS 9.9 %s MAX_THREADS=4", core);
}

char *openblas_get_config(void) { return config; }
char *openblas_get_corename(void) { return core; }
void openblas_set_num_threads(int n) { (void)n; }

#define GEMM(name, real)                                                                        \
  void name(int order, int ta, int tb, int m, int n, int k, real alpha, const real *a, int lda, \
            const real *b, int ldb, real beta, real *c, int ldc) {                              \
    const char *wrong = getenv("WRONG");                                                        \
    (void)order;                                                                                \
    for (int i = 0; i < m; i++)                                                                 \
      for (int j = 0; j < n; j++) {                                                             \
        real sum = beta == 0 ? 0 : beta * c[i * ldc + j];                                       \
        for (int t = 0; t < k; t++)                                                             \
          sum += alpha * (ta == 112 ? a[t * lda + i] : a[i * lda + t]) *                        \
                 (tb == 112 ? b[j * ldb + t] : b[t * ldb + j]);                                 \
        c[i * ldc + j] = sum + (wrong && m > atoi(wrong) && i == m - 1 && j == n - 1);          \
      }                                                                                         \
  }
GEMM(cblas_sgemm, float)
GEMM(cblas_dgemm, double)
C
mkdir fake other
$CC -shared -fPIC -o fake/libopenblas.so.0 library.c || { echo "0 passed, 1 failed"; exit 1; }
echo "not a library" >other/libopenblas.so.0
# Under whatever name this binary was built to ask for first.
for name in libopenblas.so $(grep -aho 'lib[a-z0-9]*blas[a-z0-9]*\.so[.0-9]*' "$bnnlua" | sort -u); do
  [ "$name" = libopenblas.so.0 ] || ln -sf libopenblas.so.0 "fake/$name"
  [ "$name" = libopenblas.so.0 ] || ln -sf libopenblas.so.0 "other/$name"
done

product='local bnn = require "bnn" local x = bnn.mm(bnn.ones(40, 30), bnn.ones(30, 20))
  assert(x:sum():item() == 40 * 30 * 20)'

# with LIBRARY [NAME=VALUE...] CODE: runs the code with that library; sets out, err, rc, seen.
with() {
  library=$1
  shift
  code='' settings=''
  while [ $# -gt 1 ]; do settings="$settings $1" && shift; done
  code=$1
  : >"$T/seen"
  # shellcheck disable=SC2086
  out=$(env SEEN="$T/seen" LD_LIBRARY_PATH="$T/$library" $settings "$bnnlua" -e "$code" 2>"$T/err")
  rc=$?
  err=$(cat "$T/err")
  seen=$(tr '\n' ';' <"$T/seen")
}

# ---------------------------------------------------------------- when
with fake ''
equal "a program without products loads nothing" "0 " "$rc $seen"
with fake 'local bnn = require "bnn" print(bnn.ones(3):sum():item())'
equal "nor do tensors" "0 3.0 " "$rc $out $seen"
with fake CHOOSES=FutureLake "$product $product"
equal "the first product loads it, once" "0 1 -;" "$rc $seen"

# ---------------------------------------------------------------- its environment and ours
show='io.stdout:write(tostring(os.getenv "OPENBLAS_NUM_THREADS"), " ") io.stdout:flush()
  os.execute "echo ${OPENBLAS_NUM_THREADS-unset} ${OPENBLAS_CORETYPE-unset}"'
with fake CHOOSES=FutureLake "$product $show"
equal "it sees one thread, and nothing else does" "1 -; nil unset unset" "$seen $out"
with fake CHOOSES=FutureLake OPENBLAS_NUM_THREADS=7 "$product $show"
equal "whatever the user set" "1 -; 7 7 unset" "$seen $out"

# ---------------------------------------------------------------- its core
best=$("$bnnlua" -e 'print(require "bnn.core".isas()[1])')
case $best in
avx512) right=SkylakeX of_avx2='1 -;1 SkylakeX;' ;;
avx2) right=Haswell of_avx2='1 -;' ;;
*) right= of_avx2='1 -;' ;;
esac
chosen='for _, v in ipairs(require "bnn".versions()) do
  if v.name == "OpenBLAS" or v.name == "core chosen" then print(v.version) end end'
for old in Prescott Nehalem Sandybridge; do
  with fake CHOOSES=$old "$product $chosen"
  equal "$old is replaced by what the processor can do" "0 1 -;${right:+1 $right;}" "$rc $seen"
  has "and named ($old)" "(core ${right:-$old})" "$out"
  [ -z "$right" ] || has "with the choice of the library" "OpenBLAS chose, $old" "$out"
done
with fake CHOOSES=Haswell "$product $chosen"
equal "Haswell is old beside AVX-512 only" "$of_avx2" "$seen"
for new in SkylakeX Cooperlake SapphireRapids FutureLake Excavator NEOVERSEN1; do
  with fake CHOOSES=$new "$product $chosen"
  equal "$new stays" "1 -;" "$seen"
  has "and is said to be the library's" "by OpenBLAS" "$out"
done
with fake OPENBLAS_CORETYPE=Nehalem "$product $chosen $show"
equal "the user's core stays" "1 Nehalem;" "$seen"
has "and is said to be the user's" "by OPENBLAS_CORETYPE" "$out"
has "in the environment too" "nil unset Nehalem" "$out"
with fake OPENBLAS_CORETYPE=nonsense CHOOSES=FutureLake "$product $chosen $show"
equal "a core that the library does not know is left out" "1 nonsense;1 -;" "$seen"
has "... which is not in silence" "no core of the name in OPENBLAS_CORETYPE" "$err"
has "... and the library chooses" "(core FutureLake)" "$out"
has "... while the environment stays" "nil unset nonsense" "$out"
with fake OPENBLAS_CORETYPE= CHOOSES=Prescott "$product"
equal "an empty variable is none" "1 -;${right:+1 $right;}" "$seen"

# ---------------------------------------------------------------- without it
shows_fallback() { # WHAT WHY
  equal "$1: products are right all the same" "0 " "$rc $out"
  has "$1: a notice says so" "bnnlua: no OpenBLAS (" "$err"
  has "$1: and why" "$2" "$err"
  equal "$1: once" 1 "$(grep -c '' "$T/err")"
}
with fake CHOOSES=FutureLake WRONG=0 "$product $product"
shows_fallback "a library that is wrong" "FutureLake miscalculate"
with fake CHOOSES=FutureLake WRONG=100 "$product $product"
shows_fallback "one that is wrong in large products" "FutureLake miscalculate"
with other "$product $product"
shows_fallback "no library" "libopenblas"
out=$(LD_LIBRARY_PATH="$T/other" "$bnnlua" --version 2>/dev/null)
has "--version has no OpenBLAS then" "none, our own kernels" "$out"

# ---------------------------------------------------------------- limits
# A sanitizer maps terabytes.
if [ -z "$SAN" ]; then
  limited() { # KIB CODE
    out=$( (ulimit -v "$1" && timeout -s KILL 60 "$bnnlua" -e "$2") 2>"$T/err")
    rc=$?
    err=$(cat "$T/err")
  }
  limited 150000 'print(1)'
  equal "little address space is enough without products" "0 1" "$rc $out"
  limited 150000 "local ok, why = pcall(load [[$product]]) print(ok, why)"
  equal "too little for a product does not end the program" 0 "$rc"
  has "but is an error: out of memory" "false" "$out"
  has "in words" "out of memory" "$out"
  for kib in 200000 260000 330000 460000; do
    limited $kib 'local bnn = require "bnn"
      bnn.threads(4)
      local net, x = bnn.nn.mlp{64, 10}, bnn.ones(2000, 784)
      local q = bnn.posterior.meanfield(net:init(bnn.key(1), x), {logvar = -7})
      print(bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x,
        {num_samples = 8, key = bnn.key(2)}).class:size(1))'
    case $rc:$out:$err in
    0:2000:* | 1:*"out of memory"*) pass ;;
    *) printf '%s\n' "$rc" "$out" "$err" >"$T/why" && fail "prediction in $kib KiB" "$T/why" ;;
    esac
  done
  # root has no such limit
  if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && command -v prlimit >/dev/null; then
    cp "$bnnlua" "$T/program" && chmod 755 "$T" "$T/program"
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=1 "$T/program" -e "
      $product print(x:sum():item())" 2>&1)
    equal "no thread may be started, and none is" "0 24000.0" "$? $out"
  fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
