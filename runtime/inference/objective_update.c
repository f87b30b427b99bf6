/* objective_update.c - from the gradient of a range of weights to the gradients of its posterior's
 * buffers, and to their update. */
#include <string.h>

#include "../kernels/isa.h"
#include "objective_inside.h"

/* A range is handled in chunks; d moves along. */
static bnn_range chunk_of(const bnn_range *r, size_t from) {
  const size_t left = r->span.count - from;
  return (bnn_range){
      .span = {r->span.tensor, r->span.first + from, left < BNN_CHUNK ? left : BNN_CHUNK},
      .group = r->group};
}

static void move_on(bnn_real **out, bnn_real *const *d, int n, size_t by) {
  for (int a = 0; a < n; a++) out[a] = d[a] + by;
}

static bnn_weight_gradient gradient_from(bnn_weight_gradient g, size_t from) {
  return (bnn_weight_gradient){g.mean + from, g.spread ? g.spread + from : NULL};
}

void bnn_step_part_of(const bnn_objective *o, const bnn_range *r, bnn_real *flat, bnn_real **d) {
  const bnn_group *q = &o->posterior.group[r->group];
  for (int a = 0; a < bnn_group_arrays(q); a++)
    d[a] = flat + o->place[r->group][a] + (r->span.first - q->first);
}

static int rule_of(const bnn_step_work *w, const bnn_range *r) {
  return bnn_updater_rule(w->updater, r->span.tensor);
}

/* ---- backward ---- */

/* The weight of -log prior in each of `samples` gradients, of a KL without a closed form; of a
 * Gaussian prior times its precision, as precision theta is the gradient of its -log density.  0
 * where the KL has a closed form, or the prior is in the program. */
static bnn_real sampled_weight(const bnn_step_work *w, const bnn_range *r) {
  const bnn_regularizer *own = &w->o->regularizers[r->span.tensor];
  const double weight = bnn_kl_weight(w, r->span.tensor);
  if (own->prior.density) return (bnn_real)(weight / w->o->samples);
  if (w->q->group[r->group].family->kl_backward) return 0;
  return (bnn_real)(weight * own->precision / w->o->samples);
}

static void add_scaled(bnn_real *restrict out, const bnn_real *restrict g,
                       const bnn_real *restrict x, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = g[i] + scale * x[i];
}

/* out = g + the gradient of -log prior at theta, for a chunk. */
static void pull(const bnn_step_work *w, const bnn_range *chunk, bnn_real *out, const bnn_real *g,
                 bnn_real weight) {
  const bnn_regularizer *own = &w->o->regularizers[chunk->span.tensor];
  const bnn_real *theta = w->o->drawn + chunk->span.first;
  const size_t n = chunk->span.count;
  if (own->prior.density)
    own->prior.density->pull(out, g, theta, own->prior.param, weight, n);
  else
    add_scaled(out, g, theta, weight, n);
}

/* The spreads that the program computes with, for a range whose weights have some. */
static const bnn_real *spreads_of(const bnn_objective *o, const bnn_range *r) {
  return o->theta + o->layout.size + r->span.first;
}

/* A sample's gradients of the buffers from g at theta: the rule's own way, else that of the family. */
static void add_sample(const bnn_step_work *w, const bnn_range *r, const bnn_real *g,
                       const bnn_real *theta, bnn_real *const *d) {
  const bnn_group *q = &w->q->group[r->group];
  const bnn_step_info *info = w->updater ? &w->info[rule_of(w, r)] : NULL;
  if (!info || !info->backward) {
    q->family->backward(q, r->span, w->eps, g, theta, d);
    return;
  }
  bnn_real *buffer[BNN_BUFFERS_MAX];
  for (int b = 0; b < q->family->n_buffers; b++)
    buffer[b] = q->buffer[b] + (r->span.first - q->first);
  const bnn_sample_span s = {
      .w = buffer, .d = d, .g = g, .theta = theta, .n = r->span.count, .samples = w->o->samples};
  info->backward(info, &s);
}

/* From the gradient g of the weights drawn; NULL: it is 0. */
static void backward_drawn(const bnn_step_work *w, const bnn_range *r, const bnn_real *g,
                           bnn_real *const *d) {
  static const bnn_real zeros[BNN_CHUNK];
  const bnn_group *q = &w->q->group[r->group];
  const bnn_real weight = sampled_weight(w, r);
  const bnn_real *theta = w->o->drawn + r->span.first;
  if (weight == 0) {
    if (g) add_sample(w, r, g, theta, d);
    return;
  }
  for (size_t from = 0; from < r->span.count; from += BNN_CHUNK) {
    const bnn_range part = chunk_of(r, from);
    bnn_real pulled[BNN_CHUNK], *into[BNN_ARRAYS_MAX];
    pull(w, &part, pulled, g ? g + from : zeros, weight);
    move_on(into, d, bnn_group_arrays(q), from);
    add_sample(w, &part, pulled, theta + from, into);
  }
}

void bnn_step_backward(const bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g,
                       bnn_real *const *d) {
  const bnn_objective *o = w->o;
  if (g.spread)
    bnn_spread_of(o, r->group)
        ->backward(&w->q->group[r->group], r->span, g.mean, g.spread, spreads_of(o, r), d);
  backward_drawn(w, r, g.spread ? NULL : g.mean, d);
}

/* ---- penalties ---- */

static void add_to(bnn_real *restrict d, const bnn_real *restrict x, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) d[i] += scale * x[i];
}

void bnn_step_penalties(const bnn_step_work *w, const bnn_range *r, bnn_real *const *d) {
  const bnn_group *q = &w->q->group[r->group];
  const bnn_family *family = q->family;
  const bnn_regularizer *regularizer = &w->o->regularizers[r->span.tensor];
  const double weight = bnn_kl_weight(w, r->span.tensor);
  if (weight != 0 && regularizer->precision > 0 && family->kl_backward)
    family->kl_backward(q, r->span, (bnn_real)weight, (bnn_real)regularizer->precision, d);
  else if (weight != 0 && family->entropy_backward)
    family->entropy_backward(q, r->span, (bnn_real)-weight, d);
  if (family->is_point && regularizer->decay != 0)
    add_to(d[0], q->buffer[0] + (r->span.first - q->first), (bnn_real)regularizer->decay,
           r->span.count);
}

/* ---- check and update ---- */

static bool check(bnn_step_work *w, const bnn_range *r, bnn_real *const *d) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  for (int a = 0; a < bnn_group_arrays(&w->q->group[r->group]); a++) {
    if (vec->finite(d[a], r->span.count)) continue;
    bnn_bad_note(&w->bad, r->span.tensor);
    return false;
  }
  return true;
}

/* The rule's slots for the range's elements of array a. */
static void slots_of(const bnn_step_work *w, const bnn_range *r, int a, bnn_real **slot) {
  const size_t at =
      w->o->place[r->group][a] + (r->span.first - w->o->posterior.group[r->group].first);
  bnn_updater_slots(w->updater, &w->o->layout, r->span.tensor, a, r->span.first, at, slot);
}

static void update(const bnn_step_work *w, const bnn_range *r, bnn_real *const *d) {
  const bnn_group *q = &w->q->group[r->group];
  bnn_update_span s[BNN_ARRAYS_MAX];
  for (int a = 0; a < bnn_group_arrays(q); a++) {
    s[a] = (bnn_update_span){.w = bnn_group_array(q, a) + (r->span.first - q->first),
                             .g = d[a],
                             .from = r->span.first,
                             .n = r->span.count,
                             .buffer = a,
                             .decayed = bnn_group_spec(q, a)->decayed};
    slots_of(w, r, a, s[a].slot);
  }
  const int rule = rule_of(w, r);
  bnn_rule_update(w->updater->state[rule]->rule, &w->info[rule], s, bnn_group_arrays(q));
}

/* ---- all of it, for one sample ---- */

static void finish_in_a_pass(bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g) {
  const bnn_group *q = &w->q->group[r->group];
  bnn_fused_span s = {.g = g.mean,
                      .theta = w->o->theta + r->span.first,
                      .dspread = g.spread,
                      .spread = g.spread ? spreads_of(w->o, r) : NULL,
                      .slope = g.spread ? bnn_spread_of(w->o, r->group)->slope : 0,
                      .weight = (bnn_real)bnn_kl_weight(w, r->span.tensor),
                      .precision = (bnn_real)w->o->regularizers[r->span.tensor].precision,
                      .n = r->span.count};
  for (int b = 0; b < q->family->n_buffers; b++) {
    s.buffer[b] = q->buffer[b] + (r->span.first - q->first);
    slots_of(w, r, b, s.slot[b]);
  }
  const int rule = rule_of(w, r);
  if (!w->pass[r->group][rule]->update(&w->info[rule], &s)) bnn_bad_note(&w->bad, r->span.tensor);
}

/* The same with a prior that is sampled: chunk by chunk, whose gradients it changes before. */
static void finish_pulled(bnn_step_work *w, const bnn_range *r, const bnn_real *g,
                          bnn_real weight) {
  bnn_real pulled[BNN_CHUNK];
  for (size_t from = 0; from < r->span.count; from += BNN_CHUNK) {
    const bnn_range chunk = chunk_of(r, from);
    pull(w, &chunk, pulled, g + from, weight);
    finish_in_a_pass(w, &chunk, (bnn_weight_gradient){pulled, NULL});
  }
}

/* The same by the plain stages, chunk by chunk. */
static void finish_plainly(bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g) {
  const int arrays = bnn_group_arrays(&w->q->group[r->group]);
  bnn_real part[BNN_ARRAYS_MAX][BNN_CHUNK], *d[BNN_ARRAYS_MAX];
  for (int a = 0; a < arrays; a++) d[a] = part[a];
  for (size_t from = 0; from < r->span.count; from += BNN_CHUNK) {
    const bnn_range chunk = chunk_of(r, from);
    for (int a = 0; a < arrays; a++) memset(d[a], 0, chunk.span.count * sizeof *d[a]);
    bnn_step_backward(w, &chunk, gradient_from(g, from), d);
    bnn_step_penalties(w, &chunk, d);
    if (check(w, &chunk, d)) update(w, &chunk, d);
  }
}

void bnn_step_finish_range(bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g) {
  if (w->q->group[r->group].is_state) return;
  const bnn_real weight = sampled_weight(w, r);
  const bool has_pass = w->pass[r->group][rule_of(w, r)] != NULL;
  if (has_pass && weight == 0)
    finish_in_a_pass(w, r, g);
  else if (has_pass && !g.spread)
    finish_pulled(w, r, g.mean, weight);
  else
    finish_plainly(w, r, g);
}
