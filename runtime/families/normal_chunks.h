/* normal_chunks.h - what families have in common whose samples are made of a normal number for each
 * element: in chunks, so that the noise is still in the first-level cache when it is used. */
#ifndef BNN_NORMAL_CHUNKS_H
#define BNN_NORMAL_CHUNKS_H

#include "../vec/vec_rows.h"
#include "family.h"

enum { NORMAL_CHUNK = 1024 };

/* Makes elements [from, from + n) of the layout of their normal numbers, which theta holds there. */
typedef void normal_chunk(const bnn_group *q, bnn_real *theta, bnn_key key, size_t from, size_t n);

/* Calls f for elements [from, from + n), whose normal numbers it draws: number i of the key is that of
 * element i.  Chunks are whole blocks of the key's sequence. */
static inline void normal_chunks(normal_chunk *f, const bnn_group *q, bnn_real *theta, bnn_key key,
                                 size_t from, size_t n) {
  for (size_t i = from, count; i < from + n; i += count) {
    count = NORMAL_CHUNK - i % NORMAL_CHUNK;
    if (count > from + n - i) count = from + n - i;
    VEC(normal)(theta + i, key, i, count);
    f(q, theta, key, i, count);
  }
}

#endif
