/* rule.h - update rules: how a step changes the trained buffers of a posterior by their gradients,
 * element by element.
 *
 * A rule is a file NAME.c in this folder that defines `BNN_RULE(NAME) = {...}`, and the row X(NAME)
 * of rules.def.  Its file is compiled once for each instruction set, as ops are (kernels/isa.h);
 * bnn_rule_find gives the row of the set in use.  Its options are what bnn.optim.NAME{...} takes,
 * with their defaults and bounds, so Lua, help(), checkpoints and the tests need nothing else. */
#ifndef BNN_RULE_H
#define BNN_RULE_H

#include <stdbool.h>

#include "../base/real.h"
#include "../base/status.h"
#include "../tensor/key.h"
#include "../tensor/tensor.h"

enum { BNN_OPTIONS_MAX = 12, BNN_SLOTS_MAX = 4, BNN_DERIVED_MAX = 4, BNN_CHOICES_MAX = 4 };

typedef struct bnn_option {
  const char *name, *doc;
  double value, lo, hi; /* default; allowed are lo <= x <= hi, or x < hi when open */
  bool open, whole;     /* whole: integers only */
  /* Of an option that is one of some words: these, for its values 0, 1, ...  (BNN_CHOICES) */
  const char *choice[BNN_CHOICES_MAX];
} bnn_option;

/* The bounds of an option that is one of n words, the first by default. */
#define BNN_CHOICES(n, ...) .hi = (n)-1, .whole = true, .choice = {__VA_ARGS__}

/* A sample of the weights: the gradient g there, over the step's number of samples, and the gradients d
 * of the family's buffers w, all [n]. */
typedef struct bnn_sample_span {
  bnn_real *const *w, *const *d;
  const bnn_real *g, *theta;
  size_t n;
  int samples;
} bnn_sample_span;

struct bnn_step_info;
typedef void bnn_sample_backward(const struct bnn_step_info *info, const bnn_sample_span *s);

/* An array of state, one element a parameter, and what it starts from. */
typedef struct bnn_slot_spec {
  const char *name;
  double start;
} bnn_slot_spec;

/* A step's constants: what the options mean at step t (counted from 1) with learning rate lr.  Made
 * once a step by bnn_rule_step, as updates come in many small pieces. */
typedef struct bnn_step_info {
  const double *option;
  double lr;
  double data_size; /* training examples, for rules that need it; else 0 */
  double noise;     /* temperature of the noise of rules that draw some: 1; 0 draws none */
  double kl_weight; /* of the KL in the loss, the mean over elements: 1/N, or T/N; 0: not known */
  uint64_t t;
  bnn_key key;                   /* of the rule's own noise in this step */
  bnn_sample_backward *backward; /* derived: adds to d in place of the family's backward; or NULL */
  double derived[BNN_DERIVED_MAX]; /* numbers that the rule derives from these */
} bnn_step_info;

/* n elements of one buffer: values, gradients, state.  The first is element `from` of buffer number
 * `buffer` of its family, of which each row counts as one, counted as the layout counts; noise i of bnn_update_key is element
 * i's. */
typedef struct bnn_update_span {
  bnn_real *w;
  const bnn_real *g;
  bnn_real *slot[BNN_SLOTS_MAX];
  size_t from, n;
  int buffer;
  bool decayed; /* weight decay is for this buffer */
} bnn_update_span;

/* The key of a buffer's noise in a step: info->key:fold(buffer), from 1. */
bnn_key bnn_update_key(const bnn_step_info *info, const bnn_update_span *s);

typedef struct bnn_rule {
  const char *name, *doc;
  bnn_option option[BNN_OPTIONS_MAX]; /* up to the first without a name; option[0] is lr */
  bnn_slot_spec slot[BNN_SLOTS_MAX];  /* the same */
  bool needs_data_size;               /* as gradients are of the mean loss of all examples */
  bool draws_noise;                   /* a sampler: noise is for it */

  /* Fills in info->derived from the rest.  NULL: nothing to derive. */
  void (*derive)(bnn_step_info *info);

  /* Changes s->w and the state by the gradient. */
  void (*update)(const bnn_step_info *info, const bnn_update_span *s);

  /* Of a rule for one family alone, by its name: changes the same elements of all its buffers, s[0],
   * s[1] and so on, together.  NULL: of any, by `update`. */
  const char *family;
  void (*update_together)(const bnn_step_info *info, const bnn_update_span *s);
} bnn_rule;

#ifdef BNN_ISA
#define BNN_RULE(name) const bnn_rule BNN_ISA_NAME(bnn_rule_##name)
#endif

/* Updates the same elements of the n buffers of a family, each row of one that has some as one. */
void bnn_rule_update(const bnn_rule *rule, const bnn_step_info *info, const bnn_update_span *s,
                     int n);

int bnn_rule_options(const bnn_rule *rule); /* their number */
int bnn_rule_slots(const bnn_rule *rule);

/* Row i of the table, NULL past the end; and the row of a name, NULL when there is none. */
const bnn_rule *bnn_rule_row(size_t i);
const bnn_rule *bnn_rule_find(const char *name);

/* The state of a rule over n elements of buffers. */
typedef struct bnn_rule_state {
  const bnn_rule *rule;
  double option[BNN_OPTIONS_MAX];
  uint64_t t; /* steps done */
  size_t n;
  bnn_tensor *slot[BNN_SLOTS_MAX]; /* [n] each, owned */
} bnn_rule_state;

/* A state before the first step.  option: a value for each option, or NULL for the defaults.
 * ERANGE: an option outside its bounds, by name.  ENOMEM. */
bnn_status bnn_rule_state_init(bnn_rule_state *s, const bnn_rule *rule, const double *option,
                               size_t n, bnn_err *err);
void bnn_rule_state_fini(bnn_rule_state *s);

/* The constants of the state's next step, from what a step chooses; s->option is read while
 * they are in use. */
bnn_step_info bnn_rule_step(const bnn_rule_state *s, double lr, double data_size, double noise,
                            bnn_key key);

/* ERANGE if x is out of bounds for the option; the text names it, the bounds and x. */
bnn_status bnn_option_check(const bnn_rule *rule, const bnn_option *option, double x, bnn_err *err);

#endif
