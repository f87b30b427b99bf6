/* fused.h - several stages of a step in one pass over memory: from the gradient at one sample of
 * the weights, or of their means and spreads (families/family.h), a family's backward and KL and a rule's update, for elements that nothing else reads
 * between.
 *
 * A pass is a file FAMILY_RULE.c in this folder that defines `BNN_FUSED(FAMILY, RULE) = {...}`, and
 * the row X(FAMILY, RULE) of fused.def; it is compiled once for each instruction set.  A step uses
 * it if nothing happens between these stages (objective.h); a test holds every row against the
 * plain stages. */
#ifndef BNN_FUSED_H
#define BNN_FUSED_H

#include "../families/family.h"
#include "../rules/rule.h"

/* n elements: the family's buffers, the rule's slots of each, the gradient g and the sample theta
 * that it is at, and the weight and precision of the KL (kl_backward); precision 0: of the entropy
 * alone.  With spreads g is the gradient of the means, theta is not read, and dspread is the
 * gradient of the spreads, whose derivative for buffer 1 is slope times them; else NULL. */
typedef struct bnn_fused_span {
  bnn_real *buffer[BNN_BUFFERS_MAX];
  bnn_real *slot[BNN_BUFFERS_MAX][BNN_SLOTS_MAX];
  const bnn_real *g, *theta, *dspread, *spread;
  bnn_real slope;
  bnn_real weight, precision;
  size_t n;
} bnn_fused_span;

typedef struct bnn_fused {
  const char *family, *rule;

  /* False if a gradient is not finite: that element stays unchanged, and so may others near it. */
  bool (*update)(const bnn_step_info *info, const bnn_fused_span *s);
} bnn_fused;

#ifdef BNN_ISA
#define BNN_FUSED(family, rule) const bnn_fused BNN_ISA_NAME(bnn_fused_##family##_##rule)
#endif

/* The pass of a family and a rule; NULL if there is none. */
const bnn_fused *bnn_fused_find(const bnn_family *family, const bnn_rule *rule);

#endif
