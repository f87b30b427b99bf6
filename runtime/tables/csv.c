/* csv.c - reading tables.
 *
 * The whole text is read, then parsed in one pass.  Values grow with the rows.  Labels, and the
 * cells of columns without a name, are kept as places in the text until all are known, since only
 * then is it clear whether labels are classes or numbers, and whether such a column numbers the
 * rows. */
#include "csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/stop.h"
#include "../files/bytes.h"
#include "csv_parser.h"
#include "csv_text.h"

typedef bnn_csv_cell cell;

/* ---- errors ---- */

/* "row 3 (line 4), column 2 'age'".  A first row that holds names beside it may be a header. */
static bnn_status fail_cell(const bnn_csv_parser *t, size_t column, const char *what,
                            bnn_err *err) {
  bnn_excerpt named = {""};
  if (t->header) named = bnn_csv_shown(&bnn_csv_first(t)[column]);
  const char *advice =
      t->guessed_data && t->row == 1 ? " (header = true if this row holds names)" : "";
  return bnn_fail(err, BNN_EDATA, "%s: row %zu (line %zu), column %zu%s%s%s: %s%s", t->in.name,
                  t->row, t->in.at_line, column + 1, t->header ? " '" : "", named.s,
                  t->header ? "'" : "", what, advice);
}

static bnn_status fail_number(const bnn_csv_parser *t, size_t column, const cell *c,
                              const char *why, bnn_err *err) {
  char what[sizeof(bnn_excerpt) + 64] = "'";
  if (c->n == 0 && !c->quoted) return fail_cell(t, column, "a missing value", err);
  snprintf(what, sizeof what, "'%s' %s", bnn_csv_shown(c).s, why);
  return fail_cell(t, column, what, err);
}

/* ---- rows ---- */

static bnn_status add_value(bnn_csv_parser *t, size_t column, const cell *c, bnn_err *err) {
  double v;
  if (!bnn_csv_number(&v, c)) return fail_number(t, column, c, "is not a number", err);
  if (!(fabs(v) <= bnn_csv_real_max()))
    return fail_number(t, column, c, "is more than a " BNN_REAL_NAME " can hold", err);
  bnn_real value = (bnn_real)v;
  return bnn_bytes_add(&t->values, &value, sizeof value, NULL) == BNN_OK
             ? BNN_OK
             : bnn_csv_no_memory(t, err);
}

static bnn_status add_cell(bnn_csv_parser *t, bnn_bytes *list, const cell *c, bnn_err *err) {
  return bnn_bytes_add(list, c, sizeof *c, NULL) == BNN_OK ? BNN_OK : bnn_csv_no_memory(t, err);
}

static bnn_status add_one(bnn_csv_parser *t, size_t column, const cell *c, bnn_err *err) {
  switch (bnn_csv_role_of(t, column)) {
  case BNN_CSV_FEATURE: return add_value(t, column, c, err);
  case BNN_CSV_UNNAMED: return add_cell(t, &t->unnamed, c, err);
  case BNN_CSV_LABEL:
    if (c->n == 0) return fail_cell(t, column, "a missing label", err);
    return add_cell(t, &t->labels, c, err);
  default: return BNN_OK;
  }
}

/* `cells` are a row of the table. */
static bnn_status add_row(bnn_csv_parser *t, const cell *cells, size_t columns, bnn_err *err) {
  t->row++;
  if (columns != t->columns)
    return bnn_fail(err, BNN_EDATA, "%s: row %zu (line %zu) has %zu cells, the first has %zu",
                    t->in.name, t->row, t->in.at_line, columns, t->columns);
  for (size_t k = 0; k < columns; k++) BNN_TRY(add_one(t, k, &cells[k], err));
  return BNN_OK;
}

static bnn_status next_row(bnn_csv_parser *t, bnn_err *err) {
  size_t columns;
  BNN_TRY(bnn_csv_next(&t->in, &columns, err));
  return add_row(t, bnn_csv_cells(&t->in.cells), columns, err);
}

static bnn_status read_header(bnn_csv_parser *t, bnn_err *err) {
  size_t columns;
  if (bnn_csv_at_end(&t->in))
    return bnn_fail(err, BNN_EDATA, "%s: holds a header but no rows", t->in.name);
  BNN_TRY(bnn_csv_next(&t->in, &columns, err));
  const cell *cells = bnn_csv_cells(&t->in.cells);
  BNN_TRY(bnn_csv_add_corner(t, cells, columns, err));
  BNN_TRY(bnn_csv_assign_roles(t, err));
  return add_row(t, cells, columns, err);
}

/* The first record and, where that is a header, the first row. */
static bnn_status read_first(bnn_csv_parser *t, bnn_err *err) {
  if (bnn_csv_at_end(&t->in)) return bnn_fail(err, BNN_EDATA, "%s: holds no rows", t->in.name);
  BNN_TRY(bnn_csv_next(&t->in, &t->columns, err));
  t->first = t->in.cells;
  t->in.cells = (bnn_bytes){.p = NULL};
  t->header = bnn_csv_has_header(t);
  if (t->header) return read_header(t, err);
  BNN_TRY(bnn_csv_assign_roles(t, err));
  return add_row(t, bnn_csv_first(t), t->columns, err);
}

static bnn_status parse_all(bnn_csv_parser *t, bnn_err *err) {
  bnn_csv_records *in = &t->in;
  BNN_TRY(bnn_csv_begin(in, err));
  in->separator = t->o->separator;
  if (!in->separator) BNN_TRY(bnn_csv_find_separator(&in->separator, in, err));
  BNN_TRY(read_first(t, err));
  while (!bnn_csv_at_end(in)) {
    if (bnn_stop_asked()) return bnn_fail(err, BNN_ESTOP, "before line %zu", in->line);
    BNN_TRY(next_row(t, err));
  }
  return bnn_csv_check_guesses(t, err);
}

/* ---- the table ---- */

void bnn_csv_free(bnn_csv *t) {
  if (!t) return;
  bnn_mem_free(t->name);
  bnn_mem_free(t->class_name);
  bnn_tensor_unref(t->x);
  bnn_tensor_unref(t->y);
  bnn_mem_free(t);
}

/* The names of the features. */
static bnn_status copy_names(bnn_csv *table, const bnn_csv_parser *t, size_t d, bnn_err *err) {
  cell *name = bnn_mem_alloc(d, sizeof *name);
  if (!name) return bnn_csv_no_memory(t, err);
  size_t j = 0;
  for (size_t k = 0; k < t->columns; k++)
    if (bnn_csv_role_of(t, k) == BNN_CSV_FEATURE) name[j++] = bnn_csv_first(t)[k];
  bnn_status status = bnn_csv_copy_texts(&table->name, name, d, t, err);
  bnn_mem_free(name);
  return status;
}

static bnn_status fill_table(bnn_csv *table, const bnn_csv_parser *t, bnn_err *err) {
  size_t d = bnn_csv_features(t);
  table->separator = t->in.separator;
  table->columns = t->columns;
  table->label = t->label + 1; /* SIZE_MAX, without labels, becomes 0 */
  table->unnamed = t->n_unnamed;
  table->numbers_rows = bnn_csv_numbers_rows(t);
  BNN_TRY(bnn_tensor_new(&table->x, BNN_REAL, 2, (size_t[]){t->row, d}, err));
  memcpy(table->x->data, t->values.p, t->values.n);
  BNN_TRY(bnn_csv_make_labels(table, t, err));
  return t->header ? copy_names(table, t, d, err) : BNN_OK;
}

static bnn_status make_table(bnn_csv **out, const bnn_csv_parser *t, bnn_err *err) {
  bnn_csv *table = bnn_mem_zalloc(1, sizeof *table);
  if (!table) return bnn_csv_no_memory(t, err);
  bnn_status status = fill_table(table, t, err);
  if (status == BNN_OK)
    *out = table;
  else
    bnn_csv_free(table);
  return status;
}

static bnn_status parse_text(bnn_csv **out, bnn_bytes *text, const char *name,
                             const bnn_csv_options *o, bnn_err *err) {
  char none[1], *p = text->p ? (char *)text->p : none; /* an empty text has no block */
  bnn_csv_parser t = {.in = {.name = name, .p = p, .end = p + text->n}, .o = o};
  bnn_bytes *list[] = {&t.in.cells, &t.first, &t.roles, &t.values, &t.labels, &t.unnamed};
  bnn_status status = parse_all(&t, err);
  if (status == BNN_OK) status = make_table(out, &t, err);
  for (size_t k = 0; k < sizeof list / sizeof *list; k++) bnn_bytes_free(list[k]);
  return status;
}

/* ---- files ---- */

static bnn_status read_and_close(bnn_csv **out, bnn_gzip *file, const bnn_csv_options *o,
                                 bnn_err *err) {
  bnn_bytes text = {.p = NULL};
  bnn_status status = bnn_csv_read_text(&text, file, err);
  if (status == BNN_OK) status = parse_text(out, &text, bnn_gzip_name(file), o, err);
  bnn_bytes_free(&text);
  bnn_gzip_close(file);
  return status;
}

bnn_status bnn_csv_read(bnn_csv **out, const char *path, const bnn_csv_options *options,
                        bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_open(&file, path, err));
  return read_and_close(out, file, options, err);
}

bnn_status bnn_csv_parse(bnn_csv **out, const void *bytes, size_t n, const char *name,
                         const bnn_csv_options *options, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_memory(&file, bytes, n, name, err));
  return read_and_close(out, file, options, err);
}
