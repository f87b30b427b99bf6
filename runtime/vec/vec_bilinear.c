/* vec_bilinear.c - pixels from between pixels: bilinear values of a plane at places along a line.
 *
 * On each axis a place p is moved to the nearest one within the plane, i is the pixel before it and f
 * the way from there to the next, so that the four pixels about it can always be read:
 *
 *     above = v[i, j] + fx (v[i, j + 1] - v[i, j])       below = the same of line i + 1
 *     value = share (above + fy (below - above))
 *
 * share is 1, but in a plane that fades max(0, 1 - d) for each axis, with d the way that the place was
 * moved: what 0 all about the plane would give.
 *
 * PLACES are treated at a time: their coordinates as vectors; then their pixels, one after the other,
 * as few instruction sets gather bytes, but two neighbours at once; then the values as vectors. */
#include <string.h>

#include "vec_rows.h"

enum { PLACES = 32 };

/* Where places lie on one axis. */
typedef struct axis_places {
  int32_t first[PLACES];
  bnn_real fraction[PLACES];
} axis_places;

BNN_KERNEL walk(bnn_real *restrict p, bnn_real from, bnn_real step) {
  for (int k = 0; k < PLACES; k++) p[k] = from + (bnn_real)k * step;
}

/* Mirrors places at both ends, again and again. */
BNN_KERNEL reflect(bnn_real *restrict p, bnn_real last) {
  const bnn_real period = 2 * last;
  for (int k = 0; k < PLACES; k++) {
    const bnn_real way = p[k] < 0 ? -p[k] : p[k];
    const bnn_real rest = way - period * (bnn_real)(int32_t)(way / period);
    p[k] = rest > last ? period - rest : rest;
  }
}

/* most: the last pixel that has a next, or 0. */
BNN_KERNEL split(axis_places *restrict out, bnn_real *restrict share, const bnn_real *restrict p,
                 bnn_real last, bnn_real most, bnn_real fade) {
  for (int k = 0; k < PLACES; k++) {
    const bnn_real low = p[k] > 0 ? p[k] : 0, within = low < last ? low : last;
    const bnn_real way = p[k] - within, beyond = way < 0 ? -way : way;
    const int32_t first = (int32_t)(within < most ? within : most);
    out->first[k] = first;
    out->fraction[k] = within - (bnn_real)first;
    share[k] *= 1 - fade * (beyond < 1 ? beyond : 1);
  }
}

static void place(axis_places *out, bnn_real *share, const bnn_bilinear *b, double from,
                  double step, size_t length) {
  bnn_real p[PLACES], last = (bnn_real)(length - 1);
  walk(p, (bnn_real)from, (bnn_real)step);
  if (b->reflects && last > 0) reflect(p, last);
  split(out, share, p, last, last > 1 ? last - 1 : 0, b->fades ? 1 : 0);
}

/* (As memcpy, which gcc makes a slow instruction of where it knows the most bytes.) */
BNN_KERNEL copy(bnn_real *restrict out, const bnn_real *restrict in, size_t n) {
  for (size_t k = 0; k < n; k++) out[k] = in[k];
}

/* Pixels of PLACES: of each the one before it and the next, in two lines.  They are copied as one; from
 * a plane of one column, whose places have no next, one by one. */
#define DEFINE_BILINEAR(NAME, PIXEL, SCALE)                                                      \
  static void read_##NAME(PIXEL *above, PIXEL *below, const PIXEL *plane, const bnn_bilinear *b, \
                          const axis_places *y, const axis_places *x) {                          \
    const size_t w = b->w, down = b->h > 1 ? w : 0;                                              \
    for (int k = 0; w > 1 && k < PLACES; k++) {                                                  \
      const PIXEL *at = plane + (size_t)y->first[k] * w + (size_t)x->first[k];                   \
      memcpy(above + 2 * k, at, 2 * sizeof *at);                                                 \
      memcpy(below + 2 * k, at + down, 2 * sizeof *at);                                          \
    }                                                                                            \
    for (int k = 0; w == 1 && k < PLACES; k++) {                                                 \
      const PIXEL *at = plane + (size_t)y->first[k];                                             \
      above[2 * k] = above[2 * k + 1] = at[0];                                                   \
      below[2 * k] = below[2 * k + 1] = at[down];                                                \
    }                                                                                            \
  }                                                                                              \
                                                                                                 \
  BNN_KERNEL mean_##NAME(bnn_real *restrict out, const PIXEL *restrict above,                    \
                         const PIXEL *restrict below, const bnn_real *restrict fy,               \
                         const bnn_real *restrict fx, const bnn_real *restrict share) {          \
    for (int k = 0; k < PLACES; k++) {                                                           \
      const bnn_real a = above[2 * k], b = below[2 * k];                                         \
      const bnn_real u = a + fx[k] * (above[2 * k + 1] - a);                                     \
      const bnn_real v = b + fx[k] * (below[2 * k + 1] - b);                                     \
      out[k] = share[k] > 0 ? share[k] * (u + fy[k] * (v - u)) / SCALE : 0;                      \
    }                                                                                            \
  }                                                                                              \
                                                                                                 \
  void VEC(NAME)(bnn_real * out, const PIXEL *plane, const bnn_bilinear *b, size_t n) {          \
    for (size_t i = 0; i < n; i += PLACES) {                                                     \
      PIXEL above[2 * PLACES], below[2 * PLACES];                                                \
      bnn_real share[PLACES], value[PLACES];                                                     \
      axis_places y, x;                                                                          \
      for (int k = 0; k < PLACES; k++) share[k] = 1;                                             \
      place(&y, share, b, b->y + (double)i * b->dy, b->dy, b->h);                                \
      place(&x, share, b, b->x + (double)i * b->dx, b->dx, b->w);                                \
      read_##NAME(above, below, plane, b, &y, &x);                                               \
      mean_##NAME(value, above, below, y.fraction, x.fraction, share);                           \
      copy(out + i, value, n - i < PLACES ? n - i : PLACES);                                     \
    }                                                                                            \
  }

DEFINE_BILINEAR(bilinear, bnn_real, 1)
DEFINE_BILINEAR(bilinear_u8, uint8_t, 255)
