/* fused.c - finding a pass. */
#include "fused.h"

#include <string.h>

#include "../kernels/isa.h"
#include "../kernels/isa_rows.h"

#define X(name, runs) extern const bnn_fused *const bnn_fused_table_##name[];
BNN_ISA_ROWS(X)
#undef X

const bnn_fused *bnn_fused_find(const bnn_family *family, const bnn_rule *rule) {
  static const bnn_fused *const *const tables[] = {
#define X(name, runs) bnn_fused_table_##name,
      BNN_ISA_ROWS(X)
#undef X
  };
  for (const bnn_fused *const *row = tables[bnn_isa_get()->set]; *row; row++)
    if (strcmp((*row)->family, family->name) == 0 && strcmp((*row)->rule, rule->name) == 0)
      return *row;
  return NULL;
}
