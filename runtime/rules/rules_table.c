/* rules_table.c - the rows of rules.def for one instruction set; rule.c picks one of the copies. */
#include "rule.h"

#define X(name) extern BNN_RULE(name);
#include "rules.def"
#undef X

extern const bnn_rule *const BNN_ISA_NAME(bnn_rule_table)[];
const bnn_rule *const BNN_ISA_NAME(bnn_rule_table)[] = {
#define X(name) &BNN_ISA_NAME(bnn_rule_##name),
#include "rules.def"
#undef X
    NULL};
