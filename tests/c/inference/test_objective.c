/* test_objective.c - a training step: its gradient against central differences of the whole loss,
 * its update against gradient and rule written out, the same bits on any number of threads, and
 * failures that leave everything as it was. */
#include "inference/objective.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Sanitizers ask the system for much of their own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#if defined(__linux__) && !defined(SANITIZED)
#define HAVE_FILTERS 1
#endif

#ifdef HAVE_FILTERS
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/mem.h"
#include "inference/objective_inside.h"
#include "kernels/rng.h"
#include "support_posterior.h"
#include "support_program.h"

/* ---- problems: a program, its layout, data, a posterior ---- */

enum { IN = 12, HIDDEN = 9, CLASSES = 4, DATA = 40, SIZE_MAX_ = 256 };

typedef struct problem {
  bnn_program *program;
  int x, y, key;
  bnn_layout layout;
  bnn_tensor *data, *target;
  double scale, logvar; /* of the weights that learning starts from */
  bool positive;        /* all of them */
} problem;

typedef int record(problem *q); /* gives the node of the loss */

/* The parameters of two linear layers, in a layout of four tensors. */
static const size_t layer_size[] = {IN * HIDDEN, HIDDEN, HIDDEN *CLASSES, CLASSES};

static void layers(int *w, bnn_program *p) {
  w[0] = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, HIDDEN), 0);
  w[1] = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN);
  w[2] = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN);
  w[3] = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), (IN + 1 + CLASSES) * HIDDEN);
}

/* Every parameter job is final: with one sample the update is fused with the gradient. */
static int network(problem *q) {
  int w[4];
  layers(w, q->program);
  int h = OP(q->program, linear, q->x, w[0], w[1]);
  h = OP(q->program, softplus, h);
  h = OP(q->program, linear, h, w[2], w[3]);
  return OP(q->program, cross_entropy, h, q->y);
}

/* Whole ops between the parameters and the layers, so the update waits for them. */
static int whole_ops(problem *q) {
  int w[4];
  layers(w, q->program);
  int first = OP(q->program, sin, w[0]), scale = OP(q->program, exp, w[3]);
  int h = OP(q->program, linear, q->x, first, w[1]);
  h = OP(q->program, softplus, h);
  h = OP(q->program, linear, h, w[2], scale);
  return OP(q->program, cross_entropy, h, q->y);
}

/* The first layer as 9 kernels of 3 x 4 over images of 3 x 4, padded: its gradients are sums over
 * blocks, and final all the same. */
static int convolution(problem *q) {
  bnn_program *p = q->program;
  const size_t n = bnn_program_shape(p, q->x)->dim[0];
  int w[4] = {
      record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, 1, 3, 4), 0),
      record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN),
      record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN),
      record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), (IN + 1 + CLASSES) * HIDDEN)};
  int h = record_op(p, BNN_OP_view, 1, &q->x, &(bnn_attr){.rank = 4, .dim = {n, 1, 3, 4}});
  h = record_op(p, BNN_OP_conv2d, 3, (const int[]){h, w[0], w[1]},
                &(bnn_attr){.pair = {{1, 1}, {1, 1}, {1, 1}}});
  h = OP(p, softplus, h);
  h = record_op(p, BNN_OP_avg_pool2d, 1, &h, &(bnn_attr){.pair = {{3, 3}}});
  h = record_op(p, BNN_OP_view, 1, &h, &(bnn_attr){.rank = 2, .dim = {n, HIDDEN}});
  h = OP(p, linear, h, w[2], w[3]);
  return OP(p, cross_entropy, h, q->y);
}

/* The first layer twice, so that its gradient is set by one reader and added to by the other, in room
 * that the jobs before have used; and activations that may be written over their layers. */
static int twins(problem *q) {
  bnn_program *p = q->program;
  int w[4];
  layers(w, p);
  int h = OP(p, relu, OP(p, linear, q->x, w[0], w[1]));
  h = OP(p, add, h, OP(p, tanh, OP(p, linear, OP(p, sin, q->x), w[0], w[1])));
  return OP(p, cross_entropy, OP(p, linear, h, w[2], w[3]), q->y);
}

/* One number, the mean: rows meet. */
static int mean_of_network(problem *q) {
  int loss = network(q);
  return OP(q->program, mean, loss);
}

/* Noise of the program's own. */
static int with_dropout(problem *q) {
  int w[4];
  layers(w, q->program);
  q->key = record_input(q->program, BNN_INPUT_WHOLE, BNN_U64, SCALAR, 0);
  int h = OP(q->program, linear, q->x, w[0], w[1]);
  h = record_op(q->program, BNN_OP_dropout, 2, (const int[]){OP(q->program, softplus, h), q->key},
                &(bnn_attr){.number = {0.5}});
  h = OP(q->program, linear, h, w[2], w[3]);
  return OP(q->program, cross_entropy, h, q->y);
}

/* Three of the four tensors only: the last is in the layout and not in the program. */
static int without_the_last(problem *q) {
  bnn_program *p = q->program;
  int w0 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, HIDDEN), 0);
  int b0 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN);
  int w1 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN);
  int h = OP(p, linear, q->x, w0, b0);
  h = OP(p, softplus, h);
  return OP(p, cross_entropy, OP(p, mm, h, w1), q->y);
}

/* One input that lies over several tensors of the layout, and their weights in the KL. */
static int across_tensors(problem *q) {
  int w = record_input(q->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, 13), 0);
  return OP(q->program, cross_entropy, OP(q->program, mm, q->x, w), q->y);
}

/* A node with rows that reads two parameters, each in the gradient of the other. */
static int learned_noise(problem *q) {
  bnn_program *p = q->program;
  int mean = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN), 0);
  int shape = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN), IN);
  int log_p = OP(p, gaussian_log_prob, q->x, mean, shape);
  return record_op(p, BNN_OP_sum, 1, (const int[]){OP(p, neg, log_p)}, &(bnn_attr){.axes = 2});
}

static const struct {
  record *record;
  const char *name;
} problems[] = {{network, "network"},
                {whole_ops, "whole ops"},
                {mean_of_network, "mean of network"},
                {with_dropout, "dropout"},
                {without_the_last, "without the last"},
                {across_tensors, "across tensors"},
                {convolution, "convolution"},
                {twins, "twins"}};
enum { PROBLEMS = sizeof problems / sizeof *problems };

static void problem_data(problem *q, size_t in, size_t classes) {
  q->data = tensor_of(BNN_REAL, DIMS(DATA, in), NULL);
  q->target = tensor_of(BNN_I32, DIMS(DATA), NULL);
  bnn_rng_normal(bnn_tensor_real(q->data), bnn_key_new(21), 0, q->data->size);
  for (size_t i = 0; i < DATA; i++) bnn_tensor_set(q->target, i, (double)(i * 7 % classes));
}

static void problem_init(problem *q, record *graph, size_t batch) {
  *q = (problem){.key = -1, .scale = 0.5, .logvar = -2};
  ck_succeeds(bnn_program_new(&q->program, &err));
  q->x = record_input(q->program, BNN_INPUT_ROWS, BNN_REAL, DIMS(batch, IN), 0);
  q->y = record_input(q->program, BNN_INPUT_ROWS, BNN_I32, DIMS(batch), 0);
  int loss = graph(q);
  ck_succeeds(bnn_program_finish(q->program, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 4, layer_size, &err));
  problem_data(q, IN, CLASSES);
}

static void problem_fini(problem *q) {
  bnn_program_unref(q->program);
  bnn_layout_fini(&q->layout);
  bnn_tensor_unref(q->data);
  bnn_tensor_unref(q->target);
}

/* How an objective is made of a problem, and what a step of it is. */
typedef struct setting {
  bool varied; /* weights of the KL, prior and decay that differ from tensor to tensor */
  double prior_std;
  int samples;
  double beta;
  size_t points;     /* tensors at the end that are point estimates */
  bool by_tensor;    /* a beta for each */
  const char *prior; /* a density instead of N(0, prior_std^2), or "fitted"; NULL */
} setting;

enum { ALL = 6, PARAMS_MAX = 6 };

static const setting settings[] = {
    {false, 1, 1, 0, 0, false, NULL},           {false, 1, 1, 0.3, 0, false, NULL},
    {false, 0.5, 1, 0.3, 0, false, NULL},       {true, 1, 1, 0.7, 0, false, NULL},
    {true, 2, 3, 0.7, 0, true, NULL},           {false, 0.5, 3, 0.2, 0, false, NULL},
    {false, 1, 3, 0, 0, false, NULL},           {false, 0.5, 1, 0.3, ALL, false, NULL},
    {true, 2, 1, 0.7, ALL, true, NULL},         {false, 2, 3, 0.7, ALL, false, NULL},
    {true, 0.5, 1, 0.3, 1, false, NULL},        {true, 2, 3, 0.7, 1, true, NULL},
    {false, 1, 1, 0.3, 0, false, "laplace"},    {true, 1, 3, 0.7, 1, true, "logistic"},
    {true, 1, 1, 0.3, ALL, false, "student_t"}, {true, 1, 1, 0.7, 1, true, "fitted"},
    {false, 1, 3, 0.3, ALL, false, "fitted"},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* A density with its default parameters. */
static bnn_prior prior_of(const char *name) {
  const bnn_density *density = bnn_density_find(name);
  double param[BNN_DENSITY_PARAMS_MAX];
  bnn_prior prior;
  ck_assert_ptr_nonnull(density);
  for (int k = 0; k < bnn_density_params(density); k++) param[k] = density->param[k].value;
  ck_succeeds(bnn_prior_init(&prior, density, param, &err));
  return prior;
}

/* Tensor t of the layout in the objective. */
static bnn_regularizer regularizer_of(const setting *s, size_t t) {
  double prior_std = s->prior_std * (s->varied ? 1 + (double)t : 1);
  bnn_regularizer r = {.kl = s->varied ? 1 / (2 + (double)t) : 1,
                       .precision = s->prior ? 0 : 1 / (prior_std * prior_std),
                       .decay = s->varied ? 0.1 * (double)t : 0};
  r.is_fitted = s->prior && strcmp(s->prior, "fitted") == 0;
  if (s->prior && !r.is_fitted) r.prior = prior_of(s->prior);
  return r;
}

static double beta_of(const setting *s, size_t t) {
  return s->by_tensor ? s->beta / (1 + (double)t) : s->beta;
}

/* Elements of the mean-field posterior: those of the first tensors. */
static size_t n_variational_of(const problem *q, const setting *s) {
  size_t n = q->layout.n_params;
  return s->points >= n ? 0 : s->points ? q->layout.param[n - s->points].offset : q->layout.size;
}

/* Whether the rule takes the posterior of a setting: one for mean-field takes no points. */
static bool fits(const bnn_rule *rule, const problem *q, const setting *s) {
  return !rule->family || n_variational_of(q, s) == q->layout.size;
}

static bnn_objective *objective_in_shards(const problem *q, const setting *s, int shards) {
  bnn_regularizer regularizers[PARAMS_MAX];
  for (size_t t = 0; t < q->layout.n_params; t++) regularizers[t] = regularizer_of(s, t);
  split_posterior families;
  split_posterior_init(&families, &q->layout, NULL, NULL, n_variational_of(q, s));
  const bnn_objective_spec spec = {
      .program = q->program,
      .feeds = bnn_feeds_of(q->x, q->y, -1),
      .key_node = q->key,
      .kl_weight_node = -1,
      .posterior = &families.q,
      .regularizers = regularizers,
      .samples = s->samples,
      .shards = shards,
  };
  bnn_objective *o = NULL;
  ck_succeeds(bnn_objective_new(&o, &spec, &err));
  return o;
}

static bnn_objective *objective_of(const problem *q, const setting *s) {
  return objective_in_shards(q, s, 1);
}

/* A step of a setting; betas holds [PARAMS_MAX]. */
static bnn_step_args args_of(const setting *s, double *betas, bnn_key key, double lr) {
  for (size_t t = 0; t < PARAMS_MAX; t++) betas[t] = beta_of(s, t);
  return (bnn_step_args){.key = key,
                         .beta = s->beta,
                         .lr = lr,
                         .data_size = 1000,
                         .noise = 1,
                         .betas = s->by_tensor ? betas : NULL};
}

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

/* mu [size] and logvar [n_variational] behind it, as a posterior, with the state of a rule over them.
 * It stays where it was made. */
typedef struct learner {
  size_t size, n_variational;
  bnn_real *w;
  split_posterior posterior;
  bnn_rule_state state;
  bnn_updater updater;
  bnn_train_state train;
} learner;

static void learner_init(learner *l, const problem *q, size_t n_variational, const char *rule) {
  const size_t size = q->layout.size;
  l->size = size;
  l->n_variational = n_variational;
  l->w = calloc(2 * size, sizeof *l->w);
  bnn_rng_normal(l->w, bnn_key_new(5), 0, 2 * size);
  for (size_t i = 0; i < size; i++) {
    l->w[i] *= (bnn_real)q->scale;
    if (q->positive) l->w[i] = 1 + R(fabs)(l->w[i]);
    l->w[size + i] = l->w[size + i] / 2 + (bnn_real)q->logvar;
  }
  split_posterior_init(&l->posterior, &q->layout, l->w, l->w + size, n_variational);
  ck_succeeds(
      bnn_rule_state_init(&l->state, bnn_rule_find(rule), NULL, size + n_variational, &err));
  l->updater = bnn_updater_of(&l->state);
  l->train = (bnn_train_state){&l->posterior.q, &l->updater};
}

static void learner_fini(learner *l) {
  free(l->w);
  bnn_rule_state_fini(&l->state);
}

static bnn_batch batch_of(const problem *q, size_t from, size_t count) {
  return (bnn_batch){
      .data = bnn_sources_of(q->data, q->target, NULL), .from = from, .count = count};
}

/* ---- the gradient ---- */

/* A gradient starts as NaN, so that an element which is not written is seen. */
static void clear(bnn_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = NAN;
}

#ifdef BNN_REAL_DOUBLE
/* -log p of the tensor's weights, the mean over the samples of a step with this key. */
static double cross_entropy_of(const problem *q, const setting *s, bnn_context *context,
                               const learner *l, bnn_key key, size_t t) {
  const bnn_prior prior = prior_of(s->prior);
  const bnn_param *param = &q->layout.param[t];
  bnn_real theta[SIZE_MAX_];
  double sum = 0;
  for (int k = 1; k <= s->samples; k++) {
    bnn_posterior_sample(&l->posterior.q, context, theta,
                         bnn_key_fold(bnn_key_fold_name(key, "eps", 3), k), k);
    sum -= prior.density->log_prob(theta + param->offset, prior.param, param->size);
  }
  return sum / s->samples;
}

/* The KL of a tensor, or of a point -log p: by its formula from a Gaussian; from one that is fitted
 * that is N(0, rms^2), whose slope along s is 0; else with the weights that are drawn. */
static double kl_of(const problem *q, const setting *s, bnn_context *context, const learner *l,
                    bnn_key key, size_t t) {
  const bnn_param *param = &q->layout.param[t];
  const bnn_regularizer r = regularizer_of(s, t);
  const bool is_point = param->offset >= l->n_variational;
  if (r.prior.density)
    return cross_entropy_of(q, s, context, l, key, t) -
           (is_point ? 0 : bnn_posterior_entropy(&l->posterior.q, t));
  const double rms = bnn_posterior_rms(&l->posterior.q, t, 1);
  const double std = r.is_fitted ? rms : 1 / sqrt(r.precision);
  if (!is_point) return bnn_posterior_kl(&l->posterior.q, t, std);
  return (double)param->size * (rms * rms / (std * std) / 2 + log(std));
}

/* What tensor t adds to the loss: the KL, and of a point estimate the decay. */
static double penalty_of(const problem *q, const setting *s, bnn_context *context, const learner *l,
                         bnn_key key, size_t t) {
  const bnn_param *param = &q->layout.param[t];
  const bnn_regularizer r = regularizer_of(s, t);
  double squares = 0;
  for (size_t j = param->offset; j < param->offset + param->size; j++) squares += l->w[j] * l->w[j];
  const double decay = param->offset >= l->n_variational ? r.decay / 2 * squares : 0;
  return decay + beta_of(s, t) * r.kl * kl_of(q, s, context, l, key, t);
}

/* The whole loss: the mean loss that the step reports, and what the tensors add. */
static double whole_loss(const problem *q, const setting *s, bnn_objective *o, bnn_context *context,
                         const learner *l, const bnn_step_args *args) {
  bnn_real g[2 * SIZE_MAX_];
  double loss = 0;
  bnn_batch batch = batch_of(q, 3, bnn_objective_batch(o));
  ck_succeeds(bnn_objective_gradient(o, context, &l->posterior.q, &batch, args, g, &loss, &err));
  for (size_t t = 0; t < q->layout.n_params; t++)
    loss += penalty_of(q, s, context, l, args->key, t);
  return loss;
}

/* As in test_program.c: h = 1e-5 leaves errors of some 1e-10. */
static void ck_differences(const problem *q, const setting *s) {
  const double h = 1e-5, tol = 2e-8;
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(1);
  learner l;
  learner_init(&l, q, n_variational_of(q, s), "adam");
  double betas[PARAMS_MAX];
  const bnn_step_args args = args_of(s, betas, bnn_key_new(9), 0);
  bnn_real g[2 * SIZE_MAX_];
  double loss;
  bnn_batch batch = batch_of(q, 3, bnn_objective_batch(o));
  clear(g, 2 * SIZE_MAX_);
  ck_succeeds(bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, g, &loss, &err));
  for (size_t i = 0; i < l.size + l.n_variational; i++) {
    double was = l.w[i], up;
    l.w[i] = was + h;
    up = whole_loss(q, s, o, context, &l, &args);
    l.w[i] = was - h;
    double want = (up - whole_loss(q, s, o, context, &l, &args)) / (2 * h);
    l.w[i] = was;
    ck_assert_msg(fabs(g[i] - want) <= tol * (1 + fabs(want)),
                  "d/d %s[%zu] is %.12g, differences say %.12g", i < l.size ? "mu" : "logvar",
                  i % l.size, g[i], want);
  }
  learner_fini(&l);
  bnn_objective_free(o);
  bnn_context_free(context);
}

START_TEST(gradients_are_central_differences_of_the_whole_loss) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++) ck_differences(&q, &settings[k]);
  problem_fini(&q);
}
END_TEST
#endif

/* Blocks of a large batch against one replay of the program on the whole of it. */
START_TEST(the_loss_is_the_mean_over_examples_and_samples) {
  problem q;
  problem_init(&q, network, DATA);
  bnn_context *context = context_of(2);
  learner l;
  learner_init(&l, &q, q.layout.size, "adam");
  bnn_frame *f = NULL;
  ck_succeeds(bnn_frame_new(&f, q.program, 0, &err));
  bnn_real theta[SIZE_MAX_], g[SIZE_MAX_], d[2 * SIZE_MAX_];
  bnn_frame_bind(f, q.x, q.data->data);
  bnn_frame_bind(f, q.y, q.target->data);
  bnn_frame_bind_params(f, theta, g);
  for (int samples = 1; samples <= 3; samples++) {
    bnn_objective *o = objective_of(&q, &(setting){false, 1, samples, 0, 0, false, NULL});
    const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0};
    bnn_batch batch = batch_of(&q, 0, DATA);
    double got, want = 0;
    ck_succeeds(bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, d, &got, &err));
    for (int s = 1; s <= samples; s++) {
      bnn_key key = bnn_key_fold(bnn_key_fold_name(args.key, "eps", 3), s);
      bnn_posterior_sample(&l.posterior.q, context, theta, key, 1);
      ck_succeeds(bnn_frame_replay(f, 1, &err));
      for (size_t i = 0; i < DATA; i++)
        want += bnn_tensor_get(bnn_frame_output(f, 0), i) / DATA / samples;
    }
    ck_assert_double_eq_tol(got, want, 16 * (double)BNN_REAL_EPSILON * want);
    bnn_objective_free(o);
  }
  bnn_frame_free(f);
  learner_fini(&l);
  bnn_context_free(context);
  problem_fini(&q);
}
END_TEST

/* ---- the step ---- */

/* The mean weight of the KL in a setting's steps. */
static double mean_kl_weight(const problem *q, const setting *s) {
  double sum = 0;
  for (size_t t = 0; t < q->layout.n_params; t++)
    sum += beta_of(s, t) * regularizer_of(s, t).kl * (double)q->layout.param[t].size;
  return sum / (double)q->layout.size;
}

/* The learner's rule by hand: on each buffer of each group, with its part of the gradients d and of the
 * state, in the order that posterior.h gives them. */
static void update_by_hand(learner *l, const bnn_real *d, const bnn_step_args *args,
                           double kl_weight) {
  const bnn_update_args update = {.lr = args->lr,
                                  .data_size = args->data_size,
                                  .noise = args->noise,
                                  .kl_weight = {kl_weight},
                                  .key = args->key};
  bnn_step_info info;
  bnn_updater_infos(&l->updater, &update, &info);
  for (size_t g = 0; g < l->posterior.q.n_groups; g++) {
    const bnn_group *group = &l->posterior.group[g];
    bnn_update_span span[BNN_BUFFERS_MAX];
    for (int b = 0; b < group->family->n_buffers; b++) {
      const size_t at = bnn_posterior_place(&l->posterior.q, g, b);
      span[b] = (bnn_update_span){.w = group->buffer[b],
                                  .g = d + at,
                                  .from = group->first,
                                  .n = group->end - group->first,
                                  .buffer = b,
                                  .decayed = group->family->buffer[b].decayed};
      for (int k = 0; k < bnn_rule_slots(l->state.rule); k++)
        span[b].slot[k] = bnn_tensor_real(l->state.slot[k]) + at;
    }
    bnn_rule_update(l->state.rule, &info, span, group->family->n_buffers);
  }
  l->state.t++;
}

static void copy_learner(learner *to, const learner *from) {
  memcpy(to->w, from->w, 2 * from->size * sizeof *to->w);
  for (int k = 0; k < bnn_rule_slots(from->state.rule); k++)
    memcpy(to->state.slot[k]->data, from->state.slot[k]->data, from->state.n * sizeof *to->w);
  to->state.t = from->state.t;
}

/* Steps of an objective, beside the rule applied to its gradient: from the same bits each time, so that
 * the losses are equal and nothing adds up. */
static void ck_steps(const problem *q, const setting *s, const bnn_rule *rule) {
  const double lr = rule->family ? 1e-4 : 0.01; /* where it is one of natural gradients */
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(2);
  learner l, want;
  learner_init(&l, q, n_variational_of(q, s), rule->name);
  learner_init(&want, q, n_variational_of(q, s), rule->name);
  for (int64_t t = 1; t <= 4; t++) {
    double betas[PARAMS_MAX];
    bnn_step_args args = args_of(s, betas, bnn_key_fold(bnn_key_new(9), t), lr * (double)t);
    args.data_size = DATA;
    bnn_real g[2 * SIZE_MAX_];
    double loss, gradient_loss;
    bnn_batch batch = batch_of(q, (size_t)t, bnn_objective_batch(o));
    copy_learner(&want, &l);
    clear(g, 2 * SIZE_MAX_);
    ck_succeeds(bnn_objective_gradient(o, context, &want.posterior.q, &batch, &args, g,
                                       &gradient_loss, &err));
    update_by_hand(&want, g, &args, mean_kl_weight(q, s));
    ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err));
    ck_assert_double_eq(loss, gradient_loss);
    ck_assert_uint_eq(l.state.t, (uint64_t)t);
    for (size_t i = 0; i < 2 * l.size; i++)
      ck_assert_double_eq_tol((double)l.w[i], (double)want.w[i], 8 * (double)BNN_REAL_EPSILON);
  }
  learner_fini(&l);
  learner_fini(&want);
  bnn_objective_free(o);
  bnn_context_free(context);
}

START_TEST(a_step_is_the_rule_applied_to_the_gradient) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++)
    for (size_t r = 0; bnn_rule_row(r); r++)
      if (fits(bnn_rule_row(r), &q, &settings[k])) ck_steps(&q, &settings[k], bnn_rule_row(r));
  problem_fini(&q);
}
END_TEST

/* The gradient of one parameter reads the other one, which the same step changes: with a point
 * estimate there is no sample between them. */
START_TEST(an_update_is_not_seen_by_the_gradients_of_its_own_step) {
  problem q = {.key = -1, .scale = 0.5, .logvar = -7, .positive = true};
  static const size_t size[] = {IN, IN};
  ck_succeeds(bnn_program_new(&q.program, &err));
  q.x = record_input(q.program, BNN_INPUT_ROWS, BNN_REAL, DIMS(7, IN), 0), q.y = -1;
  int loss = learned_noise(&q);
  ck_succeeds(bnn_program_finish(q.program, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q.layout, 2, size, &err));
  problem_data(&q, IN, CLASSES);
  for (int k = 0; k < SETTINGS; k++) ck_steps(&q, &settings[k], bnn_rule_find("sgd"));
  problem_fini(&q);
}
END_TEST

enum { WIDE = 300, WIDE_KINDS = 3 };

/* A classifier on images, wide enough for several blocks, jobs and pieces. */
static void wide_layers(problem *q, bool fused) {
  enum { UNITS = 64 };
  static const size_t size[] = {WIDE * UNITS, UNITS, UNITS * CLASSES, CLASSES};
  bnn_program *p = q->program;
  int w0 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(WIDE, UNITS), 0);
  int b0 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(UNITS), size[0]);
  int w1 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(UNITS, CLASSES), size[0] + UNITS);
  int b1 = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), size[0] + size[1] + size[2]);
  if (!fused) b0 = OP(p, sin, b0);
  int h = OP(p, linear, q->x, w0, b0);
  h = OP(p, relu, h);
  h = OP(p, linear, h, w1, b1);
  int loss = OP(p, cross_entropy, h, q->y);
  ck_succeeds(bnn_program_finish(p, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 4, size, &err));
}

/* Kernels, gains and biases of which every block of rows sums the gradient; windows that overlap. */
static void wide_convolution(problem *q, size_t batch) {
  static const size_t size[] = {32 * 25, 32, 128, 128, 128 * CLASSES, CLASSES};
  bnn_program *p = q->program;
  int in[6];
  size_t at = 0;
  static const struct {
    int rank;
    size_t dim[4];
  } shape[] = {{4, {32, 1, 5, 5}}, {1, {32}},           {1, {128}},
               {1, {128}},         {2, {128, CLASSES}}, {1, {CLASSES}}};
  for (int i = 0; i < 6; at += size[i++])
    in[i] = record_input(p, BNN_INPUT_PARAM, BNN_REAL, shape[i].rank, shape[i].dim, at);
  int h = record_op(p, BNN_OP_view, 1, &q->x, &(bnn_attr){.rank = 4, .dim = {batch, 1, 15, 20}});
  h = record_op(p, BNN_OP_conv2d, 3, (const int[]){h, in[0], in[1]},
                &(bnn_attr){.pair = {{1, 1}, {0, 0}, {1, 1}}});
  h = record_op(p, BNN_OP_max_pool2d, 1, &h, &(bnn_attr){.pair = {{11, 5}, {1, 3}, {0, 1}}});
  h = record_op(p, BNN_OP_view, 1, &h, &(bnn_attr){.rank = 2, .dim = {batch, 32 * 5}});
  h = record_op(p, BNN_OP_narrow, 1, &h, &(bnn_attr){.axis = 1, .count = 128});
  h = record_op(p, BNN_OP_layer_norm, 3, (const int[]){h, in[2], in[3]}, NULL);
  h = OP(p, linear, h, in[4], in[5]);
  int loss = OP(p, cross_entropy, h, q->y);
  ck_succeeds(bnn_program_finish(p, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 6, size, &err));
}

/* Kinds: 0 linear layers with a whole op between, 1 linear layers, 2 a convolution. */
static void wide_problem(problem *q, int kind, size_t batch) {
  *q = (problem){.key = -1, .scale = 0.05, .logvar = -7};
  ck_succeeds(bnn_program_new(&q->program, &err));
  q->x = record_input(q->program, BNN_INPUT_ROWS, BNN_REAL, DIMS(batch, WIDE), 0);
  q->y = record_input(q->program, BNN_INPUT_ROWS, BNN_I32, DIMS(batch), 0);
  if (kind == 2)
    wide_convolution(q, batch);
  else
    wide_layers(q, kind == 1);
  q->data = tensor_of(BNN_U8, DIMS(DATA, WIDE), NULL);
  q->target = tensor_of(BNN_I32, DIMS(DATA), NULL);
  for (size_t i = 0; i < q->data->size; i++)
    ((uint8_t *)q->data->data)[i] =
        (uint8_t)bnn_rng_below(bnn_key_fold(bnn_key_new(8), (int64_t)i), 256);
  for (size_t i = 0; i < DATA; i++) bnn_tensor_set(q->target, i, (double)(i % CLASSES));
}

static double eight_steps(learner *l, const problem *q, const setting *s, int threads,
                          size_t batch_size, int32_t *order) {
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(threads);
  double loss = 0;
  learner_init(l, q, n_variational_of(q, s), "adam");
  for (int64_t t = 1; t <= 8; t++) {
    double betas[PARAMS_MAX];
    const bnn_step_args args = args_of(s, betas, bnn_key_fold(bnn_key_new(9), t), 0.01);
    const bnn_batch batch = {.data = bnn_sources_of(q->data, q->target, NULL),
                             .rows = order,
                             .from = (size_t)t,
                             .count = batch_size};
    ck_succeeds(bnn_objective_step(o, context, &l->train, &batch, &args, &loss, &err));
  }
  bnn_objective_free(o);
  bnn_context_free(context);
  return loss;
}

START_TEST(any_number_of_threads_gives_the_same_bits) {
  enum { WIDE_BATCH = 131 }; /* blocks of 40, the last one ragged */
  static const setting row[] = {
      {true, 1, 1, 1e-3, 0, false, NULL},         {false, 1, 2, 1e-3, 0, false, NULL},
      {false, 1, 1, 1e-3, ALL, false, NULL},      {false, 1, 1, 1e-3, 2, false, NULL},
      {false, 1, 1, 1e-5, 0, false, "horseshoe"}, {true, 1, 2, 1e-5, 0, false, "fitted"}};
  int32_t order[WIDE_BATCH + 21];
  for (int i = 0; i < WIDE_BATCH + 21; i++) order[i] = (int32_t)(i * 17 % DATA + 1);
  problem q;
  wide_problem(&q, _i % WIDE_KINDS, WIDE_BATCH);
  learner one;
  double loss = eight_steps(&one, &q, &row[_i / WIDE_KINDS], 1, WIDE_BATCH, order);
  ck_assert_double_lt(loss, 1.38); /* it learns: log 4 = 1.386 is chance */
  for (int threads = 2; threads <= 4; threads++) {
    learner l;
    ck_assert_double_eq(eight_steps(&l, &q, &row[_i / WIDE_KINDS], threads, WIDE_BATCH, order),
                        loss);
    ck_assert_mem_eq(l.w, one.w, 2 * l.size * sizeof *l.w);
    for (int k = 0; k < 2; k++)
      ck_assert_mem_eq(l.state.slot[k]->data, one.state.slot[k]->data, l.state.n * sizeof *l.w);
    learner_fini(&l);
  }
  learner_fini(&one);
  problem_fini(&q);
}
END_TEST

/* Gradients of the mean loss at given weights: those of a point there. */
static void gradient_at(bnn_real *g, const problem *q, bnn_objective *o, bnn_context *context,
                        bnn_real *theta) {
  split_posterior point;
  split_posterior_init(&point, &q->layout, theta, NULL, 0);
  const bnn_batch batch = batch_of(q, 0, DATA);
  const bnn_step_args args = {.key = bnn_key_new(1)};
  double loss;
  ck_succeeds(bnn_objective_gradient(o, context, &point.q, &batch, &args, g, &loss, &err));
}

/* sum [2 * size] += the gradients of mu and logvar at sample s of a step with this key. */
static void add_sample(double *sum, const problem *q, const learner *l, bnn_objective *points,
                       bnn_key key, int s) {
  bnn_context *context = context_of(1);
  bnn_real *theta = calloc(2 * l->size, sizeof *theta), *g = theta + l->size;
  bnn_posterior_sample(&l->posterior.q, context, theta,
                       bnn_key_fold(bnn_key_fold_name(key, "eps", 3), s), 1);
  gradient_at(g, q, points, context, theta);
  for (size_t i = 0; i < l->size; i++) {
    sum[i] += (double)g[i];
    if (i < l->n_variational)
      sum[l->size + i] += (double)g[i] * ((double)theta[i] - (double)l->w[i]) / 2;
  }
  free(theta);
  bnn_context_free(context);
}

/* d [2 * size] += what KL and decay add to the gradients, once whatever the number of samples. */
static void add_penalties(double *d, const problem *q, const setting *s, const learner *l) {
  for (size_t t = 0; t < q->layout.n_params; t++) {
    const bnn_param *param = &q->layout.param[t];
    const bnn_regularizer r = regularizer_of(s, t);
    const double weight = beta_of(s, t) * r.kl;
    for (size_t i = param->offset; i < param->offset + param->size; i++) {
      const bool point = i >= l->n_variational;
      d[i] += (weight * r.precision + (point ? r.decay : 0)) * (double)l->w[i];
      if (!point) d[l->size + i] += weight / 2 * (exp((double)l->w[l->size + i]) * r.precision - 1);
    }
  }
}

static double largest(const double *x, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

/* A gradient is a sum over the batch, of products that go through two layers: with another weight of
 * each example all of them round anew, DATA times or so, each by less than the largest of the sums.
 * A sample too many or too few would be a ninth of it. */
static void ck_gradients(const bnn_real *d, const double *want, size_t n, const char *what, int k) {
  const double tol = 8 * DATA * (double)BNN_REAL_EPSILON * largest(want, n);
  for (size_t i = 0; i < n; i++)
    ck_assert_msg(fabs((double)d[i] - want[i]) <= tol, "%d samples: %s[%zu] is %.9g, wanted %.9g",
                  k, what, i, (double)d[i], want[i]);
}

/* The same bits on any number of threads, too: the tree over the samples is that of their number. */
START_TEST(a_gradient_is_the_mean_over_its_samples) {
  enum { SAMPLES = 9 };
  static const int threads[] = {1, 2, 3, 5};
  problem q;
  wide_problem(&q, _i, DATA);
  setting s = {true, 1, 1, 1e-3, 1, false, NULL};
  learner l;
  learner_init(&l, &q, n_variational_of(&q, &s), "adam");
  const size_t size = l.size, trained = size + l.n_variational;
  bnn_objective *points = objective_of(&q, &(setting){false, 1, 1, 0, ALL, false, NULL});
  double *sum = calloc(4 * size, sizeof *sum), *want = sum + 2 * size, loss;
  bnn_real *d = calloc(4 * size, sizeof *d), *other = d + 2 * size;
  double betas[PARAMS_MAX];
  const bnn_step_args args = args_of(&s, betas, bnn_key_new(9), 0);
  const bnn_batch batch = batch_of(&q, 0, DATA);
  for (s.samples = 1; s.samples <= SAMPLES; s.samples++) {
    bnn_objective *o = objective_of(&q, &s);
    add_sample(sum, &q, &l, points, args.key, s.samples);
    for (size_t i = 0; i < 2 * size; i++) want[i] = sum[i] / s.samples;
    add_penalties(want, &q, &s, &l);
    for (int k = 0; k < 4; k++) {
      bnn_context *context = context_of(threads[k]);
      bnn_real *into = k ? other : d;
      clear(into, trained);
      ck_succeeds(
          bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, into, &loss, &err));
      ck_assert_mem_eq(into, d, trained * sizeof *d);
      bnn_context_free(context);
    }
    ck_gradients(d, want, size, "dmu", s.samples);
    ck_gradients(d + size, want + size, l.n_variational, "dlogvar", s.samples);
    bnn_objective_free(o);
  }
  free(sum);
  free(d);
  bnn_objective_free(points);
  learner_fini(&l);
  problem_fini(&q);
}
END_TEST

/* ---- shards ---- */

/* Problems whose rows do not meet, in batches that no number of shards divides. */
enum { SHARDED = PROBLEMS - 1 + WIDE_KINDS };

static void sharded_problem(problem *q, int i, size_t *batch) {
  static record *const graph[] = {network,        whole_ops,   with_dropout, without_the_last,
                                  across_tensors, convolution, twins};
  ck_assert_uint_eq(sizeof graph / sizeof *graph, PROBLEMS - 1);
  *batch = i < PROBLEMS - 1 ? 37 : 131;
  if (i < PROBLEMS - 1)
    problem_init(q, graph[i], *batch);
  else
    wide_problem(q, i - (PROBLEMS - 1), *batch);
}

enum { SHARD_ROWS = 131 };

/* Row i of a batch; a batch may be larger than the data. */
static void fill_order(int32_t *order) {
  for (int i = 0; i < SHARD_ROWS; i++) order[i] = (int32_t)(i * 17 % DATA + 1);
}

/* Three steps, by the plain stages where gradients are clipped. */
static double steps_in_shards(learner *l, const problem *q, const setting *s, int shards,
                              int threads, size_t batch_size, bool clips) {
  bnn_objective *o = objective_in_shards(q, s, shards);
  bnn_context *context = context_of(threads);
  int32_t order[SHARD_ROWS];
  double loss = 0;
  fill_order(order);
  learner_init(l, q, n_variational_of(q, s), "adam");
  if (clips) ck_succeeds(bnn_updater_set_clipping(&l->updater, 0.5, 0.1, &err));
  for (int64_t t = 1; t <= 3; t++) {
    double betas[PARAMS_MAX];
    const bnn_step_args args = args_of(s, betas, bnn_key_fold(bnn_key_new(9), t), 0.003);
    const bnn_batch batch = {
        .data = bnn_sources_of(q->data, q->target, NULL), .rows = order, .count = batch_size};
    ck_succeeds(bnn_objective_step(o, context, &l->train, &batch, &args, &loss, &err));
  }
  bnn_objective_free(o);
  bnn_context_free(context);
  return loss;
}

static const int shard_counts[] = {1, 2, 3, 4, 8};
enum { SHARD_COUNTS = sizeof shard_counts / sizeof *shard_counts };

static void ck_same_bits_in_shards(const problem *q, const setting *s, size_t batch, int shards,
                                   bool clips) {
  static const int threads[] = {2, 3, 5};
  learner one;
  const double loss = steps_in_shards(&one, q, s, shards, 1, batch, clips);
  for (int k = 0; k < 3; k++) {
    learner l;
    ck_assert_double_eq(steps_in_shards(&l, q, s, shards, threads[k], batch, clips), loss);
    ck_assert_mem_eq(l.w, one.w, 2 * l.size * sizeof *l.w);
    for (int i = 0; i < 2; i++)
      ck_assert_mem_eq(l.state.slot[i]->data, one.state.slot[i]->data, l.state.n * sizeof *l.w);
    learner_fini(&l);
  }
  learner_fini(&one);
}

START_TEST(shards_have_the_same_bits_on_any_number_of_threads) {
  static const setting one = {true, 1, 1, 1e-3, 0, false, NULL},
                       three = {true, 1, 3, 1e-3, 1, false, NULL};
  problem q;
  size_t batch;
  sharded_problem(&q, _i, &batch);
  for (int k = 0; k < SHARD_COUNTS; k++) {
    ck_same_bits_in_shards(&q, &one, batch, shard_counts[k], false);
    if (shard_counts[k] != 3) continue;
    ck_same_bits_in_shards(&q, &one, batch, shard_counts[k], true);
    ck_same_bits_in_shards(&q, &three, batch, shard_counts[k], false);
  }
  problem_fini(&q);
}
END_TEST

/* Each shard's products round anew, as in ck_gradients: a row that is left out, or counted twice, is a
 * hundredth of a gradient or more.  With them the noise of a row is that of its place in the batch. */
START_TEST(a_gradient_in_shards_is_that_of_the_batch) {
  problem q;
  size_t batch_size;
  sharded_problem(&q, _i, &batch_size);
  int32_t order[SHARD_ROWS];
  fill_order(order);
  const bnn_batch batch = {
      .data = bnn_sources_of(q.data, q.target, NULL), .rows = order, .count = batch_size};
  bnn_context *context = context_of(2);
  for (int samples = 1; samples <= 3; samples += 2) {
    const setting s = {true, 1, samples, 1e-3, 0, false, NULL};
    learner l;
    learner_init(&l, &q, q.layout.size, "adam");
    bnn_real *d = calloc(2 * l.size, sizeof *d);
    double *want = calloc(2 * l.size, sizeof *want), all = 0, loss, betas[PARAMS_MAX];
    const bnn_step_args args = args_of(&s, betas, bnn_key_new(9), 0);
    for (int k = 0; k < SHARD_COUNTS; k++) {
      bnn_objective *o = objective_in_shards(&q, &s, shard_counts[k]);
      ck_assert_uint_eq(bnn_frame_shards(o->frame), (size_t)shard_counts[k]);
      clear(d, 2 * l.size);
      ck_succeeds(
          bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, d, &loss, &err));
      if (k == 0) {
        for (size_t i = 0; i < 2 * l.size; i++) want[i] = (double)d[i];
        all = loss;
      }
      ck_gradients(d, want, l.size, "dmu", samples);
      ck_gradients(d + l.size, want + l.size, l.size, "dlogvar", samples);
      ck_assert_double_eq_tol(loss, all, 16 * (double)BNN_REAL_EPSILON * all);
      bnn_objective_free(o);
    }
    free(d);
    free(want);
    learner_fini(&l);
  }
  bnn_context_free(context);
  problem_fini(&q);
}
END_TEST

/* What the tests above go through: jobs of every mode, blocks within shards, updates in jobs. */
START_TEST(sharded_problems_have_jobs_of_every_mode) {
  size_t jobs[3] = {0}, in_jobs = 0, within = 0;
  for (int i = 0; i < SHARDED; i++) {
    problem q;
    size_t batch;
    sharded_problem(&q, i, &batch);
    bnn_objective *o = objective_in_shards(&q, &settings[1], 2);
    for (size_t j = 0; j < bnn_frame_parameter_jobs(o->frame); j++)
      jobs[bnn_frame_parameter_job(o->frame, j)->mode]++;
    in_jobs += o->jobs.n > 0;
    within += bnn_frame_blocks(o->frame) > 2;
    bnn_objective_free(o);
    problem_fini(&q);
  }
  ck_assert_uint_gt(jobs[BNN_GRADIENT_WHOLE], 0);
  ck_assert_uint_gt(jobs[BNN_GRADIENT_SPLIT], 0);
  ck_assert_uint_gt(jobs[BNN_GRADIENT_SUMMED], 0);
  ck_assert_uint_gt(in_jobs, 0);
  ck_assert_uint_lt(in_jobs, SHARDED);
  ck_assert_uint_gt(within, 0);
}
END_TEST

/* No block has rows of two shards, and together they have all, in order. */
START_TEST(blocks_lie_within_shards) {
  problem q;
  wide_problem(&q, 1, SHARD_ROWS);
  for (int shards = 1; shards <= SHARD_ROWS + 1; shards++) {
    bnn_objective *o = objective_in_shards(&q, &settings[1], shards);
    size_t next = 0, shard = 0;
    for (size_t b = 0; b < bnn_frame_blocks(o->frame); b++) {
      const bnn_row_range rows = bnn_frame_block_rows(o->frame, b);
      bnn_row_range all = bnn_frame_shard_rows(o->frame, shard);
      if (rows.from == all.from + all.count) all = bnn_frame_shard_rows(o->frame, ++shard);
      ck_assert_uint_eq(rows.from, next);
      ck_assert_uint_gt(rows.count, 0);
      ck_assert_uint_ge(rows.from, all.from);
      next = rows.from + rows.count;
      ck_assert_uint_le(next, all.from + all.count);
    }
    ck_assert_uint_eq(next, SHARD_ROWS);
    ck_assert_uint_eq(shard + 1, bnn_frame_shards(o->frame));
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

/* A loss of each example, of scores whose mean over the batch is taken away. */
static int centred_network(problem *q) {
  bnn_program *p = q->program;
  int w[4];
  layers(w, p);
  int h = OP(p, linear, OP(p, softplus, OP(p, linear, q->x, w[0], w[1])), w[2], w[3]);
  int mean = record_op(p, BNN_OP_mean, 1, &h, &(bnn_attr){.axes = 1, .keepdims = true});
  return OP(p, cross_entropy, OP(p, sub, h, mean), q->y);
}

/* One number, of weights alone. */
static int without_a_batch(problem *q) {
  int w = record_input(q->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN), 0);
  return record_op(q->program, BNN_OP_sum, 1, &w, &(bnn_attr){.axes = 1});
}

START_TEST(several_shards_refuse_a_program_whose_rows_meet) {
  static const struct {
    record *graph;
    bool batch;
    const char *words;
  } row[] = {
      {mean_of_network, true, "2 shards: mean mixes rows of the batch"},
      {centred_network, true, "2 shards: mean mixes rows of the batch"},
      {without_a_batch, false, "2 shards of a program without a batch"},
  };
  for (int i = 0; i < 3; i++) {
    problem q = {.x = -1, .y = -1, .key = -1};
    if (row[i].batch) {
      problem_init(&q, row[i].graph, 7);
    } else {
      ck_succeeds(bnn_program_new(&q.program, &err));
      int loss = row[i].graph(&q);
      ck_succeeds(bnn_program_finish(q.program, &loss, 1, true, NULL, 0, &err));
      ck_succeeds(bnn_layout_init(&q.layout, 1, layer_size, &err));
    }
    bnn_objective_free(objective_in_shards(&q, &settings[1], 1));
    bnn_regularizer regularizers[4] = {{0}};
    split_posterior families;
    split_posterior_init(&families, &q.layout, NULL, NULL, q.layout.size);
    const bnn_objective_spec spec = {.program = q.program,
                                     .feeds = bnn_feeds_of(q.x, q.y, -1),
                                     .key_node = -1,
                                     .kl_weight_node = -1,
                                     .posterior = &families.q,
                                     .regularizers = regularizers,
                                     .samples = 1,
                                     .shards = 2};
    bnn_objective *o = NULL;
    ck_refuses(bnn_objective_new(&o, &spec, &err), BNN_ERANGE, row[i].words);
    ck_assert_ptr_null(o);
    if (row[i].batch)
      problem_fini(&q);
    else
      bnn_program_unref(q.program), bnn_layout_fini(&q.layout);
  }
}
END_TEST

/* The scratch of several shards is the caller's. */
START_TEST(a_replay_in_one_call_refuses_shards) {
  problem q;
  problem_init(&q, network, 7);
  bnn_frame *f = NULL;
  ck_succeeds(bnn_frame_new_in_shards(&f, q.program, 0, 3, &err));
  ck_refuses(bnn_frame_replay(f, 1, &err), BNN_ERANGE, "one shard, this has 3");
  bnn_frame_free(f);
  problem_fini(&q);
}
END_TEST

/* ---- a step whose updates follow in the jobs of the gradients ---- */

static void ck_close(const bnn_real *x, const bnn_real *want, size_t n, double ulps) {
  for (size_t i = 0; i < n; i++)
    ck_assert_double_eq_tol((double)x[i], (double)want[i],
                            ulps * (double)BNN_REAL_EPSILON * (1 + fabs((double)want[i])));
}

/* Every step starts from the same bits, so that nothing adds up.  Gradients, the summands of a
 * gradient and mu are below 1 here, and those of a pass are rounded at other places: Dd is a few
 * epsilon, 8 at most.  Then moments differ by less than that, and an update, with Adam's eps = 0.1 for
 * a divisor that is never small, by lr (Dd / 0.1 + Dd / 0.1^2) = 0.9 epsilon, beside the rounding of
 * what is updated.  A KL that is left out, or a sample of other noise, is a thousand times that. */
START_TEST(a_step_in_the_jobs_is_the_plain_stages) {
  static const double option[] = {1e-3, 0.9, 0.999, 0.1};
  static const setting row[] = {{true, 1, 1, 0.1, 0, false, NULL},
                                {true, 1, 1, 0.1, 2, true, NULL},
                                {true, 1, 1, 0.01, 0, true, "logistic"},
                                {true, 1, 1, 0.01, 2, false, "fitted"}};
  problem q;
  wide_problem(&q, 1 + _i % 2, DATA); /* both can be fused */
  const setting *s = &row[_i / 2];
  bnn_objective *o = objective_of(&q, s);
  ck_assert(o->jobs.n > 0);
  ck_assert_ptr_nonnull(bnn_fused_find(bnn_family_find("meanfield"), bnn_rule_find("adam")));
  learner l, want;
  learner *const both[] = {&l, &want};
  for (int k = 0; k < 2; k++) {
    learner_init(both[k], &q, n_variational_of(&q, s), "adam");
    memcpy(both[k]->state.option, option, sizeof option);
  }
  bnn_context *context = context_of(2);
  bnn_real *d = calloc(2 * l.size, sizeof *d);
  for (int64_t t = 1; t <= 6; t++) {
    double betas[PARAMS_MAX], loss, plain_loss;
    const bnn_step_args args = args_of(s, betas, bnn_key_fold(bnn_key_new(9), t), 1e-3);
    const bnn_batch batch = batch_of(&q, 0, DATA);
    copy_learner(&want, &l);
    ck_succeeds(
        bnn_objective_gradient(o, context, &want.posterior.q, &batch, &args, d, &plain_loss, &err));
    for (size_t i = 0; i < l.state.n; i++) ck_assert(R(fabs)(d[i]) < 1);
    update_by_hand(&want, d, &args, 0);
    ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err));
    ck_assert_double_eq(loss, plain_loss);
    ck_assert_uint_eq(l.state.t, want.state.t);
    ck_close(l.w, want.w, 2 * l.size, 4);
    for (int k = 0; k < 2; k++)
      ck_close(bnn_tensor_real(l.state.slot[k]), bnn_tensor_real(want.state.slot[k]), l.state.n, 8);
  }
  free(d);
  bnn_context_free(context);
  learner_fini(&l);
  learner_fini(&want);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

START_TEST(a_step_allocates_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < 2 * SETTINGS; k++) {
    const int shards = k % 2 && bnn_program_has_rows(q.program, NULL) ? 3 : 1;
    bnn_objective *o = objective_in_shards(&q, &settings[k / 2], shards);
    bnn_context *context = context_of(1);
    learner l;
    learner_init(&l, &q, n_variational_of(&q, &settings[k / 2]), "adam");
    const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0.1};
    const bnn_batch batch = batch_of(&q, 0, 7);
    double loss;
    ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err)); /* may */
    bnn_mem_fail_nth(1);
    ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err));
    ck_assert_uint_eq(bnn_mem_fail_nth(0), 1);
    learner_fini(&l);
    bnn_context_free(context);
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

#ifdef HAVE_FILTERS
enum { NO_FILTERS = 77 };

/* From here on any system call of the calling thread but these is SIGSYS: the end of the process;
 * memory, as OpenBLAS maps a buffer when one more is in use at a time than ever before; and when
 * the thread may wait, sleep, and sched_yield, which is what OpenBLAS's own locks do. */
static void forbid_system_calls(bool may_wait) {
  static const unsigned allowed[] = {SYS_exit_group, SYS_mmap,  SYS_munmap,      SYS_mprotect,
                                     SYS_madvise,    SYS_mbind, SYS_sched_yield, SYS_futex};
  enum { ALLOWED = sizeof allowed / sizeof *allowed };
  const unsigned n = may_wait ? ALLOWED : ALLOWED - 2;
  struct sock_filter rule[ALLOWED + 3] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  for (unsigned i = 0; i < n; i++)
    rule[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                                               (unsigned char)(n - i), 0);
  rule[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  rule[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {(unsigned short)(n + 3), rule};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    _exit(NO_FILTERS);
}

/* A job for each thread of the pool: none leaves before all have come. */
typedef struct meeting {
  int threads;
  atomic_int come;
} meeting;

static void forbid_in_each(void *data, size_t i) {
  meeting *m = data;
  (void)i;
  forbid_system_calls(m->threads > 1);
  atomic_fetch_add(&m->come, 1);
  while (atomic_load(&m->come) < m->threads) continue;
}

/* Exit status 0 when twenty steps ask the system for nothing; what they leave is not freed. */
static void step_without_system(const problem *q, const setting *s, int threads) {
  int32_t order[DATA];
  for (int i = 0; i < DATA; i++) order[i] = i + 1;
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(threads);
  learner l;
  learner_init(&l, q, n_variational_of(q, s), "adam");
  const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0.001};
  const bnn_batch batch = {
      .data = bnn_sources_of(q->data, q->target, NULL), .rows = order, .count = DATA};
  double loss;
  bool good = bnn_objective_step(o, context, &l.train, &batch, &args, &loss, NULL) == BNN_OK;
  usleep(20000); /* OpenBLAS starts a thread anew after a fork; let it come to rest */
  meeting m = {.threads = threads};
  bnn_context_run(context, forbid_in_each, &m, (size_t)threads);
  for (int t = 0; t < 20; t++)
    good = good && bnn_objective_step(o, context, &l.train, &batch, &args, &loss, NULL) == BNN_OK;
  _exit(good ? 0 : 1);
}

/* Several threads may sleep, when a wait has been long. */
START_TEST(a_step_asks_nothing_of_the_system) {
  static const setting fused = {true, 1, 1, 1e-3, 0, false, NULL},
                       summed = {true, 1, 2, 1e-3, 0, false, NULL};
  problem q;
  wide_problem(&q, _i % WIDE_KINDS, DATA);
  for (int threads = 1; threads <= 3; threads++) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) step_without_system(&q, _i < WIDE_KINDS ? &fused : &summed, threads);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTERS) break; /* not to be had here */
    ck_assert_msg(status == 0, "%d threads: the child ended with %#x", threads, status);
  }
  problem_fini(&q);
}
END_TEST
#endif

/* The same key, the same dropout; another key, another. */
START_TEST(noise_follows_the_key_of_the_step) {
  problem q;
  problem_init(&q, with_dropout, 7);
  bnn_objective *o = objective_of(&q, &(setting){false, 1, 1, 0, ALL, false, NULL});
  bnn_context *context = context_of(1);
  learner l;
  learner_init(&l, &q, 0, "sgd");
  const bnn_batch batch = batch_of(&q, 0, 7);
  double loss[3];
  for (int k = 0; k < 3; k++) {
    bnn_real g[SIZE_MAX_];
    const bnn_step_args args = {.key = bnn_key_new(k == 2 ? 2 : 1), .beta = 0, .lr = 0};
    ck_succeeds(
        bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, g, &loss[k], &err));
  }
  ck_assert_double_eq(loss[0], loss[1]);
  ck_assert_double_ne(loss[0], loss[2]);
  learner_fini(&l);
  bnn_context_free(context);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

/* ---- a prior in the program ---- */

#ifdef BNN_REAL_DOUBLE
/* The logistic loss of a network plus w[0] * -log p(first matrix) + w[1] * -log p(last bias), with
 * -log p(theta) = sum of theta^4; outputs[1] is the loss alone. */
static void dense_problem(problem *q, int *weights) {
  *q = (problem){.key = -1, .scale = 0.5, .logvar = -2};
  ck_succeeds(bnn_program_new(&q->program, &err));
  bnn_program *p = q->program;
  q->x = record_input(p, BNN_INPUT_ROWS, BNN_REAL, DIMS(7, IN), 0);
  q->y = record_input(p, BNN_INPUT_ROWS, BNN_I32, DIMS(7), 0);
  *weights = record_input(p, BNN_INPUT_WHOLE, BNN_REAL, DIMS(2), 0);
  int w[4];
  layers(w, p);
  int h = OP(p, softplus, OP(p, linear, q->x, w[0], w[1]));
  int loss = OP(p, cross_entropy, OP(p, linear, h, w[2], w[3]), q->y);
  int fourth[2];
  for (int k = 0; k < 2; k++) {
    int square = OP(p, mul, w[3 * k], w[3 * k]);
    int sum = OP(p, sum, OP(p, mul, square, square));
    fourth[k] = record_op(p, BNN_OP_view, 1, &sum, &(bnn_attr){.rank = 1, .dim = {1}});
  }
  int both = record_op(p, BNN_OP_concat, 2, fourth, &(bnn_attr){.axis = 0});
  int penalty = OP(p, sum, OP(p, mul, both, *weights));
  const int outputs[] = {OP(p, add, loss, penalty), loss};
  ck_succeeds(bnn_program_finish(p, outputs, 2, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 4, layer_size, &err));
  problem_data(q, IN, CLASSES);
}

/* log p of the weights that a step with this key draws, and -entropy of the tensors' posteriors. */
static double dense_penalty(const problem *q, const learner *l, bnn_context *context,
                            const double *weight) {
  bnn_real theta[SIZE_MAX_];
  bnn_key key = bnn_key_fold(bnn_key_fold_name(bnn_key_new(9), "eps", 3), 1);
  bnn_posterior_sample(&l->posterior.q, context, theta, key, 1);
  double sum = 0;
  for (size_t k = 0; k < 2; k++) {
    const bnn_param *t = &q->layout.param[3 * k];
    for (size_t i = t->offset; i < t->offset + t->size; i++)
      sum += weight[k] * (pow(theta[i], 4) - (double)l->w[l->size + i] / 2);
  }
  return sum;
}

START_TEST(a_prior_in_the_program_is_weighed_and_the_entropy_added) {
  problem q;
  int weights;
  dense_problem(&q, &weights);
  const bnn_regularizer regularizers[4] = {{.kl = 0.5}, {.kl = 0}, {.kl = 0}, {.kl = 2}};
  split_posterior families;
  split_posterior_init(&families, &q.layout, NULL, NULL, q.layout.size);
  const bnn_objective_spec spec = {.program = q.program,
                                   .feeds = bnn_feeds_of(q.x, q.y, -1),
                                   .key_node = -1,
                                   .kl_weight_node = weights,
                                   .posterior = &families.q,
                                   .regularizers = regularizers,
                                   .samples = 1,
                                   .shards = 1,
                                   .loss_output = 1,
                                   .kl_weight_param = (const size_t[]){0, 3},
                                   .n_kl_weights = 2};
  bnn_objective *o = NULL;
  ck_succeeds(bnn_objective_new(&o, &spec, &err));
  bnn_context *context = context_of(1);
  learner l;
  learner_init(&l, &q, q.layout.size, "adam");
  const bnn_step_args args = {.key = bnn_key_new(9), .beta = 0.3, .lr = 0};
  const double weight[] = {0.15, 0.6}, h = 1e-5;
  bnn_batch batch = batch_of(&q, 3, 7);
  bnn_real g[2 * SIZE_MAX_], unused[2 * SIZE_MAX_];
  double loss;
  ck_succeeds(bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, g, &loss, &err));
  for (size_t i = 0; i < 2 * l.size; i++) {
    double was = l.w[i], side[2];
    for (int k = 0; k < 2; k++) {
      l.w[i] = was + (k ? h : -h);
      ck_succeeds(
          bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, unused, &loss, &err));
      side[k] = loss + dense_penalty(&q, &l, context, weight);
    }
    l.w[i] = was;
    double want = (side[1] - side[0]) / (2 * h);
    ck_assert_msg(fabs(g[i] - want) <= 2e-8 * (1 + fabs(want)), "d/d w[%zu] is %.12g, wanted %.12g",
                  i, g[i], want);
  }
  learner_fini(&l);
  bnn_objective_free(o);
  bnn_context_free(context);
  problem_fini(&q);
}
END_TEST
#endif

/* ---- failures ---- */

/* Steps so far of a state that a test makes up. */
enum { STEPS_BEFORE = 5 };

/* Numbers in every slot, so that a write shows. */
static void fill_state(bnn_rule_state *s) {
  for (int k = 0; k < bnn_rule_slots(s->rule); k++)
    bnn_rng_uniform(bnn_tensor_real(s->slot[k]), bnn_key_new((uint64_t)k), 0, s->n);
  s->t = STEPS_BEFORE;
}

/* A step that must fail, with buffers and state to the bit as before. */
static void ck_step_fails_in(bnn_context *context, bnn_objective *o, learner *l,
                             const bnn_batch *batch, const bnn_step_args *args, bnn_status want,
                             const char *words) {
  bnn_rule_state *state = &l->state;
  const size_t bytes = 2 * l->size * sizeof *l->w, slot_bytes = state->n * sizeof *l->w;
  bnn_real *before = malloc(bytes), *slot_before[BNN_SLOTS_MAX];
  memcpy(before, l->w, bytes);
  fill_state(state);
  for (int k = 0; k < bnn_rule_slots(state->rule); k++) {
    slot_before[k] = malloc(slot_bytes);
    memcpy(slot_before[k], state->slot[k]->data, slot_bytes);
  }
  double loss = -7;
  ck_refuses(bnn_objective_step(o, context, &l->train, batch, args, &loss, &err), want, words);
  ck_assert_double_eq(loss, -7);
  ck_assert_mem_eq(l->w, before, bytes);
  ck_assert_uint_eq(state->t, STEPS_BEFORE);
  for (int k = 0; k < bnn_rule_slots(state->rule); k++) {
    ck_assert_mem_eq(state->slot[k]->data, slot_before[k], slot_bytes);
    free(slot_before[k]);
  }
  free(before);
}

static void ck_step_fails(bnn_objective *o, learner *l, const bnn_batch *batch,
                          const bnn_step_args *args, bnn_status want, const char *words) {
  bnn_context *context = context_of(2);
  ck_step_fails_in(context, o, l, batch, args, want, words);
  bnn_context_free(context);
}

/* The products of a step are left unfinished, for one sample and for several; the next step is whole. */
START_TEST(a_step_that_is_stopped_changes_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++) {
    bnn_objective *o = objective_of(&q, &settings[k]);
    bnn_context *context = context_of(2);
    learner l;
    double loss;
    learner_init(&l, &q, n_variational_of(&q, &settings[k]), "adam");
    const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0.1};
    const bnn_batch batch = batch_of(&q, 0, 7);
    bnn_context_stop(context);
    ck_step_fails_in(context, o, &l, &batch, &args, BNN_ESTOP, "");
    bnn_context_resume(context);
    ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err));
    learner_fini(&l);
    bnn_context_free(context);
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

/* A number that is not finite, in x, mu or logvar, for one sample and for several. */
START_TEST(a_loss_that_is_not_finite_changes_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++)
    for (int where = 0; where < 3; where++) {
      bnn_objective *o = objective_of(&q, &settings[k]);
      learner l;
      learner_init(&l, &q, n_variational_of(&q, &settings[k]), "adam");
      const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0.1};
      const bnn_batch batch = batch_of(&q, 0, 7);
      bnn_real *at = where == 0   ? bnn_tensor_real(q.data) + 20
                     : where == 1 ? l.w + 3
                                  : l.w + l.size + 3;
      bnn_real was = *at;
      *at = where == 2 ? INFINITY : NAN;
      if (where != 2 || l.n_variational > 0)
        ck_step_fails(o, &l, &batch, &args, BNN_ENAN, "the loss is");
      *at = was;
      learner_fini(&l);
      bnn_objective_free(o);
    }
  problem_fini(&q);
}
END_TEST

/* A network whose loss is finite and the gradients of whose first layer are not: sqrt is 0 at 0 and
 * infinitely steep, once up and once down.  Every parameter job is final. */
static int steep_rows(problem *q) {
  bnn_program *p = q->program;
  int w[4];
  layers(w, p);
  int h = OP(p, linear, q->x, w[0], w[1]), zero = OP(p, sqrt, OP(p, sub, h, h));
  int nothing = record_op(p, BNN_OP_sum, 1, &zero, &(bnn_attr){.axes = 2});
  int loss = OP(p, cross_entropy, OP(p, linear, OP(p, softplus, h), w[2], w[3]), q->y);
  return OP(p, add, loss, nothing);
}

/* The same for the third tensor alone, by whole ops. */
static int steep_whole(problem *q) {
  bnn_program *p = q->program;
  int w[4];
  layers(w, p);
  int h = OP(p, softplus, OP(p, linear, q->x, w[0], w[1]));
  int steep = OP(p, add, w[2], OP(p, sqrt, OP(p, sub, w[2], w[2])));
  return OP(p, cross_entropy, OP(p, linear, h, steep, w[3]), q->y);
}

/* Whether tensor t of mu's gradients is finite; it is so in all of its elements, or in none. */
static bool is_finite(const problem *q, const bnn_real *x, size_t t) {
  const bnn_param *param = &q->layout.param[t];
  size_t n = 0;
  for (size_t i = 0; i < param->size; i++) n += isfinite(x[param->offset + i]) != 0;
  ck_assert(n == 0 || n == param->size);
  return n > 0;
}

/* Gradients alone are given as they are. */
static void ck_gives_steep_gradients(const problem *q, bnn_objective *o, const learner *l,
                                     const bnn_batch *batch, const bnn_step_args *args,
                                     const bool *steep) {
  bnn_context *context = context_of(2);
  bnn_real d[2 * SIZE_MAX_];
  double loss;
  ck_succeeds(bnn_objective_gradient(o, context, &l->posterior.q, batch, args, d, &loss, &err));
  ck_assert(isfinite(loss));
  for (size_t t = 0; t < 4; t++) ck_assert_int_eq(is_finite(q, d, t), !steep[t]);
  bnn_context_free(context);
}

/* By the plain stages: with several samples, or a program that can not be fused. */
START_TEST(a_gradient_that_is_not_finite_changes_nothing) {
  static const struct {
    record *record;
    int samples;
    bool steep[4];
    const char *words;
  } row[] = {
      {steep_rows, 2, {true, true, false, false}, "the gradient of tensor 1 is not finite"},
      {steep_whole, 1, {false, false, true, false}, "the gradient of tensor 3 is not finite"},
      {steep_whole, 2, {false, false, true, false}, "the gradient of tensor 3 is not finite"}};
  static const size_t points[] = {0, 2, ALL};
  problem q;
  problem_init(&q, row[_i].record, 7);
  for (int k = 0; k < 3; k++)
    for (size_t r = 0; bnn_rule_row(r); r++) {
      const setting s = {true, 1, row[_i].samples, 0.3, points[k], false, NULL};
      if (!fits(bnn_rule_row(r), &q, &s)) continue;
      bnn_objective *o = objective_of(&q, &s);
      learner l;
      learner_init(&l, &q, n_variational_of(&q, &s), bnn_rule_row(r)->name);
      const bnn_step_args args = {.key = bnn_key_new(9), .beta = 0.3, .lr = 0.1, .data_size = DATA};
      const bnn_batch batch = batch_of(&q, 0, 7);
      ck_assert_uint_eq(o->jobs.n, 0);
      ck_gives_steep_gradients(&q, o, &l, &batch, &args, row[_i].steep);
      ck_step_fails(o, &l, &batch, &args, BNN_ENAN, row[_i].words);
      learner_fini(&l);
      bnn_objective_free(o);
    }
  problem_fini(&q);
}
END_TEST

/* Where updates follow in the jobs of the gradients, other tensors may be updated, but nothing that is
 * not finite is written, and the tensors with such gradients stay as they are. */
START_TEST(a_gradient_in_the_jobs_that_is_not_finite_is_not_used) {
  static const size_t points[] = {0, 2, ALL};
  problem q;
  problem_init(&q, steep_rows, 7);
  bnn_context *context = context_of(2);
  for (int k = 0; k < 3; k++)
    for (size_t r = 0; bnn_rule_row(r); r++) {
      const setting s = {true, 1, 1, 0.3, points[k], false, NULL};
      if (!fits(bnn_rule_row(r), &q, &s)) continue;
      bnn_objective *o = objective_of(&q, &s);
      learner l, was;
      learner_init(&l, &q, n_variational_of(&q, &s), bnn_rule_row(r)->name);
      learner_init(&was, &q, n_variational_of(&q, &s), bnn_rule_row(r)->name);
      fill_state(&l.state);
      copy_learner(&was, &l);
      const bnn_step_args args = {.key = bnn_key_new(9), .beta = 0.3, .lr = 0.1, .data_size = DATA};
      const bnn_batch batch = batch_of(&q, 0, 7);
      double loss = -7;
      ck_assert_uint_gt(o->jobs.n, 0);
      ck_refuses(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err), BNN_ENAN,
                 "the gradient of tensor 1 is not finite");
      ck_assert_double_eq(loss, -7);
      ck_assert_uint_eq(l.state.t, STEPS_BEFORE);
      const size_t bytes = q.layout.param[2].offset * sizeof *l.w; /* of the first layer */
      ck_assert_mem_eq(l.w, was.w, bytes);
      ck_assert_mem_eq(l.w + l.size, was.w + l.size, bytes);
      for (size_t i = 0; i < 2 * l.size; i++) ck_assert(isfinite(l.w[i]));
      for (int j = 0; j < bnn_rule_slots(l.state.rule); j++) {
        const bnn_real *slot = bnn_tensor_real(l.state.slot[j]);
        ck_assert_mem_eq(slot, was.state.slot[j]->data, bytes);
        for (size_t i = 0; i < l.state.n; i++) ck_assert(isfinite(slot[i]));
      }
      learner_fini(&l);
      learner_fini(&was);
      bnn_objective_free(o);
    }
  bnn_context_free(context);
  problem_fini(&q);
}
END_TEST

START_TEST(a_label_out_of_range_changes_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++) {
    bnn_objective *o = objective_of(&q, &settings[k]);
    learner l;
    learner_init(&l, &q, n_variational_of(&q, &settings[k]), "adam");
    const bnn_step_args args = {.key = bnn_key_new(9), .beta = 1, .lr = 0.1};
    const bnn_batch batch = batch_of(&q, 0, 7);
    bnn_tensor_set(q.target, 6, 13);
    ck_step_fails(o, &l, &batch, &args, BNN_ERANGE, "label 13 of example 7 is outside 0..");
    bnn_tensor_set(q.target, 6, 0);
    learner_fini(&l);
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

START_TEST(a_step_refuses_batches_that_it_can_not_use) {
  problem q;
  problem_init(&q, network, 7);
  static const int32_t order[] = {1, 2, 3, 41, 5, 6, 7};
  bnn_tensor *narrow = tensor_of(BNN_REAL, DIMS(DATA, IN - 1), NULL);
  bnn_tensor *short_y = tensor_of(BNN_I32, DIMS(DATA - 1), NULL);
  bnn_tensor *real_y = tensor_of(BNN_REAL, DIMS(DATA), NULL);
  bnn_tensor *integer_x = tensor_of(BNN_I32, DIMS(DATA, IN), NULL);
  const struct {
    bnn_batch batch;
    bnn_status status;
    const char *words;
  } row[] = {
      {{.data = bnn_sources_of(q.data, q.target, NULL), .count = 6},
       BNN_ESHAPE,
       "expected a batch of 7 rows, got 6"},
      {{.data = bnn_sources_of(q.data, q.target, NULL)},
       BNN_ESHAPE,
       "expected a batch of 7 rows, got 0"},
      {{.data = bnn_sources_of(q.data, q.target, NULL), .from = 34, .count = 7},
       BNN_ERANGE,
       "rows 35..41 of 40"},
      {{.data = bnn_sources_of(q.data, q.target, NULL), .rows = order, .count = 7},
       BNN_ERANGE,
       "row 41 of 40"},
      {{.data = bnn_sources_of(q.data, NULL, NULL), .count = 7},
       BNN_ESHAPE,
       "y: expected rows as in [7], got none"},
      {{.data = bnn_sources_of(q.data, short_y, NULL), .count = 7},
       BNN_ESHAPE,
       "x has 40 rows, y is [39]"},
      {{.data = bnn_sources_of(q.data, q.target, short_y), .count = 7},
       BNN_ESHAPE,
       "x has 40 rows, weight is [39]"},
      {{.data = bnn_sources_of(q.data, real_y, NULL), .count = 7},
       BNN_ETYPE,
       "y: expected i32, got f"},
      {{.data = bnn_sources_of(integer_x, q.target, NULL), .count = 7}, BNN_ETYPE, "x: expected "},
      {{.data = bnn_sources_of(narrow, q.target, NULL), .count = 7},
       BNN_ESHAPE,
       "x: expected rows as in [7, 12], got [40, 11]"},
  };
  bnn_objective *o = objective_of(&q, &settings[1]);
  learner l;
  learner_init(&l, &q, q.layout.size, "adam");
  const bnn_step_args args = {.key = bnn_key_new(1), .beta = 1, .lr = 1};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++)
    ck_step_fails(o, &l, &row[k].batch, &args, row[k].status, row[k].words);
  learner_fini(&l);
  bnn_objective_free(o);
  bnn_tensor_unref(narrow);
  bnn_tensor_unref(short_y);
  bnn_tensor_unref(real_y);
  bnn_tensor_unref(integer_x);
  problem_fini(&q);
}
END_TEST

START_TEST(a_step_refuses_numbers_that_it_can_not_use) {
  problem q;
  problem_init(&q, network, 7);
  static const struct {
    double beta, lr;
    const char *words;
  } row[] = {
      {NAN, 1, "beta: expected a number of 0 or more, got nan"},
      {-1e-9, 1, "beta: expected a number of 0 or more, got -1e-09"},
      {INFINITY, 1, "beta: expected a number of 0 or more, got inf"},
      {1, -1, "adam: lr: expected a number"},
      {1, NAN, "adam: lr: expected a number in [0, inf), got nan"},
      {1, INFINITY, "adam: lr: expected a number in [0, inf), got inf"},
  };
  bnn_objective *o = objective_of(&q, &settings[1]);
  learner l;
  learner_init(&l, &q, q.layout.size, "adam");
  const bnn_batch batch = {.data = bnn_sources_of(q.data, q.target, NULL), .count = 7};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    const bnn_step_args args = {.key = bnn_key_new(1), .beta = row[k].beta, .lr = row[k].lr};
    ck_step_fails(o, &l, &batch, &args, BNN_ERANGE, row[k].words);
  }
  learner_fini(&l);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

START_TEST(a_step_refuses_a_beta_of_a_tensor_below_0) {
  problem q;
  problem_init(&q, network, 7);
  bnn_objective *o = objective_of(&q, &settings[1]);
  learner l;
  learner_init(&l, &q, q.layout.size, "adam");
  const bnn_batch batch = {.data = bnn_sources_of(q.data, q.target, NULL), .count = 7};
  const double betas[] = {1, 1, -1, 1};
  const bnn_step_args args = {.key = bnn_key_new(1), .beta = 1, .lr = 1, .betas = betas};
  ck_step_fails(o, &l, &batch, &args, BNN_ERANGE, "beta: expected a number of 0 or more, got -1");
  learner_fini(&l);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

/* Of points, by the state of an optimizer over mu and logvar. */
START_TEST(a_step_refuses_the_state_of_another_posterior) {
  problem q;
  problem_init(&q, network, 7);
  bnn_objective *o = objective_of(&q, &settings[7]);
  learner l, point;
  learner_init(&l, &q, q.layout.size, "adam");
  learner_init(&point, &q, 0, "adam");
  point.updater = bnn_updater_of(&l.state);
  const bnn_batch batch = {.data = bnn_sources_of(q.data, q.target, NULL), .count = 7};
  const bnn_step_args args = {.key = bnn_key_new(1), .beta = 1, .lr = 1};
  ck_step_fails(o, &point, &batch, &args, BNN_ESHAPE,
                "the optimizer's state: expected 157 elements, got 314");
  learner_fini(&point);
  learner_fini(&l);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

static int scores(problem *q) {
  int w = record_input(q->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, CLASSES), 0);
  return OP(q->program, mm, q->x, w);
}

/* N(0, 1). */
#define GAUSSIAN \
  { .kl = 1, .precision = 1 }

static const bnn_regularizer gaussians[4] = {GAUSSIAN, GAUSSIAN, GAUSSIAN, GAUSSIAN};

/* What an objective of the problem can be made of. */
static bnn_objective_spec good_spec(const problem *q, const bnn_posterior *posterior) {
  return (bnn_objective_spec){.program = q->program,
                              .feeds = bnn_feeds_of(q->x, q->y, -1),
                              .key_node = -1,
                              .kl_weight_node = -1,
                              .posterior = posterior,
                              .regularizers = gaussians,
                              .samples = 1,
                              .shards = 1};
}

static void ck_no_objective(const bnn_objective_spec *spec, bnn_status status, const char *words) {
  bnn_objective *o = NULL;
  ck_refuses(bnn_objective_new(&o, spec, &err), status, words);
  ck_assert_ptr_null(o);
}

START_TEST(an_objective_refuses_what_it_can_not_be_made_of) {
  problem q, wrong;
  problem_init(&q, network, 7);
  problem_init(&wrong, scores, 7);
  split_posterior families;
  split_posterior_init(&families, &q.layout, NULL, NULL, q.layout.size);
  const size_t first = 0, last = 4;
  bnn_program *forward = NULL;
  ck_succeeds(bnn_program_new(&forward, &err));
  const int x = record_input(forward, BNN_INPUT_ROWS, BNN_REAL, DIMS(7), 0);
  ck_succeeds(bnn_program_finish(forward, &x, 1, false, NULL, 0, &err));
  bnn_objective_spec spec[14];
  for (int k = 0; k < 14; k++) spec[k] = good_spec(&q, &families.q);
  spec[0].samples = 0, spec[1].samples = -3;
  spec[2].feeds.feed[0].node = 3;
  spec[3].key_node = q.x;
  spec[4].program = wrong.program;
  spec[5].program = forward;
  spec[6].loss_output = 1;
  spec[7].loss_output = -1;
  spec[8].kl_weight_node = q.x, spec[8].n_kl_weights = 1, spec[8].kl_weight_param = &first;
  spec[9].n_kl_weights = 1, spec[9].kl_weight_param = &last;
  spec[10].shards = 0, spec[11].shards = -2;
  spec[12].antithetic = true, spec[12].samples = 3;
  spec[13].feeds.feed[2].node = q.x;
  ck_no_objective(&spec[0], BNN_ERANGE, "samples: expected 1 or more, got 0");
  ck_no_objective(&spec[1], BNN_ERANGE, "samples: expected 1 or more, got -3");
  ck_no_objective(&spec[2], BNN_ERANGE, "x: node 3 is not a batch input");
  ck_no_objective(&spec[3], BNN_ERANGE, "key: node 0 is not a u64 scalar input");
  ck_no_objective(&spec[4], BNN_ESHAPE,
                  "the loss: expected one number an example, [7], got [7, 4]");
  ck_no_objective(&spec[5], BNN_ERANGE, "the program was finished without a gradient");
  ck_no_objective(&spec[6], BNN_ERANGE, "the loss is output 2 of 1");
  ck_no_objective(&spec[7], BNN_ERANGE, "the loss is output 0 of 1");
  ck_no_objective(&spec[8], BNN_ERANGE, "weights: node 0 is not a whole real input [1]");
  ck_no_objective(&spec[9], BNN_ERANGE, "a weight of tensor 5 of 4");
  ck_no_objective(&spec[10], BNN_ERANGE, "shards: expected 1 or more, got 0");
  ck_no_objective(&spec[11], BNN_ERANGE, "shards: expected 1 or more, got -2");
  ck_no_objective(&spec[12], BNN_ERANGE, "antithetic: expected an even number of samples, got 3");
  ck_no_objective(&spec[13], BNN_ERANGE, "weight: node 0 is not a real batch input [n]");
  bnn_program_unref(forward);
  problem_fini(&q);
  problem_fini(&wrong);
}
END_TEST

START_TEST(an_objective_refuses_states_that_can_not_be) {
  problem q;
  problem_init(&q, network, 7);
  split_posterior families;
  split_posterior_init(&families, &q.layout, NULL, NULL, q.layout.size);
  const struct {
    size_t param;
    int output;
    bnn_status status;
    const char *words;
  } row[] = {
      {4, 0, BNN_ERANGE, "a state that is tensor 5 of 4"},
      {3, 1, BNN_ERANGE, "a state that is output 2 of 1"},
      {3, -1, BNN_ERANGE, "a state that is output 0 of 1"},
      {0, 0, BNN_ESHAPE, "numbers, got [7]"},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_objective_spec spec = good_spec(&q, &families.q);
    spec.n_states = 1, spec.state_param = &row[k].param, spec.state_output = &row[k].output;
    ck_no_objective(&spec, row[k].status, row[k].words);
  }
  problem_fini(&q);
}
END_TEST

START_TEST(an_objective_refuses_regularizers_that_can_not_be) {
  problem q;
  problem_init(&q, network, 7);
  split_posterior families;
  split_posterior_init(&families, &q.layout, NULL, NULL, q.layout.size);
  const struct {
    bnn_regularizer regularizers[4];
    const char *words;
  } row[] = {
      {{GAUSSIAN, {.kl = -1, .precision = 1}},
       "tensor 2: expected numbers of 0 or more, got kl -1, precision 1, decay 0"},
      {{{.kl = 1, .precision = NAN}}, "got kl 1, precision nan"},
      {{{.kl = 1, .precision = 1, .decay = INFINITY}}, "got kl 1, precision 1, decay inf"},
      {{{.kl = 1, .precision = 1, .is_fitted = true}}, "tensor 1: expected one prior, got several"},
      {{{.kl = 1}, {.kl = 1, .precision = 1, .prior = prior_of("laplace")}},
       "tensor 2: expected one prior, got several"},
      {{{.kl = 1, .is_fitted = true, .joins = true}},
       "tensor 1 joins the scale of a tensor that is not fitted"},
      {{GAUSSIAN, {.kl = 1, .is_fitted = true, .joins = true}},
       "tensor 2 joins the scale of a tensor that is not fitted"},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_objective_spec spec = good_spec(&q, &families.q);
    spec.regularizers = row[k].regularizers;
    ck_no_objective(&spec, BNN_ERANGE, row[k].words);
  }
  problem_fini(&q);
}
END_TEST

/* A low-rank posterior over all of a layout, with so many rows. */
static bnn_group low_rank_of(const bnn_layout *layout, size_t rows) {
  return (bnn_group){
      .family = bnn_family_find("lowrank"), .layout = layout, .end = layout->size, .rows = rows};
}

START_TEST(an_objective_refuses_posteriors_that_it_can_not_train) {
  problem q;
  problem_init(&q, network, 7);
  bnn_layout small;
  ck_succeeds(bnn_layout_init(&small, 1, layer_size, &err));
  split_posterior of_small, points;
  split_posterior_init(&of_small, &small, NULL, NULL, 0);
  split_posterior_init(&points, &q.layout, NULL, NULL, 0);
  const bnn_regularizer halved[4] = {GAUSSIAN, {.kl = 0.5, .precision = 1}, GAUSSIAN, GAUSSIAN};
  const bnn_group few = low_rank_of(&q.layout, 2), many = low_rank_of(&q.layout, BNN_ROWS_MAX + 1);
  const bnn_posterior joint = {.layout = &q.layout, .n_groups = 1, .group = &few};
  const bnn_posterior too_many = {.layout = &q.layout, .n_groups = 1, .group = &many};
  bnn_objective_spec spec = good_spec(&q, &of_small.q);
  ck_no_objective(&spec, BNN_ESHAPE, "the program has 157 parameters, the layout 108");
  spec = good_spec(&q, &points.q);
  spec.antithetic = true, spec.samples = 2;
  ck_no_objective(&spec, BNN_ERANGE, "antithetic: expected a posterior that draws noise");
  spec = good_spec(&q, &joint);
  spec.regularizers = halved;
  ck_no_objective(&spec, BNN_ERANGE,
                  "tensor 2: expected the weight of the KL of the tensor before it");
  spec = good_spec(&q, &too_many);
  ck_no_objective(&spec, BNN_ESHAPE, "lowrank: expected at most 64 rows, got 65");
  bnn_layout_fini(&small);
  problem_fini(&q);
}
END_TEST

/* Groups of points between these elements, up to the first 0. */
static size_t groups_between(bnn_group *group, const bnn_layout *layout, const size_t (*range)[2]) {
  size_t n = 0;
  for (; range[n][1] > 0; n++)
    group[n] = (bnn_group){.family = bnn_family_find("point"),
                           .layout = layout,
                           .first = range[n][0],
                           .end = range[n][1]};
  return n;
}

START_TEST(an_objective_refuses_a_posterior_that_is_not_of_its_layout) {
  static const struct {
    size_t range[4][2];
    const char *words;
  } row[] = {
      {{{0, 3}, {3, 157}}, "group 1, point, ends within a tensor, at element 3"},
      {{{0, 108}, {108, 156}, {156, 157}}, "group 2, point, ends within a tensor, at element 156"},
      {{{0, 200}}, "group 1, point, ends within a tensor, at element 200"},
      {{{0, 0}}, "a posterior over 0 of 157 elements"},
      {{{0, 108}, {108, 117}}, "a posterior over 117 of 157 elements"},
      {{{108, 157}}, "group 1: expected to begin at element 0, got 108"},
      {{{0, 108}, {117, 157}}, "group 2: expected to begin at element 108, got 117"},
      {{{0, 117}, {108, 157}}, "group 2: expected to begin at element 117, got 108"},
  };
  problem q;
  problem_init(&q, network, 7);
  const bnn_regularizer regularizers[4] = {GAUSSIAN, GAUSSIAN, GAUSSIAN, GAUSSIAN};
  bnn_group group[BNN_GROUPS_MAX + 1];
  bnn_posterior posterior = {.layout = &q.layout, .group = group};
  const bnn_objective_spec spec = {.program = q.program,
                                   .feeds = bnn_feeds_of(q.x, q.y, -1),
                                   .key_node = -1,
                                   .kl_weight_node = -1,
                                   .posterior = &posterior,
                                   .regularizers = regularizers,
                                   .samples = 1,
                                   .shards = 1};
  bnn_objective *o = NULL;
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    posterior.n_groups = groups_between(group, &q.layout, row[k].range);
    ck_refuses(bnn_objective_new(&o, &spec, &err), BNN_ESHAPE, row[k].words);
    ck_assert_ptr_null(o);
  }
  posterior.n_groups = BNN_GROUPS_MAX + 1;
  ck_refuses(bnn_objective_new(&o, &spec, &err), BNN_ERANGE, "expected at most 16 groups, got 17");
  ck_assert_ptr_null(o);
  problem_fini(&q);
}
END_TEST

/* The same number of elements is not enough; nothing is changed, and no gradient is written. */
START_TEST(a_step_refuses_another_posterior) {
  static const char words[] = "the posterior is not of the families and tensors";
  static const size_t halves[][2] = {{0, 108}, {108, 157}, {0, 0}};
  static const size_t points[] = {0, 1, 2, ALL}; /* of an objective, of a learner */
  problem q;
  problem_init(&q, network, 7);
  const bnn_batch batch = batch_of(&q, 0, 7);
  const bnn_step_args args = {.key = bnn_key_new(1), .beta = 1, .lr = 1};
  bnn_context *context = context_of(1);
  for (int k = 0; k < 4; k++) {
    bnn_objective *o = objective_of(&q, &(setting){false, 1, 1, 1, points[k], false, NULL});
    for (int j = 0; j < 5; j++) {
      learner l;
      bnn_group group[2];
      const setting s = {.points = j < 4 ? points[j] : ALL};
      learner_init(&l, &q, n_variational_of(&q, &s), "adam");
      if (j == 4) { /* points, but in two groups */
        l.posterior.q.n_groups = groups_between(group, &q.layout, halves);
        for (int g = 0; g < 2; g++) group[g].buffer[0] = l.w + group[g].first;
        l.posterior.q.group = group;
      }
      bnn_real d = -3;
      double loss = -7;
      if (j != k) {
        ck_step_fails(o, &l, &batch, &args, BNN_ESHAPE, words);
        ck_refuses(
            bnn_objective_gradient(o, context, &l.posterior.q, &batch, &args, &d, &loss, &err),
            BNN_ESHAPE, words);
        ck_assert(d == -3 && loss == -7);
      } else {
        ck_succeeds(bnn_objective_step(o, context, &l.train, &batch, &args, &loss, &err));
      }
      learner_fini(&l);
    }
    bnn_objective_free(o);
  }
  bnn_context_free(context);
  problem_fini(&q);
}
END_TEST

static bnn_status make_and_step(void *arg, bnn_err *err) {
  const problem *q = arg;
  const bnn_regularizer regularizers[4] = {GAUSSIAN, GAUSSIAN, GAUSSIAN, GAUSSIAN};
  split_posterior families;
  split_posterior_init(&families, &q->layout, NULL, NULL, q->layout.size);
  const bnn_objective_spec spec = {.program = q->program,
                                   .feeds = bnn_feeds_of(q->x, q->y, -1),
                                   .key_node = -1,
                                   .kl_weight_node = -1,
                                   .posterior = &families.q,
                                   .regularizers = regularizers,
                                   .samples = 2,
                                   .shards = 2};
  bnn_objective *o = NULL;
  BNN_TRY(bnn_objective_new(&o, &spec, err));
  bnn_objective_free(o);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) {
  problem q;
  problem_init(&q, network, 7);
  ck_survives_failing_allocations(make_and_step, &q);
  problem_fini(&q);
}
END_TEST

START_TEST(a_batch_of_one_is_a_step) {
  problem q;
  problem_init(&q, problems[_i].record, 1);
  for (int k = 0; k < SETTINGS; k++) ck_steps(&q, &settings[k], bnn_rule_find("adam"));
  problem_fini(&q);
}
END_TEST

static void add_tests(TCase *tests) {
#ifdef BNN_REAL_DOUBLE
  tcase_add_loop_test(tests, gradients_are_central_differences_of_the_whole_loss, 0, PROBLEMS);
  tcase_add_test(tests, a_prior_in_the_program_is_weighed_and_the_entropy_added);
#endif
  tcase_add_test(tests, the_loss_is_the_mean_over_examples_and_samples);
  tcase_add_loop_test(tests, a_step_is_the_rule_applied_to_the_gradient, 0, PROBLEMS);
  tcase_add_test(tests, an_update_is_not_seen_by_the_gradients_of_its_own_step);
  tcase_add_loop_test(tests, any_number_of_threads_gives_the_same_bits, 0, 6 * WIDE_KINDS);
  tcase_add_loop_test(tests, a_gradient_is_the_mean_over_its_samples, 0, WIDE_KINDS);
  tcase_add_loop_test(tests, shards_have_the_same_bits_on_any_number_of_threads, 0, SHARDED);
  tcase_add_loop_test(tests, a_gradient_in_shards_is_that_of_the_batch, 0, SHARDED);
  tcase_add_test(tests, sharded_problems_have_jobs_of_every_mode);
  tcase_add_test(tests, blocks_lie_within_shards);
  tcase_add_test(tests, several_shards_refuse_a_program_whose_rows_meet);
  tcase_add_test(tests, a_replay_in_one_call_refuses_shards);
  tcase_add_loop_test(tests, a_step_in_the_jobs_is_the_plain_stages, 0, 8);
  tcase_add_loop_test(tests, a_step_allocates_nothing, 0, PROBLEMS);
#ifdef HAVE_FILTERS
  tcase_add_loop_test(tests, a_step_asks_nothing_of_the_system, 0, 2 * WIDE_KINDS);
#endif
  tcase_add_test(tests, noise_follows_the_key_of_the_step);
  tcase_add_loop_test(tests, a_step_that_is_stopped_changes_nothing, 0, PROBLEMS);
  tcase_add_loop_test(tests, a_loss_that_is_not_finite_changes_nothing, 0, PROBLEMS);
  tcase_add_loop_test(tests, a_gradient_that_is_not_finite_changes_nothing, 0, 3);
  tcase_add_test(tests, a_gradient_in_the_jobs_that_is_not_finite_is_not_used);
  tcase_add_loop_test(tests, a_label_out_of_range_changes_nothing, 0, PROBLEMS);
  tcase_add_test(tests, a_step_refuses_batches_that_it_can_not_use);
  tcase_add_test(tests, a_step_refuses_numbers_that_it_can_not_use);
  tcase_add_test(tests, a_step_refuses_a_beta_of_a_tensor_below_0);
  tcase_add_test(tests, a_step_refuses_the_state_of_another_posterior);
  tcase_add_test(tests, an_objective_refuses_what_it_can_not_be_made_of);
  tcase_add_test(tests, an_objective_refuses_states_that_can_not_be);
  tcase_add_test(tests, an_objective_refuses_regularizers_that_can_not_be);
  tcase_add_test(tests, an_objective_refuses_posteriors_that_it_can_not_train);
  tcase_add_test(tests, an_objective_refuses_a_posterior_that_is_not_of_its_layout);
  tcase_add_test(tests, a_step_refuses_another_posterior);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_loop_test(tests, a_batch_of_one_is_a_step, 0, PROBLEMS);
}

int main(void) { return run_suite_with_products("objective", add_tests); }
