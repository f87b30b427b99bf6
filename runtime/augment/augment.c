/* augment.c - see augment.h. */
#include "augment.h"

#include <string.h>

#include "../base/mem.h"
#include "../kernels/rng.h"

enum { CHUNK = 256 }; /* pixels of an example that are mixed at a time */

struct bnn_augment {
  size_t n, classes;
  bnn_edge edge;
  const bnn_augmentation *mix; /* the last of the items, or NULL */
  bnn_augment_item item[];
};

/* ---- making one ---- */

static bnn_status check_item(const bnn_augment_item *items, size_t i, bnn_err *err) {
  const bnn_augmentation *kind = items[i].kind, *before = i > 0 ? items[i - 1].kind : NULL;
  if (!(items[i].amount >= kind->least && items[i].amount <= kind->most) ||
      (kind->whole && items[i].amount != (double)(int64_t)items[i].amount))
    return bnn_fail(err, BNN_ERANGE, "%s: %s: expected %s from %g to %g, got %g", kind->name,
                    kind->amount, kind->whole ? "an integer" : "a number", kind->least, kind->most,
                    items[i].amount);
  if (before && before->stage > kind->stage)
    return bnn_fail(err, BNN_ERANGE, "expected %s before %s", kind->name, before->name);
  if (before && kind->stage == BNN_AUGMENT_MIX && before->stage == kind->stage)
    return bnn_fail(err, BNN_ERANGE, "expected one %s, got two", kind->name);
  return BNN_OK;
}

bnn_status bnn_augment_new(bnn_augment **out, const bnn_augment_item *items, size_t n,
                           size_t classes, bnn_err *err) {
  for (size_t i = 0; i < n; i++) BNN_TRY(check_item(items, i, err));
  bnn_augment *a = bnn_mem_alloc(1, sizeof *a + n * sizeof *items);
  if (!a) return bnn_fail(err, BNN_ENOMEM, "for %zu augmentations", n);
  *a = (bnn_augment){.n = n, .classes = classes};
  for (size_t i = 0; i < n; i++) {
    a->item[i] = items[i];
    if (items[i].edge != BNN_EDGE_ZERO) a->edge = items[i].edge;
    if (items[i].kind->stage == BNN_AUGMENT_MIX) a->mix = items[i].kind;
  }
  *out = a;
  return BNN_OK;
}

void bnn_augment_free(bnn_augment *a) { bnn_mem_free(a); }

size_t bnn_augment_bytes(const bnn_augment *a) { return sizeof *a + a->n * sizeof *a->item; }

/* ---- checks ---- */

bool bnn_augment_mixes(const bnn_augment *a) { return a->mix != NULL; }

static bool moves(const bnn_augment *a) {
  return a->n > 0 && a->item[0].kind->stage == BNN_AUGMENT_MOVE;
}

static size_t row_size(const bnn_tensor *x) {
  size_t size = 1;
  for (int k = 1; k < x->rank; k++) size *= x->dim[k];
  return size;
}

static bnn_status check_targets(const bnn_augment *a, const bnn_tensor *y, bnn_err *err) {
  if (y->dtype == BNN_REAL) return BNN_OK;
  if (y->dtype != BNN_I32)
    return bnn_fail(err, BNN_ETYPE, "y: expected labels i32 or %s to mix, got %s",
                    bnn_dtype_name(BNN_REAL), bnn_dtype_name(y->dtype));
  if (row_size(y) != 1)
    return bnn_fail(err, BNN_ESHAPE, "y: expected labels [n] to mix, got %s", BNN_SHAPE(y));
  if (a->classes == 0)
    return bnn_fail(err, BNN_ERANGE, "y: expected the number of classes of labels to mix, got 0");
  return BNN_OK;
}

bnn_status bnn_augment_check(const bnn_augment *a, const bnn_tensor *x, const bnn_tensor *y,
                             bnn_err *err) {
  if (x->dtype != BNN_U8 && x->dtype != BNN_REAL)
    return bnn_fail(err, BNN_ETYPE, "x: expected u8 or %s, got %s", bnn_dtype_name(BNN_REAL),
                    bnn_dtype_name(x->dtype));
  if (x->rank < 1 || (moves(a) && x->rank != 3 && x->rank != 4))
    return bnn_fail(err, BNN_ESHAPE, "x: expected images [n, h, w] or [n, channels, h, w], got %s",
                    BNN_SHAPE(x));
  return a->mix && y ? check_targets(a, y, err) : BNN_OK;
}

bnn_status bnn_augment_check_label(const bnn_augment *a, const bnn_tensor *y, size_t row,
                                   bnn_err *err) {
  if (!a->mix || y->dtype != BNN_I32) return BNN_OK;
  const int32_t label = ((const int32_t *)y->data)[row];
  if (label >= 0 && (size_t)label < a->classes) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "label %d is outside 0..%zu", (int)label, a->classes - 1);
}

size_t bnn_augment_target_size(const bnn_augment *a, const bnn_tensor *y) {
  return a->mix && y->dtype == BNN_I32 ? a->classes : row_size(y);
}

/* ---- draws ---- */

static bnn_key key_of(bnn_key key, size_t item, size_t place) {
  return bnn_key_split(bnn_key_fold(key, (int64_t)item), place);
}

size_t bnn_augment_partner(const bnn_augment *a, bnn_key key, size_t place, size_t n) {
  if (!a->mix || n < 2) return place;
  return (place + 1 + bnn_rng_below(bnn_key_fold_name(key, "partner", 7), n - 1)) % n;
}

static double share_of(const bnn_augment *a, bnn_key key, size_t place) {
  const bnn_augment_item *last = &a->item[a->n - 1];
  return last->kind->share(last->amount, key_of(key, a->n - 1, place));
}

/* The maps of an example as one. */
static bnn_affine map_of(const bnn_augment *a, bnn_key key, size_t place) {
  bnn_affine all = BNN_AFFINE_IDENTITY;
  for (size_t k = 0; k < a->n && a->item[k].kind->stage == BNN_AUGMENT_MOVE; k++) {
    bnn_affine one = a->item[k].kind->move(a->item[k].amount, key_of(key, k, place));
    all = bnn_affine_after(&all, &one);
  }
  return all;
}

/* ---- inputs ---- */

/* An example of x as planes of lines; one plane of one line where nothing moves. */
typedef struct example {
  const bnn_augment *a;
  bnn_key key;
  size_t place, channels;
  bnn_plane plane; /* the first */
  bnn_affine map;
} example;

static example example_of(const bnn_augment *a, bnn_key key, const bnn_tensor *x,
                          bnn_augment_example at) {
  const size_t size = row_size(x);
  const char *data = (const char *)x->data + at.row * size * bnn_dtype_size(x->dtype);
  example e = {.a = a, .key = key, .place = at.place, .channels = 1, .map = BNN_AFFINE_IDENTITY};
  e.plane = (bnn_plane){.data = data, .dtype = x->dtype, .h = 1, .w = size};
  if (!moves(a)) return e;
  e.channels = x->rank == 4 ? x->dim[1] : 1;
  e.plane.h = x->dim[x->rank - 2];
  e.plane.w = x->dim[x->rank - 1];
  e.map = map_of(a, key, at.place);
  return e;
}

/* Pixels [x, x + n) of line y of channel c, before examples are mixed. */
static void fill(bnn_real *out, const example *e, size_t c, size_t y, size_t x, size_t n) {
  const size_t size = e->plane.h * e->plane.w, first = c * size + y * e->plane.w + x;
  bnn_plane plane = e->plane;
  plane.data = (const char *)plane.data + c * size * bnn_dtype_size(plane.dtype);
  bnn_resample(out, &plane, &e->map, e->a->edge, y, x, n);
  for (size_t k = 0; k < e->a->n; k++) {
    const bnn_augment_item *item = &e->a->item[k];
    if (item->kind->stage == BNN_AUGMENT_ADD)
      item->kind->add(out, first, n, item->amount, key_of(e->key, k, e->place));
  }
}

static void mix(bnn_real *restrict x, const bnn_real *restrict other, bnn_real share, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = share * x[i] + (1 - share) * other[i];
}

/* Mixes a line of another example into `out`, piece by piece. */
static void mix_line(bnn_real *out, const example *other, double share, size_t c, size_t y) {
  bnn_real piece[CHUNK];
  const size_t w = other->plane.w;
  for (size_t x = 0; x < w; x += CHUNK) {
    size_t n = w - x < CHUNK ? w - x : CHUNK;
    fill(piece, other, c, y, x, n);
    mix(out + x, piece, (bnn_real)share, n);
  }
}

void bnn_augment_input(bnn_real *out, const bnn_augment *a, bnn_key key, const bnn_tensor *x,
                       bnn_augment_example own, bnn_augment_example partner) {
  const bool is_mixed = a->mix && partner.place != own.place;
  const example e = example_of(a, key, x, own);
  const example other = is_mixed ? example_of(a, key, x, partner) : e;
  const double share = bnn_augment_share(a, key, own, partner);
  for (size_t c = 0; c < e.channels; c++)
    for (size_t y = 0; y < e.plane.h; y++, out += e.plane.w) {
      fill(out, &e, c, y, 0, e.plane.w);
      if (is_mixed) mix_line(out, &other, share, c, y);
    }
}

/* ---- targets ---- */

static void mix_labels(bnn_real *out, size_t classes, const int32_t *y, size_t own, size_t other,
                       double share) {
  for (size_t i = 0; i < classes; i++) out[i] = 0;
  out[y[own]] += (bnn_real)share;
  out[y[other]] += (bnn_real)1 - (bnn_real)share;
}

double bnn_augment_share(const bnn_augment *a, bnn_key key, bnn_augment_example own,
                         bnn_augment_example partner) {
  return a->mix && partner.place != own.place ? share_of(a, key, own.place) : 1;
}

void bnn_augment_target(bnn_real *out, const bnn_augment *a, const bnn_tensor *y, size_t own,
                        size_t partner, double share) {
  const size_t size = row_size(y);
  if (y->dtype == BNN_I32) {
    mix_labels(out, a->classes, y->data, own, partner, share);
    return;
  }
  const bnn_real *from = y->data;
  memcpy(out, from + own * size, size * sizeof *out);
  if (share < 1) mix(out, from + partner * size, (bnn_real)share, size);
}
