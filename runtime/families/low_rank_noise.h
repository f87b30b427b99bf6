/* low_rank_noise.h - what families have in common whose weights vary along some directions: a matrix of
 * rows, times normal numbers z of all weights. */
#ifndef BNN_LOW_RANK_NOISE_H
#define BNN_LOW_RANK_NOISE_H

#include "normal_chunks.h"

enum { ROWS_AT_ONCE = 64 };

/* z of rows [from, from + n). */
static inline void draw_row_numbers(bnn_real *z, bnn_draw draw, size_t from, size_t n) {
  const bnn_draw own = {bnn_key_fold_name(draw.key, "rank", 4), draw.is_mirrored};
  draw_normals(z, own, from, n);
}

BNN_KERNEL add_row(bnn_real *restrict theta, const bnn_real *restrict row, bnn_real z, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] += z * row[i];
}

/* theta [n] += scale sum_k z_k row_k, for elements [at, at + n) of the group, whose last buffer, `rows`,
 * has the rows. */
static inline void add_rows(const bnn_group *q, const bnn_real *rows, bnn_real *theta,
                            bnn_draw draw, bnn_real scale, size_t at, size_t n) {
  bnn_real z[ROWS_AT_ONCE];
  for (size_t k = 0; k < q->rows; k++) {
    const size_t left = q->rows - k;
    if (k % ROWS_AT_ONCE == 0)
      draw_row_numbers(z, draw, k, left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE);
    add_row(theta, rows + k * (q->end - q->first) + at, scale * z[k % ROWS_AT_ONCE], n);
  }
}

#endif
