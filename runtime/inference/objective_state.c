/* objective_state.c - tensors that a step replaces by outputs of its program, and no rule updates:
 * running statistics.  A step with several samples takes the mean of what they give. */
#include <string.h>

#include "../base/mem.h"
#include "objective_inside.h"

static bnn_status check_pair(const bnn_objective_spec *s, size_t i, bnn_err *err) {
  const size_t t = s->state_param[i];
  const int output = s->state_output[i];
  if (t >= s->posterior->layout->n_params)
    return bnn_fail(err, BNN_ERANGE, "a state that is tensor %zu of %zu", t + 1,
                    s->posterior->layout->n_params);
  if (output < 0 || output >= bnn_program_outputs(s->program))
    return bnn_fail(err, BNN_ERANGE, "a state that is output %d of %d", output + 1,
                    bnn_program_outputs(s->program));
  const bnn_shape *shape = bnn_program_output_shape(s->program, output);
  size_t size;
  if (shape->dtype != BNN_REAL || !bnn_shape_size(&size, shape->rank, shape->dim) ||
      size != s->posterior->layout->param[t].size)
    return bnn_fail(err, BNN_ESHAPE, "tensor %zu: expected a state of %zu numbers, got %s", t + 1,
                    s->posterior->layout->param[t].size, BNN_SHAPE(shape));
  const bnn_group *q = &s->posterior->group[bnn_posterior_group_of(s->posterior, t)];
  if (q->is_state) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "tensor %zu: expected a state, got one that rules update",
                  t + 1);
}

bnn_status bnn_objective_init_state(bnn_objective *o, const bnn_objective_spec *s, bnn_err *err) {
  size_t size = 0;
  for (size_t i = 0; i < s->n_states; i++) {
    BNN_TRY(check_pair(s, i, err));
    size += o->layout.param[s->state_param[i]].size;
  }
  if (s->n_states == 0) return BNN_OK;
  o->state_param = bnn_mem_alloc(s->n_states, sizeof *o->state_param);
  o->state_output = bnn_mem_alloc(s->n_states, sizeof *o->state_output);
  o->state_mean = bnn_mem_zalloc(size, sizeof *o->state_mean);
  if (!o->state_param || !o->state_output || !o->state_mean)
    return bnn_fail(err, BNN_ENOMEM, "a state of %zu numbers", size);
  memcpy(o->state_param, s->state_param, s->n_states * sizeof *o->state_param);
  memcpy(o->state_output, s->state_output, s->n_states * sizeof *o->state_output);
  o->n_states = s->n_states;
  o->state_size = size;
  return BNN_OK;
}

void bnn_objective_fini_state(bnn_objective *o) {
  bnn_mem_free(o->state_param);
  bnn_mem_free(o->state_output);
  bnn_mem_free(o->state_mean);
}

/* mean + (x - mean) / s: of equal numbers it is exactly theirs. */
void bnn_step_keep_state(const bnn_step_work *w, int s) {
  const bnn_objective *o = w->o;
  double *mean = o->state_mean;
  for (size_t i = 0; i < o->n_states; i++) {
    const bnn_tensor *value = bnn_frame_output(o->frame, o->state_output[i]);
    const bnn_real *x = bnn_tensor_real(value);
    for (size_t k = 0; k < value->size; k++)
      mean[k] = s == 1 ? (double)x[k] : mean[k] + ((double)x[k] - mean[k]) / s;
    mean += value->size;
  }
}

static void write_state(const bnn_objective *o, const bnn_posterior *q) {
  const double *mean = o->state_mean;
  for (size_t i = 0; i < o->n_states; i++) {
    const size_t t = o->state_param[i];
    const bnn_param *at = &o->layout.param[t];
    const bnn_group *group = &q->group[bnn_posterior_group_of(q, t)];
    bnn_real *to = group->buffer[0] + (at->offset - group->first);
    for (size_t k = 0; k < at->size; k++) to[k] = (bnn_real)mean[k];
    mean += at->size;
  }
}

bnn_status bnn_objective_write_state(const bnn_objective *o, const bnn_posterior *q, bnn_err *err) {
  if (!bnn_posterior_is_alike(&o->posterior, q))
    return bnn_fail(err, BNN_ESHAPE,
                    "the posterior is not of the families and tensors that the "
                    "objective was made for");
  write_state(o, q);
  return BNN_OK;
}
