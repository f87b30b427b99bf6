/* real.h - the one floating type of the runtime, and what follows from it.
 *
 * bnn_real is float; `make REAL=double` builds the same source in double, where gradients can be
 * checked against central differences with tight bounds.  R(exp) is expf or exp to match. */
#ifndef BNN_REAL_H
#define BNN_REAL_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifdef BNN_REAL_DOUBLE
typedef double bnn_real;
#define R(fn) fn
#define BNN_REAL_DTYPE BNN_F64
#define BNN_REAL_NAME "double"
#define BNN_REAL_EPSILON DBL_EPSILON
#define BNN_REAL_LOWEST (-DBL_MAX)
#define BNN_REAL_LEAST DBL_MIN
#else
typedef float bnn_real;
#define R(fn) fn##f
#define BNN_REAL_DTYPE BNN_F32
#define BNN_REAL_NAME "float"
#define BNN_REAL_EPSILON FLT_EPSILON
#define BNN_REAL_LOWEST (-FLT_MAX)
#define BNN_REAL_LEAST FLT_MIN
#endif

/* Files under ops/ and vec/ are compiled once per instruction set with -DBNN_ISA=baseline, avx2 or
 * avx512; what they export carries that name, so that the copies link side by side. */
#define BNN_PASTE_(a, b) a##_##b
#define BNN_PASTE(a, b) BNN_PASTE_(a, b)
#ifdef BNN_ISA
#define BNN_ISA_NAME(name) BNN_PASTE(name, BNN_ISA)
#endif

/* A loop that must vectorise is a function of its own whose pointers are restrict parameters:
 * restrict on locals fails silently, and inlining loses it (measured: 47 us against 331 for the
 * update of 55,050 parameters). */
#define BNN_KERNEL static __attribute__((noinline)) void

#define BNN_UNUSED(x) ((void)(x))

#endif
