/* optimizer.c - the table of update rules, and their state. */
#include "optimizer.h"

#include <math.h>
#include <string.h>

static const bnn_optimizer *const row[] = {
#define X(name) &bnn_optimizer_##name,
#include "optimizers.def"
#undef X
};

const bnn_optimizer *bnn_optimizer_row(size_t i) {
  return i < sizeof row / sizeof *row ? row[i] : NULL;
}

const bnn_optimizer *bnn_optimizer_find(const char *name) {
  for (size_t i = 0; i < sizeof row / sizeof *row; i++)
    if (strcmp(row[i]->name, name) == 0) return row[i];
  return NULL;
}

bnn_update bnn_update_of(const bnn_optimizer *rule, const double *option, double lr, uint64_t t) {
  bnn_update u = {.option = option, .lr = lr, .t = t};
  if (rule->derive) rule->derive(&u);
  return u;
}

/* Below an open bound it must stay when it is rounded to the real type: 1 - 1e-9 is 1 in float. */
bnn_status bnn_option_check(const bnn_optimizer *rule, const bnn_option *o, double x,
                            bnn_err *err) {
  bool within = x >= o->lo && (o->open ? (bnn_real)x < (bnn_real)o->hi : x <= o->hi);
  if (within && (!o->whole || x == floor(x))) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "%s: %s: expected %s in [%g, %g%c, got %g", rule->name, o->name,
                  o->whole ? "an integer" : "a number", o->lo, o->hi, o->open ? ')' : ']', x);
}

bnn_status bnn_optimizer_state_init(bnn_optimizer_state *s, const bnn_optimizer *rule,
                                    const double *option, size_t n, bnn_err *err) {
  bnn_optimizer_state made = {.rule = rule, .n = n};
  for (int i = 0; i < rule->n_options; i++) {
    made.option[i] = option ? option[i] : rule->option[i].value;
    BNN_TRY(bnn_option_check(rule, &rule->option[i], made.option[i], err));
  }
  for (int i = 0; i < rule->n_slots; i++) {
    bnn_status status = bnn_tensor_new(&made.slot[i], BNN_REAL, 1, &n, err);
    if (status != BNN_OK) {
      bnn_optimizer_state_fini(&made);
      return status;
    }
  }
  *s = made;
  return BNN_OK;
}

void bnn_optimizer_state_fini(bnn_optimizer_state *s) {
  for (int i = 0; i < BNN_SLOTS_MAX; i++) {
    bnn_tensor_unref(s->slot[i]);
    s->slot[i] = NULL;
  }
}
