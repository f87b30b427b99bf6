/* csv.c - reading tables.
 *
 * The whole text is read, then parsed in one pass; quoted cells are unescaped where they stand.
 * Values grow with the rows.  Labels are kept as places in the text until all are known, since only
 * then is it clear whether they are classes or numbers. */
#include "csv.h"

#include <ctype.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "number.h"

enum {
  NUMBER_MAX = 400,    /* characters of a number */
  RATIO_MAX = 100,     /* bytes of text for a byte of the file, */
  TEXT_FREE = 1 << 26, /* which counts for texts longer than this: CSV compresses 3 to 30 times */
  COLUMNS_MAX = 1 << 20,
};

/* A place in the text. */
typedef struct cell {
  char *p;
  size_t n;
  bool quoted;
} cell;

typedef struct parser {
  const char *name; /* of the file */
  char *p, *end;
  char separator;
  size_t line;         /* at p, from 1 */
  size_t row, at_line; /* of the record being read; row 0 is the header */
  bnn_bytes cells;     /* cell [columns] of this record */
  bnn_bytes header;    /* cell [columns], or empty */
  bnn_bytes values;    /* bnn_real [n, d] */
  bnn_bytes labels;    /* cell [n] */
  size_t columns;
  size_t label; /* its column from 0, or SIZE_MAX */
} parser;

static cell *cells_of(const bnn_bytes *b) { return (cell *)(void *)b->p; }

/* ---- errors ---- */

static bnn_excerpt excerpt_of(const cell *c) { return bnn_excerpt_of(c->p, c->n); }

/* "row 3 (line 4), column 2 'age'" */
static bnn_status fail_cell(const parser *t, size_t column, const char *what, bnn_err *err) {
  bnn_excerpt named = {""};
  if (t->header.n) named = excerpt_of(&cells_of(&t->header)[column]);
  return bnn_fail(err, BNN_EDATA, "%s: row %zu (line %zu), column %zu%s%s%s: %s", t->name, t->row,
                  t->at_line, column + 1, t->header.n ? " '" : "", named.s, t->header.n ? "'" : "",
                  what);
}

static bnn_status fail_number(const parser *t, size_t column, const cell *c, const char *why,
                              bnn_err *err) {
  char what[sizeof(bnn_excerpt) + 64] = "'";
  strcat(strcat(strcat(what, excerpt_of(c).s), "' "), why);
  return fail_cell(t, column, c->n || c->quoted ? what : "a missing value", err);
}

static bnn_status fail_line(const parser *t, const char *what, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "%s: line %zu: %s", t->name, t->at_line, what);
}

static bnn_status no_memory(const parser *t, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: no memory for the table", t->name);
}

/* ---- cells and records ---- */

static bool is_blank(const parser *t, char c) {
  return c == ' ' || (c == '\t' && t->separator != '\t');
}

static bool at_line_end(const parser *t) {
  return t->p == t->end || *t->p == '\n' || *t->p == '\r';
}

static void pass_line_end(parser *t) {
  if (t->p < t->end && *t->p == '\r') t->p++;
  if (t->p < t->end && *t->p == '\n') t->p++;
  t->line++;
}

static void skip_blanks(parser *t) {
  while (t->p < t->end && is_blank(t, *t->p)) t->p++;
}

/* A quoted cell, from behind its first quote; what it holds moves over the escapes. */
static bnn_status read_quoted(parser *t, cell *c, bnn_err *err) {
  char *to = t->p;
  *c = (cell){t->p, 0, true};
  for (;; t->p++) {
    if (t->p == t->end) return fail_line(t, "a quote is not closed", err);
    if (*t->p == '"' && (t->p + 1 == t->end || t->p[1] != '"')) break;
    if (*t->p == '"') t->p++;
    t->line += *t->p == '\n';
    *to++ = *t->p;
  }
  c->n = (size_t)(to - c->p);
  t->p++;
  skip_blanks(t);
  if (at_line_end(t) || *t->p == t->separator) return BNN_OK;
  return fail_line(t, "text follows a closing quote", err);
}

static bnn_status read_cell(parser *t, cell *c, bnn_err *err) {
  skip_blanks(t);
  if (t->p < t->end && *t->p == '"') {
    t->p++;
    return read_quoted(t, c, err);
  }
  *c = (cell){t->p, 0, false};
  while (!at_line_end(t) && *t->p != t->separator) t->p++;
  char *end = t->p;
  while (end > c->p && is_blank(t, end[-1])) end--;
  c->n = (size_t)(end - c->p);
  return BNN_OK;
}

/* The next record into t->cells. */
static bnn_status read_record(parser *t, size_t *columns, bnn_err *err) {
  cell c;
  *columns = 0;
  t->cells.n = 0;
  t->at_line = t->line;
  for (;; t->p++) {
    BNN_TRY(read_cell(t, &c, err));
    if (bnn_bytes_add(&t->cells, &c, sizeof c, NULL) != BNN_OK) return no_memory(t, err);
    if (++*columns > COLUMNS_MAX) return fail_line(t, "more than 1048576 columns", err);
    if (at_line_end(t)) break;
  }
  pass_line_end(t);
  return BNN_OK;
}

/* Whether nothing but blank lines is left. */
static bool at_end(const parser *t) {
  for (const char *p = t->p; p < t->end; p++)
    if (!is_blank(t, *p) && *p != '\n' && *p != '\r') return false;
  return true;
}

/* ---- numbers ---- */

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* What stands in a number, as decimal digits and a power of ten. */
typedef struct decimal {
  bool negative, rounded; /* rounded: more digits than `digits` holds */
  uint64_t digits;
  int exponent, seen; /* seen: digits */
} decimal;

static const char *read_digits(const char *p, const char *end, decimal *d, bool fraction) {
  for (; p < end && isdigit((unsigned char)*p); p++, d->seen++) {
    if (d->digits < UINT64_MAX / 10 - 1) {
      d->digits = 10 * d->digits + (uint64_t)(*p - '0');
      d->exponent -= fraction;
    } else {
      d->rounded = true;
      d->exponent += !fraction;
    }
  }
  return p;
}

static const char *read_exponent(const char *p, const char *end, decimal *d) {
  const char *from = p;
  int e = 0;
  if (p == end || (*p != 'e' && *p != 'E')) return p;
  p++;
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end || !isdigit((unsigned char)*p)) return from;
  for (; p < end && isdigit((unsigned char)*p); p++)
    if (e < 100000) e = 10 * e + (*p - '0');
  d->exponent += negative ? -e : e;
  return p;
}

static bool read_decimal(decimal *d, const cell *c) {
  const char *p = c->p, *end = c->p + c->n;
  *d = (decimal){.negative = p < end && *p == '-'};
  if (p < end && (*p == '-' || *p == '+')) p++;
  p = read_digits(p, end, d, false);
  if (p < end && *p == '.') p = read_digits(p + 1, end, d, true);
  if (d->seen == 0) return false;
  return read_exponent(p, end, d) == end;
}

/* The double nearest to a cell's number.  Up to 2^53 and 10^22 one product or quotient of exact
 * doubles is rounded once (Clinger 1990); the rest is the library's. */
static bool read_number(double *v, const cell *c) {
  decimal d;
  if (c->n > NUMBER_MAX || !read_decimal(&d, c)) return false;
  if (d.rounded || d.digits > (uint64_t)1 << 53 || d.exponent < -22 || d.exponent > 22) {
    char text[NUMBER_MAX + 1];
    memcpy(text, c->p, c->n);
    text[c->n] = 0;
    *v = bnn_number_read(text, NULL);
    return true;
  }
  double m = (double)d.digits;
  m = d.exponent < 0 ? m / power_of_ten[-d.exponent] : m * power_of_ten[d.exponent];
  *v = d.negative ? -m : m;
  return true;
}

static bool is_number(const cell *c) {
  decimal d;
  return c->n <= NUMBER_MAX && read_decimal(&d, c);
}

static double real_max(void) { return BNN_REAL == BNN_F32 ? 0x1.fffffefffffffp127 : DBL_MAX; }

/* ---- rows ---- */

static bnn_status add_value(parser *t, size_t column, const cell *c, bnn_err *err) {
  double v;
  if (!read_number(&v, c)) return fail_number(t, column, c, "is not a number", err);
  if (!(fabs(v) <= real_max()))
    return fail_number(t, column, c, "is more than a " BNN_REAL_NAME " can hold", err);
  bnn_real value = (bnn_real)v;
  return bnn_bytes_add(&t->values, &value, sizeof value, NULL) == BNN_OK ? BNN_OK
                                                                         : no_memory(t, err);
}

static bnn_status add_label(parser *t, size_t column, const cell *c, bnn_err *err) {
  if (c->n == 0) return fail_cell(t, column, "a missing label", err);
  return bnn_bytes_add(&t->labels, c, sizeof *c, NULL) == BNN_OK ? BNN_OK : no_memory(t, err);
}

/* The record in t->cells is a row of the table. */
static bnn_status add_row(parser *t, size_t columns, bnn_err *err) {
  t->row++;
  if (columns != t->columns)
    return bnn_fail(err, BNN_EDATA, "%s: row %zu (line %zu) has %zu cells, the first has %zu",
                    t->name, t->row, t->at_line, columns, t->columns);
  for (size_t k = 0; k < columns; k++) {
    const cell *c = &cells_of(&t->cells)[k];
    BNN_TRY(k == t->label ? add_label(t, k, c, err) : add_value(t, k, c, err));
  }
  return BNN_OK;
}

/* ---- the first record ---- */

static bool has_number(const parser *t, size_t columns) {
  for (size_t k = 0; k < columns; k++)
    if (is_number(&cells_of(&t->cells)[k])) return true;
  return false;
}

static bnn_status find_named(parser *t, const char *label, bnn_err *err) {
  if (!t->header.n)
    return bnn_fail(err, BNN_ERANGE, "%s: has no header, so no column is named '%s'", t->name,
                    label);
  for (size_t k = 0; k < t->columns; k++) {
    const cell *c = &cells_of(&t->header)[k];
    if (c->n == strlen(label) && memcmp(c->p, label, c->n) == 0) {
      t->label = k;
      return BNN_OK;
    }
  }
  return bnn_fail(err, BNN_ERANGE, "%s: no column is named '%s'; the first of %zu is '%s'", t->name,
                  label, t->columns, excerpt_of(cells_of(&t->header)).s);
}

static bnn_status find_label(parser *t, const bnn_csv_options *o, bnn_err *err) {
  t->label = SIZE_MAX;
  if (o->label) return find_named(t, o->label, err);
  if (o->column == 0) return BNN_OK;
  size_t from_end = o->column < 0 ? (size_t) - (long)o->column : 0;
  size_t at = o->column > 0 ? (size_t)o->column - 1 : t->columns - from_end;
  if (from_end > t->columns || at >= t->columns)
    return bnn_fail(err, BNN_ERANGE, "%s: the labels are to be column %d, there are %zu", t->name,
                    o->column, t->columns);
  t->label = at;
  return BNN_OK;
}

static bnn_status read_first(parser *t, const bnn_csv_options *o, bnn_err *err) {
  if (at_end(t)) return bnn_fail(err, BNN_EDATA, "%s: holds no rows", t->name);
  BNN_TRY(read_record(t, &t->columns, err));
  bool header = o->header == BNN_CSV_HEADER ||
                (o->header == BNN_CSV_SEE_HEADER && !has_number(t, t->columns));
  if (header) {
    t->header = t->cells;
    t->cells = (bnn_bytes){.p = NULL};
  }
  BNN_TRY(find_label(t, o, err));
  if (t->columns == 1 && t->label == 0)
    return bnn_fail(err, BNN_EDATA, "%s: has no column besides the labels", t->name);
  return header ? BNN_OK : add_row(t, t->columns, err);
}

/* The separator that the first line has most of. */
static char find_separator(const parser *t) {
  static const char candidates[] = ",\t;";
  size_t count[3] = {0}, best = 0;
  bool quoted = false;
  for (const char *p = t->p; p < t->end && (quoted || (*p != '\n' && *p != '\r')); p++) {
    if (*p == '"') quoted = !quoted;
    const char *at = quoted || !*p ? NULL : strchr(candidates, *p);
    if (at) count[at - candidates]++;
  }
  for (size_t k = 1; k < 3; k++)
    if (count[k] > count[best]) best = k;
  return candidates[best];
}

static bnn_status parse_all(parser *t, const bnn_csv_options *o, bnn_err *err) {
  size_t columns;
  if (t->end - t->p >= 3 && memcmp(t->p, "\xef\xbb\xbf", 3) == 0) t->p += 3;
  t->line = 1;
  t->separator = o->separator ? o->separator : find_separator(t);
  BNN_TRY(read_first(t, o, err));
  while (t->p < t->end) {
    if (at_end(t)) break;
    BNN_TRY(read_record(t, &columns, err));
    BNN_TRY(add_row(t, columns, err));
  }
  return t->row ? BNN_OK : bnn_fail(err, BNN_EDATA, "%s: holds a header but no rows", t->name);
}

/* ---- labels ---- */

static int compare_cells(const void *a, const void *b) {
  const cell *x = a, *y = b;
  int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
  return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* 0: text, 1: numbers, 2: integers that fit. */
static int kind_of_labels(const parser *t) {
  int kind = 2;
  for (size_t i = 0; i < t->row; i++) {
    double v;
    if (!read_number(&v, &cells_of(&t->labels)[i]) || !(fabs(v) <= real_max())) return 0;
    if (v != trunc(v) || v < INT32_MIN || v > INT32_MAX) kind = 1;
  }
  return kind;
}

static bnn_status number_labels(bnn_csv *table, const parser *t, bnn_dtype dtype, bnn_err *err) {
  BNN_TRY(bnn_tensor_new(&table->y, dtype, 1, &t->row, err));
  for (size_t i = 0; i < t->row; i++) {
    double v = 0;
    read_number(&v, &cells_of(&t->labels)[i]);
    bnn_tensor_set(table->y, i, v);
  }
  return BNN_OK;
}

/* The texts of cells [n] but one (skip), as one block: their addresses, then the texts, each with a
 * zero byte. */
static bnn_status copy_texts(char ***out, size_t *count, const cell *c, size_t n, size_t skip,
                             const parser *t, bnn_err *err) {
  size_t bytes = n * sizeof **out;
  for (size_t i = 0; i < n; i++) bytes += c[i].n + 1;
  char **text = bnn_mem_alloc(bytes, 1), *to = (char *)text + n * sizeof *text;
  if (!text) return no_memory(t, err);
  *count = 0;
  for (size_t i = 0; i < n; i++) {
    if (i == skip) continue;
    text[(*count)++] = memcpy(to, c[i].p, c[i].n);
    to[c[i].n] = 0;
    to += c[i].n + 1;
  }
  *out = text;
  return BNN_OK;
}

/* Sorts classes [n] and drops what is there twice; returns how many are left. */
static size_t unique(cell *classes, size_t n) {
  size_t kept = 0;
  qsort(classes, n, sizeof *classes, compare_cells);
  for (size_t i = 0; i < n; i++)
    if (kept == 0 || compare_cells(&classes[kept - 1], &classes[i]) != 0)
      classes[kept++] = classes[i];
  return kept;
}

static bnn_status class_labels(bnn_csv *table, const parser *t, bnn_err *err) {
  const cell *labels = cells_of(&t->labels);
  cell *classes = bnn_mem_alloc(t->row, sizeof *classes);
  if (!classes) return no_memory(t, err);
  memcpy(classes, labels, t->row * sizeof *classes);
  size_t n = unique(classes, t->row);
  bnn_status status = bnn_tensor_new(&table->y, BNN_I32, 1, &t->row, err);
  for (size_t i = 0; status == BNN_OK && i < t->row; i++) {
    const cell *found = bsearch(&labels[i], classes, n, sizeof *classes, compare_cells);
    ((int32_t *)table->y->data)[i] = (int32_t)(found - classes);
  }
  if (status == BNN_OK)
    status = copy_texts(&table->class_name, &table->classes, classes, n, SIZE_MAX, t, err);
  bnn_mem_free(classes);
  return status;
}

static bnn_status make_labels(bnn_csv *table, const parser *t, bnn_err *err) {
  if (t->label == SIZE_MAX) return BNN_OK;
  int kind = kind_of_labels(t);
  if (kind == 0) return class_labels(table, t, err);
  return number_labels(table, t, kind == 2 ? BNN_I32 : BNN_REAL, err);
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

static bnn_status fill_table(bnn_csv *table, const parser *t, bnn_err *err) {
  size_t named = 0, d = t->columns - (t->label != SIZE_MAX);
  BNN_TRY(bnn_tensor_new(&table->x, BNN_REAL, 2, (size_t[]){t->row, d}, err));
  memcpy(table->x->data, t->values.p, t->values.n);
  BNN_TRY(make_labels(table, t, err));
  if (!t->header.n) return BNN_OK;
  return copy_texts(&table->name, &named, cells_of(&t->header), t->columns, t->label, t, err);
}

static bnn_status make_table(bnn_csv **out, const parser *t, bnn_err *err) {
  bnn_csv *table = bnn_mem_zalloc(1, sizeof *table);
  if (!table) return no_memory(t, err);
  bnn_status status = fill_table(table, t, err);
  if (status == BNN_OK)
    *out = table;
  else
    bnn_csv_free(table);
  return status;
}

static bnn_status parse_text(bnn_csv **out, bnn_bytes *text, const char *name,
                             const bnn_csv_options *o, bnn_err *err) {
  parser t = {.name = name, .p = (char *)text->p, .end = (char *)text->p + text->n};
  bnn_status status = parse_all(&t, o, err);
  if (status == BNN_OK) status = make_table(out, &t, err);
  bnn_bytes_free(&t.cells);
  bnn_bytes_free(&t.header);
  bnn_bytes_free(&t.values);
  bnn_bytes_free(&t.labels);
  return status;
}

/* ---- files ---- */

/* Blocks that double: of a pipe, whose length is not known. */
static bnn_status read_growing(bnn_bytes *text, bnn_gzip *file, bnn_err *err) {
  char part[1 << 14];
  size_t got = 0;
  do {
    BNN_TRY(bnn_gzip_read(file, part, sizeof part, &got, err));
    if (bnn_bytes_add(text, part, got, NULL) != BNN_OK)
      return bnn_fail(err, BNN_ENOMEM, "%s: no memory for its text", bnn_gzip_name(file));
  } while (got != 0);
  return BNN_OK;
}

static bnn_status read_text(bnn_bytes *text, bnn_gzip *file, bnn_err *err) {
  uint64_t size = bnn_gzip_size(file), most = TEXT_FREE, count;
  if (size == 0) return read_growing(text, file, err);
  if (size > most / RATIO_MAX) most = size < UINT64_MAX / RATIO_MAX ? size * RATIO_MAX : UINT64_MAX;
  BNN_TRY(bnn_gzip_count(file, most, &count, err));
  if (count == most && bnn_gzip_is_compressed(file))
    return bnn_fail(err, BNN_EDATA, "%s: decompresses to more than %d times its size",
                    bnn_gzip_name(file), RATIO_MAX);
  bnn_source source = bnn_source_gzip(file);
  return bnn_bytes_read(text, &source, (size_t)count, "its text", err);
}

static bnn_status read_and_close(bnn_csv **out, bnn_gzip *file, const bnn_csv_options *o,
                                 bnn_err *err) {
  bnn_bytes text = {.p = NULL};
  bnn_status status = read_text(&text, file, err);
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
