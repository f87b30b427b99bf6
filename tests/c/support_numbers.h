/* support_numbers.h - what the tests of kernels share: every instruction set in turn, inputs without a
 * pattern, assertions for inner loops. */
#ifndef SUPPORT_NUMBERS_H
#define SUPPORT_NUMBERS_H

#include "kernels/isa.h"
#include "support.h"

/* The loop body runs once for each instruction set that this processor has, which is set. */
#define EACH_ISA for (size_t isa_ = 0; use_isa_number(isa_); isa_++)

/* Sets row i of those at hand, best first; false past the end. */
bool use_isa_number(size_t i);

/* For inner loops: Check's own assertions write to a pipe even when they hold. */
#define ck_holds(condition)                           \
  do {                                                \
    if (!(condition)) ck_abort_msg("%s", #condition); \
  } while (0)

void ck_near(double found, double want, double bound, const char *what, size_t i);

/* Numbers for inputs: reproducible, without a pattern, from lo to hi; another `which`, others. */
void fill(bnn_real *x, size_t n, int which, double lo, double hi);

/* The bytes of n numbers; of none too, where memcmp takes no NULL. */
bool same_bits(const bnn_real *x, const bnn_real *y, size_t n);

/* Whether the processor computes with subnormal numbers: kernels that take them for 0 meanwhile leave
 * it as they found it. */
bool has_subnormals(void);

/* e^x - 1 - x: by its series where the subtraction would lose digits. */
long double rest_of_exp(long double x);

/* Numbers of both signs and every size for i < 800, 2^-40 to 1e3, in steps that are not powers of 2. */
double size_at(int i);

#endif
