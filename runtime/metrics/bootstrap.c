/* bootstrap.c - see bootstrap.h.  Each worker has weights and scratch of its own and takes resamples
 * in any order; each resample writes a result of its own. */
#include "bootstrap.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../kernels/rng.h"

enum { WORDS = 256, WAVE = 256 }; /* bits drawn at once; resamples between looks at the stop flag */

typedef struct worker {
  double *weight; /* [n]: how often each was drawn, times its own weight */
  char *scratch;
} worker;

typedef struct work {
  const bnn_statistic *s;
  const bnn_groups *groups; /* or NULL: then s has a value */
  bnn_key key;
  double *out; /* [resamples], or [groups, resamples] */
  size_t resamples;
  uint32_t *member; /* [n]: the examples of part 0, then those of part 1; or NULL */
  size_t first;     /* examples of part 0, or all */
  size_t n_workers;
  worker *workers;
  size_t end; /* of this wave */
  atomic_size_t next;
} work;

/* Adds 1 to the weight of `size` draws from [0, size), or from the members of that number.  The
 * high half of 32 bits times size is even to size / 2^32. */
static void draw(double *weight, const uint32_t *member, size_t size, bnn_key key) {
  uint64_t bits[WORDS];
  for (size_t i = 0; i < size; i++) {
    size_t at = i % (2 * WORDS), left = (size - i + 1) / 2;
    if (at == 0) bnn_rng_bits(bits, key, i / 2, left < WORDS ? left : WORDS);
    uint64_t half = (uint32_t)(bits[at / 2] >> (at % 2 * 32));
    size_t drawn = (size_t)(half * size >> 32);
    weight[member ? member[drawn] : drawn]++;
  }
}

/* The number of each group, `step` elements from one to the next; sums [2, groups]. */
static void group_numbers(double *out, size_t step, const bnn_groups *g, const double *weight,
                          double *sums) {
  double *total = sums, *count = sums + g->groups;
  const int to = g->sum == BNN_GROUP_MEAN_TO || g->sum == BNN_GROUP_SHARE_TO;
  memset(sums, 0, 2 * g->groups * sizeof *sums);
  for (size_t i = 0; i < g->n; i++) {
    if (weight[i] == 0) continue;
    if (g->sum != BNN_GROUP_SHARE_TO) total[g->group[i]] += weight[i] * g->value[i];
    count[g->group[i]] += weight[i];
  }
  for (size_t k = 1; to && k < g->groups; k++) total[k] += total[k - 1], count[k] += count[k - 1];
  for (size_t k = 0; k < g->groups; k++) {
    if (g->sum == BNN_GROUP_SHARE_TO)
      out[k * step] = count[k] / count[g->groups - 1];
    else
      out[k * step] = g->sum == BNN_GROUP_TOTAL ? total[k] : total[k] / count[k];
  }
}

static void resample(const work *w, const worker *l, size_t r) {
  const bnn_statistic *s = w->s;
  bnn_key key = bnn_key_fold(w->key, (int64_t)r + 1);
  memset(l->weight, 0, s->n * sizeof *l->weight);
  draw(l->weight, w->member, w->first, bnn_key_split(key, 0));
  if (w->member) draw(l->weight, w->member + w->first, s->n - w->first, bnn_key_split(key, 1));
  for (size_t i = 0; s->weight && i < s->n; i++) l->weight[i] *= s->weight[i];
  if (w->groups)
    group_numbers(w->out + r, w->resamples, w->groups, l->weight, (double *)(void *)l->scratch);
  else
    w->out[r] = s->value(s->data, l->weight, l->scratch);
}

static void worker_job(void *data, size_t i) {
  work *w = data;
  for (size_t r; (r = atomic_fetch_add(&w->next, 1)) < w->end;) resample(w, &w->workers[i], r);
}

static void list_members(work *w) {
  const bnn_statistic *s = w->s;
  size_t at = 0;
  for (int part = 0; part < 2; part++) {
    for (size_t i = 0; i < s->n; i++)
      if (s->part[i] == part) w->member[at++] = (uint32_t)i;
    if (part == 0) w->first = at;
  }
}

static bnn_status work_init(work *w, bnn_context *context, size_t resamples, bnn_err *err) {
  const bnn_statistic *s = w->s;
  w->n_workers = (size_t)bnn_context_threads(context);
  if (w->n_workers > resamples) w->n_workers = resamples;
  w->first = s->n;
  w->member = s->part ? bnn_mem_alloc(s->n, sizeof *w->member) : NULL;
  w->workers = bnn_mem_zalloc(w->n_workers, sizeof *w->workers);
  int ok = w->workers && (w->member || !s->part);
  for (size_t i = 0; ok && i < w->n_workers; i++) {
    w->workers[i].weight = bnn_mem_alloc(s->n, sizeof *w->workers[i].weight);
    w->workers[i].scratch = bnn_mem_alloc(s->scratch, 1);
    ok = w->workers[i].weight && w->workers[i].scratch;
  }
  if (!ok) return bnn_fail(err, BNN_ENOMEM, "resamples of %zu examples", s->n);
  if (s->part) list_members(w);
  return BNN_OK;
}

static void work_fini(work *w) {
  for (size_t i = 0; w->workers && i < w->n_workers; i++) {
    bnn_mem_free(w->workers[i].weight);
    bnn_mem_free(w->workers[i].scratch);
  }
  bnn_mem_free(w->workers);
  bnn_mem_free(w->member);
}

static bnn_status run_waves(work *w, bnn_context *context, size_t resamples, bnn_err *err) {
  for (size_t from = 0; from < resamples; from = w->end) {
    if (bnn_context_stopped(context))
      return bnn_fail(err, BNN_ESTOP, "after %zu of %zu resamples", from, resamples);
    w->end = resamples - from < WAVE ? resamples : from + WAVE;
    atomic_store(&w->next, from);
    bnn_context_run(context, worker_job, w, w->n_workers);
  }
  return BNN_OK;
}

static bnn_status run(work *w, bnn_context *context, bnn_err *err) {
  bnn_status status = work_init(w, context, w->resamples, err);
  if (status == BNN_OK) status = run_waves(w, context, w->resamples, err);
  work_fini(w);
  return status;
}

bnn_status bnn_bootstrap(bnn_context *context, double *out, const bnn_statistic *s, bnn_key key,
                         size_t resamples, bnn_err *err) {
  work w = {.s = s, .key = key, .out = out, .resamples = resamples};
  return run(&w, context, err);
}

/* ---- groups ---- */

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Moves what is NaN out of x [n] and sorts the rest, whose number it gives. */
static size_t sort_numbers(double *x, size_t n) {
  size_t m = 0;
  for (size_t i = 0; i < n; i++)
    if (!isnan(x[i])) x[m++] = x[i];
  qsort(x, m, sizeof *x, by_value);
  return m;
}

/* The q-quantile of sorted numbers; NaN of none. */
static double quantile(const double *x, size_t n, double q) {
  if (n == 0) return NAN;
  const double at = q * (double)(n - 1);
  const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
  return x[below] + (at - (double)below) * (x[above] - x[below]);
}

bnn_status bnn_group_intervals(bnn_context *context, double *lo, double *hi,
                               const bnn_groups *groups, bnn_key key, size_t resamples,
                               double level, bnn_err *err) {
  const bnn_statistic s = {
      .n = groups->n, .weight = groups->weight, .scratch = 2 * groups->groups * sizeof(double)};
  work w = {.s = &s, .groups = groups, .key = key, .resamples = resamples};
  if (groups->groups == 0 || resamples <= SIZE_MAX / sizeof(double) / groups->groups)
    w.out = bnn_mem_alloc(groups->groups * resamples, sizeof *w.out);
  if (!w.out)
    return bnn_fail(err, BNN_ENOMEM, "%zu resamples of %zu groups", resamples, groups->groups);
  const bnn_status status = run(&w, context, err);
  for (size_t k = 0; status == BNN_OK && k < groups->groups; k++) {
    double *x = w.out + k * resamples;
    const size_t n = sort_numbers(x, resamples);
    lo[k] = quantile(x, n, (1 - level) / 2);
    hi[k] = quantile(x, n, 1 - (1 - level) / 2);
  }
  bnn_mem_free(w.out);
  return status;
}

bnn_status bnn_check_weights(const double *weight, size_t n, bnn_err *err) {
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    if (!(weight[i] >= 0 && isfinite(weight[i])))
      return bnn_fail(err, BNN_ERANGE, "weight %zu: expected a finite number of at least 0, got %g",
                      i + 1, weight[i]);
    any = any || weight[i] > 0;
  }
  return any ? BNN_OK : bnn_fail(err, BNN_ERANGE, "weight: expected one above 0, got none");
}

bnn_status bnn_statistic_value(double *out, const bnn_statistic *s, bnn_err *err) {
  double *weight = bnn_mem_alloc(s->n, sizeof *weight);
  void *scratch = bnn_mem_alloc(s->scratch, 1);
  bnn_status status = BNN_OK;
  if (weight && scratch) {
    for (size_t i = 0; i < s->n; i++) weight[i] = s->weight ? s->weight[i] : 1;
    *out = s->value(s->data, weight, scratch);
  } else {
    status = bnn_fail(err, BNN_ENOMEM, "a metric of %zu examples", s->n);
  }
  bnn_mem_free(weight);
  bnn_mem_free(scratch);
  return status;
}

static double mean_value(const void *data, const double *weight, void *scratch) {
  const bnn_values *v = data;
  double sum = 0, total = 0;
  (void)scratch;
  for (size_t i = 0; i < v->n; i++) {
    if (weight[i] == 0) continue; /* 0 times infinity is not 0 */
    sum += weight[i] * v->value[i];
    total += weight[i];
  }
  return v->root ? sqrt(sum / total) : sum / total;
}

bnn_statistic bnn_mean_statistic(const bnn_values *values) {
  return (bnn_statistic){.value = mean_value, .data = values, .n = values->n};
}
