/* family.c - finding a family, the arrays of a group, and sampling in pieces on several threads. */
#include "family.h"

#include <string.h>

#include "../kernels/isa.h"
#include "../kernels/isa_rows.h"

#define X(name, runs) extern const bnn_family *const bnn_family_table_##name[];
BNN_ISA_ROWS(X)
#undef X

static const bnn_family *const *table(void) {
  static const bnn_family *const *const tables[] = {
#define X(name, runs) bnn_family_table_##name,
      BNN_ISA_ROWS(X)
#undef X
  };
  return tables[bnn_isa_get()->set];
}

const bnn_family *bnn_family_row(size_t i) {
  const bnn_family *const *row = table();
  for (; *row && i > 0; i--) row++;
  return *row;
}

const bnn_family *bnn_family_find(const char *name) {
  for (const bnn_family *const *row = table(); *row; row++)
    if (strcmp((*row)->name, name) == 0) return *row;
  return NULL;
}

int bnn_group_arrays(const bnn_group *q) {
  const int last = q->family->n_buffers - 1;
  return last + (q->family->buffer[last].has_rows ? (int)q->rows : 1);
}

bnn_real *bnn_group_array(const bnn_group *q, int a) {
  const int last = q->family->n_buffers - 1;
  return a < last ? q->buffer[a] : q->buffer[last] + (size_t)(a - last) * (q->end - q->first);
}

const bnn_buffer_spec *bnn_group_spec(const bnn_group *q, int a) {
  const int last = q->family->n_buffers - 1;
  return &q->family->buffer[a < last ? a : last];
}

/* Elements of a piece, counted from the first of the layout whatever the group. */
enum { PIECE = 4096 };

typedef struct sampling {
  const bnn_group *q;
  bnn_sample_piece *job;
  bnn_real *theta;
  bnn_draw draw;
} sampling;

static void sample_piece(void *data, size_t i) {
  const sampling *s = data;
  const size_t from = s->q->first + i * PIECE, left = s->q->end - from;
  s->job(s->q, s->theta, s->draw, from, left < PIECE ? left : PIECE);
}

void bnn_family_sample_pieces(const bnn_group *q, bnn_context *context, bnn_sample_piece *job,
                              bnn_real *theta, bnn_draw draw) {
  sampling s = {q, job, theta, draw};
  bnn_context_run(context, sample_piece, &s, (q->end - q->first + PIECE - 1) / PIECE);
}
