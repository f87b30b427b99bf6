/* csv_text.c - see csv_text.h. */
#include "csv_text.h"

#include <string.h>

#include "../base/mem.h"

enum {
  RATIO_MAX = 100,     /* bytes of text for a byte of the file, */
  TEXT_FREE = 1 << 26, /* which counts for texts longer than this: CSV compresses 3 to 30 times */
  RECORDS_SEEN = 100,  /* by which the decimal sign is found */
};

/* ---- bytes ---- */

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

bnn_status bnn_csv_read_text(bnn_bytes *text, bnn_gzip *file, bnn_err *err) {
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

bnn_status bnn_csv_begin(bnn_csv_records *in, bnn_err *err) {
  size_t n = (size_t)(in->end - in->p);
  const char *zero = n ? memchr(in->p, 0, n) : NULL;
  if (zero)
    return bnn_fail(err, BNN_EDATA,
                    "%s: expected text in UTF-8, got a zero byte at %zu (is it UTF-16?)", in->name,
                    (size_t)(zero - in->p) + 1);
  if (n >= 3 && memcmp(in->p, "\xef\xbb\xbf", 3) == 0) in->p += 3;
  in->line = 1;
  return BNN_OK;
}

/* ---- the decimal sign ---- */

/* How many cells of the next records are numbers with a comma, and how many with a point. */
static bnn_status count_signs(size_t *commas, size_t *points, bnn_csv_records r, bnn_err *err) {
  size_t columns;
  bnn_status status = BNN_OK;
  r.looking = true;
  r.cells = (bnn_bytes){.p = NULL};
  *commas = *points = 0;
  for (int i = 0; status == BNN_OK && i < RECORDS_SEEN && !bnn_csv_at_end(&r); i++) {
    status = bnn_csv_next(&r, &columns, err);
    for (size_t k = 0; k < columns && status == BNN_OK; k++) {
      const bnn_csv_cell *c = &bnn_csv_cells(&r.cells)[k];
      double v;
      *commas += memchr(c->p, ',', c->n) && bnn_csv_number_with(&v, c, ',');
      *points += memchr(c->p, '.', c->n) && bnn_csv_number_with(&v, c, '.');
    }
  }
  bnn_bytes_free(&r.cells);
  return status == BNN_EDATA ? BNN_OK : status; /* what is wrong is said when it is read */
}

static bnn_status find_decimal(bnn_csv_text *t, bnn_err *err) {
  size_t commas = 0, points = 0;
  t->found_decimal = true;
  if (t->in.separator != ',') BNN_TRY(count_signs(&commas, &points, t->in, err));
  t->in.decimal = commas > 0 && points == 0 ? ',' : '.';
  return BNN_OK;
}

/* ---- the first record ---- */

static bnn_status no_memory(const bnn_csv_text *t, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: no memory for its first row", t->in.name);
}

/* R's write.table puts no name above the names of rows. */
static bnn_status add_corner(bnn_csv_text *t, bnn_err *err) {
  const bnn_csv_cell corner = {t->text.p ? (char *)t->text.p : NULL, 0, false};
  bnn_bytes longer = {.p = NULL};
  bnn_status status = bnn_bytes_add(&longer, &corner, sizeof corner, NULL);
  if (status == BNN_OK) status = bnn_bytes_add(&longer, t->first.p, t->first.n, NULL);
  bnn_bytes_free(status == BNN_OK ? &t->first : &longer);
  if (status != BNN_OK) return no_memory(t, err);
  t->first = longer;
  t->columns++;
  return BNN_OK;
}

/* Whether the second record has one cell more than the first, and R may have written both. */
static bnn_status lacks_corner(bool *lacks, const bnn_csv_text *t, bnn_err *err) {
  bnn_csv_records r = t->in;
  size_t columns = 0;
  *lacks = false;
  if (bnn_csv_at_end(&r)) return BNN_OK;
  r.looking = true;
  r.cells = (bnn_bytes){.p = NULL};
  bnn_status status = bnn_csv_next(&r, &columns, err);
  if (status == BNN_OK && columns == t->columns + 1)
    *lacks = r.separator == ' ' ||
             (bnn_csv_cells(&r.cells)[0].quoted && bnn_csv_cells(&t->first)[0].quoted);
  bnn_bytes_free(&r.cells);
  return status == BNN_EDATA ? BNN_OK : status;
}

static bnn_status read_first(bnn_csv_text *t, bnn_err *err) {
  bool lacks;
  if (bnn_csv_at_end(&t->in)) return bnn_fail(err, BNN_EDATA, "%s: holds no rows", t->in.name);
  do BNN_TRY(bnn_csv_next(&t->in, &t->columns, err));
  while (t->columns == 1 && bnn_csv_cells(&t->in.cells)[0].n == 0 && !bnn_csv_at_end(&t->in));
  t->first_line = t->in.at_line;
  t->first = t->in.cells;
  t->in.cells = (bnn_bytes){.p = NULL};
  BNN_TRY(lacks_corner(&lacks, t, err));
  return lacks ? add_corner(t, err) : BNN_OK;
}

/* ---- opening ---- */

static bnn_status read_file(bnn_csv_text *t, bnn_gzip *file, char separator, char decimal,
                            bnn_err *err) {
  static char none[1]; /* an empty text has no block */
  const char *name = bnn_gzip_name(file);
  t->name = bnn_mem_alloc(strlen(name) + 1, 1);
  if (!t->name) return bnn_fail(err, BNN_ENOMEM, "%s: no memory for its name", name);
  memcpy(t->name, name, strlen(name) + 1);
  BNN_TRY(bnn_csv_read_text(&t->text, file, err));
  char *p = t->text.p ? (char *)t->text.p : none;
  t->in = (bnn_csv_records){.name = t->name, .p = p, .end = p + t->text.n, .decimal = '.'};
  BNN_TRY(bnn_csv_begin(&t->in, err));
  t->in.separator = separator;
  if (!separator) BNN_TRY(bnn_csv_find_separator(&t->in.separator, &t->in, err));
  if (decimal) t->in.decimal = decimal;
  if (!decimal) BNN_TRY(find_decimal(t, err));
  return read_first(t, err);
}

static bnn_status open_file(bnn_csv_text **out, bnn_gzip *file, char separator, char decimal,
                            bnn_err *err) {
  bnn_csv_text *t = bnn_mem_zalloc(1, sizeof *t);
  bnn_status status = t ? read_file(t, file, separator, decimal, err)
                        : bnn_fail(err, BNN_ENOMEM, "%s: a table", bnn_gzip_name(file));
  bnn_gzip_close(file);
  if (status == BNN_OK)
    *out = t;
  else
    bnn_csv_text_close(t);
  return status;
}

bnn_status bnn_csv_text_open(bnn_csv_text **out, const char *path, char separator, char decimal,
                             bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_open(&file, path, err));
  return open_file(out, file, separator, decimal, err);
}

bnn_status bnn_csv_text_of(bnn_csv_text **out, const void *bytes, size_t n, const char *name,
                           char separator, char decimal, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_memory(&file, bytes, n, name, err));
  return open_file(out, file, separator, decimal, err);
}

void bnn_csv_text_close(bnn_csv_text *t) {
  if (!t) return;
  bnn_bytes_free(&t->in.cells);
  bnn_bytes_free(&t->first);
  bnn_bytes_free(&t->text);
  bnn_mem_free(t->name);
  bnn_mem_free(t);
}
