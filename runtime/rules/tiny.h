/* tiny.h - what keeps subnormal numbers out of updates.
 *
 * They can cost a processor a hundred times what others do, and they do come up: the moments of a
 * weight without gradient decay for ever (0.9 times the smallest number rounds to itself), and so
 * does a weight that nothing but the prior pulls at, such as those of pixels that are 0 in every
 * image.  With MNIST two thirds of an update's time went there on a Xeon.  So a gradient whose square
 * would be subnormal counts as 0, and moments end before they are subnormal; NaN stays.  (With
 * AVX-512 the processor takes them all for 0 meanwhile: vec/vec_lanes.h.) */
#ifndef BNN_TINY_H
#define BNN_TINY_H

#include <math.h>

#include "../base/real.h"

/* Below these |x| counts as 0: gradients, first moments, second moments. */
#ifdef BNN_REAL_DOUBLE
enum { TINY_GRADIENT = -500, TINY_MOMENT = -1000, TINY_SQUARE = -1010 }; /* powers of 2 */
#else
enum { TINY_GRADIENT = -56, TINY_MOMENT = -110, TINY_SQUARE = -116 };
#endif

/* x, or 0 where |x| < 2^power. */
static inline bnn_real drop_tiny(bnn_real x, int power) {
  return R(fabs)(x) < (bnn_real)__builtin_ldexp(1, power) ? 0 : x;
}

/* The root of x in [0, inf], of 0 and inf those of the least and the largest number, as vec/vec_lanes.h
 * has it: then with eps = 0 a parameter without a gradient stays where it is, instead of 0 / 0.  NaN
 * stays. */
static inline bnn_real root_of(bnn_real x) {
  const bnn_real least = BNN_REAL_LEAST, largest = -BNN_REAL_LOWEST;
  return R(sqrt)(x < least ? least : x > largest ? largest : x);
}

#endif
