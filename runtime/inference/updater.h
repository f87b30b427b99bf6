/* updater.h - what updates a posterior in a step: one rule for all of its tensors, or several, each for
 * tensors of its own, with the states of all. */
#ifndef BNN_UPDATER_H
#define BNN_UPDATER_H

#include "../rules/rule.h"
#include "posterior.h"

enum { BNN_UPDATER_RULES_MAX = 8 };

/* A learning rate, and the temperature of a sampler's noise. */
typedef struct bnn_rate {
  double lr, noise;
} bnn_rate;

/* What a step gives to rules (bnn_step_info): lr and noise, or a rate for each rule instead. */
typedef struct bnn_update_args {
  double lr, data_size, noise;
  const bnn_rate *rates;                   /* [n_rules], or NULL */
  double kl_weight[BNN_UPDATER_RULES_MAX]; /* by rule */
  bool of_samples; /* d has what rules add for each sample (bnn_step_info.backward) */
  bnn_key key;     /* rules draw their noise from key:fold("update"):fold(buffer) */
} bnn_update_args;

/* Rule i is state[i], which the caller owns.  Gradients are clipped over all rules: by the largest norm
 * of all together, and the largest magnitude of an element; infinity does not clip.
 *
 * A slot of a rule that updates all tensors is a flat array in the order of bnn_posterior_place; one of
 * a rule among several has the elements of its own tensors alone, in the same order: their first
 * arrays (family.h), then their second ones. */
typedef struct bnn_updater {
  int n_rules;
  bnn_rule_state *state[BNN_UPDATER_RULES_MAX];
  double clip_norm, clip_value;
  size_t n_params;   /* of several rules: tensors, */
  const uint8_t *of; /* [n_params] the rule of each, */
  size_t *place;     /* [n_params * BNN_ARRAYS_MAX] where its arrays begin in the slots of that */
} bnn_updater;

/* One rule for all tensors, without clipping. */
bnn_updater bnn_updater_of(bnn_rule_state *state);

/* Whether gradients are clipped. */
bool bnn_updater_clips(const bnn_updater *u);

/* Sets clip_norm and clip_value.  ERANGE: one is not above 0. */
bnn_status bnn_updater_set_clipping(bnn_updater *u, double norm, double value, bnn_err *err);

/* Checks all that a step of q needs but gradients, and finds the places of its tensors.
 * ESHAPE: the state is of another size; ERANGE: a family that a rule is not for, lr, noise, or no
 * data_size for a rule that needs one. */
bnn_status bnn_updater_begin(bnn_updater *u, const bnn_posterior *q, const bnn_update_args *args,
                             bnn_err *err);

/* The constants of the next step into info [n_rules]. */
void bnn_updater_infos(const bnn_updater *u, const bnn_update_args *args, bnn_step_info *info);

/* The rule that updates tensor t. */
static inline int bnn_updater_rule(const bnn_updater *u, size_t t) { return u->of ? u->of[t] : 0; }

/* The slots of tensor t's rule for elements of its array a from the layout's element `first` on, which
 * is `flat` among all buffers (bnn_posterior_place), NULL after the last. */
void bnn_updater_slots(const bnn_updater *u, const bnn_layout *layout, size_t t, int a,
                       size_t first, size_t flat, bnn_real **slot);

/* Counts the step that has been made. */
void bnn_updater_count(bnn_updater *u);

#endif
