/* support_program.h - recording programs in tests: each call appends a node, must succeed, and gives
 * the node's number. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include "program/program.h"
#include "support.h"

static inline int record_input(bnn_program *p, bnn_input_kind kind, bnn_dtype dtype, int rank,
                               const size_t *dim, size_t offset) {
  const bnn_shape shape = bnn_shape_make(dtype, rank, dim);
  int node = -1;
  ck_succeeds(bnn_program_input(p, &node, kind, &shape, offset, &err));
  return node;
}

static inline int record_op(bnn_program *p, bnn_op_id id, int n, const int *x,
                            const bnn_attr *attr) {
  int node = -1;
  ck_succeeds(bnn_program_op(p, &node, id, x, n, attr, &err));
  return node;
}

/* OP(p, relu, h): an op without arguments. */
#define OP(p, id, ...)                                                               \
  record_op(p, BNN_OP_##id, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), \
            (const int[]){__VA_ARGS__}, NULL)

#endif
