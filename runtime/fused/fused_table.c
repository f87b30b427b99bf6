/* fused_table.c - the rows of fused.def for one instruction set; fused.c picks one of the copies. */
#include "fused.h"

#define X(family, rule) extern BNN_FUSED(family, rule);
#include "fused.def"
#undef X

extern const bnn_fused *const BNN_ISA_NAME(bnn_fused_table)[];
const bnn_fused *const BNN_ISA_NAME(bnn_fused_table)[] = {
#define X(family, rule) &BNN_ISA_NAME(bnn_fused_##family##_##rule),
#include "fused.def"
#undef X
    NULL};
