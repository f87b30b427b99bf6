/* test_objective.c - a training step: its gradient against central differences of the whole loss,
 * its update against gradient and rule written out, the same bits on any number of threads, and
 * failures that leave everything as it was. */
#include "objective.h"

#include <math.h>
#include <string.h>

#include "mem.h"
#include "support.h"

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

static int input(bnn_program *p, bnn_input_kind kind, bnn_dtype dtype, int rank, const size_t *dim,
                 size_t offset) {
  bnn_shape shape = bnn_shape_make(dtype, rank, dim);
  int node = -1;
  ck_succeeds(bnn_program_input(p, &node, kind, &shape, offset, &err));
  return node;
}

static int op(bnn_program *p, bnn_op_id id, int n, const int *x, const bnn_attr *attr) {
  int node = -1;
  ck_succeeds(bnn_program_op(p, &node, id, x, n, attr, &err));
  return node;
}
#define OP(p, id, ...)                                                        \
  op(p, BNN_OP_##id, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), \
     (const int[]){__VA_ARGS__}, NULL)

typedef int record(problem *q); /* gives the node of the loss */

/* The parameters of two linear layers, in a layout of four tensors. */
static const size_t layer_size[] = {IN * HIDDEN, HIDDEN, HIDDEN *CLASSES, CLASSES};
static const size_t layer_dim0[] = {IN, HIDDEN, HIDDEN, CLASSES};

static void layers(int *w, bnn_program *p) {
  w[0] = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, HIDDEN), 0);
  w[1] = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN);
  w[2] = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN);
  w[3] = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), (IN + 1 + CLASSES) * HIDDEN);
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
  int w[4] = {input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, 1, 3, 4), 0),
              input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN),
              input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN),
              input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), (IN + 1 + CLASSES) * HIDDEN)};
  int h = op(p, BNN_OP_view, 1, &q->x, &(bnn_attr){.rank = 4, .dim = {n, 1, 3, 4}});
  h = op(p, BNN_OP_conv2d, 3, (const int[]){h, w[0], w[1]}, &(bnn_attr){.pair = {{1, 1}, {1, 1}}});
  h = OP(p, softplus, h);
  h = op(p, BNN_OP_avg_pool2d, 1, &h, &(bnn_attr){.pair = {{3, 3}}});
  h = op(p, BNN_OP_view, 1, &h, &(bnn_attr){.rank = 2, .dim = {n, HIDDEN}});
  h = OP(p, linear, h, w[2], w[3]);
  return OP(p, cross_entropy, h, q->y);
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
  q->key = input(q->program, BNN_INPUT_WHOLE, BNN_U64, SCALAR, 0);
  int h = OP(q->program, linear, q->x, w[0], w[1]);
  h = op(q->program, BNN_OP_dropout, 2, (const int[]){OP(q->program, softplus, h), q->key},
         &(bnn_attr){.number = {0.5}});
  h = OP(q->program, linear, h, w[2], w[3]);
  return OP(q->program, cross_entropy, h, q->y);
}

/* Three of the four tensors only: the last is in the layout and not in the program. */
static int without_the_last(problem *q) {
  bnn_program *p = q->program;
  int w0 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, HIDDEN), 0);
  int b0 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN), IN * HIDDEN);
  int w1 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(HIDDEN, CLASSES), (IN + 1) * HIDDEN);
  int h = OP(p, linear, q->x, w0, b0);
  h = OP(p, softplus, h);
  return OP(p, cross_entropy, OP(p, mm, h, w1), q->y);
}

/* One input that lies over several tensors of the layout, and their weights in the KL. */
static int across_tensors(problem *q) {
  int w = input(q->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, 13), 0);
  return OP(q->program, cross_entropy, OP(q->program, mm, q->x, w), q->y);
}

/* A node with rows that reads two parameters, each in the gradient of the other. */
static int learned_noise(problem *q) {
  bnn_program *p = q->program;
  int mean = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN), 0);
  int shape = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN), IN);
  int log_p = OP(p, gaussian_log_prob, q->x, mean, shape);
  return op(p, BNN_OP_sum, 1, (const int[]){OP(p, neg, log_p)}, &(bnn_attr){.axes = 2});
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
                {convolution, "convolution"}};
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
  q->x = input(q->program, BNN_INPUT_ROWS, BNN_REAL, DIMS(batch, IN), 0);
  q->y = input(q->program, BNN_INPUT_ROWS, BNN_I32, DIMS(batch), 0);
  int loss = graph(q);
  ck_succeeds(bnn_program_finish(q->program, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 4, layer_size, layer_dim0, &err));
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
  bnn_kl kl;
  double prior_std;
  int samples;
  double beta;
  bool point;
} setting;

static const setting settings[] = {
    {BNN_KL_sum, 1, 1, 0, false},       {BNN_KL_sum, 1, 1, 0.3, false},
    {BNN_KL_sum, 0.5, 1, 0.3, false},   {BNN_KL_leading, 1, 1, 0.7, false},
    {BNN_KL_leading, 2, 3, 0.7, false}, {BNN_KL_sum, 0.5, 3, 0.2, false},
    {BNN_KL_sum, 1, 3, 0, false},       {BNN_KL_sum, 0.5, 1, 0.3, true},
    {BNN_KL_leading, 2, 1, 0.7, true},  {BNN_KL_sum, 2, 3, 0.7, true},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static bnn_objective *objective_of(const problem *q, const setting *s) {
  const bnn_objective_spec spec = {
      .program = q->program,
      .x_node = q->x,
      .y_node = q->y,
      .key_node = q->key,
      .layout = &q->layout,
      .kl = s->kl,
      .prior_std = s->prior_std,
      .samples = s->samples,
  };
  bnn_objective *o = NULL;
  ck_succeeds(bnn_objective_new(&o, &spec, &err));
  return o;
}

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

/* mu and logvar [2, size] with a state over them. */
typedef struct learner {
  size_t size;
  bnn_real *w;
  bnn_optimizer_state state;
  bnn_target target;
} learner;

static void learner_init(learner *l, const problem *q, bool point, const char *rule) {
  const size_t size = q->layout.size;
  l->size = size;
  l->w = calloc(2 * size, sizeof *l->w);
  bnn_rng_normal(l->w, bnn_key_new(5), 0, 2 * size);
  for (size_t i = 0; i < size; i++) {
    l->w[i] *= (bnn_real)q->scale;
    if (q->positive) l->w[i] = 1 + R(fabs)(l->w[i]);
    l->w[size + i] = l->w[size + i] / 2 + (bnn_real)q->logvar;
  }
  ck_succeeds(bnn_optimizer_state_init(&l->state, bnn_optimizer_find(rule), NULL,
                                       point ? size : 2 * size, &err));
  l->target = (bnn_target){l->w, point ? NULL : l->w + size, &l->state};
}

static void learner_fini(learner *l) {
  free(l->w);
  bnn_optimizer_state_fini(&l->state);
}

static bnn_batch batch_of(const problem *q, size_t from, size_t count) {
  return (bnn_batch){.x = q->data, .y = q->target, .from = from, .count = count};
}

/* ---- the gradient ---- */

/* A gradient starts as NaN, so that an element which is not written is seen. */
static void clear(bnn_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = NAN;
}

#ifdef BNN_REAL_DOUBLE
/* The whole loss: the mean loss that the step reports, and the KL as its formula; for a point
 * estimate the KL's part in mu. */
static double whole_loss(const problem *q, const setting *s, bnn_objective *o, bnn_context *context,
                         const learner *l, const bnn_step *step) {
  bnn_real g[2 * SIZE_MAX_];
  double loss = 0;
  bnn_batch batch = batch_of(q, 3, bnn_objective_batch(o));
  ck_succeeds(
      bnn_objective_gradient(o, context, &l->target, &batch, step, g, g + SIZE_MAX_, &loss, &err));
  for (size_t i = 0; i < q->layout.n_params; i++) {
    const bnn_param *t = &q->layout.param[i];
    double kl = 0;
    for (size_t j = t->offset; s->point && j < t->offset + t->size; j++)
      kl += l->w[j] * l->w[j] / (2 * s->prior_std * s->prior_std);
    if (!s->point) kl = bnn_posterior_kl(t, l->w, l->w + l->size, s->prior_std);
    loss += step->beta * bnn_kl_weight(s->kl, t) * kl;
  }
  return loss;
}

/* As in test_program.c: h = 1e-5 leaves errors of some 1e-10. */
static void ck_differences(const problem *q, const setting *s) {
  const double h = 1e-5, tol = 2e-8;
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(1);
  learner l;
  learner_init(&l, q, s->point, "adam");
  const bnn_step step = {bnn_key_new(9), s->beta, 0};
  bnn_real g[2 * SIZE_MAX_];
  double loss;
  bnn_batch batch = batch_of(q, 3, bnn_objective_batch(o));
  clear(g, 2 * SIZE_MAX_);
  ck_succeeds(bnn_objective_gradient(o, context, &l.target, &batch, &step, g,
                                     s->point ? NULL : g + l.size, &loss, &err));
  for (size_t i = 0; i < (s->point ? 1 : 2) * l.size; i++) {
    double was = l.w[i], up;
    l.w[i] = was + h;
    up = whole_loss(q, s, o, context, &l, &step);
    l.w[i] = was - h;
    double want = (up - whole_loss(q, s, o, context, &l, &step)) / (2 * h);
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
  learner_init(&l, &q, false, "adam");
  bnn_frame *f = NULL;
  ck_succeeds(bnn_frame_new(&f, q.program, 0, &err));
  bnn_real theta[SIZE_MAX_], g[SIZE_MAX_], dmu[SIZE_MAX_], dlogvar[SIZE_MAX_];
  bnn_frame_bind(f, q.x, q.data->data);
  bnn_frame_bind(f, q.y, q.target->data);
  bnn_frame_bind_params(f, theta, g);
  for (int samples = 1; samples <= 3; samples++) {
    bnn_objective *o = objective_of(&q, &(setting){BNN_KL_sum, 1, samples, 0, false});
    const bnn_step step = {bnn_key_new(9), 1, 0};
    bnn_batch batch = batch_of(&q, 0, DATA);
    double got, want = 0;
    ck_succeeds(
        bnn_objective_gradient(o, context, &l.target, &batch, &step, dmu, dlogvar, &got, &err));
    for (int s = 1; s <= samples; s++) {
      bnn_key key = bnn_key_fold(bnn_key_fold_name(step.key, "eps", 3), s);
      bnn_posterior_sample(context, theta, l.w, l.w + l.size, key, l.size);
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

/* Steps of an objective, beside the rule applied to its gradient. */
static void ck_steps(const problem *q, const setting *s, const char *rule) {
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(2);
  learner l, want;
  learner_init(&l, q, s->point, rule);
  learner_init(&want, q, s->point, rule);
  for (int64_t t = 1; t <= 4; t++) {
    const bnn_step step = {bnn_key_fold(bnn_key_new(9), t), s->beta, 0.01 * (double)t};
    bnn_real g[2 * SIZE_MAX_], *slot[BNN_SLOTS_MAX] = {NULL};
    double loss, gradient_loss;
    bnn_batch batch = batch_of(q, (size_t)t, bnn_objective_batch(o));
    clear(g, 2 * SIZE_MAX_);
    ck_succeeds(bnn_objective_gradient(o, context, &want.target, &batch, &step, g,
                                       s->point ? NULL : g + l.size, &gradient_loss, &err));
    for (int k = 0; k < want.state.rule->n_slots; k++)
      slot[k] = bnn_tensor_real(want.state.slot[k]);
    want.state.rule->update(&(bnn_update){want.state.option, step.lr, (uint64_t)t}, want.w, g, slot,
                            want.state.n);
    ck_succeeds(bnn_objective_step(o, context, &l.target, &batch, &step, &loss, &err));
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
    for (size_t r = 0; bnn_optimizer_row(r); r++)
      ck_steps(&q, &settings[k], bnn_optimizer_row(r)->name);
  problem_fini(&q);
}
END_TEST

/* The gradient of one parameter reads the other one, which the same step changes: with a point
 * estimate there is no sample between them. */
START_TEST(an_update_is_not_seen_by_the_gradients_of_its_own_step) {
  problem q = {.key = -1, .scale = 0.5, .logvar = -7, .positive = true};
  static const size_t size[] = {IN, IN};
  ck_succeeds(bnn_program_new(&q.program, &err));
  q.x = input(q.program, BNN_INPUT_ROWS, BNN_REAL, DIMS(7, IN), 0), q.y = -1;
  int loss = learned_noise(&q);
  ck_succeeds(bnn_program_finish(q.program, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q.layout, 2, size, size, &err));
  problem_data(&q, IN, CLASSES);
  for (int k = 0; k < SETTINGS; k++) ck_steps(&q, &settings[k], "sgd");
  problem_fini(&q);
}
END_TEST

enum { WIDE = 300, WIDE_KINDS = 3 };

/* The article's kind of network, wide enough for several blocks, jobs and pieces. */
static void wide_layers(problem *q, bool fused) {
  enum { UNITS = 64 };
  static const size_t size[] = {WIDE * UNITS, UNITS, UNITS * CLASSES, CLASSES};
  static const size_t dim0[] = {WIDE, UNITS, UNITS, CLASSES};
  bnn_program *p = q->program;
  int w0 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(WIDE, UNITS), 0);
  int b0 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(UNITS), size[0]);
  int w1 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(UNITS, CLASSES), size[0] + UNITS);
  int b1 = input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(CLASSES), size[0] + size[1] + size[2]);
  if (!fused) b0 = OP(p, sin, b0);
  int h = OP(p, linear, q->x, w0, b0);
  h = OP(p, relu, h);
  h = OP(p, linear, h, w1, b1);
  int loss = OP(p, cross_entropy, h, q->y);
  ck_succeeds(bnn_program_finish(p, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 4, size, dim0, &err));
}

/* Kernels, gains and biases of which every block of rows sums the gradient; windows that overlap. */
static void wide_convolution(problem *q, size_t batch) {
  static const size_t size[] = {32 * 25, 32, 128, 128, 128 * CLASSES, CLASSES};
  static const size_t dim0[] = {32, 32, 128, 128, 128, CLASSES};
  bnn_program *p = q->program;
  int in[6];
  size_t at = 0;
  static const struct {
    int rank;
    size_t dim[4];
  } shape[] = {{4, {32, 1, 5, 5}}, {1, {32}},           {1, {128}},
               {1, {128}},         {2, {128, CLASSES}}, {1, {CLASSES}}};
  for (int i = 0; i < 6; at += size[i++])
    in[i] = input(p, BNN_INPUT_PARAM, BNN_REAL, shape[i].rank, shape[i].dim, at);
  int h = op(p, BNN_OP_view, 1, &q->x, &(bnn_attr){.rank = 4, .dim = {batch, 1, 15, 20}});
  h = op(p, BNN_OP_conv2d, 3, (const int[]){h, in[0], in[1]}, &(bnn_attr){.pair = {{1, 1}}});
  h = op(p, BNN_OP_max_pool2d, 1, &h, &(bnn_attr){.pair = {{11, 5}, {1, 3}, {0, 1}}});
  h = op(p, BNN_OP_view, 1, &h, &(bnn_attr){.rank = 2, .dim = {batch, 32 * 5}});
  h = op(p, BNN_OP_narrow, 1, &h, &(bnn_attr){.axis = 1, .count = 128});
  h = op(p, BNN_OP_layer_norm, 3, (const int[]){h, in[2], in[3]}, NULL);
  h = OP(p, linear, h, in[4], in[5]);
  int loss = OP(p, cross_entropy, h, q->y);
  ck_succeeds(bnn_program_finish(p, &loss, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_layout_init(&q->layout, 6, size, dim0, &err));
}

/* Kinds: 0 linear layers with a whole op between, 1 linear layers, 2 a convolution. */
static void wide_problem(problem *q, int kind, size_t batch) {
  *q = (problem){.key = -1, .scale = 0.05, .logvar = -7};
  ck_succeeds(bnn_program_new(&q->program, &err));
  q->x = input(q->program, BNN_INPUT_ROWS, BNN_REAL, DIMS(batch, WIDE), 0);
  q->y = input(q->program, BNN_INPUT_ROWS, BNN_I32, DIMS(batch), 0);
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

static double twenty_steps(learner *l, const problem *q, const setting *s, int threads,
                           size_t batch_size, int32_t *order) {
  bnn_objective *o = objective_of(q, s);
  bnn_context *context = context_of(threads);
  double loss = 0;
  learner_init(l, q, s->point, "adam");
  for (int64_t t = 1; t <= 20; t++) {
    const bnn_step step = {bnn_key_fold(bnn_key_new(9), t), s->beta, 0.003};
    const bnn_batch batch = {q->data, q->target, order, (size_t)t, batch_size};
    ck_succeeds(bnn_objective_step(o, context, &l->target, &batch, &step, &loss, &err));
  }
  bnn_objective_free(o);
  bnn_context_free(context);
  return loss;
}

START_TEST(any_number_of_threads_gives_the_same_bits) {
  enum { WIDE_BATCH = 131 }; /* blocks of 40, the last one ragged */
  static const setting row[] = {{BNN_KL_leading, 1, 1, 1e-3, false},
                                {BNN_KL_sum, 1, 2, 1e-3, false},
                                {BNN_KL_sum, 1, 1, 1e-3, true}};
  int32_t order[WIDE_BATCH + 21];
  for (int i = 0; i < WIDE_BATCH + 21; i++) order[i] = (int32_t)(i * 17 % DATA + 1);
  problem q;
  wide_problem(&q, _i % WIDE_KINDS, WIDE_BATCH);
  learner one;
  double loss = twenty_steps(&one, &q, &row[_i / WIDE_KINDS], 1, WIDE_BATCH, order);
  ck_assert_double_lt(loss, 1.38); /* it learns: log 4 = 1.386 is chance */
  for (int threads = 2; threads <= 4; threads++) {
    learner l;
    ck_assert_double_eq(twenty_steps(&l, &q, &row[_i / WIDE_KINDS], threads, WIDE_BATCH, order),
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

START_TEST(a_step_allocates_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++) {
    bnn_objective *o = objective_of(&q, &settings[k]);
    bnn_context *context = context_of(1);
    learner l;
    learner_init(&l, &q, settings[k].point, "adam");
    const bnn_step step = {bnn_key_new(9), 1, 0.1};
    const bnn_batch batch = batch_of(&q, 0, 7);
    double loss;
    bnn_mem_fail_nth(1);
    ck_succeeds(bnn_objective_step(o, context, &l.target, &batch, &step, &loss, &err));
    ck_assert_uint_eq(bnn_mem_fail_nth(0), 1);
    learner_fini(&l);
    bnn_context_free(context);
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

/* The same key, the same dropout; another key, another. */
START_TEST(noise_follows_the_key_of_the_step) {
  problem q;
  problem_init(&q, with_dropout, 7);
  bnn_objective *o = objective_of(&q, &(setting){BNN_KL_sum, 1, 1, 0, true});
  bnn_context *context = context_of(1);
  learner l;
  learner_init(&l, &q, true, "sgd");
  const bnn_batch batch = batch_of(&q, 0, 7);
  double loss[3];
  for (int k = 0; k < 3; k++) {
    bnn_real g[SIZE_MAX_];
    const bnn_step step = {bnn_key_new(k == 2 ? 2 : 1), 0, 0};
    ck_succeeds(
        bnn_objective_gradient(o, context, &l.target, &batch, &step, g, NULL, &loss[k], &err));
  }
  ck_assert_double_eq(loss[0], loss[1]);
  ck_assert_double_ne(loss[0], loss[2]);
  learner_fini(&l);
  bnn_context_free(context);
  bnn_objective_free(o);
  problem_fini(&q);
}
END_TEST

/* ---- failures ---- */

/* A step that must fail, with mu, logvar and the state as before. */
static void ck_step_fails(bnn_objective *o, learner *l, const bnn_batch *batch,
                          const bnn_step *step, bnn_status want, const char *words) {
  bnn_context *context = context_of(2);
  bnn_real *before = malloc(2 * l->size * sizeof *before);
  memcpy(before, l->w, 2 * l->size * sizeof *before);
  double loss = -7;
  ck_refuses(bnn_objective_step(o, context, &l->target, batch, step, &loss, &err), want, words);
  ck_assert_double_eq(loss, -7);
  ck_assert_mem_eq(l->w, before, 2 * l->size * sizeof *before);
  ck_assert_uint_eq(l->state.t, 0);
  for (int k = 0; k < l->state.rule->n_slots; k++)
    for (size_t i = 0; i < l->state.n; i++) ck_assert(bnn_tensor_get(l->state.slot[k], i) == 0);
  free(before);
  bnn_context_free(context);
}

/* A number that is not finite, in x, mu or logvar, for one sample and for several. */
START_TEST(a_loss_that_is_not_finite_changes_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++)
    for (int where = 0; where < 3; where++) {
      bnn_objective *o = objective_of(&q, &settings[k]);
      learner l;
      learner_init(&l, &q, settings[k].point, "adam");
      const bnn_step step = {bnn_key_new(9), 1, 0.1};
      const bnn_batch batch = batch_of(&q, 0, 7);
      bnn_real *at = where == 0   ? bnn_tensor_real(q.data) + 20
                     : where == 1 ? l.w + 3
                                  : l.w + l.size + 3;
      bnn_real was = *at;
      *at = where == 2 ? INFINITY : NAN;
      if (where != 2 || !settings[k].point)
        ck_step_fails(o, &l, &batch, &step, BNN_ENAN, "the loss is");
      *at = was;
      learner_fini(&l);
      bnn_objective_free(o);
    }
  problem_fini(&q);
}
END_TEST

START_TEST(a_label_out_of_range_changes_nothing) {
  problem q;
  problem_init(&q, problems[_i].record, 7);
  for (int k = 0; k < SETTINGS; k++) {
    bnn_objective *o = objective_of(&q, &settings[k]);
    learner l;
    learner_init(&l, &q, settings[k].point, "adam");
    const bnn_step step = {bnn_key_new(9), 1, 0.1};
    const bnn_batch batch = batch_of(&q, 0, 7);
    bnn_tensor_set(q.target, 6, 13);
    ck_step_fails(o, &l, &batch, &step, BNN_ERANGE, "label 13 of example 7 is outside 0..");
    bnn_tensor_set(q.target, 6, 0);
    learner_fini(&l);
    bnn_objective_free(o);
  }
  problem_fini(&q);
}
END_TEST

START_TEST(a_step_refuses_what_it_can_not_use) {
  problem q;
  problem_init(&q, network, 7);
  static const int32_t order[] = {1, 2, 3, 41, 5, 6, 7};
  bnn_tensor *narrow = tensor_of(BNN_REAL, DIMS(DATA, IN - 1), NULL);
  bnn_tensor *short_y = tensor_of(BNN_I32, DIMS(DATA - 1), NULL);
  bnn_tensor *real_y = tensor_of(BNN_REAL, DIMS(DATA), NULL);
  bnn_tensor *integer_x = tensor_of(BNN_I32, DIMS(DATA, IN), NULL);
  const struct {
    bnn_batch batch;
    double beta, lr;
    bnn_status status;
    const char *words;
  } row[] = {
      {{q.data, q.target, NULL, 0, 6}, 1, 1, BNN_ESHAPE, "a batch of 6 rows, wanted 7"},
      {{q.data, q.target, NULL, 0, 0}, 1, 1, BNN_ESHAPE, "a batch of 0 rows, wanted 7"},
      {{q.data, q.target, NULL, 34, 7}, 1, 1, BNN_ERANGE, "rows 35..41 of 40"},
      {{q.data, q.target, order, 0, 7}, 1, 1, BNN_ERANGE, "row 41 of 40"},
      {{q.data, NULL, NULL, 0, 7}, 1, 1, BNN_ESHAPE, "y is missing, wanted rows as in [7]"},
      {{q.data, short_y, NULL, 0, 7}, 1, 1, BNN_ESHAPE, "x has 40 rows, y is [39]"},
      {{q.data, real_y, NULL, 0, 7}, 1, 1, BNN_ETYPE, "y is of type f"},
      {{integer_x, q.target, NULL, 0, 7}, 1, 1, BNN_ETYPE, "x is of type i32"},
      {{narrow, q.target, NULL, 0, 7},
       1,
       1,
       BNN_ESHAPE,
       "x is [40, 11], wanted rows as in [7, 12]"},
      {{q.data, q.target, NULL, 0, 7},
       NAN,
       1,
       BNN_ERANGE,
       "beta is nan, wanted a number of 0 or more"},
      {{q.data, q.target, NULL, 0, 7}, -1e-9, 1, BNN_ERANGE, "beta is -1e-09"},
      {{q.data, q.target, NULL, 0, 7}, INFINITY, 1, BNN_ERANGE, "beta is inf"},
      {{q.data, q.target, NULL, 0, 7}, 1, -1, BNN_ERANGE, "adam: lr is -1, wanted"},
      {{q.data, q.target, NULL, 0, 7}, 1, NAN, BNN_ERANGE, "adam: lr is nan"},
      {{q.data, q.target, NULL, 0, 7}, 1, INFINITY, BNN_ERANGE, "adam: lr is inf"},
  };
  bnn_objective *o = objective_of(&q, &settings[1]);
  learner l;
  learner_init(&l, &q, false, "adam");
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    const bnn_step step = {bnn_key_new(1), row[k].beta, row[k].lr};
    ck_step_fails(o, &l, &row[k].batch, &step, row[k].status, row[k].words);
  }
  l.target.logvar = NULL; /* the state is over mu and logvar */
  const bnn_step step = {bnn_key_new(1), 1, 1};
  ck_step_fails(o, &l, &row[0].batch, &step, BNN_ESHAPE,
                "the optimizer's state has 314 elements, wanted 157");
  learner_fini(&l);
  bnn_objective_free(o);
  bnn_tensor_unref(narrow);
  bnn_tensor_unref(short_y);
  bnn_tensor_unref(real_y);
  bnn_tensor_unref(integer_x);
  problem_fini(&q);
}
END_TEST

static int scores(problem *q) {
  int w = input(q->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, CLASSES), 0);
  return OP(q->program, mm, q->x, w);
}

START_TEST(an_objective_refuses_what_it_can_not_be_made_of) {
  problem q, wrong;
  problem_init(&q, network, 7);
  problem_init(&wrong, scores, 7);
  bnn_layout small;
  ck_succeeds(bnn_layout_init(&small, 1, layer_size, layer_dim0, &err));
  const bnn_objective_spec good = {q.program, q.x, q.y, -1, &q.layout, BNN_KL_sum, 1, 1};
  bnn_objective_spec spec[11];
  for (int k = 0; k < 11; k++) spec[k] = good;
  spec[0].samples = 0, spec[1].samples = -3;
  spec[2].prior_std = 0, spec[3].prior_std = -1, spec[4].prior_std = NAN;
  spec[5].prior_std = INFINITY;
  spec[6].layout = &small;
  spec[7].x_node = 3;
  spec[8].key_node = q.x;
  spec[9].program = wrong.program;
  static const struct {
    bnn_status status;
    const char *words;
  } want[] = {
      {BNN_ERANGE, "samples is 0, wanted 1 or more"},
      {BNN_ERANGE, "samples is -3"},
      {BNN_ERANGE, "prior_std is 0, wanted a number above 0"},
      {BNN_ERANGE, "prior_std is -1"},
      {BNN_ERANGE, "prior_std is nan"},
      {BNN_ERANGE, "prior_std is inf"},
      {BNN_ESHAPE, "the program has 157 parameters, the layout 108"},
      {BNN_ERANGE, "x: node 3 is not a batch input"},
      {BNN_ERANGE, "key: node 0 is not a u64 scalar input"},
      {BNN_ESHAPE, "the loss is [7, 4], wanted one number an example: [7]"},
      {BNN_ERANGE, "the program was finished without a gradient"},
  };
  bnn_program *forward = NULL;
  ck_succeeds(bnn_program_new(&forward, &err));
  const int x = input(forward, BNN_INPUT_ROWS, BNN_REAL, DIMS(7), 0);
  ck_succeeds(bnn_program_finish(forward, &x, 1, false, NULL, 0, &err));
  spec[10].program = forward;
  bnn_objective *o = NULL;
  for (int k = 0; k < 11; k++) {
    ck_refuses(bnn_objective_new(&o, &spec[k], &err), want[k].status, want[k].words);
    ck_assert_ptr_null(o);
  }
  bnn_program_unref(forward);
  bnn_layout_fini(&small);
  problem_fini(&q);
  problem_fini(&wrong);
}
END_TEST

static bnn_status make_and_step(void *arg, bnn_err *err) {
  const problem *q = arg;
  const bnn_objective_spec spec = {q->program, q->x, q->y, -1, &q->layout, BNN_KL_sum, 1, 2};
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
  for (int k = 0; k < SETTINGS; k++) ck_steps(&q, &settings[k], "adam");
  problem_fini(&q);
}
END_TEST

static void add_tests(TCase *tests) {
#ifdef BNN_REAL_DOUBLE
  tcase_add_loop_test(tests, gradients_are_central_differences_of_the_whole_loss, 0, PROBLEMS);
#endif
  tcase_add_test(tests, the_loss_is_the_mean_over_examples_and_samples);
  tcase_add_loop_test(tests, a_step_is_the_rule_applied_to_the_gradient, 0, PROBLEMS);
  tcase_add_test(tests, an_update_is_not_seen_by_the_gradients_of_its_own_step);
  tcase_add_loop_test(tests, any_number_of_threads_gives_the_same_bits, 0, 3 * WIDE_KINDS);
  tcase_add_loop_test(tests, a_step_allocates_nothing, 0, PROBLEMS);
  tcase_add_test(tests, noise_follows_the_key_of_the_step);
  tcase_add_loop_test(tests, a_loss_that_is_not_finite_changes_nothing, 0, PROBLEMS);
  tcase_add_loop_test(tests, a_label_out_of_range_changes_nothing, 0, PROBLEMS);
  tcase_add_test(tests, a_step_refuses_what_it_can_not_use);
  tcase_add_test(tests, an_objective_refuses_what_it_can_not_be_made_of);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_loop_test(tests, a_batch_of_one_is_a_step, 0, PROBLEMS);
}

int main(void) { return run_suite("objective", add_tests); }
