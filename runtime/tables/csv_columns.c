/* csv_columns.c - which record of a table is its header, and what each column is.
 *
 * What is guessed follows three rules: a guess that all rows could bear out is checked against them
 * when they are read; a column that might carry the labels or the numbers of rows into the features
 * is never one; and what can be meant either way is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "csv_parser.h"

typedef bnn_csv_cell cell;

size_t bnn_csv_features(const bnn_csv_parser *t) {
  size_t d = 0;
  for (size_t k = 0; k < t->columns; k++) d += bnn_csv_role_of(t, k) == BNN_CSV_FEATURE;
  return d;
}

/* ---- columns ---- */

static bnn_status fail_name(const bnn_csv_parser *t, const char *name, bnn_err *err) {
  if (!t->header)
    return bnn_fail(err, BNN_ERANGE, "%s: has no header, so no column is named '%s'", t->in.name,
                    name);
  return bnn_fail(err, BNN_ERANGE, "%s: no column is named '%s'; the first of %zu is '%s'",
                  t->in.name, name, t->columns, bnn_csv_shown(bnn_csv_first(t)).s);
}

/* The first column from `from` on that has a name; t->columns when there is none. */
static size_t find_name(const bnn_csv_parser *t, const char *name, size_t from) {
  for (size_t k = from; t->header && k < t->columns; k++)
    if (bnn_csv_is(&bnn_csv_first(t)[k], name)) return k;
  return t->columns;
}

/* The same, which is one of those that are dropped only where all of that name are. */
static size_t find_kept(const bnn_csv_parser *t, const char *name) {
  size_t first = find_name(t, name, 0), k = first;
  while (k < t->columns && bnn_csv_role_of(t, k) == BNN_CSV_DROPPED) k = find_name(t, name, k + 1);
  return k < t->columns ? k : first;
}

/* The column of a position, from 0; t->columns or more when there is none. */
static size_t column_at(const bnn_csv_parser *t, int position) {
  size_t from_end = position < 0 ? (size_t) - (long)position : 0;
  if (position == 0 || from_end > t->columns) return t->columns;
  return position > 0 ? (size_t)position - 1 : t->columns - from_end;
}

static bnn_status find_position(const bnn_csv_parser *t, size_t *out, int position,
                                const char *what, bnn_err *err) {
  size_t at = column_at(t, position);
  if (at >= t->columns)
    return bnn_fail(err, BNN_ERANGE, "%s: %s column %d, there are %zu", t->in.name, what, position,
                    t->columns);
  *out = at;
  return BNN_OK;
}

static bnn_status find_label(bnn_csv_parser *t, bnn_err *err) {
  t->label = SIZE_MAX;
  if (t->o->label) {
    size_t at = find_kept(t, t->o->label);
    if (at == t->columns) return fail_name(t, t->o->label, err);
    t->label = at;
  } else if (t->o->column != 0) {
    BNN_TRY(find_position(t, &t->label, t->o->column, "the labels are to be", err));
  } else {
    return BNN_OK;
  }
  if (bnn_csv_role_of(t, t->label) == BNN_CSV_DROPPED)
    return bnn_fail(err, BNN_ERANGE, "%s: column %zu cannot be both dropped and the labels",
                    t->in.name, t->label + 1);
  t->roles.p[t->label] = BNN_CSV_LABEL;
  return BNN_OK;
}

static bnn_status drop_columns(bnn_csv_parser *t, bnn_err *err) {
  for (size_t i = 0; i < t->o->n_drop; i++) {
    const bnn_csv_column *c = &t->o->drop[i];
    size_t at = 0;
    if (!c->name) {
      BNN_TRY(find_position(t, &at, c->position, "to drop is", err));
      t->roles.p[at] = BNN_CSV_DROPPED;
      continue;
    }
    at = find_name(t, c->name, 0);
    if (at == t->columns) return fail_name(t, c->name, err);
    for (; at < t->columns; at = find_name(t, c->name, at + 1)) t->roles.p[at] = BNN_CSV_DROPPED;
  }
  return BNN_OK;
}

/* First columns without a name number the rows: pandas and R write them so. */
static bnn_status find_unnamed(bnn_csv_parser *t, bnn_err *err) {
  size_t k = 0;
  for (; t->header && k < t->columns; k++) {
    if (bnn_csv_role_of(t, k) == BNN_CSV_DROPPED) continue;
    if (bnn_csv_role_of(t, k) != BNN_CSV_FEATURE || !bnn_csv_is_unnamed(&bnn_csv_first(t)[k]))
      break;
    t->roles.p[k] = BNN_CSV_UNNAMED;
    t->n_unnamed++;
  }
  for (; t->header && k < t->columns; k++)
    if (bnn_csv_role_of(t, k) == BNN_CSV_FEATURE && bnn_csv_first(t)[k].n == 0)
      return bnn_fail(err, BNN_EDATA,
                      "%s: column %zu has no name in the header (drop = {%zu} leaves it out)",
                      t->in.name, k + 1, k + 1);
  return BNN_OK;
}

/* A name that features and labels have twice would leave open which of them is meant. */
static bnn_status check_names(const bnn_csv_parser *t, bnn_err *err) {
  if (!t->header) return BNN_OK;
  bnn_csv_named *list = bnn_mem_alloc(t->columns, sizeof *list);
  if (!list) return bnn_csv_no_memory(t, err);
  size_t n = 0;
  bnn_status status = BNN_OK;
  for (size_t k = 0; k < t->columns; k++)
    if (bnn_csv_role_of(t, k) == BNN_CSV_FEATURE || bnn_csv_role_of(t, k) == BNN_CSV_LABEL)
      list[n++] = (bnn_csv_named){bnn_csv_first(t)[k], k};
  qsort(list, n, sizeof *list, bnn_csv_compare_named);
  for (size_t i = 1; i < n && status == BNN_OK; i++)
    if (bnn_csv_compare(&list[i - 1].name, &list[i].name) == 0)
      status = bnn_fail(err, BNN_EDATA,
                        "%s: columns %zu and %zu are both named '%s' (drop = {%zu} leaves the "
                        "second out)",
                        t->in.name, list[i - 1].at + 1, list[i].at + 1,
                        bnn_csv_shown(&list[i].name).s, list[i].at + 1);
  bnn_mem_free(list);
  return status;
}

bnn_status bnn_csv_assign_roles(bnn_csv_parser *t, bnn_err *err) {
  static const unsigned char feature = BNN_CSV_FEATURE;
  for (size_t k = 0; k < t->columns; k++)
    if (bnn_bytes_add(&t->roles, &feature, 1, NULL) != BNN_OK) return bnn_csv_no_memory(t, err);
  BNN_TRY(drop_columns(t, err));
  BNN_TRY(find_label(t, err));
  BNN_TRY(find_unnamed(t, err));
  BNN_TRY(check_names(t, err));
  if (bnn_csv_features(t) == 0)
    return bnn_fail(err, BNN_EDATA, "%s: has no column besides %s", t->in.name,
                    t->label == SIZE_MAX ? "those left out" : "the labels");
  return BNN_OK;
}

/* ---- the header ---- */

/* Whether an option calls a column by a name that stands in the first record. */
static bool is_named_there(const bnn_csv_parser *t, const char *name) {
  for (size_t k = 0; name && k < t->columns; k++)
    if (bnn_csv_is(&bnn_csv_first(t)[k], name)) return true;
  return false;
}

static bool options_name_a_column(const bnn_csv_parser *t) {
  bool any = is_named_there(t, t->o->label);
  for (size_t i = 0; i < t->o->n_drop; i++) any = any || is_named_there(t, t->o->drop[i].name);
  return any;
}

/* Whether an empty cell and 0, 1, 2, ... are the first record: so pandas writes an array. */
static bool counts_columns(const bnn_csv_parser *t) {
  const cell *c = bnn_csv_first(t);
  double v;
  for (size_t k = 1; k < t->columns; k++)
    if (!bnn_csv_is_integer(&c[k]) || !bnn_csv_number(&v, &c[k]) || v != (double)(k - 1))
      return false;
  return true;
}

/* Whether the first record holds names.  All cells of a row of data are numbers, so one name is
 * enough of a hint, and one value enough of a doubt: the row is then taken for data and refused as
 * such.  An empty first cell is no doubt, as nothing stands above the numbers of rows; over numbers
 * alone it is a value that is missing. */
static bool holds_names(const bnn_csv_parser *t) {
  const cell *c = bnn_csv_first(t);
  size_t names = 0, others = 0, label = column_at(t, t->o->column);
  for (size_t k = 0; k < t->columns; k++) {
    if (k == label) continue; /* text in it says nothing */
    bool is_name = bnn_csv_is_name(&c[k]);
    names += is_name;
    others += !is_name && c[k].n != 0;
  }
  if (t->columns > 1 && c[0].n == 0 && label != 0) return names > 0 || counts_columns(t);
  return names > 0 && others == 0;
}

bool bnn_csv_has_header(bnn_csv_parser *t) {
  if (t->o->header != BNN_CSV_SEE_HEADER) return t->o->header == BNN_CSV_HEADER;
  if (options_name_a_column(t)) return true;
  t->guessed_data = !holds_names(t);
  return !t->guessed_data;
}

bnn_status bnn_csv_add_corner(bnn_csv_parser *t, const cell *cells, size_t columns, bnn_err *err) {
  bool quotes = columns > 0 && cells[0].quoted && bnn_csv_first(t)[0].quoted;
  if (columns != t->columns + 1 || (t->in.separator != ' ' && !quotes)) return BNN_OK;
  cell corner = {bnn_csv_first(t)[0].p, 0, false};
  bnn_bytes longer = {.p = NULL};
  bnn_status status = bnn_bytes_add(&longer, &corner, sizeof corner, NULL);
  if (status == BNN_OK) status = bnn_bytes_add(&longer, t->first.p, t->first.n, NULL);
  bnn_bytes_free(status == BNN_OK ? &t->first : &longer);
  if (status != BNN_OK) return bnn_csv_no_memory(t, err);
  t->first = longer;
  t->columns++;
  return BNN_OK;
}

/* ---- what only all rows show ---- */

/* Whether rows 2 to n of feature j (of d) hold a number that is not whole. */
static bool has_fraction(const bnn_csv_parser *t, size_t j, size_t d) {
  const bnn_real *x = (const bnn_real *)(const void *)t->values.p;
  for (size_t i = 1; i < t->row; i++)
    if (x[i * d + j] != (bnn_real)trunc((double)x[i * d + j])) return true;
  return false;
}

/* What the numbers of the first row look like; labels that are text are left aside. */
typedef struct first_look {
  bool integers, rising, counting; /* written as integers; each more than the one before; by one */
  size_t n;
  double first;
} first_look;

static first_look look_at_first(const bnn_csv_parser *t) {
  first_look f = {true, true, true, 0, 0};
  double before = 0, v;
  for (size_t k = 0; k < t->columns; k++) {
    const cell *c = &bnn_csv_first(t)[k];
    if (bnn_csv_role_of(t, k) == BNN_CSV_DROPPED || !bnn_csv_number(&v, c)) continue;
    f.integers = f.integers && bnn_csv_is_integer(c);
    if (f.n == 0) f.first = v;
    f.rising = f.rising && (f.n == 0 || v > before);
    f.counting = f.counting && (f.n == 0 || v == before + 1);
    before = v;
    f.n++;
  }
  return f;
}

/* Whether all numbers of the first row are in quotes, and none of the last: quotes are for names. */
static bool is_quoted_alone(const bnn_csv_parser *t) {
  const cell *first = bnn_csv_first(t), *last = bnn_csv_cells(&t->in.cells);
  size_t n = 0;
  if (t->row < 2) return false;
  for (size_t k = 0; k < t->columns; k++) {
    if (bnn_csv_role_of(t, k) == BNN_CSV_DROPPED || !bnn_csv_is_number(&first[k])) continue;
    if (!first[k].quoted || last[k].quoted) return false;
    n++;
  }
  return n > 0;
}

/* Whether a first row of numbers may hold names all the same: 0, 1, 2 as pandas and NumPy number
 * columns; integers that count, or rise over columns of fractions, such as years. */
static bool may_be_names(const bnn_csv_parser *t) {
  first_look f = look_at_first(t);
  size_t d = bnn_csv_features(t), fractions = 0;
  if (is_quoted_alone(t)) return true;
  if (!f.integers || !f.rising) return false;
  if (f.counting && f.first == 0 && f.n > 1) return true;
  for (size_t j = 0; j < d; j++) fractions += has_fraction(t, j, d);
  if (f.counting && (f.n > 1 || f.first == 0)) return fractions > 0;
  return d > 1 && fractions == d;
}

/* Whether the first label is text and all others are numbers, as under a name. */
static bool first_label_differs(const bnn_csv_parser *t) {
  const cell *y = bnn_csv_cells(&t->labels);
  if (t->label == SIZE_MAX || t->row < 2 || bnn_csv_is_number(&y[0])) return false;
  for (size_t i = 1; i < t->row; i++)
    if (!bnn_csv_is_number(&y[i])) return false;
  return true;
}

static bnn_status check_first(const bnn_csv_parser *t, bnn_err *err) {
  static const char advice[] = "header = true if it holds names, header = false if not";
  if (!t->guessed_data) return BNN_OK;
  if (first_label_differs(t))
    return bnn_fail(err, BNN_EDATA, "%s: the label of row 1 is '%s', all others are numbers: %s",
                    t->in.name, bnn_csv_shown(bnn_csv_cells(&t->labels)).s, advice);
  if (!may_be_names(t)) return BNN_OK;
  const cell *c = bnn_csv_first(t);
  return bnn_fail(err, BNN_EDATA, "%s: the first row is %s%s%s%s: names or numbers? %s", t->in.name,
                  bnn_csv_shown(&c[0]).s, t->columns > 1 ? ", " : "",
                  t->columns > 1 ? bnn_csv_shown(&c[1]).s : "", t->columns > 2 ? ", ..." : "",
                  advice);
}

/* A column without a name is left out because it numbers or names the rows, each of them once. */
static bnn_status check_unnamed(const bnn_csv_parser *t, bnn_err *err) {
  const cell *all = bnn_csv_cells(&t->unnamed);
  cell *column = t->n_unnamed ? bnn_mem_alloc(t->row, sizeof *column) : NULL;
  if (t->n_unnamed && !column) return bnn_csv_no_memory(t, err);
  bnn_status status = BNN_OK;
  for (size_t k = 0; k < t->n_unnamed && status == BNN_OK; k++) {
    for (size_t i = 0; i < t->row; i++) column[i] = all[i * t->n_unnamed + k];
    qsort(column, t->row, sizeof *column, bnn_csv_compare);
    for (size_t i = 1; i < t->row && status == BNN_OK; i++)
      if (bnn_csv_compare(&column[i - 1], &column[i]) == 0)
        status = bnn_fail(err, BNN_EDATA,
                          "%s: column %zu has no name and does not number the rows: '%s' is there "
                          "twice (drop = {%zu} leaves it out)",
                          t->in.name, k + 1, bnn_csv_shown(&column[i]).s, k + 1);
  }
  bnn_mem_free(column);
  return status;
}

bnn_status bnn_csv_check_guesses(const bnn_csv_parser *t, bnn_err *err) {
  BNN_TRY(check_first(t, err));
  return check_unnamed(t, err);
}

bool bnn_csv_numbers_rows(const bnn_csv_parser *t) {
  enum { LEAST = 3 };
  const bnn_real *x = (const bnn_real *)(const void *)t->values.p;
  size_t d = bnn_csv_features(t);
  if (bnn_csv_role_of(t, 0) != BNN_CSV_FEATURE || d < 2 || t->row < LEAST ||
      (x[0] != 0 && x[0] != 1))
    return false;
  for (size_t i = 1; i < t->row; i++)
    if (x[i * d] != x[0] + (bnn_real)i) return false;
  return true;
}
