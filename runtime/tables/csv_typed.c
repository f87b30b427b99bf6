/* csv_typed.c - see csv_typed.h.
 *
 * A first pass writes what are numbers, column by column, and learns which columns hold texts; the
 * text stays as it is.  Then it is clear whether the first record is a row too.  A second pass
 * numbers the texts of categories. */
#include "csv_typed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/stop.h"
#include "csv_categories.h"
#include "csv_parser.h"

typedef bnn_csv_cell cell;

/* A column that is being read. */
typedef struct column {
  bnn_csv_wanted wanted;
  bnn_csv_typed_column found;
  bnn_real *number; /* [room] of the rows, while all of them may be numbers */
  bool repeats;     /* the text of the first record is in the column again */
  bnn_csv_categories known;
} column;

typedef struct reader {
  bnn_csv_text *text;
  bnn_csv_records in;
  const bnn_csv_typed_options *o;
  bnn_csv_categories missing; /* marks of the options */
  column *column;             /* [columns] */
  size_t columns, room;       /* room: rows that there can be at most */
  size_t rows, line;          /* rows: read so far; line: of the row that is being read */
  bool header;
} reader;

static cell *first_of(const reader *r) { return bnn_csv_cells(&r->text->first); }

/* ---- errors ---- */

static bnn_status no_memory(const reader *r, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: no memory for a table of %zu columns", r->in.name,
                  r->columns);
}

/* "line 4, column 2 'age': 'x' is not a number" */
static bnn_status fail_cell(const reader *r, size_t k, const cell *c, const char *what,
                            bnn_err *err) {
  bnn_excerpt name = {""};
  const bnn_excerpt shown = bnn_excerpt_of(c->p, c->n);
  if (r->header) name = bnn_excerpt_of(first_of(r)[k].p, first_of(r)[k].n);
  const char *mark = r->header && first_of(r)[k].n ? "'" : "";
  return bnn_fail(err, BNN_EDATA, "%s: line %zu, column %zu%s%s%s%s: '%s' %s", r->in.name, r->line,
                  k + 1, *mark ? " " : "", mark, name.s, mark, shown.s, what);
}

static bnn_status fail_length(const reader *r, size_t columns, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "%s: line %zu has %zu cells, the first row has %zu", r->in.name,
                  r->line, columns, r->columns);
}

/* ---- a cell ---- */

static bool is_missing(const reader *r, const cell *c) {
  if (c->n == 0) return true;
  return (r->missing.n && bnn_csv_category_find(&r->missing, c) >= 0) || bnn_csv_is_missing_text(c);
}

static void put_number(column *to, size_t row, double v) {
  if (to->number) to->number[row] = (bnn_real)v;
}

/* Notes an integer that loses digits. */
static void look_at_digits(const reader *r, bnn_csv_typed_column *to, const cell *c, double v) {
  const double kept = (double)(bnn_real)v;
  if (fabs(v) < 0x1p24 || (kept == v && fabs(v) < 0x1p53) || !bnn_csv_is_integer(c)) return;
  if (to->rounded++ > 0) return;
  to->rounded_line = r->line;
  to->rounded_text = bnn_excerpt_of(c->p, c->n);
  to->rounded_to = kept;
}

/* Whether a cell of the first record and one of the text as it stands, where a quote in quotes is
 * two, hold the same. */
static bool is_same(const cell *first, const cell *raw) {
  const char *p = raw->p;
  if (first->n != raw->n) return false;
  for (size_t i = 0; i < first->n; i++) {
    p += raw->quoted && *p == '"';
    if (*p++ != first->p[i]) return false;
  }
  return true;
}

/* A cell that is there and no number. */
static bnn_status look_at_text(reader *r, size_t k, const cell *c, bnn_err *err) {
  column *to = &r->column[k];
  double v;
  if (to->wanted.kind == BNN_CSV_NUMBERS) return fail_cell(r, k, c, "is not a number", err);
  if (r->in.decimal == ',' && r->text->found_decimal && bnn_csv_number_with(&v, c, '.') &&
      to->wanted.kind == BNN_CSV_SEE_KIND)
    return fail_cell(r, k, c, "has a point, numbers before it a comma: decimal = \",\" or \".\"",
                     err);
  if (to->found.texts++ == 0) {
    to->found.text_line = r->line;
    to->found.text = bnn_excerpt_of(c->p, c->n);
    bnn_mem_free(to->number);
    to->number = NULL;
  }
  to->repeats = to->repeats || is_same(&first_of(r)[k], c);
  return BNN_OK;
}

static bnn_status look_at_cell(reader *r, size_t k, const cell *c, size_t row, bnn_err *err) {
  column *to = &r->column[k];
  double v;
  if (to->wanted.kind == BNN_CSV_IGNORED) return BNN_OK;
  const bool marked = c->n == 0 || r->missing.n;
  if (!(marked && is_missing(r, c)) && bnn_csv_number_with(&v, c, r->in.decimal)) {
    if (to->wanted.kind != BNN_CSV_CATEGORY && !(fabs(v) <= bnn_csv_real_max()))
      return fail_cell(r, k, c, "is more than a " BNN_REAL_NAME " can hold", err);
    to->found.numbers++;
    put_number(to, row, v);
    look_at_digits(r, &to->found, c, v);
    return BNN_OK;
  }
  put_number(to, row, NAN);
  return is_missing(r, c) ? BNN_OK : look_at_text(r, k, c, err);
}

static bnn_status look_at_row(reader *r, const cell *c, size_t row, bnn_err *err) {
  for (size_t k = 0; k < r->columns; k++) BNN_TRY(look_at_cell(r, k, &c[k], row, err));
  return BNN_OK;
}

static bnn_status fail_category(const reader *r, size_t k, const cell *c, bnn_err *err) {
  const bnn_csv_wanted *w = &r->column[k].wanted;
  char what[sizeof(bnn_csv_name_list) + 64];
  snprintf(what, sizeof what, "is none of the %zu categories: %s", w->categories,
           bnn_csv_list_names(w->category, w->categories).s);
  return fail_cell(r, k, c, what, err);
}

/* The place of a text in its column's categories, which grow unless they are given; -1: missing. */
static bnn_status place_cell(reader *r, size_t k, const cell *c, size_t row, bnn_err *err) {
  column *to = &r->column[k];
  int32_t place = -1;
  if (to->found.kind != BNN_CSV_CATEGORY) return BNN_OK;
  if (to->wanted.category) {
    place = bnn_csv_category_find(&to->known, c);
    if (place < 0 && !is_missing(r, c)) return fail_category(r, k, c, err);
  } else if (!is_missing(r, c)) {
    bnn_status status = bnn_csv_category_add(&to->known, &place, c);
    if (status == BNN_ERANGE) return fail_cell(r, k, c, "is one category too many", err);
    if (status != BNN_OK) return no_memory(r, err);
  }
  ((int32_t *)to->found.values->data)[row] = place;
  return BNN_OK;
}

static bnn_status place_row(reader *r, const cell *c, size_t row, bnn_err *err) {
  for (size_t k = 0; k < r->columns; k++) BNN_TRY(place_cell(r, k, &c[k], row, err));
  return BNN_OK;
}

/* ---- passes ---- */

typedef bnn_status each_row(reader *r, const cell *c, size_t row, bnn_err *err);

/* The rows behind the first record, from number `row` on; *rows: the number behind the last. */
static bnn_status pass_rows(reader *r, size_t row, bool looking, each_row *each, size_t *rows,
                            bnn_err *err) {
  r->in.p = r->text->in.p;
  r->in.line = r->text->in.line;
  r->in.looking = looking;
  for (; !bnn_csv_at_end(&r->in); row++) {
    size_t columns;
    if (bnn_stop_asked()) return bnn_fail(err, BNN_ESTOP, "before line %zu", r->in.line);
    BNN_TRY(bnn_csv_next(&r->in, &columns, err));
    const cell *c = bnn_csv_cells(&r->in.cells);
    r->line = r->in.at_line;
    if (columns == 1 && r->columns > 1 && c->n == 0 && !c->quoted) {
      row--; /* a blank line */
      continue;
    }
    if (columns != r->columns) return fail_length(r, columns, err);
    BNN_TRY(each(r, c, row, err));
  }
  *rows = row;
  return BNN_OK;
}

/* ---- the header ---- */

/* Whether the first record may be a header: names, and perhaps columns without one, as a separator
 * at the end of each line makes them.  *full: only the first column has none. */
static bool may_be_header(const reader *r, bool *full) {
  const cell *c = first_of(r);
  size_t names = 0;
  *full = true;
  for (size_t k = 0; k < r->columns; k++) {
    if (c[k].n != 0 && !bnn_csv_is_name(&c[k])) return false;
    names += c[k].n != 0;
    *full = *full && (c[k].n != 0 || k == 0);
  }
  return names > 0;
}

/* Whether the first record is a header, by what the other rows hold: numbers under a name, or texts
 * none of which is in it. */
static bool seems_header(const reader *r, size_t rows) {
  bool full, repeats = false;
  if (!may_be_header(r, &full)) return false;
  for (size_t k = 0; k < r->columns; k++) {
    const column *c = &r->column[k];
    if (c->wanted.kind == BNN_CSV_IGNORED) continue;
    if (c->found.numbers > 0 && c->found.texts == 0 && first_of(r)[k].n != 0) return true;
    repeats = repeats || c->repeats;
  }
  return rows == 0 || (full && !repeats);
}

/* Whether rows 1 to n of a column hold a number that is not whole. */
static bool has_fraction(const column *c, size_t n) {
  for (size_t i = 1; c->number && i < n; i++)
    if (c->number[i] == c->number[i] && c->number[i] != (bnn_real)trunc((double)c->number[i]))
      return true;
  return false;
}

/* Whether a first record that was taken for a row may hold names all the same: 0, 1, 2 as pandas
 * and NumPy number columns; integers that count, or rise over columns of fractions, such as years.
 * A text that is in its column again says that it is a row. */
static bool may_be_names(const reader *r, size_t rows) {
  size_t n = 0, fractions = 0;
  double first = 0, before = 0, v;
  bool counting = true;
  for (size_t k = 0; k < r->columns; k++) {
    const cell *c = &first_of(r)[k];
    if (r->column[k].repeats) return false;
    if (r->column[k].wanted.kind == BNN_CSV_IGNORED || !bnn_csv_number_with(&v, c, r->in.decimal))
      continue;
    if (!bnn_csv_is_integer(c) || (n > 0 && v <= before)) return false;
    if (n == 0) first = v;
    counting = counting && (n == 0 || v == before + 1);
    before = v;
    n++;
    fractions += has_fraction(&r->column[k], rows);
  }
  if (counting && n > 1) return first == 0 || fractions > 0;
  return n > 1 && fractions == n;
}

static bnn_status check_first(const reader *r, size_t rows, bnn_err *err) {
  const cell *c = first_of(r);
  if (!may_be_names(r, rows)) return BNN_OK;
  return bnn_fail(err, BNN_EDATA,
                  "%s: the first row is %s, %s%s: names or numbers? header = true if it holds "
                  "names, header = false if not",
                  r->in.name, bnn_excerpt_of(c[0].p, c[0].n).s, bnn_excerpt_of(c[1].p, c[1].n).s,
                  r->columns > 2 ? ", ..." : "");
}

/* The first pass.  Where nobody says what the first record is, row 0 is kept free for it. */
static bnn_status look(reader *r, bnn_err *err) {
  const bnn_csv_header said = r->o->header;
  size_t rows = 0;
  r->header = said == BNN_CSV_HEADER;
  BNN_TRY(pass_rows(r, !r->header, true, look_at_row, &rows, err));
  if (said == BNN_CSV_SEE_HEADER) r->header = seems_header(r, rows - 1);
  if (said == BNN_CSV_SEE_HEADER && !r->header) BNN_TRY(check_first(r, rows, err));
  r->line = r->text->first_line;
  if (!r->header) BNN_TRY(look_at_row(r, first_of(r), 0, err));
  r->rows = rows - (r->header && said == BNN_CSV_SEE_HEADER);
  if (r->rows == 0) return bnn_fail(err, BNN_EDATA, "%s: holds a header but no rows", r->in.name);
  return BNN_OK;
}

/* ---- columns ---- */

static cell cell_of(const char *text) {
  return (cell){(char *)(uintptr_t)text, strlen(text), false}; /* only read */
}

static bnn_status add_texts(bnn_csv_categories *to, const char *const *text, size_t n,
                            const reader *r, bnn_err *err) {
  for (size_t i = 0; i < n; i++) {
    const cell c = cell_of(text[i]);
    int32_t place;
    if (bnn_csv_category_add(to, &place, &c) != BNN_OK) return no_memory(r, err);
  }
  return BNN_OK;
}

/* How many rows there can be: no more than line ends, nor than the separators of a row allow. */
static size_t most_rows(const bnn_csv_text *t) {
  const char *p = t->in.p, *end = t->in.end;
  size_t lines = 2; /* the first record, and a last line without an end */
  const size_t most = (size_t)(end - p) / t->columns + 2;
  for (; p < end; p++) lines += *p == '\n' || *p == '\r';
  return lines < most ? lines : most;
}

static bnn_status begin_columns(reader *r, bnn_err *err) {
  r->column = bnn_mem_zalloc(r->columns, sizeof *r->column);
  if (!r->column) return no_memory(r, err);
  for (size_t k = 0; k < r->columns; k++) {
    column *c = &r->column[k];
    if (r->o->column) c->wanted = r->o->column[k];
    if (c->wanted.category)
      BNN_TRY(add_texts(&c->known, c->wanted.category, c->wanted.categories, r, err));
    if (c->wanted.kind == BNN_CSV_IGNORED || c->wanted.kind == BNN_CSV_CATEGORY) continue;
    c->number = bnn_mem_alloc(r->room, sizeof *c->number);
    if (!c->number) return no_memory(r, err);
  }
  return add_texts(&r->missing, r->o->missing, r->o->n_missing, r, err);
}

/* What the first pass has shown of a column: its kind, and its numbers. */
static bnn_status settle_column(reader *r, column *c, bnn_err *err) {
  c->found.kind = c->wanted.kind;
  if (c->wanted.kind == BNN_CSV_SEE_KIND)
    c->found.kind = c->found.texts ? BNN_CSV_CATEGORY : BNN_CSV_NUMBERS;
  if (c->found.kind == BNN_CSV_IGNORED) return BNN_OK;
  const bool numbers = c->found.kind == BNN_CSV_NUMBERS;
  BNN_TRY(bnn_tensor_new(&c->found.values, numbers ? BNN_REAL : BNN_I32, 1, &r->rows, err));
  /* row 0 is there and no row when the first record was found to be the header */
  const size_t skip = r->header && r->o->header == BNN_CSV_SEE_HEADER;
  if (numbers) memcpy(c->found.values->data, c->number + skip, r->rows * sizeof *c->number);
  bnn_mem_free(c->number);
  c->number = NULL;
  return BNN_OK;
}

/* The texts of a column as one block: their addresses, then the texts, each with a zero byte. */
static bnn_status copy_texts(column *c, const reader *r, bnn_err *err) {
  const cell *from = bnn_csv_cells(&c->known.texts);
  const size_t n = c->known.n;
  size_t bytes = n * sizeof(char *);
  if (n == 0) return BNN_OK;
  for (size_t i = 0; i < n; i++) bytes += from[i].n + 1;
  char **text = bnn_mem_alloc(bytes, 1), *to = (char *)text + n * sizeof *text;
  if (!text) return no_memory(r, err);
  for (size_t i = 0; i < n; i++) {
    text[i] = memcpy(to, from[i].p, from[i].n);
    to[from[i].n] = 0;
    to += from[i].n + 1;
  }
  c->found.category = text;
  c->found.categories = n;
  return BNN_OK;
}

/* Categories that were found get their order, and values their places in it. */
static bnn_status sort_column(column *c, const reader *r, bnn_err *err) {
  int32_t *place = bnn_mem_alloc(c->known.n + 1, sizeof *place), *value;
  if (!place) return no_memory(r, err);
  if (bnn_csv_categories_sort(&c->known, place, r->in.decimal) != BNN_OK) {
    bnn_mem_free(place);
    return no_memory(r, err);
  }
  value = c->found.values->data;
  for (size_t i = 0; i < r->rows; i++)
    if (value[i] >= 0) value[i] = place[value[i]];
  bnn_mem_free(place);
  return BNN_OK;
}

static bnn_status make_categories(reader *r, bnn_err *err) {
  bool any = false;
  size_t rows = 0;
  for (size_t k = 0; k < r->columns; k++) any = any || r->column[k].found.kind == BNN_CSV_CATEGORY;
  if (!any) return BNN_OK;
  r->line = r->text->first_line;
  if (!r->header) BNN_TRY(place_row(r, first_of(r), 0, err));
  BNN_TRY(pass_rows(r, !r->header, false, place_row, &rows, err));
  for (size_t k = 0; k < r->columns; k++) {
    column *c = &r->column[k];
    if (c->found.kind != BNN_CSV_CATEGORY) continue;
    if (!c->wanted.category) BNN_TRY(sort_column(c, r, err));
    BNN_TRY(copy_texts(c, r, err));
  }
  return BNN_OK;
}

static bnn_status read_all(reader *r, bnn_err *err) {
  BNN_TRY(begin_columns(r, err));
  BNN_TRY(look(r, err));
  for (size_t k = 0; k < r->columns; k++) BNN_TRY(settle_column(r, &r->column[k], err));
  return make_categories(r, err);
}

/* ---- the table ---- */

static void free_column(bnn_csv_typed_column *c) {
  bnn_tensor_unref(c->values);
  bnn_mem_free(c->category);
}

void bnn_csv_typed_free(bnn_csv_typed *t) {
  if (!t) return;
  for (size_t k = 0; t->column && k < t->columns; k++) free_column(&t->column[k]);
  bnn_mem_free(t->column);
  bnn_mem_free(t);
}

/* Moves what was found into a table. */
static bnn_status make_table(bnn_csv_typed **out, reader *r, bnn_err *err) {
  bnn_csv_typed *t = bnn_mem_zalloc(1, sizeof *t);
  if (t) t->column = bnn_mem_zalloc(r->columns, sizeof *t->column);
  if (!t || !t->column) {
    bnn_mem_free(t);
    return no_memory(r, err);
  }
  t->columns = r->columns;
  t->rows = r->rows;
  t->header = r->header;
  for (size_t k = 0; k < r->columns; k++) {
    t->column[k] = r->column[k].found;
    r->column[k].found = (bnn_csv_typed_column){.values = NULL};
  }
  *out = t;
  return BNN_OK;
}

static void fini(reader *r) {
  for (size_t k = 0; r->column && k < r->columns; k++) {
    free_column(&r->column[k].found);
    bnn_mem_free(r->column[k].number);
    bnn_csv_categories_free(&r->column[k].known);
  }
  bnn_mem_free(r->column);
  bnn_csv_categories_free(&r->missing);
  bnn_bytes_free(&r->in.cells);
}

bnn_status bnn_csv_typed_read(bnn_csv_typed **out, bnn_csv_text *text,
                              const bnn_csv_typed_options *options, bnn_err *err) {
  reader r = {.text = text, .in = text->in, .o = options, .columns = text->columns};
  r.room = most_rows(text);
  bnn_status status = read_all(&r, err);
  if (status == BNN_OK) status = make_table(out, &r, err);
  fini(&r);
  return status;
}
