/* op_table.c - the rows of ops.def in one instruction set, in order. */
#include "op.h"

#define X(name) extern BNN_OP(name);
#include "ops.def"
#undef X

extern const bnn_op *const BNN_ISA_NAME(bnn_op_table)[BNN_OP_COUNT];
const bnn_op *const BNN_ISA_NAME(bnn_op_table)[BNN_OP_COUNT] = {
#define X(name) &BNN_ISA_NAME(bnn_op_##name),
#include "ops.def"
#undef X
};
