/* update.h - the end of a step, for objectives and for other loops: checks and clips the gradients
 * of all buffers of a posterior, and updates the buffers by a rule. */
#ifndef BNN_UPDATE_H
#define BNN_UPDATE_H

#include "../rules/rule.h"
#include "posterior.h"

/* Makes one step of the rule by gradients d [bnn_posterior_trained], in the order of
 * bnn_posterior_place: d is clipped in place where the state says so (rule.h), by its norm over all
 * buffers first, then each element; then buffers and state change.  key: rules draw their noise
 * from key:fold("update"):fold(buffer).
 * ENAN: an element is not finite, by its tensor; ESHAPE: the state has another size; ERANGE: lr,
 * or no data_size for a rule that needs one.  On failure nothing has changed. */
typedef struct bnn_update_args {
  double lr, data_size, noise, kl_weight; /* of bnn_step_info */
  bnn_key key;
} bnn_update_args;
bnn_status bnn_posterior_update(const bnn_posterior *q, bnn_context *context, bnn_rule_state *state,
                                const bnn_update_args *args, bnn_real *d, bnn_err *err);

/* The check and the clipping alone; infinity does not clip. */
bnn_status bnn_posterior_clip(const bnn_posterior *q, bnn_context *context, double clip_norm,
                              double clip_value, bnn_real *d, bnn_err *err);

/* The checks of it that need no gradients. */
bnn_status bnn_posterior_check_update(const bnn_posterior *q, const bnn_rule_state *state,
                                      const bnn_update_args *args, bnn_err *err);

/* The constants of the step that follows. */
bnn_step_info bnn_update_info(const bnn_rule_state *state, const bnn_update_args *args);

#endif
