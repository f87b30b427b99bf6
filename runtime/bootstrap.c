/* bootstrap.c - see bootstrap.h.  A lane is one worker's weights and scratch; lanes take resamples
 * in any order and write each its own result. */
#include "bootstrap.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "mem.h"

enum { WORDS = 256, WAVE = 256 }; /* bits drawn at once; resamples between looks at the stop flag */

typedef struct lane {
  uint32_t *weight; /* [n] */
  char *scratch;
} lane;

typedef struct work {
  const bnn_statistic *s;
  bnn_key key;
  double *out;
  uint32_t *member; /* [n]: the examples of part 0, then those of part 1; or NULL */
  size_t first;     /* examples of part 0, or all */
  size_t n_lanes;
  lane *lanes;
  size_t end; /* of this wave */
  atomic_size_t next;
} work;

/* Adds 1 to the weight of `size` draws from [0, size), or from the members of that number.  The
 * high half of 32 bits times size is even to size / 2^32. */
static void draw(uint32_t *weight, const uint32_t *member, size_t size, bnn_key key) {
  uint64_t bits[WORDS];
  for (size_t i = 0; i < size; i++) {
    size_t at = i % (2 * WORDS), left = (size - i + 1) / 2;
    if (at == 0) bnn_rng_bits(bits, key, i / 2, left < WORDS ? left : WORDS);
    uint64_t half = (uint32_t)(bits[at / 2] >> (at % 2 * 32));
    size_t drawn = (size_t)(half * size >> 32);
    weight[member ? member[drawn] : drawn]++;
  }
}

static double resample(const work *w, const lane *l, size_t r) {
  const bnn_statistic *s = w->s;
  bnn_key key = bnn_key_fold(w->key, (int64_t)r + 1);
  memset(l->weight, 0, s->n * sizeof *l->weight);
  draw(l->weight, w->member, w->first, bnn_key_split(key, 0));
  if (w->member) draw(l->weight, w->member + w->first, s->n - w->first, bnn_key_split(key, 1));
  return s->value(s->data, l->weight, l->scratch);
}

static void lane_job(void *data, size_t i) {
  work *w = data;
  for (size_t r; (r = atomic_fetch_add(&w->next, 1)) < w->end;)
    w->out[r] = resample(w, &w->lanes[i], r);
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
  w->n_lanes = (size_t)bnn_context_threads(context);
  if (w->n_lanes > resamples) w->n_lanes = resamples;
  w->first = s->n;
  w->member = s->part ? bnn_mem_alloc(s->n, sizeof *w->member) : NULL;
  w->lanes = bnn_mem_zalloc(w->n_lanes, sizeof *w->lanes);
  int ok = w->lanes && (w->member || !s->part);
  for (size_t i = 0; ok && i < w->n_lanes; i++) {
    w->lanes[i].weight = bnn_mem_alloc(s->n, sizeof *w->lanes[i].weight);
    w->lanes[i].scratch = bnn_mem_alloc(s->scratch, 1);
    ok = w->lanes[i].weight && w->lanes[i].scratch;
  }
  if (!ok) return bnn_fail(err, BNN_ENOMEM, "resamples of %zu examples", s->n);
  if (s->part) list_members(w);
  return BNN_OK;
}

static void work_fini(work *w) {
  for (size_t i = 0; w->lanes && i < w->n_lanes; i++) {
    bnn_mem_free(w->lanes[i].weight);
    bnn_mem_free(w->lanes[i].scratch);
  }
  bnn_mem_free(w->lanes);
  bnn_mem_free(w->member);
}

static bnn_status run_waves(work *w, bnn_context *context, size_t resamples, bnn_err *err) {
  for (size_t from = 0; from < resamples; from = w->end) {
    if (bnn_context_stopped(context))
      return bnn_fail(err, BNN_ESTOP, "after %zu of %zu resamples", from, resamples);
    w->end = resamples - from < WAVE ? resamples : from + WAVE;
    atomic_store(&w->next, from);
    bnn_context_run(context, lane_job, w, w->n_lanes);
  }
  return BNN_OK;
}

bnn_status bnn_bootstrap(bnn_context *context, double *out, const bnn_statistic *s, bnn_key key,
                         size_t resamples, bnn_err *err) {
  work w = {.s = s, .key = key, .out = out};
  bnn_status status = work_init(&w, context, resamples, err);
  if (status == BNN_OK) status = run_waves(&w, context, resamples, err);
  work_fini(&w);
  return status;
}

bnn_status bnn_statistic_value(double *out, const bnn_statistic *s, bnn_err *err) {
  uint32_t *weight = bnn_mem_alloc(s->n, sizeof *weight);
  void *scratch = bnn_mem_alloc(s->scratch, 1);
  bnn_status status = BNN_OK;
  if (weight && scratch) {
    for (size_t i = 0; i < s->n; i++) weight[i] = 1;
    *out = s->value(s->data, weight, scratch);
  } else {
    status = bnn_fail(err, BNN_ENOMEM, "a metric of %zu examples", s->n);
  }
  bnn_mem_free(weight);
  bnn_mem_free(scratch);
  return status;
}

static double mean_value(const void *data, const uint32_t *weight, void *scratch) {
  const bnn_values *v = data;
  double sum = 0;
  (void)scratch;
  for (size_t i = 0; i < v->n; i++)
    if (weight[i]) sum += weight[i] * v->value[i]; /* 0 times infinity is not 0 */
  return v->root ? sqrt(sum / (double)v->n) : sum / (double)v->n;
}

bnn_statistic bnn_mean_statistic(const bnn_values *values) {
  return (bnn_statistic){.value = mean_value, .data = values, .n = values->n};
}
