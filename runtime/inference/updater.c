/* updater.c - see updater.h. */
#include "updater.h"

#include <math.h>
#include <string.h>

bnn_updater bnn_updater_of(bnn_rule_state *state) {
  return (bnn_updater){
      .n_rules = 1, .state = {state}, .clip_norm = HUGE_VAL, .clip_value = HUGE_VAL};
}

/* ---- clipping ---- */

bool bnn_updater_clips(const bnn_updater *u) {
  return !isinf(u->clip_norm) || !isinf(u->clip_value);
}

/* Whose clipping messages speak of. */
static const char *name_of(const bnn_updater *u) {
  return u->of ? "groups" : u->state[0]->rule->name;
}

bnn_status bnn_updater_set_clipping(bnn_updater *u, double norm, double value, bnn_err *err) {
  if (!(norm > 0))
    return bnn_fail(err, BNN_ERANGE, "%s: clip_norm: expected a number above 0, got %g", name_of(u),
                    norm);
  if (!(value > 0))
    return bnn_fail(err, BNN_ERANGE, "%s: clip_value: expected a number above 0, got %g",
                    name_of(u), value);
  u->clip_norm = norm;
  u->clip_value = value;
  return BNN_OK;
}

/* ---- places ---- */

static const bnn_group *group_of(const bnn_posterior *q, size_t t) {
  return &q->group[bnn_posterior_group_of(q, t)];
}

/* Finds where each array of rule i's tensors begins in its slots; returns their size. */
static size_t lay_out(const bnn_updater *u, const bnn_posterior *q, int i) {
  size_t at = 0;
  for (size_t a = 0; a < BNN_ARRAYS_MAX; a++)
    for (size_t t = 0; t < q->layout->n_params; t++) {
      if (u->of[t] != i || (int)a >= bnn_group_arrays(group_of(q, t))) continue;
      u->place[t * BNN_ARRAYS_MAX + a] = at;
      at += q->layout->param[t].size;
    }
  return at;
}

void bnn_updater_slots(const bnn_updater *u, const bnn_layout *layout, size_t t, int a,
                       size_t first, size_t flat, bnn_real **slot) {
  const bnn_rule_state *s = u->state[bnn_updater_rule(u, t)];
  const size_t at =
      u->of ? u->place[t * BNN_ARRAYS_MAX + (size_t)a] + (first - layout->param[t].offset) : flat;
  for (int k = 0; k < BNN_SLOTS_MAX; k++)
    slot[k] = s->slot[k] ? bnn_tensor_real(s->slot[k]) + at : NULL;
}

/* ---- a step ---- */

static bnn_rate rate_of(const bnn_update_args *args, int i) {
  return args->rates ? args->rates[i] : (bnn_rate){args->lr, args->noise};
}

/* The state's size, and the places of the rule's tensors. */
static bnn_status check_size(const bnn_updater *u, const bnn_posterior *q, int i, bnn_err *err) {
  if (u->of && u->n_params != q->layout->n_params)
    return bnn_fail(err, BNN_ESHAPE, "the optimizer's state: expected %zu tensors, got %zu",
                    q->layout->n_params, u->n_params);
  const size_t n = u->of ? lay_out(u, q, i) : bnn_posterior_trained(q);
  if (u->state[i]->n == n) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "the optimizer's state: expected %zu elements, got %zu", n,
                  u->state[i]->n);
}

/* Whether all of the rule's tensors are of the family that it is for. */
static bnn_status check_family(const bnn_updater *u, const bnn_posterior *q, int i, bnn_err *err) {
  const bnn_rule *rule = u->state[i]->rule;
  for (size_t t = 0; rule->family && t < q->layout->n_params; t++) {
    const char *got = group_of(q, t)->family->name;
    if (group_of(q, t)->is_state) continue;
    if (bnn_updater_rule(u, t) == i && strcmp(got, rule->family) != 0)
      return bnn_fail(err, BNN_ERANGE, "%s: expected a %s posterior over all %stensors, got a %s%s",
                      rule->name, rule->family, u->of ? "its " : "", got,
                      q->n_groups > 1 ? " for some" : "");
  }
  return BNN_OK;
}

static bnn_status check_rate(const bnn_rule *rule, bnn_rate rate, double data_size, bnn_err *err) {
  BNN_TRY(bnn_option_check(rule, &rule->option[0], rate.lr, err));
  if (rule->draws_noise && !(rate.noise >= 0 && !isinf(rate.noise)))
    return bnn_fail(err, BNN_ERANGE, "%s: noise: expected a number of 0 or more, got %g",
                    rule->name, rate.noise);
  if (!rule->needs_data_size || data_size > 0) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "%s: expected data_size, the number of training examples",
                  rule->name);
}

bnn_status bnn_updater_begin(bnn_updater *u, const bnn_posterior *q, const bnn_update_args *args,
                             bnn_err *err) {
  if (!bnn_posterior_is_trainable(q))
    return bnn_fail(err, BNN_ERANGE, "expected a posterior that can be trained");
  for (int i = 0; i < u->n_rules; i++) {
    BNN_TRY(check_size(u, q, i, err));
    BNN_TRY(check_family(u, q, i, err));
    BNN_TRY(check_rate(u->state[i]->rule, rate_of(args, i), args->data_size, err));
  }
  return BNN_OK;
}

void bnn_updater_infos(const bnn_updater *u, const bnn_update_args *args, bnn_step_info *info) {
  const bnn_key key = bnn_key_fold_name(args->key, "update", 6);
  for (int i = 0; i < u->n_rules; i++) {
    const bnn_rate rate = rate_of(args, i);
    info[i] = bnn_rule_step(u->state[i], rate.lr, args->data_size, rate.noise, key);
    info[i].kl_weight = args->kl_weight[i];
  }
}

void bnn_updater_count(bnn_updater *u) {
  for (int i = 0; i < u->n_rules; i++) u->state[i]->t++;
}
