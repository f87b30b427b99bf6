/* batch.c - gathering rows: bytes are converted row by row while they are in the first-level
 * cache. */
#include "batch.h"

#include <string.h>

#include "../kernels/isa.h"

enum { AHEAD = 2, FETCH_MOST = 4096 }; /* rows on their way while one is read; bytes of each */

/* Elements in a row. */
static size_t row_size(int rank, const size_t *dim) {
  size_t size = 1;
  for (int k = 1; k < rank; k++) size *= dim[k];
  return size;
}

bnn_status bnn_batch_check(const bnn_tensor *source, const bnn_shape *want, const char *name,
                           bnn_err *err) {
  if (source->dtype != want->dtype && !(source->dtype == BNN_U8 && want->dtype == BNN_REAL))
    return bnn_fail(err, BNN_ETYPE, "%s: expected %s, got %s", name, bnn_dtype_name(want->dtype),
                    bnn_dtype_name(source->dtype));
  if (source->rank < 1 || row_size(source->rank, source->dim) != row_size(want->rank, want->dim))
    return bnn_fail(err, BNN_ESHAPE, "%s: expected rows as in %s, got %s", name, BNN_SHAPE(want),
                    BNN_SHAPE(source));
  if (!bnn_tensor_is_contiguous(source))
    return bnn_fail(err, BNN_ERANGE, "%s: expected a contiguous tensor, got a strided view", name);
  return BNN_OK;
}

/* Rows of all sources. */
static size_t rows_of(const bnn_batch *batch) { return batch->data.tensor[0]->dim[0]; }

static bool mixes(const bnn_batch *batch) {
  return batch->augment && bnn_augment_mixes(batch->augment);
}

/* Whether the examples' targets, or their weights, are source i, and are mixed. */
static bool is_mixed(const bnn_batch *batch, size_t i) {
  return i > 0 && i == batch->mixed && mixes(batch);
}

static bool are_mixed_weights(const bnn_batch *batch, size_t i) {
  return i > 0 && i == batch->weights && mixes(batch);
}

/* Weights that are mixed: real [n]. */
static bnn_status check_weights(const bnn_batch *batch, bnn_err *err) {
  const bnn_tensor *w = batch->weights > 0 ? bnn_source_at(&batch->data, batch->weights) : NULL;
  if (!w || !mixes(batch)) return BNN_OK;
  const bnn_shape want = {BNN_REAL, 1, {1}};
  return bnn_batch_check(w, &want, "weight", err);
}

bnn_status bnn_batch_check_source(const bnn_batch *batch, size_t i, const bnn_shape *want,
                                  const char *name, bnn_err *err) {
  const bnn_tensor *source = bnn_source_at(&batch->data, i);
  if (!source)
    return bnn_fail(err, BNN_ESHAPE, "%s: expected rows as in %s, got none", name, BNN_SHAPE(want));
  if (!is_mixed(batch, i)) return bnn_batch_check(source, want, name, err);
  const size_t size = bnn_augment_target_size(batch->augment, source);
  if (want->dtype == BNN_REAL && row_size(want->rank, want->dim) == size) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "%s: expected rows as in %s, got %zu mixed targets a row", name,
                  BNN_SHAPE(want), size);
}

/* The row of the data, from 0, that row number i of a batch is. */
static size_t row_of(const bnn_batch *batch, size_t i) {
  const size_t k = batch->from + i;
  return batch->rows ? (size_t)batch->rows[k] - 1 : k;
}

static bnn_status check_augment(const bnn_batch *batch, bnn_err *err) {
  const bnn_augment *a = batch->augment;
  if (!a) return BNN_OK;
  const bnn_tensor *y = batch->mixed > 0 ? bnn_source_at(&batch->data, batch->mixed) : NULL;
  BNN_TRY(bnn_augment_check(a, batch->data.tensor[batch->augmented], y, err));
  BNN_TRY(check_weights(batch, err));
  for (size_t i = 0; y && i < batch->count; i++)
    if (bnn_augment_check_label(a, y, row_of(batch, i), err) != BNN_OK)
      return bnn_batch_fail(batch, i, BNN_ERANGE, err);
  return BNN_OK;
}

bnn_status bnn_batch_check_rows(const bnn_batch *batch, const bnn_feeds *feeds, bnn_err *err) {
  const size_t n = rows_of(batch);
  BNN_TRY(bnn_feeds_check_rows(feeds, &batch->data, err));
  if (!batch->rows && (batch->count > n || batch->from > n - batch->count))
    return bnn_fail(err, BNN_ERANGE, "rows %zu..%zu of %zu", batch->from + 1,
                    batch->from + batch->count, n);
  for (size_t i = 0; batch->rows && i < batch->count; i++) {
    int32_t at = batch->rows[batch->from + i];
    if (at < 1 || (size_t)at > n) return bnn_fail(err, BNN_ERANGE, "row %d of %zu", (int)at, n);
  }
  return check_augment(batch, err);
}

bnn_status bnn_batch_fail(const bnn_batch *batch, size_t row, bnn_status status, bnn_err *err) {
  return bnn_fail_after(err, status, ", in row %zu of %zu", row_of(batch, row) + 1, rows_of(batch));
}

/* Where the bytes of row number i of a batch lie. */
static const char *source_row(const bnn_tensor *source, const bnn_batch *batch, size_t i) {
  size_t row = row_of(batch, i);
  size_t bytes = row_size(source->rank, source->dim) * bnn_dtype_size(source->dtype);
  return (const char *)source->data + row * bytes;
}

/* Asks for bytes that will be read soon: rows of a batch lie anywhere in a data set that no cache
 * holds. */
static void fetch(const char *bytes, size_t n) {
  for (size_t i = 0; i < n && i < FETCH_MOST; i += 64) __builtin_prefetch(bytes + i);
}

/* Row number i of a batch, and the other one of its mix. */
typedef struct pair {
  bnn_augment_example own, partner;
} pair;

static pair pair_of(const bnn_batch *batch, size_t i) {
  const size_t other = bnn_augment_partner(batch->augment, batch->augment_key, i, batch->count);
  return (pair){{row_of(batch, i), i}, {row_of(batch, other), other}};
}

/* The share of the first of a pair in the targets of their mix, and the weight of that. */
typedef struct mix {
  double target_share, weight;
} mix;

static mix mix_of(const bnn_batch *batch, const pair *p) {
  const double share = bnn_augment_share(batch->augment, batch->augment_key, p->own, p->partner);
  if (batch->weights == 0) return (mix){share, 1};
  const bnn_real *w = batch->data.tensor[batch->weights]->data;
  const double own = share * (double)w[p->own.row],
               weight = own + (1 - share) * (double)w[p->partner.row];
  return (mix){weight > 0 ? own / weight : share, weight};
}

/* Rows of what is augmented, or of targets that are mixed, as the augmentation makes them. */
static void gather_augmented(bnn_real *out, const bnn_tensor *source, const bnn_batch *batch,
                             bool is_x, size_t from, size_t n) {
  const bnn_augment *a = batch->augment;
  const size_t width =
      is_x ? row_size(source->rank, source->dim) : bnn_augment_target_size(a, source);
  for (size_t i = from; i < from + n; i++, out += width) {
    const pair p = pair_of(batch, i);
    if (is_x)
      bnn_augment_input(out, a, batch->augment_key, source, p.own, p.partner);
    else
      bnn_augment_target(out, a, source, p.own.row, p.partner.row, mix_of(batch, &p).target_share);
  }
}

static void gather_mixed_weights(bnn_real *out, const bnn_batch *batch, size_t from, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const pair p = pair_of(batch, from + i);
    out[i] = (bnn_real)mix_of(batch, &p).weight;
  }
}

void bnn_batch_gather(void *out, bnn_dtype dtype, const bnn_batch *batch, size_t s, size_t from,
                      size_t n) {
  const bnn_tensor *source = batch->data.tensor[s];
  const bool is_x = batch->augment && s == batch->augmented;
  if (is_x || is_mixed(batch, s)) {
    gather_augmented(out, source, batch, is_x, from, n);
    return;
  }
  if (are_mixed_weights(batch, s)) {
    gather_mixed_weights(out, batch, from, n);
    return;
  }
  size_t width = row_size(source->rank, source->dim);
  size_t in_bytes = width * bnn_dtype_size(source->dtype),
         out_bytes = width * bnn_dtype_size(dtype);
  bool images = source->dtype == BNN_U8 && dtype == BNN_REAL;
  for (size_t i = 0; i < n && i < AHEAD; i++) fetch(source_row(source, batch, from + i), in_bytes);
  for (size_t i = 0; i < n; i++) {
    if (i + AHEAD < n) fetch(source_row(source, batch, from + i + AHEAD), in_bytes);
    const char *in = source_row(source, batch, from + i);
    char *at = (char *)out + i * out_bytes;
    if (images)
      bnn_isa_get()->vec->pixels((bnn_real *)(void *)at, (const uint8_t *)in, width);
    else
      memcpy(at, in, in_bytes);
  }
}
