/* normal_chunks.h - what families have in common whose samples are made of a normal number for each
 * element: in chunks, so that the noise is still in the first-level cache when it is used. */
#ifndef BNN_NORMAL_CHUNKS_H
#define BNN_NORMAL_CHUNKS_H

#include "../vec/vec_rows.h"
#include "family.h"

enum { NORMAL_CHUNK = 1024 };

BNN_KERNEL negate(bnn_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = -x[i];
}

/* Normals [from, from + n) of a draw. */
static inline void draw_normals(bnn_real *out, bnn_draw draw, uint64_t from, size_t n) {
  VEC(normal)(out, draw.key, from, n);
  if (draw.is_mirrored) negate(out, n);
}

/* Makes elements [from, from + n) of the layout of their normal numbers, which theta holds there. */
typedef void normal_chunk(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                          size_t n);

/* Calls f for elements [from, from + n), whose normal numbers it draws: number i of the draw is that of
 * element i.  Chunks are whole blocks of the key's sequence. */
static inline void normal_chunks(normal_chunk *f, const bnn_group *q, bnn_real *theta,
                                 bnn_draw draw, size_t from, size_t n) {
  for (size_t i = from, count; i < from + n; i += count) {
    count = NORMAL_CHUNK - i % NORMAL_CHUNK;
    if (count > from + n - i) count = from + n - i;
    draw_normals(theta + i, draw, i, count);
    f(q, theta, draw, i, count);
  }
}

/* The function `NAME` of a family whose samples are CHUNK's. */
#define NORMAL_SAMPLES(NAME, CHUNK)                                                          \
  static void NAME##_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,  \
                           size_t n) {                                                       \
    normal_chunks(CHUNK, q, theta, draw, from, n);                                           \
  }                                                                                          \
  static void NAME(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw, \
                   int64_t s) {                                                              \
    BNN_UNUSED(s);                                                                           \
    bnn_family_sample_pieces(q, context, NAME##_piece, theta, draw);                         \
  }

#endif
