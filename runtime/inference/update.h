/* update.h - the end of a step, for objectives and for other loops: checks and clips the gradients
 * of all buffers of a posterior, and updates the buffers by a rule. */
#ifndef BNN_UPDATE_H
#define BNN_UPDATE_H

#include "updater.h"

/* Makes one step of the rules by gradients d [bnn_posterior_trained], in the order of
 * bnn_posterior_place: d is clipped in place where the updater says so, by its norm over all
 * buffers first, then each element; then buffers and states change.
 * ENAN: an element is not finite, by its tensor; ERANGE: a rule needs the gradient of each sample, or
 * as bnn_updater_begin.  On failure nothing has changed. */
bnn_status bnn_posterior_update(const bnn_posterior *q, bnn_context *context, bnn_updater *u,
                                const bnn_update_args *args, bnn_real *d, bnn_err *err);

/* The check and the clipping alone; infinity does not clip. */
bnn_status bnn_posterior_clip(const bnn_posterior *q, bnn_context *context, double clip_norm,
                              double clip_value, bnn_real *d, bnn_err *err);

#endif
