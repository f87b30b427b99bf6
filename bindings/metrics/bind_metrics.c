/* bind_metrics.c - metrics of predictions, and their bootstrap.
 *
 * The Lua library (scripts/bnn/metrics/metrics.lua) is what users see: it reads lists and tensors, and names
 * what is wrong.  These functions take contiguous tensors: numbers f64, flags u8, labels i32.  A
 * metric's last three arguments, weights of the examples, a key and a number of resamples, may be
 * missing; it returns its value, and a tensor f64 [resamples] of its values on these. */
#include "bind_metrics.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "metrics/answers.h"
#include "metrics/bootstrap.h"
#include "metrics/calibration.h"
#include "metrics/draws.h"
#include "metrics/rank_metrics.h"
#include "metrics/scoring.h"

/* ---- arguments and results ---- */

static const uint8_t *check_flags(lua_State *L, int arg, size_t n) {
  const uint8_t *flag = bind_check_elements(L, arg, BNN_U8, n);
  for (size_t i = 0; i < n; i++) bind_argcheck(L, flag[i] <= 1, arg, "expected flags of 0 or 1");
  return flag;
}

static bnn_tensor *check_matrix(lua_State *L, int arg) {
  bnn_tensor *x = bind_check_dense(L, arg, BNN_F64);
  bind_argcheck(L, x->rank == 2 && x->dim[1] > 0, arg, "expected a tensor [n, classes]");
  return x;
}

/* Labels for the rows of a matrix, each one of its classes. */
static const int32_t *check_labels(lua_State *L, int arg, const bnn_tensor *p) {
  bnn_err err;
  const int32_t *label = bind_check_elements(L, arg, BNN_I32, p->dim[0]);
  bind_check(L, bnn_check_labels(label, p->dim[0], p->dim[1], &err), &err);
  return label;
}

/* A new tensor of n elements on the stack. */
static void *push_list(lua_State *L, bnn_dtype dtype, size_t n) {
  return bind_push_new(L, dtype, 1, &n)->data;
}

/* Weights of n examples, f64 [n]; NULL when there are none. */
static const double *check_weights(lua_State *L, int arg, size_t n) {
  bnn_err err;
  if (lua_isnoneornil(L, arg)) return NULL;
  const bnn_tensor *weight = bind_check_dense(L, arg, BNN_F64);
  if (weight->rank != 1 || weight->size != n)
    bind_error(L, "weight: expected [%I], got %s", (lua_Integer)n, BNN_SHAPE(weight));
  bind_check(L, bnn_check_weights(weight->data, n, &err), &err);
  return weight->data;
}

static int core_check_weights(lua_State *L) {
  check_weights(L, 1, (size_t)bind_check_range(L, 2, "n", 0, UINT32_MAX));
  return 0;
}

/* The end of every metric, from argument arg, the weights: its value and, with a key, those of
 * resamples. */
static int return_metric(lua_State *L, int arg, bnn_statistic *s) {
  bnn_err err;
  double value;
  if (s->n == 0) bind_error(L, "expected examples, got none");
  s->weight = check_weights(L, arg, s->n);
  bind_check(L, bnn_statistic_value(&value, s, &err), &err);
  if (lua_isnoneornil(L, arg + 1)) {
    lua_pushnumber(L, value);
    return 1;
  }
  bnn_key key = bind_check_key(L, arg + 1);
  size_t resamples = (size_t)bind_check_range(L, arg + 2, "resamples", 1, INT32_MAX);
  lua_pushnumber(L, value);
  double *out = push_list(L, BNN_F64, resamples);
  bind_check(L, bnn_bootstrap(bind_context(L), out, s, key, resamples, &err), &err);
  return 2;
}

static void free_ranking(void *ranking) { bnn_ranking_free(ranking); }

/* The ranking of the scores at arg, in a holder on the stack. */
static const bnn_ranking *push_ranking(lua_State *L, int arg) {
  bnn_err err;
  bnn_ranking *ranking = NULL;
  const bnn_tensor *score = bind_check_dense(L, arg, BNN_F64);
  void **held = bind_push_holder(L, free_ranking);
  const bnn_stop before = bnn_context_watch(bind_context(L));
  bnn_status status = bnn_ranking_new(&ranking, score->data, score->size, &err);
  status = bnn_stop_end(before, status, &err);
  *held = ranking;
  bind_check(L, status, &err);
  return ranking;
}

/* How often each score is had with either flag, under weights or NULL, in a userdata on the stack. */
static bnn_counts push_counts(lua_State *L, const bnn_ranking *ranking, const uint8_t *flag,
                              const double *weight) {
  double(*count)[2] = lua_newuserdatauv(L, ranking->groups * sizeof *count, 0);
  bnn_ranking_count(count, ranking, flag, weight);
  return (bnn_counts){ranking->groups, (const double(*)[2])count, ranking->score};
}

/* ---- metrics ---- */

static int core_mean_metric(lua_State *L) {
  const bnn_tensor *value = bind_check_dense(L, 1, BNN_F64);
  bnn_values values = {value->data, value->size, lua_toboolean(L, 2)};
  bnn_statistic s = bnn_mean_statistic(&values);
  return return_metric(L, 3, &s);
}

static int core_rank_metric(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  bnn_ranked data = {.metric = bnn_rank_metric_find(name)};
  if (!data.metric) bind_argerror(L, 1, "there is no metric '%s'", name);
  data.flag = check_flags(L, 3, bind_check_dense(L, 2, BNN_F64)->size);
  data.parameter = luaL_optnumber(L, 4, 0);
  int stratified = lua_toboolean(L, 5);
  lua_settop(L, 8);
  data.ranking = push_ranking(L, 2);
  bnn_statistic s = bnn_ranked_statistic(&data, stratified);
  return return_metric(L, 6, &s);
}

static const char *const gaps[] = {"ece", "mce", "bias", NULL}; /* in the order of bnn_gap */

/* The elements of the tensor at arg, none above 1: itself, or a copy in a userdata on the stack. */
static const double *push_clipped(lua_State *L, int arg) {
  const bnn_tensor *x = bind_check_dense(L, arg, BNN_F64);
  if (!bnn_clip_above_1(NULL, x->data, x->size)) return x->data;
  double *copy = lua_newuserdatauv(L, x->size * sizeof *copy, 0);
  bnn_clip_above_1(copy, x->data, x->size);
  return copy;
}

/* Confidences in bins, from the arguments at arg: confidence, single, right, bins. */
static bnn_binned push_bins(lua_State *L, int arg) {
  bnn_err err;
  const bnn_tensor *confidence = bind_check_dense(L, arg, BNN_F64);
  size_t n = confidence->size;
  bool single = lua_toboolean(L, arg + 1);
  const uint8_t *right = check_flags(L, arg + 2, n);
  size_t bins = (size_t)bind_check_range(L, arg + 3, "bins", 1, BNN_BINS_MAX);
  uint32_t *bin = lua_newuserdatauv(L, n * sizeof *bin + 1, 0);
  bind_check(L, bnn_bin_confidences(bin, confidence->data, n, single, bins, &err), &err);
  return (bnn_binned){
      .bin = bin, .confidence = push_clipped(L, arg), .right = right, .n = n, .bins = bins};
}

static int core_binned_metric(lua_State *L) {
  bnn_gap gap = (bnn_gap)luaL_checkoption(L, 1, NULL, gaps);
  lua_settop(L, 8);
  bnn_binned data = push_bins(L, 2);
  data.gap = gap;
  bnn_statistic s = bnn_binned_statistic(&data);
  return return_metric(L, 6, &s);
}

/* Where the results of reliability go: [bins] each, and bin [examples]. */
typedef struct reliability {
  double *n, *confidence, *right;
  int32_t *bin;
} reliability;

static void bins_of_equal_width(reliability *out, const bnn_binned *data, const double *weight) {
  bnn_count_bins(out->n, out->confidence, out->right, data, weight);
  for (size_t i = 0; i < data->n; i++) out->bin[i] = (int32_t)data->bin[i];
}

/* Bins of equal counts, of the confidences at arg. */
static void bins_of_equal_count(lua_State *L, int arg, reliability *out, const bnn_binned *data,
                                const double *weight) {
  const bnn_ranking *ranking = push_ranking(L, arg);
  const bnn_counts counts = push_counts(L, ranking, data->right, weight);
  uint32_t *bin = lua_newuserdatauv(L, ranking->groups * sizeof *bin, 0);
  bnn_adaptive_bins(out->n, out->confidence, out->right, bin, &counts, data->bins);
  for (size_t i = 0; i < data->n; i++) out->bin[i] = (int32_t)bin[ranking->group[i]];
}

static int core_reliability(lua_State *L) {
  const bool adaptive = lua_toboolean(L, 5);
  lua_settop(L, 6);
  const bnn_binned data = push_bins(L, 1);
  const double *weight = check_weights(L, 6, data.n);
  const int results = lua_gettop(L) + 1;
  reliability out = {0};
  out.n = push_list(L, BNN_F64, data.bins);
  out.confidence = push_list(L, BNN_F64, data.bins);
  out.right = push_list(L, BNN_F64, data.bins);
  out.bin = push_list(L, BNN_I32, data.n);
  if (adaptive)
    bins_of_equal_count(L, 1, &out, &data, weight);
  else
    bins_of_equal_width(&out, &data, weight);
  for (size_t b = 0; b < data.bins; b++) /* an empty bin has no means: 0 / 0 */
    out.confidence[b] /= out.n[b], out.right[b] /= out.n[b];
  lua_settop(L, results + 3);
  return 4;
}

static const char *const sums[] = {"total", "mean", "mean_to", "share_to",
                                   NULL}; /* bnn_group_sum */

static int core_group_intervals(lua_State *L) {
  bnn_err err;
  const bnn_tensor *group = bind_check_dense(L, 2, BNN_I32);
  bnn_groups groups = {.group = group->data,
                       .value = bind_check_elements(L, 3, BNN_F64, group->size),
                       .n = group->size,
                       .groups = (size_t)bind_check_range(L, 4, "groups", 1, INT32_MAX),
                       .sum = (bnn_group_sum)luaL_checkoption(L, 1, NULL, sums)};
  bind_check(L, bnn_check_labels(groups.group, groups.n, groups.groups, &err), &err);
  bnn_key key = bind_check_key(L, 5);
  size_t resamples = (size_t)bind_check_range(L, 6, "resamples", 1, INT32_MAX);
  double level = luaL_checknumber(L, 7);
  groups.weight = check_weights(L, 8, groups.n);
  double *lo = push_list(L, BNN_F64, groups.groups), *hi = push_list(L, BNN_F64, groups.groups);
  bind_check(L, bnn_group_intervals(bind_context(L), lo, hi, &groups, key, resamples, level, &err),
             &err);
  return 2;
}

/* Groups of examples without weight are as if they were not there. */
static size_t count_groups(const bnn_counts *c) {
  size_t n = 0;
  for (size_t g = 0; g < c->groups; g++) n += c->count[g][0] + c->count[g][1] > 0;
  return n;
}

static int core_rank_counts(lua_State *L) {
  const size_t n = bind_check_dense(L, 1, BNN_F64)->size;
  const uint8_t *flag = check_flags(L, 2, n);
  const double *weight = check_weights(L, 3, n);
  const bnn_ranking *ranking = push_ranking(L, 1);
  const bnn_counts counts = push_counts(L, ranking, flag, weight);
  const size_t groups = count_groups(&counts);
  double *score = push_list(L, BNN_F64, groups);
  double *zero = push_list(L, BNN_F64, groups), *one = push_list(L, BNN_F64, groups);
  double zeros = 0, ones = 0;
  for (size_t g = 0; g < counts.groups; g++) {
    if (counts.count[g][0] + counts.count[g][1] == 0) continue;
    *score++ = counts.score[g];
    *zero++ = zeros += counts.count[g][0];
    *one++ = ones += counts.count[g][1];
  }
  return 3;
}

/* ---- rows ---- */

static int core_top_label(lua_State *L) {
  const bnn_tensor *p = check_matrix(L, 1);
  double *confidence = push_list(L, BNN_F64, p->dim[0]);
  int32_t *label = push_list(L, BNN_I32, p->dim[0]);
  bnn_top_label(confidence, label, p->data, p->dim[0], p->dim[1]);
  return 2;
}

typedef void row_score(double *out, const double *p, const int32_t *label, size_t n,
                       size_t classes);
static const char *const row_names[] = {"rank", "nll", "brier", NULL};
static row_score *const row_scores[] = {bnn_label_rank, bnn_row_nll, bnn_row_brier};

static int core_row_scores(lua_State *L) {
  row_score *score = row_scores[luaL_checkoption(L, 1, NULL, row_names)];
  const bnn_tensor *p = check_matrix(L, 2);
  const int32_t *label = check_labels(L, 3, p);
  score(push_list(L, BNN_F64, p->dim[0]), p->data, label, p->dim[0], p->dim[1]);
  return 1;
}

/* [n, width] of a tensor: its rows are its first axis. */
static size_t width_of(const bnn_tensor *x) {
  return x->rank > 0 && x->dim[0] > 0 ? x->size / x->dim[0] : x->size;
}

typedef void row_error(double *out, const double *a, const double *b, size_t n, size_t width);

/* The error of each row of two tensors. */
static int push_errors(lua_State *L, row_error *f) {
  const bnn_tensor *a = bind_check_dense(L, 1, BNN_F64);
  const double *b = bind_check_elements(L, 2, BNN_F64, a->size);
  size_t width = width_of(a), n = width ? a->size / width : 0;
  f(push_list(L, BNN_F64, n), a->data, b, n, width);
  return 1;
}

static int core_squared_errors(lua_State *L) { return push_errors(L, bnn_row_squared_error); }

static int core_absolute_errors(lua_State *L) { return push_errors(L, bnn_row_absolute_error); }

typedef void row_interval(double *out, const double *a, const double *b, const double *target,
                          double number, size_t n, size_t width);

/* What there is to say of each row of three tensors, by a number. */
static int push_of_intervals(lua_State *L, row_interval *f) {
  const bnn_tensor *a = bind_check_dense(L, 1, BNN_F64);
  const double *b = bind_check_elements(L, 2, BNN_F64, a->size);
  const double *target = bind_check_elements(L, 3, BNN_F64, a->size);
  double number = luaL_checknumber(L, 4);
  size_t width = width_of(a), n = width ? a->size / width : 0;
  f(push_list(L, BNN_F64, n), a->data, b, target, number, n, width);
  return 1;
}

static int core_within(lua_State *L) { return push_of_intervals(L, bnn_row_within); }

static int core_interval_scores(lua_State *L) {
  return push_of_intervals(L, bnn_row_interval_score);
}

/* The mixture of mean and std [draws, rows, width] at arg, and its targets [rows, width]. */
static bnn_mixture check_mixture(lua_State *L, int arg, const double **target) {
  const bnn_tensor *mean = bind_check_dense(L, arg, BNN_F64);
  const double *std = bind_check_elements(L, arg + 1, BNN_F64, mean->size);
  bind_argcheck(L, mean->rank == 3, arg, "expected [draws, rows, width]");
  const bnn_mixture m = {mean->data, std, mean->dim[0], mean->dim[1], mean->dim[2]};
  *target = bind_check_elements(L, arg + 2, BNN_F64, m.rows * m.width);
  return m;
}

/* mixture_cdf(mean, std [draws, rows, width], target [rows, width]) */
static int core_mixture_cdf(lua_State *L) {
  const double *target;
  const bnn_mixture m = check_mixture(L, 1, &target);
  const size_t dim[] = {m.rows, m.width};
  bnn_mixture_cdf(bind_push_new(L, BNN_F64, 2, dim)->data, &m, target);
  return 1;
}

/* mixture_scores(name, mean, std [draws, rows, width], target [rows, width], from, n) */
static int core_mixture_scores(lua_State *L) {
  static const char *const name[] = {"log_density", "crps", NULL};
  const int which = luaL_checkoption(L, 1, NULL, name);
  const double *target;
  const bnn_mixture m = check_mixture(L, 2, &target);
  const size_t from = (size_t)bind_check_range(L, 5, "from", 0, (lua_Integer)m.rows);
  const size_t n = (size_t)bind_check_range(L, 6, "n", 0, (lua_Integer)(m.rows - from));
  double *out = push_list(L, BNN_F64, n);
  (which == 0 ? bnn_mixture_log_density : bnn_mixture_crps)(out, &m, target, from, n);
  return 1;
}

/* Labels, answers and the number of classes, from the arguments at arg. */
static bnn_answers check_answers(lua_State *L, int arg) {
  bnn_err err;
  const bnn_tensor *label = bind_check_dense(L, arg, BNN_I32);
  bnn_answers a = {.label = label->data,
                   .answer = bind_check_elements(L, arg + 1, BNN_I32, label->size),
                   .n = label->size,
                   .classes = (size_t)bind_check_range(L, arg + 2, "classes", 1, 1 << 15)};
  bind_check(L, bnn_check_labels(a.label, a.n, a.classes, &err), &err);
  bind_check(L, bnn_check_labels(a.answer, a.n, a.classes, &err), &err);
  return a;
}

/* answer_metric(name, labels, answers, classes, positive, weight, key, resamples) */
static int core_answer_metric(lua_State *L) {
  bnn_answers data = check_answers(L, 2);
  const char *name = luaL_checkstring(L, 1);
  data.metric = bnn_agreement_find(name);
  if (!data.metric) bind_argerror(L, 1, "there is no metric '%s'", name);
  data.positive = (size_t)bind_check_range(L, 5, "positive", 0, (lua_Integer)data.classes - 1);
  bnn_statistic s = bnn_answers_statistic(&data);
  return return_metric(L, 6, &s);
}

static int core_confusion(lua_State *L) {
  const bnn_answers data = check_answers(L, 1);
  const double *weight = check_weights(L, 4, data.n);
  const size_t dim[] = {data.classes, data.classes};
  double *sum = bind_push_new(L, BNN_F64, 2, dim)->data;
  bnn_confusion(sum, &data, weight);
  return 1;
}

/* ---- flags and sets ---- */

static int core_equal_labels(lua_State *L) {
  const bnn_tensor *a = bind_check_dense(L, 1, BNN_I32);
  const int32_t *b = bind_check_elements(L, 2, BNN_I32, a->size), *values = a->data;
  uint8_t *equal = push_list(L, BNN_U8, a->size);
  for (size_t i = 0; i < a->size; i++) equal[i] = values[i] == b[i];
  return 1;
}

static int core_flip_flags(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_U8);
  const uint8_t *flag = check_flags(L, 1, x->size);
  uint8_t *flipped = push_list(L, BNN_U8, x->size);
  for (size_t i = 0; i < x->size; i++) flipped[i] = !flag[i];
  return 1;
}

static int core_count_flags(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_U8);
  const uint8_t *flag = check_flags(L, 1, x->size);
  lua_Integer ones = 0;
  for (size_t i = 0; i < x->size; i++) ones += flag[i];
  lua_pushinteger(L, ones);
  return 1;
}

static int core_negated(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_F64);
  const double *value = x->data;
  double *out = push_list(L, BNN_F64, x->size);
  for (size_t i = 0; i < x->size; i++) out[i] = -value[i];
  return 1;
}

static int core_join_sets(lua_State *L) {
  const bnn_tensor *x[] = {bind_check_dense(L, 1, BNN_F64), bind_check_dense(L, 2, BNN_F64)};
  double *score = push_list(L, BNN_F64, x[0]->size + x[1]->size);
  uint8_t *flag = push_list(L, BNN_U8, x[0]->size + x[1]->size);
  for (uint8_t set = 0; set < 2; set++)
    for (size_t i = 0; i < x[set]->size; i++)
      *score++ = ((const double *)x[set]->data)[i], *flag++ = set;
  return 2;
}

static int core_find_nan(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_F64);
  const double *value = x->data;
  size_t i = 0;
  while (i < x->size && value[i] == value[i]) i++;
  if (i == x->size) return 0;
  lua_pushinteger(L, (lua_Integer)i + 1);
  return 1;
}

static int core_clip_above_1(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_F64);
  lua_settop(L, 1);
  if (!bnn_clip_above_1(NULL, x->data, x->size)) return 1;
  bnn_tensor *copy = bind_push_new(L, BNN_F64, x->rank, x->dim);
  bnn_clip_above_1(copy->data, x->data, x->size);
  return 1;
}

static int core_find_improper_row(lua_State *L) {
  const bnn_tensor *p = check_matrix(L, 1);
  double value;
  size_t column;
  size_t row = bnn_find_improper_row(&column, &value, p->data, p->dim[0], p->dim[1]);
  if (row == p->dim[0]) return 0;
  lua_pushinteger(L, (lua_Integer)row + 1);
  if (column < p->dim[1])
    lua_pushinteger(L, (lua_Integer)column);
  else
    lua_pushnil(L);
  lua_pushnumber(L, value);
  return 3;
}

static int core_temperature(lua_State *L) {
  bnn_err err;
  bnn_temperature fit;
  const bnn_tensor *z = check_matrix(L, 1);
  const int32_t *label = check_labels(L, 2, z);
  bind_check(L, bnn_temperature_fit(&fit, z->data, label, z->dim[0], z->dim[1], &err), &err);
  lua_pushnumber(L, fit.temperature);
  lua_pushnumber(L, fit.before);
  lua_pushnumber(L, fit.after);
  return 3;
}

static const bind_row rows[] = {
    {"mean_metric", core_mean_metric,
     "mean_metric(values, root, weight, key, resamples): the mean of values, or its square root"},
    {"rank_metric", core_rank_metric,
     "rank_metric(name, scores, flags, parameter, stratified, weight, key, resamples): a metric of "
     "rank_metrics.h\n"
     "auroc average_precision aupr fpr (flag 1: positive), aurc e_aurc augrc (wrong), adaptive_ece "
     "adaptive_mce adaptive_bias (right), quantile."},
    {"binned_metric", core_binned_metric,
     "binned_metric(name, confidence, single, right, bins, weight, key, resamples): \"ece\", \"mce\" or "
     "\"bias\"\nsingle: the confidences were floats."},
    {"reliability", core_reliability,
     "reliability(confidence, single, right, bins, adaptive, weight): n, confidence and accuracy of "
     "bins, and the bin of each example, i32 [n], from 0"},
    {"group_intervals", core_group_intervals,
     "group_intervals(sum, group, values, groups, key, resamples, level, weight): lo, hi f64 [groups] "
     "of the \"total\" or \"mean\" of values by group (from 0); \"mean_to\": of it and those before; "
     "\"share_to\": the share of the examples in these"},
    {"rank_counts", core_rank_counts,
     "rank_counts(scores, flags, weight): distinct scores from the highest, and how many examples of "
     "flag 0 and of flag 1 have that score or a higher one; scores of examples without weight are "
     "left out"},
    {"top_label", core_top_label,
     "top_label(p): the largest entry of each row of [n, classes] and its class, from 0"},
    {"row_scores", core_row_scores,
     "row_scores(name, p, labels): \"rank\", \"nll\" or \"brier\" of each row, f64 [n]"},
    {"squared_errors", core_squared_errors,
     "squared_errors(a, b): the mean squared difference of each row, f64 [n]"},
    {"absolute_errors", core_absolute_errors,
     "absolute_errors(a, b): the mean absolute difference of each row, f64 [n]"},
    {"within", core_within,
     "within(mean, std, target, z): the share of each row with |target - mean| <= z std, f64 [n]"},
    {"mixture_scores", core_mixture_scores,
     "mixture_scores(name, mean, std, target, from, n): \"log_density\" or \"crps\" of rows [from, "
     "from + n), from 0, under an equal mixture of Gaussians [draws, rows, width], f64 [n]"},
    {"check_weights", core_check_weights,
     "check_weights(weight, n): raises unless these are weights of n examples"},
    {"interval_scores", core_interval_scores,
     "interval_scores(lower, upper, target, alpha): the interval score of each row, f64 [rows]"},
    {"mixture_cdf", core_mixture_cdf,
     "mixture_cdf(mean, std, target): how likely is at most the target, f64 [rows, width]"},
    {"answer_metric", core_answer_metric,
     "answer_metric(name, labels, answers, classes, positive, weight, key, resamples): a metric of "
     "answers.h"},
    {"confusion", core_confusion,
     "confusion(labels, answers, classes, weight): how often each was answered for each, f64 [c, c]"},
    {"equal_labels", core_equal_labels, "equal_labels(a, b): flags u8 [n], 1 where they are equal"},
    {"flip_flags", core_flip_flags, "flip_flags(flags): 1 for 0 and 0 for 1"},
    {"count_flags", core_count_flags, "count_flags(flags): how many are 1"},
    {"negated", core_negated, "negated(x): -x, f64 [n]"},
    {"join_sets", core_join_sets,
     "join_sets(a, b): the numbers of both in one tensor, and flags that are 1 for those of b"},
    {"find_nan", core_find_nan, "find_nan(x): the position of the first NaN, or nothing"},
    {"clip_above_1", core_clip_above_1,
     "clip_above_1(x): x f64 where no element is above 1, else a copy with 1 in place of these"},
    {"find_improper_row", core_find_improper_row,
     "find_improper_row(p): the first row that is not a distribution: its position, the class "
     "(nil: its sum is wrong) and the number found; or nothing"},
    {"temperature", core_temperature,
     "temperature(logits, labels): the temperature with the least negative log-likelihood, that at 1 "
     "and at it"},
    {NULL, NULL, NULL},
};

void bind_open_metrics(lua_State *L) { bind_register(L, "bnn.core.", rows); }
