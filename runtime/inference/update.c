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
  const bnn_updater *u;
  bnn_step_info info[BNN_UPDATER_RULES_MAX];
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

/* `part` of array a of a piece, which lies in tensor t. */
static bnn_update_span span_of(const work *w, const piece *p, bnn_span part, int a) {
  const size_t g = (size_t)(p->group - w->q->group), from = part.first - p->group->first;
  const size_t place = bnn_posterior_place(w->q, g, a) + from;
  bnn_update_span s = {.w = bnn_group_array(p->group, a) + from,
                       .g = w->d + place,
                       .from = part.first,
                       .n = part.count,
                       .buffer = a,
                       .decayed = bnn_group_spec(p->group, a)->decayed};
  bnn_updater_slots(w->u, w->q->layout, part.tensor, a, part.first, place, s.slot);
  return s;
}

/* The elements of a piece from `from` on: all of it for one rule, else those of one tensor. */
static bnn_span part_of(const work *w, const piece *p, size_t from) {
  const size_t first = p->group->first + from, t = bnn_layout_tensor_at(w->q->layout, first);
  const bnn_param *tensor = &w->q->layout->param[t];
  const size_t left = p->from + p->n - from, own = tensor->offset + tensor->size - first;
  return (bnn_span){t, first, w->u->of && own < left ? own : left};
}

/* All arrays of a piece's elements together, for the piece of the first. */
static void update_job(void *data, size_t i) {
  const work *w = data;
  const piece p = piece_at(w->q, i);
  const int arrays = bnn_group_arrays(p.group);
  bnn_update_span s[BNN_ARRAYS_MAX];
  if (p.a > 0 || p.group->is_state) return;
  for (size_t from = p.from; from < p.from + p.n;) {
    const bnn_span part = part_of(w, &p, from);
    const int rule = bnn_updater_rule(w->u, part.tensor);
    for (int a = 0; a < arrays; a++) s[a] = span_of(w, &p, part, a);
    bnn_rule_update(w->u->state[rule]->rule, &w->info[rule], s, arrays);
    from += part.count;
  }
}

static bnn_status check_samples(const work *w, const bnn_update_args *args, bnn_err *err) {
  for (int i = 0; i < w->u->n_rules && !args->of_samples; i++)
    if (w->info[i].backward)
      return bnn_fail(err, BNN_ERANGE,
                      "%s: expected a step of an objective, as these options need the gradient of "
                      "each sample",
                      w->u->state[i]->rule->name);
  return BNN_OK;
}

bnn_status bnn_posterior_update(const bnn_posterior *q, bnn_context *context, bnn_updater *u,
                                const bnn_update_args *args, bnn_real *d, bnn_err *err) {
  BNN_TRY(bnn_updater_begin(u, q, args, err));
  work w = {.q = q, .u = u, .d = d};
  bnn_updater_infos(u, args, w.info);
  BNN_TRY(check_samples(&w, args, err));
  BNN_TRY(bnn_posterior_clip(q, context, u->clip_norm, u->clip_value, d, err));
  bnn_context_run(context, update_job, &w, count_pieces(q));
  bnn_updater_count(u);
  return BNN_OK;
}
