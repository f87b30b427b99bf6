/* families_table.c - the rows of families.def for one instruction set; family.c picks one of the
 * copies. */
#include "family.h"

#define X(name) extern BNN_FAMILY(name);
#include "families.def"
#undef X

extern const bnn_family *const BNN_ISA_NAME(bnn_family_table)[];
const bnn_family *const BNN_ISA_NAME(bnn_family_table)[] = {
#define X(name) &BNN_ISA_NAME(bnn_family_##name),
#include "families.def"
#undef X
    NULL};
