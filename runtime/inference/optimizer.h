/* optimizer.h - update rules: w <- w - something of its gradient, element by element.
 *
 * A rule is a row of optimizers.def and a file runtime/inference/optimizer_NAME.c that defines
 * `const bnn_optimizer bnn_optimizer_NAME`.  Its options are what bnn.optim.NAME{...} takes, with
 * their defaults and bounds, so Lua, help() and the tests need nothing else. */
#ifndef BNN_OPTIMIZER_H
#define BNN_OPTIMIZER_H

#include "../tensor/tensor.h"
#include "../vec/vec.h"

enum { BNN_OPTIONS_MAX = 8, BNN_SLOTS_MAX = 3, BNN_DERIVED_MAX = 2 };

typedef struct bnn_option {
  const char *name, *doc;
  double value, lo, hi; /* default; allowed are lo <= x <= hi, or x < hi when open */
  bool open, whole;     /* whole: integers only */
} bnn_option;

/* A step's constants: what the options mean at step t (counted from 1) with learning rate lr.  Made
 * once a step by bnn_update_of, as updates come in many small pieces. */
typedef struct bnn_update {
  const double *option;
  double lr;
  uint64_t t;
  double derived[BNN_DERIVED_MAX]; /* numbers of the rule's own that follow from these */
} bnn_update;

typedef struct bnn_optimizer {
  const char *name, *doc;
  int n_slots; /* arrays of state, one element a parameter each */
  int n_options;
  bnn_option option[BNN_OPTIONS_MAX]; /* option[0] is lr */

  /* Fills in u->derived from the rest of u.  NULL: there is nothing to derive. */
  void (*derive)(bnn_update *u);

  /* Changes w[0..n) and the state by gradient g. */
  void (*update)(const bnn_update *u, bnn_real *w, const bnn_real *g, bnn_real *const *slot,
                 size_t n);

  /* The update of a mean-field posterior from the gradient of the loss, all in one pass (vec.h,
   * meanfield_adam); false when a gradient is not finite.  s->slot_*: the rule's slots in order.
   * NULL: gradients are made first, then update is called for mu and for logvar. */
  bool (*update_meanfield)(const bnn_update *u, const bnn_meanfield_step *s, size_t n);
} bnn_optimizer;

#define X(name) extern const bnn_optimizer bnn_optimizer_##name;
#include "optimizers.def"
#undef X

/* Row i of the table, NULL past the end; and the row of a name, NULL when there is none. */
const bnn_optimizer *bnn_optimizer_row(size_t i);
const bnn_optimizer *bnn_optimizer_find(const char *name);

/* The constants of step t, from 1, by that rule; option is read while they are in use. */
bnn_update bnn_update_of(const bnn_optimizer *rule, const double *option, double lr, uint64_t t);

/* The state of a rule over n parameters. */
typedef struct bnn_optimizer_state {
  const bnn_optimizer *rule;
  double option[BNN_OPTIONS_MAX];
  uint64_t t; /* steps done */
  size_t n;
  bnn_tensor *slot[BNN_SLOTS_MAX]; /* [n] each, owned */
} bnn_optimizer_state;

/* A state of zeros.  option: n_options values, or NULL for the defaults.  ERANGE: an option outside
 * its bounds, by name.  ENOMEM. */
bnn_status bnn_optimizer_state_init(bnn_optimizer_state *s, const bnn_optimizer *rule,
                                    const double *option, size_t n, bnn_err *err);
void bnn_optimizer_state_fini(bnn_optimizer_state *s);

/* ERANGE when x is not allowed for the option; the text names it, what was found and the bounds. */
bnn_status bnn_option_check(const bnn_optimizer *rule, const bnn_option *option, double x,
                            bnn_err *err);

#endif
