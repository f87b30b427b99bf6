/* csv_records.c - cutting the text of a table into cells; quoted cells are unescaped where they
 * stand. */
#include "csv_records.h"

#include <string.h>

enum {
  BLANKS = ' ',      /* as a separator */
  RECORDS_SEEN = 20, /* by which the separator is found */
  COLUMNS_MAX = 1 << 20,
};

static bnn_status fail_line(const bnn_csv_records *r, const char *what, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "%s: line %zu: %s", r->name, r->at_line, what);
}

static bool at_line_end(const bnn_csv_records *r) {
  return r->p == r->end || *r->p == '\n' || *r->p == '\r';
}

/* Blanks around cells; a tab is one unless it separates them. */
static bool is_blank(const bnn_csv_records *r, char c) {
  return c == ' ' || (c == '\t' && r->separator != '\t');
}

static bool is_separator(const bnn_csv_records *r, char c) {
  return r->separator == BLANKS ? is_blank(r, c) : c == r->separator;
}

static void skip_blanks(bnn_csv_records *r) {
  while (r->p < r->end && is_blank(r, *r->p)) r->p++;
}

static void pass_line_end(bnn_csv_records *r) {
  if (r->p < r->end && *r->p == '\r') r->p++;
  if (r->p < r->end && *r->p == '\n') r->p++;
  r->line++;
}

/* Whether another cell follows the one that was read; what separates them is passed. */
static bool pass_separator(bnn_csv_records *r) {
  if (r->separator == BLANKS) skip_blanks(r);
  if (at_line_end(r)) return false;
  if (r->separator != BLANKS) r->p++;
  return true;
}

/* A quoted cell, from after its first quote; what it holds moves over the escapes. */
static bnn_status read_quoted(bnn_csv_records *r, bnn_csv_cell *c, bnn_err *err) {
  char *to = r->p;
  *c = (bnn_csv_cell){r->p, 0, true};
  for (;; r->p++) {
    if (r->p == r->end) return fail_line(r, "a quote is not closed", err);
    if (*r->p == '"' && (r->p + 1 == r->end || r->p[1] != '"')) break;
    if (*r->p == '"') r->p++;
    r->line += *r->p == '\n';
    if (!r->looking) *to = *r->p;
    to++;
  }
  c->n = (size_t)(to - c->p);
  r->p++;
  if (r->separator != BLANKS) skip_blanks(r);
  if (at_line_end(r) || is_separator(r, *r->p)) return BNN_OK;
  return fail_line(r, "text follows a closing quote", err);
}

static bnn_status read_cell(bnn_csv_records *r, bnn_csv_cell *c, bnn_err *err) {
  skip_blanks(r);
  if (r->p < r->end && *r->p == '"') {
    r->p++;
    return read_quoted(r, c, err);
  }
  *c = (bnn_csv_cell){r->p, 0, false};
  while (!at_line_end(r) && !is_separator(r, *r->p)) r->p++;
  char *end = r->p;
  while (end > c->p && is_blank(r, end[-1])) end--;
  c->n = (size_t)(end - c->p);
  return BNN_OK;
}

bnn_status bnn_csv_next(bnn_csv_records *r, size_t *columns, bnn_err *err) {
  bnn_csv_cell c;
  *columns = 0;
  r->cells.n = 0;
  r->at_line = r->line;
  do {
    BNN_TRY(read_cell(r, &c, err));
    if (bnn_bytes_add(&r->cells, &c, sizeof c, NULL) != BNN_OK)
      return bnn_fail(err, BNN_ENOMEM, "%s: no memory for a row", r->name);
    if (++*columns > COLUMNS_MAX) return fail_line(r, "more than 1048576 columns", err);
  } while (pass_separator(r));
  pass_line_end(r);
  return BNN_OK;
}

bool bnn_csv_at_end(const bnn_csv_records *r) {
  for (const char *p = r->p; p < r->end; p++)
    if (!is_blank(r, *p) && *p != '\n' && *p != '\r') return false;
  return true;
}

/* ---- the separator ---- */

typedef enum evenness {
  UNEVEN,
  SHORT_FIRST, /* the first record is one cell short: a header over a table with names of rows */
  EVEN         /* all records have the same number of cells, more than one */
} evenness;

/* The first records, as a separator cuts them. */
typedef struct cut {
  evenness even;
  size_t first; /* cells of the first record */
  size_t cells, numbers;
  size_t commas; /* numbers with a decimal comma */
} cut;

/* What is left of `even` after record i, from 0, of so many cells. */
static evenness still_even(evenness even, size_t i, size_t columns, size_t first) {
  if (i == 0) return columns > 1 ? EVEN : SHORT_FIRST;
  if (columns == first + 1 && (i == 1 || even == SHORT_FIRST)) return SHORT_FIRST;
  return even == EVEN && columns == first ? EVEN : UNEVEN;
}

static void count_cell(cut *c, const bnn_csv_cell *of, char separator) {
  double v;
  c->cells++;
  if (bnn_csv_is_number(of))
    c->numbers++;
  else if (separator != ',' && bnn_csv_number_with(&v, of, ','))
    c->numbers++, c->commas++;
}

static bnn_status try_separator(cut *out, bnn_csv_records r, char separator, bnn_err *err) {
  size_t columns, i = 0;
  cut c = {.even = SHORT_FIRST};
  bnn_status status = BNN_OK;
  r.looking = true;
  r.separator = separator;
  r.cells = (bnn_bytes){.p = NULL};
  for (; status == BNN_OK && i < RECORDS_SEEN && !bnn_csv_at_end(&r); i++) {
    status = bnn_csv_next(&r, &columns, err);
    if (i == 0) c.first = columns + (status != BNN_OK);
    c.even = still_even(c.even, i, columns, c.first);
    for (size_t k = 0; k < columns && status == BNN_OK; k++)
      count_cell(&c, &bnn_csv_cells(&r.cells)[k], separator);
  }
  if (status != BNN_OK || (c.even == SHORT_FIRST && i < 2)) c.even = UNEVEN;
  bnn_bytes_free(&r.cells);
  *out = c;
  return status == BNN_ENOMEM ? status : BNN_OK;
}

/* Of even ones by the share of numbers, which is compared without a division; blanks stand in any
 * text, so they separate cells only where nothing else gives numbers.  A comma that stands in
 * numbers separates nothing.  Where no separator is even, the table is at fault, and the one that
 * the first record has most of shows it best. */
static bool is_better(const cut *a, const cut *b, char separator) {
  if (a->even != b->even) return a->even > b->even;
  if (a->even == UNEVEN) return separator != BLANKS && a->first > b->first;
  if (separator == BLANKS) return a->numbers > 0 && b->numbers == 0;
  if (!a->commas != !b->commas) return a->commas > 0;
  const size_t ours = a->numbers * b->cells, theirs = b->numbers * a->cells;
  return ours != theirs ? ours > theirs : a->first > b->first;
}

bnn_status bnn_csv_find_separator(char *separator, const bnn_csv_records *r, bnn_err *err) {
  static const char candidates[] = {',', '\t', ';', '|', BLANKS};
  cut best = {.even = UNEVEN};
  *separator = ',';
  for (size_t k = 0; k < sizeof candidates; k++) {
    cut c;
    BNN_TRY(try_separator(&c, *r, candidates[k], err));
    if (!is_better(&c, &best, candidates[k])) continue;
    best = c;
    *separator = candidates[k];
  }
  return BNN_OK;
}
