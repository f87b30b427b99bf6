/* rule.c - finding an update rule, and the state of one. */
#include "rule.h"

#include <math.h>
#include <string.h>

#include "../kernels/isa.h"
#include "../kernels/isa_rows.h"

#define X(name, runs) extern const bnn_rule *const bnn_rule_table_##name[];
BNN_ISA_ROWS(X)
#undef X

static const bnn_rule *const *table(void) {
  static const bnn_rule *const *const tables[] = {
#define X(name, runs) bnn_rule_table_##name,
      BNN_ISA_ROWS(X)
#undef X
  };
  return tables[bnn_isa_get()->set];
}

const bnn_rule *bnn_rule_row(size_t i) {
  const bnn_rule *const *row = table();
  for (; *row && i > 0; i--) row++;
  return *row;
}

const bnn_rule *bnn_rule_find(const char *name) {
  for (const bnn_rule *const *row = table(); *row; row++)
    if (strcmp((*row)->name, name) == 0) return *row;
  return NULL;
}

int bnn_rule_options(const bnn_rule *rule) {
  int n = 0;
  while (n < BNN_OPTIONS_MAX && rule->option[n].name) n++;
  return n;
}

int bnn_rule_slots(const bnn_rule *rule) {
  int n = 0;
  while (n < BNN_SLOTS_MAX && rule->slot[n].name) n++;
  return n;
}

bnn_step_info bnn_rule_step(const bnn_rule_state *s, double lr, double data_size, double noise,
                            bnn_key key) {
  bnn_step_info info = {.option = s->option,
                        .lr = lr,
                        .data_size = data_size,
                        .noise = noise,
                        .t = s->t + 1,
                        .key = key};
  if (s->rule->derive) s->rule->derive(&info);
  return info;
}

void bnn_rule_update(const bnn_rule *rule, const bnn_step_info *info, const bnn_update_span *s,
                     int n) {
  if (rule->update_together) {
    rule->update_together(info, s);
    return;
  }
  for (int b = 0; b < n; b++) rule->update(info, &s[b]);
}

bnn_key bnn_update_key(const bnn_step_info *info, const bnn_update_span *s) {
  return bnn_key_fold(info->key, s->buffer + 1);
}

/* Below an open bound it must stay when it is rounded to the real type: 1 - 1e-9 is 1 in float. */
bnn_status bnn_option_check(const bnn_rule *rule, const bnn_option *o, double x, bnn_err *err) {
  bool within = x >= o->lo && (o->open ? (bnn_real)x < (bnn_real)o->hi : x <= o->hi);
  if (within && (!o->whole || x == floor(x))) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "%s: %s: expected %s in [%g, %g%c, got %g", rule->name, o->name,
                  o->whole ? "an integer" : "a number", o->lo, o->hi, o->open ? ')' : ']', x);
}

static bnn_status make_slots(bnn_rule_state *s, bnn_err *err) {
  for (int i = 0; i < bnn_rule_slots(s->rule); i++) {
    BNN_TRY(bnn_tensor_new(&s->slot[i], BNN_REAL, 1, &s->n, err));
    const bnn_real start = (bnn_real)s->rule->slot[i].start;
    bnn_real *x = bnn_tensor_real(s->slot[i]);
    for (size_t k = 0; start != 0 && k < s->n; k++) x[k] = start;
  }
  return BNN_OK;
}

bnn_status bnn_rule_state_init(bnn_rule_state *s, const bnn_rule *rule, const double *option,
                               size_t n, bnn_err *err) {
  bnn_rule_state made = {.rule = rule, .n = n};
  for (int i = 0; i < bnn_rule_options(rule); i++) {
    made.option[i] = option ? option[i] : rule->option[i].value;
    BNN_TRY(bnn_option_check(rule, &rule->option[i], made.option[i], err));
  }
  bnn_status status = make_slots(&made, err);
  if (status != BNN_OK) {
    bnn_rule_state_fini(&made);
    return status;
  }
  *s = made;
  return BNN_OK;
}

void bnn_rule_state_fini(bnn_rule_state *s) {
  for (int i = 0; i < BNN_SLOTS_MAX; i++) {
    bnn_tensor_unref(s->slot[i]);
    s->slot[i] = NULL;
  }
}
