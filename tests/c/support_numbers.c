/* support_numbers.c - see support_numbers.h. */
#include "support_numbers.h"

#include <math.h>
#include <string.h>

#include "kernels/rng.h"

bool use_isa_number(size_t i) {
  if (!bnn_isa_available(i)) return false;
  ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err));
  return true;
}

void ck_near(double found, double want, double bound, const char *what, size_t i) {
  if (!(fabs(found - want) <= bound))
    ck_abort_msg("%s[%zu] is %.9g, wanted %.9g +- %.2g (%s)", what, i, found, want, bound,
                 bnn_isa_get()->name);
}

void fill(bnn_real *x, size_t n, int which, double lo, double hi) {
  bnn_rng_uniform(x, bnn_key_fold((bnn_key){0x0123456789abcdef}, which), 0, n);
  for (size_t i = 0; i < n; i++) x[i] = (bnn_real)(lo + (hi - lo) * (double)x[i]);
}

bool same_bits(const bnn_real *x, const bnn_real *y, size_t n) {
  return n == 0 || memcmp(x, y, n * sizeof *x) == 0;
}

bool has_subnormals(void) {
  volatile bnn_real least = BNN_REAL_LEAST;
  return least / 2 > 0;
}

long double rest_of_exp(long double x) {
  if (fabsl(x) > 0.5L) return expm1l(x) - x;
  long double sum = 0, term = x * x / 2;
  for (int k = 3; k < 40; k++, term *= x / (k - 1)) sum += term;
  return sum;
}

double size_at(int i) { return (i % 2 ? -1 : 1) * pow(2, -40 + 50 * (i / 2) / 400.0); }
