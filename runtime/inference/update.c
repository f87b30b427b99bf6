/* update.c - see update.h.  Work is cut into pieces of an array each, which follow from the sizes. */
#include "update.h"

#include <math.h>
#include <string.h>

#include "../kernels/isa.h"
#include "bad_gradient.h"

enum { PIECE = 8192, SUMS = 64 };

/* A piece of array a of a group: elements [from, from + n) of the group, which begin at `place` of the
 * flat arrays. */
typedef struct piece {
  const bnn_group *group;
  int a;
  size_t from, n, place;
} piece;

typedef struct work {
  const bnn_posterior *q;
  bnn_rule_state *state;
  bnn_step_info info;
  bnn_real *d, scale, most; /* gradients, what their clipping multiplies and leaves */
  double sum[SUMS];         /* of squares, every SUMS-th piece from i */
  size_t pieces;
  bnn_bad bad;
} work;

static size_t pieces_of(const bnn_group *group) {
  return (group->end - group->first + PIECE - 1) / PIECE;
}

static size_t count_pieces(const bnn_posterior *q) {
  size_t n = 0;
  for (size_t g = 0; g < q->n_groups; g++)
    n += (size_t)bnn_group_arrays(&q->group[g]) * pieces_of(&q->group[g]);
  return n;
}

static piece piece_at(const bnn_posterior *q, size_t i) {
  size_t g = 0;
  int a = 0;
  while (i >= pieces_of(&q->group[g])) {
    i -= pieces_of(&q->group[g]);
    if (++a == bnn_group_arrays(&q->group[g])) a = 0, g++;
  }
  const bnn_group *group = &q->group[g];
  const size_t from = i * PIECE, left = group->end - group->first - from;
  return (piece){group, a, from, left < PIECE ? left : PIECE, bnn_posterior_place(q, g, a) + from};
}

/* ---- check ---- */

/* The tensor of the first element that is not finite, where there is one. */
static void check_job(void *data, size_t i) {
  work *w = data;
  const piece p = piece_at(w->q, i);
  const bnn_real *d = w->d + p.place;
  if (bnn_isa_get()->vec->finite(d, p.n)) return;
  size_t k = 0;
  while (k < p.n && isfinite(d[k])) k++;
  bnn_bad_note(&w->bad, bnn_layout_tensor_at(w->q->layout, p.group->first + p.from + k));
}

/* ---- clip ---- */

static void squares_job(void *data, size_t i) {
  work *w = data;
  double sum = 0;
  for (size_t j = i; j < w->pieces; j += SUMS) {
    const piece p = piece_at(w->q, j);
    const bnn_real *d = w->d + p.place;
    for (size_t k = 0; k < p.n; k++) sum += (double)d[k] * (double)d[k];
  }
  w->sum[i] = sum;
}

static double norm(work *w, bnn_context *context) {
  double sum = 0;
  bnn_context_run(context, squares_job, w, SUMS);
  for (int i = 0; i < SUMS; i++) sum += w->sum[i];
  return sqrt(sum);
}

static void clip_job(void *data, size_t i) {
  const work *w = data;
  const piece p = piece_at(w->q, i);
  const bnn_real most = w->most;
  bnn_real *d = w->d + p.place;
  for (size_t k = 0; w->scale != 1 && k < p.n; k++) d[k] *= w->scale;
  for (size_t k = 0; !isinf(most) && k < p.n; k++)
    d[k] = d[k] > most ? most : d[k] < -most ? -most : d[k];
}

bnn_status bnn_posterior_clip(const bnn_posterior *q, bnn_context *context, double clip_norm,
                              double clip_value, bnn_real *d, bnn_err *err) {
  work w = {.q = q,
            .d = d,
            .scale = 1,
            .most = (bnn_real)clip_value,
            .pieces = count_pieces(q),
            .bad = BNN_NONE_BAD};
  bnn_context_run(context, check_job, &w, w.pieces);
  BNN_TRY(bnn_bad_check(&w.bad, err));
  if (!isinf(clip_norm)) {
    const double length = norm(&w, context);
    if (length > clip_norm) w.scale = (bnn_real)(clip_norm / length);
  }
  if (w.scale != 1 || !isinf(w.most)) bnn_context_run(context, clip_job, &w, w.pieces);
  return BNN_OK;
}

/* ---- update ---- */

/* The elements of a piece, of array a of its group. */
static bnn_update_span span_of(const work *w, const piece *p, int a) {
  const size_t g = (size_t)(p->group - w->q->group);
  const size_t place = bnn_posterior_place(w->q, g, a) + p->from;
  bnn_update_span s = {.w = bnn_group_array(p->group, a) + p->from,
                       .g = w->d + place,
                       .from = p->group->first + p->from,
                       .n = p->n,
                       .buffer = a,
                       .decayed = bnn_group_spec(p->group, a)->decayed};
  for (int k = 0; k < bnn_rule_slots(w->state->rule); k++)
    s.slot[k] = bnn_tensor_real(w->state->slot[k]) + place;
  return s;
}

/* All arrays of a piece's elements together, for the piece of the first. */
static void update_job(void *data, size_t i) {
  const work *w = data;
  const piece p = piece_at(w->q, i);
  const int arrays = bnn_group_arrays(p.group);
  bnn_update_span s[BNN_ARRAYS_MAX];
  if (p.a > 0) return;
  for (int a = 0; a < arrays; a++) s[a] = span_of(w, &p, a);
  bnn_rule_update(w->state->rule, &w->info, s, arrays);
}

/* Whether all tensors are of the family that the rule is for. */
static bnn_status check_family(const bnn_posterior *q, const bnn_rule *rule, bnn_err *err) {
  for (size_t g = 0; rule->family && g < q->n_groups; g++)
    if (strcmp(q->group[g].family->name, rule->family) != 0)
      return bnn_fail(err, BNN_ERANGE, "%s: expected a %s posterior over all tensors, got a %s%s",
                      rule->name, rule->family, q->group[g].family->name,
                      q->n_groups > 1 ? " for some" : "");
  return BNN_OK;
}

bnn_status bnn_posterior_check_update(const bnn_posterior *q, const bnn_rule_state *state,
                                      const bnn_update_args *args, bnn_err *err) {
  const size_t n = bnn_posterior_trained(q);
  if (!bnn_posterior_is_trainable(q))
    return bnn_fail(err, BNN_ERANGE, "expected a posterior that can be trained");
  if (state->n != n)
    return bnn_fail(err, BNN_ESHAPE, "the optimizer's state: expected %zu elements, got %zu", n,
                    state->n);
  BNN_TRY(check_family(q, state->rule, err));
  BNN_TRY(bnn_option_check(state->rule, &state->rule->option[0], args->lr, err));
  if (state->rule->draws_noise && !(args->noise >= 0 && !isinf(args->noise)))
    return bnn_fail(err, BNN_ERANGE, "%s: noise: expected a number of 0 or more, got %g",
                    state->rule->name, args->noise);
  if (!state->rule->needs_data_size || args->data_size > 0) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "%s: expected data_size, the number of training examples",
                  state->rule->name);
}

bnn_step_info bnn_update_info(const bnn_rule_state *state, const bnn_update_args *args) {
  bnn_step_info info = bnn_rule_step(state, args->lr, args->data_size, args->noise,
                                     bnn_key_fold_name(args->key, "update", 6));
  info.kl_weight = args->kl_weight;
  return info;
}

bnn_status bnn_posterior_update(const bnn_posterior *q, bnn_context *context, bnn_rule_state *state,
                                const bnn_update_args *args, bnn_real *d, bnn_err *err) {
  BNN_TRY(bnn_posterior_check_update(q, state, args, err));
  BNN_TRY(bnn_posterior_clip(q, context, state->clip_norm, state->clip_value, d, err));
  work w = {.q = q, .state = state, .info = bnn_update_info(state, args), .d = d};
  bnn_context_run(context, update_job, &w, count_pieces(q));
  state->t++;
  return BNN_OK;
}
