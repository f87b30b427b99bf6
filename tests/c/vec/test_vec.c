/* test_vec.c - the vector kernels against plain double, on every instruction set at hand. */
#include "vec/vec.h"

#include <math.h>
#include <string.h>

#include "kernels/rng.h"
#include "support_numbers.h"
#include "vec/vec_math.h"

static const bnn_key KEY = {0x0123456789abcdef};

/* The loop body `vec` runs once per instruction set. */
#define EACH_VEC(vec) EACH_ISA for (const bnn_vec *vec = bnn_isa_get()->vec; vec; vec = NULL)

/* The first, which the others are compared with. */
static const bnn_vec *vec_of(size_t i) {
  ck_holds(use_isa_number(i));
  return bnn_isa_get()->vec;
}

/* ---- noise ---- */

typedef void noise(bnn_real *, bnn_key, uint64_t, size_t);

enum { NOISES = 4 };

static noise *noise_of(const bnn_vec *vec, int i) {
  noise *const row[NOISES] = {vec->uniform, vec->normal, vec->truncated, vec->rademacher};
  return row[i];
}

/* Computed once and written down: these may never change, on no machine and in no build. */
START_TEST(noise_keeps_its_golden_bits) {
  static const uint64_t at[] = {0, 1, 16, 33, 63, 64};
  static const float want[NOISES][6] = {
      {0x1.70a044p-1f, 0x1.5b9428p-1f, 0x1.8b196p-1f, 0x1.95005p-2f, 0x1.1e9ecp-4f, 0x1.d4a57p-1f},
      {0x1.c2d7dcp-4f, 0x1.862f6p-2f, -0x1.9b2fdcp-1f, -0x1.49ff6p+0f, 0x1.4df35p-1f,
       0x1.99f1a6p-3f},
      {-0x1.75ba7p-1f, -0x1.baf5c8p-1f, -0x1.2746ecp-1f, 0x1.29a31cp+0f, 0x1.587f7cp-3f,
       -0x1.a1c9d2p-3f},
      {-1, -1, -1, 1, 1, -1},
  };
  static const uint64_t bits[] = {0xc58cb04bb850222e, 0x523e0d85adca1466, 0x7a84fff914a7a020,
                                  0xa33fbf6b5a181fc8, 0xf59e06792db2de92, 0xe24d9736c23fbfde};
  EACH_VEC(vec) {
    for (size_t k = 0; k < 6; k++) {
      bnn_real x;
      uint64_t u;
      vec->bits(&u, KEY, at[k], 1);
      ck_assert_uint_eq(u, bits[k]);
      for (int i = 0; i < NOISES; i++) {
        noise_of(vec, i)(&x, KEY, at[k], 1);
        ck_assert_msg(x == (bnn_real)want[i][k], "noise %d, element %zu: %a, wanted %a", i,
                      (size_t)at[k], (double)x, (double)want[i][k]);
      }
    }
  }
}
END_TEST

START_TEST(noise_has_the_same_bits_on_every_instruction_set) {
  enum { N = 100003 };
  bnn_real *x = bnn_mem_alloc(N, sizeof *x), *y = bnn_mem_alloc(N, sizeof *y);
  uint64_t *a = bnn_mem_alloc(N, sizeof *a), *b = bnn_mem_alloc(N, sizeof *b);
  for (int i = 0; i < NOISES; i++) {
    noise_of(vec_of(0), i)(x, KEY, 5, N);
    EACH_VEC(vec) {
      noise_of(vec, i)(y, KEY, 5, N);
      ck_assert_mem_eq(x, y, N * sizeof *x);
    }
  }
  vec_of(0)->bits(a, KEY, 5, N);
  EACH_VEC(vec) {
    vec->bits(b, KEY, 5, N);
    ck_assert_mem_eq(a, b, N * sizeof *a);
  }
  bnn_mem_free(x);
  bnn_mem_free(y);
  bnn_mem_free(a);
  bnn_mem_free(b);
}
END_TEST

/* Ranges that start and end everywhere in a block; what lies behind them stays as it was. */
START_TEST(any_range_of_a_draw_gives_the_same_numbers) {
  enum { N = 2300 };
  static bnn_real whole[N], part[N + 1];
  static uint64_t bits[N], some[N + 1];
  const uint64_t first = ((uint64_t)1 << 33) + 7;
  EACH_VEC(vec) {
    vec->bits(bits, KEY, first, N);
    for (int i = 0; i < NOISES; i++) {
      noise_of(vec, i)(whole, KEY, first, N);
      for (size_t from = 0, n = 0; from + n <= N; from += 13, n = (n * 7 + from) % 1250) {
        part[n] = -99;
        noise_of(vec, i)(part, KEY, first + from, n);
        ck_holds(n == 0 || memcmp(part, whole + from, n * sizeof *part) == 0);
        ck_holds(part[n] == -99);
        some[n] = 99;
        vec->bits(some, KEY, first + from, n);
        ck_holds(n == 0 || memcmp(some, bits + from, n * sizeof *some) == 0);
        ck_holds(some[n] == 99);
      }
    }
  }
}
END_TEST

/* Word `element` of a key's sequence by the plain Philox: see the layout in vec_noise.c. */
static uint32_t word_of(bnn_key key, uint64_t element) {
  uint64_t counter = element / 64 * 16 + element % 16;
  const uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
  const uint32_t k[2] = {(uint32_t)key.bits, (uint32_t)(key.bits >> 32)};
  uint32_t out[4];
  bnn_philox4x32(out, c, k);
  return out[element % 64 / 16];
}

/* Counters beyond 32 bits too. */
START_TEST(noise_is_made_of_the_words_of_philox) {
  static const uint64_t from[] = {0, 1000, ((uint64_t)1 << 34) - 100, (uint64_t)1 << 60};
  enum { N = 300 };
  static bnn_real u[N], sign[N];
  static uint64_t bits[N];
  EACH_VEC(vec) for (size_t k = 0; k < sizeof from / sizeof *from; k++) {
    vec->uniform(u, KEY, from[k], N);
    vec->rademacher(sign, KEY, from[k], N);
    vec->bits(bits, KEY, from[k], N);
    for (size_t i = 0; i < N; i++) {
      uint32_t w = word_of(KEY, from[k] + i);
      ck_holds(u[i] == (bnn_real)(w >> 8) / (1 << 24));
      ck_holds(sign[i] == (w >> 31 ? -1 : 1));
      uint64_t at = from[k] + i, low = at / 16 * 32 + at % 16;
      ck_holds(bits[i] == (word_of(KEY, low) | (uint64_t)word_of(KEY, low + 16) << 32));
    }
  }
}
END_TEST

/* Box and Muller by libm in double from the same two words. */
static double normal_of(uint64_t element) {
  uint64_t even = element / 32 * 32 + element % 16;
  uint32_t a = word_of(KEY, even), b = word_of(KEY, even + 16);
  double u = (double)(float)(int32_t)(a >> 1 | 1) * 0x1p-31;
  double phi = (double)(int32_t)(b << 2 | 2) * 0x1p-31 * atan(1);
  double c = b >> 31 ? -cos(phi) : cos(phi), s = sin(phi);
  bool first = (element % 32 < 16) != (b >> 30 & 1);
  return sqrt(-2 * log(u)) * (first ? c : s);
}

START_TEST(normals_are_within_4e_7_of_box_and_muller_in_double) {
  enum { N = 1 << 18 };
  bnn_real *x = bnn_mem_alloc(N, sizeof *x);
  bnn_rng_normal(x, KEY, 0, N);
  for (size_t i = 0; i < N; i++) {
    double want = normal_of(i);
    ck_near((double)x[i], want, 4e-7 * fmax(1, fabs(want)), "normal", i);
  }
  bnn_mem_free(x);
}
END_TEST

/* By the distribution function, which has no slope problem: |cdf(z) - p| <= bound * density. */
START_TEST(truncated_normals_are_within_6e_7_of_the_inverse_distribution_function) {
  enum { N = 1 << 18 };
  bnn_real *x = bnn_mem_alloc(N, sizeof *x);
  bnn_rng_truncated(x, KEY, 0, N);
  for (size_t i = 0; i < N; i++) {
    double t = (double)(int32_t)(word_of(KEY, i) | 1) * 0x1p-31, z = (double)x[i];
    double slope = sqrt(2 / acos(-1)) * exp(-z * z / 2) / erf(sqrt(2));
    ck_near(erf(z / sqrt(2)) / erf(sqrt(2)) / slope, t / slope, 6e-7, "truncated", i);
  }
  bnn_mem_free(x);
}
END_TEST

/* ---- inline functions ---- */

/* Each function in a loop of its own for every instruction set: with FMA its rounding differs. */
#if defined(BNN_HAVE_X86_ISAS)
#define TARGET_avx2 __attribute__((target("avx2,fma")))
#define TARGET_avx512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
#define ISAS(X, f) X(f, avx512) X(f, avx2) X(f, baseline)
#else
#define ISAS(X, f) X(f, baseline)
#endif
#define TARGET_baseline
#define LOOP(f, isa)                                                                               \
  TARGET_##isa static void f##_##isa(bnn_real *restrict y, const bnn_real *restrict x, size_t n) { \
    for (size_t i = 0; i < n; i++) y[i] = vm_##f(x[i]);                                            \
  }
#define ENTRY(f, isa) {#isa, f##_##isa},

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }

/* name, reference in double, largest error in units of the last place */
#define MATH_ROWS(X)          \
  X(exp, exp, 1.1)            \
  X(expm1, expm1, 1.75)       \
  X(log, log, 0.85)           \
  X(log1p, log1p, 1.5)        \
  X(tanh, tanh, 2.75)         \
  X(sigmoid, sigmoid, 2.5)    \
  X(softplus, softplus, 1.75) \
  X(erf, erf, 2.25)           \
  X(sin, sin, 1)              \
  X(cos, cos, 1)

#define X(f, reference, bound) ISAS(LOOP, f)
MATH_ROWS(X)
#undef X

enum { ISAS_MAX = 3 };

static const struct math_row {
  const char *name;
  double (*reference)(double);
  double ulps;
  struct {
    const char *isa;
    void (*loop)(bnn_real *restrict y, const bnn_real *restrict x, size_t n);
  } in[ISAS_MAX];
} math_row[] = {
#define X(f, reference, bound) {#f, reference, bound, {ISAS(ENTRY, f)}},
    MATH_ROWS(X)
#undef X
};

enum { MATH_COUNT = sizeof math_row / sizeof *math_row };

static bool runs(const char *isa) {
  for (size_t i = 0; bnn_isa_available(i); i++)
    if (strcmp(isa, bnn_isa_available(i)) == 0) return true;
  return false;
}

/* Runs a row's loop in each instruction set at hand: y = f(x) for one of them. */
#define EACH_LOOP(row, y, x, n)                                 \
  for (size_t k_ = 0; k_ < ISAS_MAX && (row)->in[k_].isa; k_++) \
    if (runs((row)->in[k_].isa))                                \
      for (bool once_ = ((row)->in[k_].loop(y, x, n), true); once_; once_ = false)

START_TEST(functions_keep_nan_and_know_their_limits) {
  static const double inf = INFINITY;
  static const struct {
    const char *name;
    double at_minus_inf, at_inf, at_0;
  } row[] = {{"exp", 0, INFINITY, 1},
             {"expm1", -1, INFINITY, 0},
             {"log", NAN, INFINITY, -INFINITY},
             {"log1p", NAN, INFINITY, 0},
             {"tanh", -1, 1, 0},
             {"sigmoid", 0, 1, 0.5},
             {"softplus", 0, INFINITY, 0.69314718055994531},
             {"erf", -1, 1, 0}};
  for (size_t i = 0; i < MATH_COUNT; i++) {
    const bnn_real x[] = {(bnn_real)NAN, (bnn_real)-inf, (bnn_real)inf, 0};
    bnn_real y[4];
    EACH_LOOP(&math_row[i], y, x, 4) {
      ck_assert_msg(isnan(y[0]), "%s(NaN) is %g", math_row[i].name, (double)y[0]);
      if (i >= sizeof row / sizeof *row) continue; /* sin and cos: infinity gives NaN */
      const double want[] = {row[i].at_minus_inf, row[i].at_inf, row[i].at_0};
      ck_assert_str_eq(math_row[i].name, row[i].name);
      for (int k = 0; k < 3; k++)
        ck_assert_msg(isnan(want[k]) ? isnan(y[k + 1]) : y[k + 1] == (bnn_real)want[k],
                      "%s(%g) is %g", row[i].name, (double)x[k + 1], (double)y[k + 1]);
    }
  }
}
END_TEST

#ifndef BNN_REAL_DOUBLE

/* The size of the last place of a float near y; subnormal numbers share that of the smallest. */
static double last_place(double y) {
  int e;
  if (fabs(y) < FLT_MIN) return 0x1p-149;
  frexp(y, &e);
  return ldexp(1, e - 24);
}

/* The error of y for x in units of the last place; where the true value is no finite float, 0 when
 * y is what it rounds to.  A result below 2^-125.5 may be 0, but for an argument of that size, and
 * is never subnormal. */
static double ulps(float x, float y, double want) {
  float rounded = (float)want;
  const bool has_size = fabsf(x) >= FLT_MIN;
  if (has_size && fabs(want) < 1.4143 * (double)FLT_MIN && y == 0) return 0;
  if (has_size && fabsf(y) < FLT_MIN && y != 0) return INFINITY;
  if (isnan(rounded)) return isnan(y) ? 0 : INFINITY;
  if (isinf(rounded)) return rounded == y || fabs(want) < 0x1.000004p128 ? 0 : INFINITY;
  if (isinf(y)) return fabs(want) > 0x1.fffffcp127 ? 0 : INFINITY; /* the last float or two */
  return fabs((double)y - want) / last_place(want);
}

static void fail_ulps(const char *name, float x, float y, double miss) {
  ck_abort_msg("%s(%a) is %a: off by %.3g ulp", name, (double)x, (double)y, miss);
}

/* Floats of every binade and sign, subnormal numbers, infinities and NaN: every 4099th of all. */
START_TEST(functions_keep_their_bounds_over_all_floats) {
  enum { N = 4096, STRIDE = 4099 };
  static float x[N], y[N];
  const struct math_row *row = &math_row[_i];
  for (uint64_t u = 0; u >> 32 == 0;) {
    size_t n = 0;
    for (; n < N && u >> 32 == 0; n++, u += STRIDE) x[n] = vm_float((uint32_t)u);
    EACH_LOOP(row, y, x, n) for (size_t i = 0; i < n; i++) {
      double miss = ulps(x[i], y[i], row->reference((double)x[i]));
      if (!(miss <= row->ulps)) fail_ulps(row->name, x[i], y[i], miss);
    }
  }
}
END_TEST

/* Where the reductions change and where training spends its time: every float of some ranges. */
START_TEST(functions_keep_their_bounds_where_they_are_used_most) {
  enum { N = 4096 };
  static const float from[] = {0x1p-12f, 0.34f, 0.4f, 0.7f, 0.999f, 1,  2,
                               4,        8.6f,  17,   87,   88.7f,  103};
  static float x[N], y[N];
  const struct math_row *row = &math_row[_i];
  for (size_t k = 0; k < sizeof from / sizeof *from; k++)
    for (int sign = -1; sign <= 1; sign += 2) {
      for (uint32_t i = 0; i < N; i++) x[i] = (float)sign * vm_float(vm_bits(from[k]) + i * 13);
      EACH_LOOP(row, y, x, N) for (size_t i = 0; i < N; i++) {
        double miss = ulps(x[i], y[i], row->reference((double)x[i]));
        if (!(miss <= row->ulps)) fail_ulps(row->name, x[i], y[i], miss);
      }
    }
}
END_TEST

#endif

START_TEST(the_rest_of_exp_keeps_its_digits) {
  for (int i = 0; i < 800; i++) {
    const double x = size_at(i), got = vm_exp_rest(x), want = (double)rest_of_exp(x);
    if (x > 709) continue;
    ck_assert_msg(fabs(got - want) <= 4e-15 * want, "e^x - 1 - x of %a is %a, not %a", x, got,
                  want);
  }
  ck_assert(vm_exp_rest(0) == 0);
  ck_assert(vm_exp_rest(-INFINITY) == INFINITY && vm_exp_rest(INFINITY) == INFINITY);
  ck_assert(vm_exp_rest(710) == INFINITY && isnan(vm_exp_rest(NAN)));
}
END_TEST

/* ---- data, statistics, edges ---- */

enum { P = 1003 }; /* several vectors and a rest */

/* At every place of a vector and of the rest, whatever the other numbers are. */
START_TEST(one_number_that_is_not_finite_is_found) {
  static bnn_real x[P];
  const bnn_real odd[] = {(bnn_real)NAN, (bnn_real)INFINITY, (bnn_real)-INFINITY};
  fill(x, P, 1, -1, 1);
  x[7] = BNN_REAL_LOWEST, x[8] = -BNN_REAL_LOWEST, x[9] = 0;
  EACH_VEC(vec) {
    ck_holds(vec->finite(x, P) && vec->finite(x, 0));
    for (size_t at = 0; at < P; at++) {
      const bnn_real before = x[at];
      x[at] = odd[at % 3];
      ck_holds(!vec->finite(x, P) && vec->finite(x, at) && vec->finite(x + at, 0));
      x[at] = before;
    }
  }
}
END_TEST

START_TEST(pixels_are_the_bytes_over_255_correctly_rounded) {
  uint8_t in[256 + 7];
  bnn_real out[256 + 7];
  for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)i;
  EACH_VEC(vec) {
    vec->pixels(out, in, sizeof in);
    for (size_t i = 0; i < sizeof in; i++) ck_holds(out[i] == (bnn_real)in[i] / 255);
  }
}
END_TEST

/* The bilinear value of a plane that goes on beyond its edge, from the sum over all pixels: of weights
 * that fall to 0 at a distance of 1. */
static double bilinear_of(const double *plane, const bnn_bilinear *b, size_t i) {
  const double last[] = {(double)b->h - 1, (double)b->w - 1};
  double at[] = {b->y + (double)i * b->dy, b->x + (double)i * b->dx}, sum = 0;
  for (int k = 0; k < 2; k++) {
    if (b->fades) continue;
    for (; b->reflects && last[k] > 0 && (at[k] < 0 || at[k] > last[k]);)
      at[k] = at[k] < 0 ? -at[k] : 2 * last[k] - at[k];
    at[k] = fmin(fmax(at[k], 0), last[k]);
  }
  for (size_t y = 0; y < b->h; y++)
    for (size_t x = 0; x < b->w; x++)
      sum += fmax(0, 1 - fabs(at[0] - (double)y)) * fmax(0, 1 - fabs(at[1] - (double)x)) *
             plane[y * b->w + x];
  return sum;
}

enum { PLANE_MAX = 9 * 11, PLACES = 75 };

static void check_bilinear(const bnn_vec *vec, const bnn_bilinear *b) {
  uint8_t bytes[PLANE_MAX];
  bnn_real reals[PLANE_MAX], out[PLACES + 1];
  double want[PLANE_MAX];
  for (size_t i = 0; i < b->h * b->w; i++) {
    bytes[i] = (uint8_t)(i * 37 % 256);
    want[i] = bytes[i] / 255.0;
    reals[i] = (bnn_real)want[i];
  }
  out[PLACES] = 7;
  for (int is_u8 = 0; is_u8 < 2; is_u8++) {
    if (is_u8)
      vec->bilinear_u8(out, bytes, b, PLACES);
    else
      vec->bilinear(out, reals, b, PLACES);
    for (size_t i = 0; i < PLACES; i++) ck_near(out[i], bilinear_of(want, b, i), 1e-4, "value", i);
    ck_holds(out[PLACES] == 7);
  }
}

/* Lines across planes of all kinds, from far outside to far outside. */
START_TEST(bilinear_values_are_those_of_the_pixels_about_a_place) {
  static const size_t side[][2] = {{9, 11}, {2, 2}, {1, 5}, {6, 1}, {1, 1}};
  EACH_VEC(vec) {
    for (int k = 0; k < 5; k++)
      for (int kind = 0; kind < 3; kind++)
        for (int j = 0; j < 20; j++) {
          const double turn = 0.3 * j, dy = 0.4 * sin(turn), dx = 0.4 * cos(turn);
          const bnn_bilinear b = {.y = (double)side[k][0] / 2 - 37 * dy,
                                  .x = (double)side[k][1] / 2 - 36 * dx,
                                  .dy = dy,
                                  .dx = dx,
                                  .h = side[k][0],
                                  .w = side[k][1],
                                  .fades = kind == 0,
                                  .reflects = kind == 1};
          check_bilinear(vec, &b);
        }
  }
}
END_TEST

/* Whole places give the pixels themselves, and places beyond the edge 0 whatever the pixels there are. */
START_TEST(bilinear_values_at_pixels_are_these) {
  const uint8_t bytes[] = {0, 51, 85, 255, 254, 3};
  const bnn_real reals[] = {INFINITY, 2, -3, INFINITY, NAN, 6};
  const bnn_bilinear b = {.y = 1, .x = -3, .dx = 1, .h = 2, .w = 3, .fades = true};
  EACH_VEC(vec) {
    bnn_real out[9];
    vec->bilinear_u8(out, bytes, &b, 9);
    for (int i = 0; i < 9; i++) ck_holds(out[i] == (i < 3 || i > 5 ? 0 : (bnn_real)bytes[i] / 255));
    vec->bilinear(out, reals, &b, 9);
    for (int i = 0; i < 9; i++) ck_holds((i > 2 && i < 6) || out[i] == 0);
  }
}
END_TEST

START_TEST(welford_gives_mean_and_squared_deviations_of_two_passes) {
  enum { SAMPLES = 50 };
  static bnn_real x[SAMPLES][P];
  for (int k = 0; k < SAMPLES; k++) fill(x[k], P, k, 999, 1001);
  EACH_VEC(vec) {
    static double mean[P], m2[P];
    for (size_t i = 0; i < P; i++) mean[i] = m2[i] = 0;
    for (int k = 0; k < SAMPLES; k++) vec->welford(mean, m2, x[k], k + 1, P);
    for (size_t i = 0; i < P; i++) {
      double sum = 0, squares = 0;
      for (int k = 0; k < SAMPLES; k++) sum += (double)x[k][i];
      for (int k = 0; k < SAMPLES; k++) squares += pow((double)x[k][i] - sum / SAMPLES, 2);
      ck_near(mean[i], sum / SAMPLES, 1e-11, "mean", i);
      ck_near(m2[i], squares, 1e-9, "m2", i);
    }
  }
}
END_TEST

START_TEST(numbers_are_added_in_double) {
  static bnn_real x[P];
  static double sum[P];
  fill(x, P, 1, -1, 1);
  EACH_VEC(vec) {
    for (size_t i = 0; i < P; i++) sum[i] = 1e9;
    for (int k = 0; k < 3; k++) vec->add_to(sum, x, P);
    for (size_t i = 0; i < P; i++) ck_near(sum[i], 1e9 + 3 * (double)x[i], 1e-6, "sum", i);
  }
}
END_TEST

/* Around the sizes of a tile, 48 x 16; probabilities down to 0. */
static const struct {
  size_t rows, classes;
} class_shape[] = {{1, 1},  {1, 10},  {47, 2},  {48, 10}, {49, 10}, {240, 10},
                   {3, 16}, {50, 17}, {2, 700}, {5, 32},  {0, 10},  {3, 0}};
enum { CLASS_SHAPES = sizeof class_shape / sizeof *class_shape, MOST = 240 * 10 };

static void fill_probabilities(bnn_real *p, size_t rows, size_t classes, int which) {
  fill(p, rows * classes, which, 0, 1);
  for (size_t i = 0; i < rows; i++) {
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
      sum += (double)(p[i * classes + c] = (bnn_real)pow((double)p[i * classes + c], 40));
    for (size_t c = 0; c < classes; c++) p[i * classes + c] /= (bnn_real)sum;
    if (classes > 1) p[i * classes + i % classes] = 0;
  }
}

static double plain_entropy(const bnn_real *p, size_t classes) {
  double h = 0;
  for (size_t c = 0; c < classes; c++) h -= p[c] > 0 ? (double)p[c] * log((double)p[c]) : 0;
  return h;
}

static size_t plain_best(const bnn_real *p, size_t classes) {
  size_t best = 0;
  for (size_t c = 1; c < classes; c++)
    if (p[c] > p[best]) best = c;
  return best;
}

START_TEST(class_sums_are_mean_entropies_and_votes) {
  enum { SAMPLES = 5 };
  const size_t rows = class_shape[_i].rows, classes = class_shape[_i].classes;
  static bnn_real p[SAMPLES][MOST];
  for (int k = 0; k < SAMPLES; k++) fill_probabilities(p[k], rows, classes, k);
  EACH_VEC(vec) {
    static double entropy[MOST], alone[MOST];
    static uint32_t votes[MOST], want[MOST];
    for (size_t i = 0; i < MOST; i++) entropy[i] = alone[i] = 0, votes[i] = want[i] = 0;
    for (int k = 0; k < SAMPLES; k++) {
      vec->class_sums(entropy, votes, p[k], k + 1, rows, classes);
      vec->class_sums(alone, NULL, p[k], k + 1, rows, classes);
    }
    for (size_t i = 0; classes > 0 && i < rows; i++) {
      double h = 0;
      for (int k = 0; k < SAMPLES; k++) {
        h += plain_entropy(p[k] + i * classes, classes) / SAMPLES;
        want[i * classes + plain_best(p[k] + i * classes, classes)]++;
      }
      ck_near(entropy[i], h, 2 * (double)BNN_REAL_EPSILON * (1 + h), "entropy", i);
    }
    ck_holds(memcmp(entropy, alone, sizeof entropy) == 0);
    ck_holds(memcmp(votes, want, sizeof votes) == 0);
  }
}
END_TEST

/* (1/2, 1/2), (1, 0), a tie of three, a NaN: (log 2)/2 for the first two, 0 log 0 = 0. */
START_TEST(class_sums_at_the_edges) {
  const bnn_real p[2][6] = {{(bnn_real)0.5, (bnn_real)0.5, 0, 0, (bnn_real)NAN, 1},
                            {1, 0, 1, 0, 0, 1}};
  EACH_VEC(vec) {
    double entropy[3] = {0};
    uint32_t votes[6] = {0};
    for (int k = 0; k < 2; k++) vec->class_sums(entropy, votes, p[k], k + 1, 3, 2);
    ck_near(entropy[0], log(2) / 2, (double)BNN_REAL_EPSILON, "entropy", 0);
    ck_holds(entropy[1] == 0 && isnan(entropy[2]));
    ck_holds(votes[0] == 2 && votes[1] == 0); /* a tie is the first's */
    ck_holds(votes[2] == 2 && votes[3] == 0 && votes[5] == 2);
  }
}
END_TEST

START_TEST(nothing_is_written_for_n_0) {
  EACH_VEC(vec) {
    bnn_real x = 7;
    double a = 7, b = 7;
    uint64_t bits = 7;
    const uint8_t byte = 1;
    vec->bits(&bits, KEY, 3, 0);
    for (int i = 0; i < NOISES; i++) noise_of(vec, i)(&x, KEY, 3, 0);
    vec->pixels(&x, &byte, 0);
    vec->bilinear_u8(&x, &byte, &(bnn_bilinear){.h = 1, .w = 1}, 0);
    vec->bilinear(&x, &x, &(bnn_bilinear){.h = 1, .w = 1}, 0);
    vec->welford(&a, &b, &x, 1, 0);
    vec->add_to(&a, &x, 0);
    vec->class_sums(&a, NULL, &x, 1, 0, 3);
    ck_holds(x == 7 && a == 7 && b == 7 && bits == 7);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, noise_keeps_its_golden_bits);
  tcase_add_test(tests, noise_has_the_same_bits_on_every_instruction_set);
  tcase_add_test(tests, any_range_of_a_draw_gives_the_same_numbers);
  tcase_add_test(tests, noise_is_made_of_the_words_of_philox);
  tcase_add_test(tests, normals_are_within_4e_7_of_box_and_muller_in_double);
  tcase_add_test(tests, truncated_normals_are_within_6e_7_of_the_inverse_distribution_function);
  tcase_add_test(tests, functions_keep_nan_and_know_their_limits);
#ifndef BNN_REAL_DOUBLE
  tcase_add_loop_test(tests, functions_keep_their_bounds_over_all_floats, 0, MATH_COUNT);
  tcase_add_loop_test(tests, functions_keep_their_bounds_where_they_are_used_most, 0, MATH_COUNT);
#endif
  tcase_add_test(tests, the_rest_of_exp_keeps_its_digits);
  tcase_add_test(tests, one_number_that_is_not_finite_is_found);
  tcase_add_test(tests, pixels_are_the_bytes_over_255_correctly_rounded);
  tcase_add_test(tests, bilinear_values_are_those_of_the_pixels_about_a_place);
  tcase_add_test(tests, bilinear_values_at_pixels_are_these);
  tcase_add_test(tests, welford_gives_mean_and_squared_deviations_of_two_passes);
  tcase_add_test(tests, numbers_are_added_in_double);
  tcase_add_loop_test(tests, class_sums_are_mean_entropies_and_votes, 0, CLASS_SHAPES);
  tcase_add_test(tests, class_sums_at_the_edges);
  tcase_add_test(tests, nothing_is_written_for_n_0);
}

int main(void) { return run_suite("vec", add_tests); }
