/* csv_labels.c - labels: numbers, or classes by name. */
#include <ctype.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "csv_parser.h"

typedef bnn_csv_cell cell;

double bnn_csv_real_max(void) { return BNN_REAL == BNN_F32 ? 0x1.fffffefffffffp127 : DBL_MAX; }

int bnn_csv_compare_named(const void *a, const void *b) {
  const bnn_csv_named *x = a, *y = b;
  int order = bnn_csv_compare(&x->name, &y->name);
  return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* 0: text, 1: numbers, 2: integers that fit. */
static int kind_of_labels(const bnn_csv_parser *t) {
  int kind = 2;
  for (size_t i = 0; i < t->row; i++) {
    double v;
    if (!bnn_csv_number(&v, &bnn_csv_cells(&t->labels)[i]) || !(fabs(v) <= bnn_csv_real_max()))
      return 0;
    if (v != trunc(v) || v < INT32_MIN || v > INT32_MAX) kind = 1;
  }
  return kind;
}

static bnn_status number_labels(bnn_csv *table, const bnn_csv_parser *t, bnn_dtype dtype,
                                bnn_err *err) {
  BNN_TRY(bnn_tensor_new(&table->y, dtype, 1, &t->row, err));
  for (size_t i = 0; i < t->row; i++) {
    double v = 0;
    bnn_csv_number(&v, &bnn_csv_cells(&t->labels)[i]);
    bnn_tensor_set(table->y, i, v);
  }
  return BNN_OK;
}

bnn_status bnn_csv_copy_texts(char ***out, const cell *c, size_t n, const bnn_csv_parser *t,
                              bnn_err *err) {
  size_t bytes = n * sizeof **out;
  for (size_t i = 0; i < n; i++) bytes += c[i].n + 1;
  char **text = bnn_mem_alloc(bytes, 1), *to = (char *)text + n * sizeof *text;
  if (!text) return bnn_csv_no_memory(t, err);
  for (size_t i = 0; i < n; i++) {
    text[i] = memcpy(to, c[i].p, c[i].n);
    to[c[i].n] = 0;
    to += c[i].n + 1;
  }
  *out = text;
  return BNN_OK;
}

static cell cell_of(const char *text) {
  return (cell){(char *)(uintptr_t)text, strlen(text), false}; /* only read */
}

/* Sorts classes [n] and drops what is there twice; returns how many are left. */
static size_t unique(cell *classes, size_t n) {
  size_t kept = 0;
  qsort(classes, n, sizeof *classes, bnn_csv_compare);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || bnn_csv_compare(&classes[kept - 1], &classes[i]) != 0)
      classes[kept++] = classes[i];
  return kept;
}

/* Whether a label is neither a number nor a mark of a missing one. */
static bool any_is_text(const bnn_csv_parser *t) {
  const cell *c = bnn_csv_cells(&t->labels);
  for (size_t i = 0; i < t->row; i++)
    if (!bnn_csv_is_number(&c[i]) && (c[i].quoted || !bnn_csv_is_missing(&c[i]))) return true;
  return false;
}

/* Marks that are names too, beside others. */
static bool may_be_class(const cell *c) {
  return bnn_csv_is(c, "None") || bnn_csv_is(c, "none") || bnn_csv_is(c, "-") || bnn_csv_is(c, ".");
}

/* 1,5 or 1,000: a number as others write it. */
static bool has_comma(const cell *c) {
  size_t i = c->n > 0 && (c->p[0] == '-' || c->p[0] == '+'), commas = 0;
  for (; i < c->n && (isdigit((unsigned char)c->p[i]) || c->p[i] == ','); i++)
    commas += c->p[i] == ',';
  return i == c->n && commas == 1 && c->n > 2;
}

static bnn_status fail_label(const bnn_csv_parser *t, size_t i, const char *what, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA,
                  "%s: row %zu, column %zu: '%s' %s (classes = {...} if it is a class)", t->in.name,
                  i + 1, t->label + 1, bnn_csv_shown(&bnn_csv_cells(&t->labels)[i]).s, what);
}

/* A label such as ? is no class unless it is said to be one.  Among numbers alone None is none
 * either, and what is too large does not make classes of them. */
static bnn_status check_label(const bnn_csv_parser *t, size_t i, bool among_text, bnn_err *err) {
  const cell *c = &bnn_csv_cells(&t->labels)[i];
  double v;
  if (bnn_csv_is_missing(c) && !c->quoted && !(among_text && may_be_class(c)))
    return fail_label(t, i, "stands for a missing label", err);
  if (has_comma(c)) return fail_label(t, i, "has a comma, expected a number with a point", err);
  if (!among_text && bnn_csv_number(&v, c) && !(fabs(v) <= bnn_csv_real_max()))
    return fail_label(t, i, "is more than a " BNN_REAL_NAME " can hold", err);
  return BNN_OK;
}

bnn_csv_name_list bnn_csv_list_names(const char *const *name, size_t n) {
  bnn_csv_name_list list = {""};
  size_t at = 0;
  for (size_t k = 0; k < n; k++) {
    if (at + strlen(name[k]) + 2 > BNN_CSV_NAMES_SHOWN) {
      memcpy(list.s + at, "...", 4);
      break;
    }
    const char *comma = k + 1 < n ? ", " : "";
    at += (size_t)snprintf(list.s + at, sizeof list.s - at, "%s%s", name[k], comma);
  }
  return list;
}

static bnn_status fail_class(const bnn_csv_parser *t, size_t i, const cell *label, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA,
                  "%s: row %zu, column %zu: class '%s' is not one of the %zu known: %s", t->in.name,
                  i + 1, t->label + 1, bnn_csv_shown(label).s, t->o->classes,
                  bnn_csv_list_names(t->o->class_name, t->o->classes).s);
}

/* Labels as the places of their classes: [n] of `each` bytes that begin with a cell, sorted by it;
 * a bnn_csv_named says its place, a plain cell has the one where it stands. */
static bnn_status place_labels(bnn_csv *table, const bnn_csv_parser *t, const void *classes,
                               size_t n, size_t each, bnn_err *err) {
  const cell *labels = bnn_csv_cells(&t->labels);
  BNN_TRY(bnn_tensor_new(&table->y, BNN_I32, 1, &t->row, err));
  for (size_t i = 0; i < t->row; i++) {
    const void *found = bsearch(&labels[i], classes, n, each, bnn_csv_compare);
    if (!found) return fail_class(t, i, &labels[i], err);
    size_t at = each == sizeof(cell) ? (size_t)((const cell *)found - (const cell *)classes)
                                     : ((const bnn_csv_named *)found)->at;
    ((int32_t *)table->y->data)[i] = (int32_t)at;
  }
  return BNN_OK;
}

/* The classes that the labels have, in the order of their names. */
static bnn_status found_classes(bnn_csv *table, const bnn_csv_parser *t, bnn_err *err) {
  const cell *labels = bnn_csv_cells(&t->labels);
  bool among_text = any_is_text(t);
  for (size_t i = 0; i < t->row; i++) BNN_TRY(check_label(t, i, among_text, err));
  cell *classes = bnn_mem_alloc(t->row, sizeof *classes);
  if (!classes) return bnn_csv_no_memory(t, err);
  memcpy(classes, labels, t->row * sizeof *classes);
  size_t n = unique(classes, t->row);
  bnn_status status = place_labels(table, t, classes, n, sizeof *classes, err);
  if (status == BNN_OK) status = bnn_csv_copy_texts(&table->class_name, classes, n, t, err);
  if (status == BNN_OK) table->classes = n;
  bnn_mem_free(classes);
  return status;
}

static bnn_status copy_given(bnn_csv *table, const bnn_csv_parser *t, cell *name, bnn_err *err) {
  size_t n = t->o->classes;
  for (size_t k = 0; k < n; k++) name[k] = cell_of(t->o->class_name[k]);
  BNN_TRY(bnn_csv_copy_texts(&table->class_name, name, n, t, err));
  table->classes = n;
  return BNN_OK;
}

/* Those that are given, in their order. */
static bnn_status given_classes(bnn_csv *table, const bnn_csv_parser *t, bnn_err *err) {
  size_t n = t->o->classes;
  bnn_csv_named *classes = bnn_mem_alloc(n, sizeof *classes);
  cell *name = bnn_mem_alloc(n, sizeof *name);
  bnn_status status = BNN_OK;
  if (!classes || !name) status = bnn_csv_no_memory(t, err);
  if (status == BNN_OK) status = copy_given(table, t, name, err);
  if (status == BNN_OK) {
    for (size_t k = 0; k < n; k++) classes[k] = (bnn_csv_named){name[k], k};
    qsort(classes, n, sizeof *classes, bnn_csv_compare_named);
    status = place_labels(table, t, classes, n, sizeof *classes, err);
  }
  bnn_mem_free(name);
  bnn_mem_free(classes);
  return status;
}

bnn_status bnn_csv_make_labels(bnn_csv *table, const bnn_csv_parser *t, bnn_err *err) {
  if (t->label == SIZE_MAX) return BNN_OK;
  if (t->o->class_name) return given_classes(table, t, err);
  int kind = kind_of_labels(t);
  if (kind == 0) return found_classes(table, t, err);
  return number_labels(table, t, kind == 2 ? BNN_I32 : BNN_REAL, err);
}
