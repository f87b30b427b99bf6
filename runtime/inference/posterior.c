/* posterior.c - see posterior.h: what the groups of a posterior do one after the other. */
#include "posterior.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "../tensor/fingerprint.h"
#include "posterior_mixture.h"

/* What is trained has a bound on its rows, as a step keeps gradients of all of them on its stack. */
static bnn_status check_rows(const bnn_group *group, bnn_err *err) {
  if (!group->family->backward || group->rows <= BNN_ROWS_MAX) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "%s: expected at most %d rows, got %zu", group->family->name,
                  BNN_ROWS_MAX, group->rows);
}

static bool same_tensors(const bnn_layout *a, const bnn_layout *b) {
  bool same = a->n_params == b->n_params && a->size == b->size;
  for (size_t t = 0; same && t < a->n_params; t++) same = a->param[t].size == b->param[t].size;
  return same;
}

static bnn_status check_components(const bnn_posterior *q, bnn_err *err) {
  for (size_t c = 0; c < q->mixture->n; c++)
    if (!same_tensors(q->layout, q->mixture->component[c]->layout))
      return bnn_fail(err, BNN_ESHAPE, "component %zu has other tensors than the first", c + 1);
  return BNN_OK;
}

bnn_status bnn_posterior_check(const bnn_posterior *q, bnn_err *err) {
  size_t at = 0;
  if (q->mixture) return check_components(q, err);
  for (size_t g = 0; g < q->n_groups; g++) {
    const bnn_group *group = &q->group[g];
    if (group->first != at || group->end < at)
      return bnn_fail(err, BNN_ESHAPE, "group %zu: expected to begin at element %zu, got %zu",
                      g + 1, at, group->first);
    if (!bnn_layout_is_boundary(q->layout, group->end))
      return bnn_fail(err, BNN_ESHAPE, "group %zu, %s, ends within a tensor, at element %zu", g + 1,
                      group->family->name, group->end);
    at = group->end;
    BNN_TRY(check_rows(group, err));
  }
  if (at == q->layout->size) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "a posterior over %zu of %zu elements", at, q->layout->size);
}

bool bnn_posterior_is_alike(const bnn_posterior *p, const bnn_posterior *q) {
  bool same = p->n_groups == q->n_groups && p->mixture == q->mixture;
  for (size_t g = 0; same && g < q->n_groups; g++)
    same = p->group[g].family == q->group[g].family && p->group[g].end == q->group[g].end &&
           p->group[g].rows == q->group[g].rows && p->group[g].is_state == q->group[g].is_state;
  return same;
}

size_t bnn_posterior_group_of(const bnn_posterior *q, size_t t) {
  size_t g = 0;
  while (g + 1 < q->n_groups && q->layout->param[t].offset >= q->group[g].end) g++;
  return g;
}

static size_t size_of(const bnn_group *group) { return group->end - group->first; }

size_t bnn_posterior_place(const bnn_posterior *q, size_t g, int a) {
  size_t at = 0;
  for (int k = 0; k <= a; k++)
    for (size_t i = 0; i < (k < a ? q->n_groups : g); i++)
      if (k < bnn_group_arrays(&q->group[i])) at += size_of(&q->group[i]);
  return at;
}

size_t bnn_posterior_trained(const bnn_posterior *q) {
  size_t n = 0;
  for (size_t g = 0; g < q->n_groups; g++)
    n += (size_t)bnn_group_arrays(&q->group[g]) * size_of(&q->group[g]);
  return n;
}

void bnn_posterior_read(const bnn_posterior *q, bnn_real *x) {
  for (size_t g = 0; g < q->n_groups; g++)
    for (int a = 0; a < bnn_group_arrays(&q->group[g]); a++)
      memcpy(x + bnn_posterior_place(q, g, a), bnn_group_array(&q->group[g], a),
             size_of(&q->group[g]) * sizeof *x);
}

void bnn_posterior_write(const bnn_posterior *q, const bnn_real *x) {
  for (size_t g = 0; g < q->n_groups; g++)
    for (int a = 0; a < bnn_group_arrays(&q->group[g]); a++)
      memcpy(bnn_group_array(&q->group[g], a), x + bnn_posterior_place(q, g, a),
             size_of(&q->group[g]) * sizeof *x);
}

void bnn_posterior_draw(const bnn_posterior *q, bnn_context *context, bnn_real *theta,
                        bnn_draw draw, int64_t s) {
  if (q->mixture) {
    int64_t own;
    const size_t c = bnn_mixture_component(q->mixture, s, &own);
    bnn_posterior_draw(q->mixture->component[c], context, theta, draw, own);
  }
  for (size_t g = 0; g < q->n_groups; g++)
    q->group[g].family->sample(&q->group[g], context, theta, draw, s);
}

void bnn_posterior_sample(const bnn_posterior *q, bnn_context *context, bnn_real *theta,
                          bnn_key key, int64_t s) {
  bnn_posterior_draw(q, context, theta, (bnn_draw){.key = key}, s);
}

size_t bnn_posterior_support(const bnn_posterior *q) {
  size_t most = 1;
  if (q->mixture) return bnn_mixture_support(q->mixture);
  for (size_t g = 0; g < q->n_groups; g++) {
    const bnn_group *group = &q->group[g];
    if (!group->family->is_point && !group->family->is_finite) return 0;
    if (group->family->is_finite && group->rows > most) most = group->rows;
  }
  return most;
}

bool bnn_posterior_is_trainable(const bnn_posterior *q) {
  if (q->mixture) return false;
  for (size_t g = 0; g < q->n_groups; g++)
    if (!q->group[g].family->backward) return false;
  return true;
}

const bnn_real *bnn_posterior_point(const bnn_posterior *q) {
  return q->n_groups == 1 && q->group[0].family->is_point ? q->group[0].buffer[0] : NULL;
}

void bnn_posterior_mean(const bnn_posterior *q, bnn_real *theta) {
  assert(!q->mixture);
  for (size_t g = 0; g < q->n_groups; g++) {
    const bnn_group *group = &q->group[g];
    if (group->family->mean)
      group->family->mean(group, theta);
    else
      memcpy(theta + group->first, group->buffer[0], size_of(group) * sizeof *theta);
  }
}

bool bnn_posterior_std(const bnn_posterior *q, bnn_real *sigma) {
  assert(!q->mixture);
  for (size_t g = 0; g < q->n_groups; g++)
    if (!q->group[g].family->std && !q->group[g].family->is_point) return false;
  for (size_t g = 0; g < q->n_groups; g++) {
    const bnn_group *group = &q->group[g];
    if (group->family->is_point)
      memset(sigma + group->first, 0, size_of(group) * sizeof *sigma);
    else
      group->family->std(group, sigma);
  }
  return true;
}

double bnn_posterior_kl(const bnn_posterior *q, size_t tensor, double prior_std) {
  if (q->mixture) return NAN;
  const bnn_group *group = &q->group[bnn_posterior_group_of(q, tensor)];
  return group->family->kl ? group->family->kl(group, tensor, prior_std) : NAN;
}

double bnn_posterior_rms(const bnn_posterior *q, size_t tensor, size_t n) {
  double sum = 0;
  size_t size = 0;
  if (q->mixture) return NAN;
  for (size_t t = tensor; t < tensor + n; t++) {
    const bnn_group *group = &q->group[bnn_posterior_group_of(q, t)];
    if (!group->family->second_moment) return NAN;
    sum += group->family->second_moment(group, t);
    size += q->layout->param[t].size;
  }
  return size > 0 ? sqrt(sum / (double)size) : 0;
}

double bnn_posterior_entropy(const bnn_posterior *q, size_t tensor) {
  if (q->mixture) return NAN;
  const bnn_group *group = &q->group[bnn_posterior_group_of(q, tensor)];
  return group->family->entropy ? group->family->entropy(group, tensor) : NAN;
}

static size_t buffer_bytes(const bnn_group *group, int b) {
  const size_t rows = group->family->buffer[b].has_rows ? group->rows : 1;
  return rows * size_of(group) * sizeof(bnn_real);
}

static uint64_t fingerprint_of_mixture(uint64_t h, const bnn_mixture *m) {
  for (size_t c = 0; c < m->n; c++) h = bnn_posterior_fingerprint(h, m->component[c]);
  return bnn_fingerprint_block(h, m->order, m->period * sizeof *m->order);
}

uint64_t bnn_posterior_fingerprint(uint64_t h, const bnn_posterior *q) {
  if (q->mixture) return fingerprint_of_mixture(h, q->mixture);
  for (size_t g = 0; g < q->n_groups; g++)
    for (int b = 0; b < q->group[g].family->n_buffers; b++)
      h = bnn_fingerprint_block(h, q->group[g].buffer[b], buffer_bytes(&q->group[g], b));
  return h;
}
