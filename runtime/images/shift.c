/* shift.c - shifted images: each channel of each image as a plane of doubles, a kind's function from
 * plane to plane, and the loop over images in blocks. */
#include "shift.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "../base/mem.h"
#include "../kernels/rng.h"
#include "../tensor/shape.h"

enum { BLOCK = 16, CHUNK = 256 }; /* images of one job, numbers of noise drawn at a time */

static const double degree = 0.017453292519943295; /* pi / 180 */

/* What all images of a call share. */
typedef struct shift {
  bnn_context *context;
  const bnn_tensor *x;
  bnn_tensor *y;
  size_t n, channels, h, w;
  bnn_shift_kind kind;
  double amount;
  const bnn_key *key;
  double *weights; /* [radius + 1] of a blur, from the middle */
  size_t radius;
  double *planes; /* [blocks, 2, h, w] */
} shift;

/* What an image's key is split from: one domain for each kind, so that a user may give one key to
 * all of them. */
static bnn_key key_of(const shift *s, size_t image) {
  return bnn_key_split(bnn_key_fold(*s->key, s->kind), image);
}

/* A uniform number in [0, 1): the i-th of a key. */
static double draw(bnn_key key, uint64_t i) {
  bnn_real u;
  bnn_rng_uniform(&u, key, i, 1);
  return (double)u;
}

/* ---- moving ---- */

/* Exact at quarter turns, where a cosine of 6e-17 would mix in a neighbour. */
static double sin_degrees(double a) {
  a = remainder(a, 360);
  if (a == 0 || fabs(a) == 180) return 0;
  if (fabs(a) == 90) return a / 90;
  return sin(a * degree);
}

/* The value between pixels, by bilinear interpolation.  A neighbour without weight has no part, so
 * that its NaN does not spread. */
static double value_at(const shift *s, const double *v, double y, double x) {
  double top = floor(y), left = floor(x), sum = 0;
  for (double row = top; row <= top + 1; row++)
    for (double column = left; column <= left + 1; column++) {
      double weight = (1 - fabs(y - row)) * (1 - fabs(x - column));
      if (!(weight > 0) || row < 0 || row >= (double)s->h || column < 0 || column >= (double)s->w)
        continue;
      sum += weight * v[(size_t)row * s->w + (size_t)column];
    }
  return sum;
}

static void rotate(const shift *s, double *to, double *from, size_t image, size_t channel) {
  BNN_UNUSED(channel);
  bool is_left = !s->key || draw(key_of(s, image), 0) < 0.5;
  double angle = is_left ? s->amount : -s->amount;
  double sine = sin_degrees(angle), cosine = sin_degrees(angle + 90);
  double y0 = ((double)s->h - 1) / 2, x0 = ((double)s->w - 1) / 2;
  for (size_t i = 0; i < s->h; i++)
    for (size_t k = 0; k < s->w; k++) {
      double y = (double)i - y0, x = (double)k - x0; /* y grows downwards */
      to[i * s->w + k] = value_at(s, from, y0 + x * sine + y * cosine, x0 + x * cosine - y * sine);
    }
}

static void translate(const shift *s, double *to, double *from, size_t image, size_t channel) {
  BNN_UNUSED(channel);
  double angle = s->key ? 360 * draw(key_of(s, image), 0) : 0;
  double dy = s->amount * sin_degrees(angle), dx = s->amount * sin_degrees(angle + 90);
  for (size_t i = 0; i < s->h; i++)
    for (size_t k = 0; k < s->w; k++)
      to[i * s->w + k] = value_at(s, from, (double)i - dy, (double)k - dx);
}

/* ---- what changes values ---- */

static void noise(const shift *s, double *to, double *from, size_t image, size_t channel) {
  bnn_key key = key_of(s, image);
  bnn_real z[CHUNK];
  size_t size = s->h * s->w;
  for (size_t i = 0; i < size; i += CHUNK) {
    size_t n = size - i < CHUNK ? size - i : CHUNK;
    bnn_rng_normal(z, key, channel * size + i, n);
    for (size_t k = 0; k < n; k++) to[i + k] = from[i + k] + s->amount * (double)z[k];
  }
}

/* Weights of a Gaussian at 0, 1, ... radius; both sides add up to 1. */
static void fill_weights(shift *s) {
  double sum = 0;
  for (size_t i = 0; i <= s->radius; i++) {
    double z = (double)i / s->amount;
    s->weights[i] = exp(-z * z / 2);
    sum += (i == 0 ? 1 : 2) * s->weights[i];
  }
  for (size_t i = 0; i <= s->radius; i++) s->weights[i] /= sum;
}

/* Blurs `count` lines of `length` values that lie `step` apart; lines lie `next` apart. */
static void blur_lines(const shift *s, double *to, const double *from, size_t count, size_t next,
                       size_t length, size_t step) {
  for (size_t line = 0; line < count; line++) {
    const double *v = from + line * next;
    for (size_t i = 0; i < length; i++) {
      double sum = s->weights[0] * v[i * step];
      for (size_t d = 1; d <= s->radius; d++) {
        size_t before = i > d ? i - d : 0, after = i + d < length ? i + d : length - 1;
        sum += s->weights[d] * (v[before * step] + v[after * step]);
      }
      to[line * next + i * step] = sum;
    }
  }
}

static void blur(const shift *s, double *to, double *from, size_t image, size_t channel) {
  BNN_UNUSED(image);
  BNN_UNUSED(channel);
  blur_lines(s, to, from, s->h, s->w, s->w, 1);
  memcpy(from, to, s->h * s->w * sizeof *to);
  blur_lines(s, to, from, s->w, 1, s->h, s->w);
}

static void contrast(const shift *s, double *to, double *from, size_t image, size_t channel) {
  BNN_UNUSED(image);
  BNN_UNUSED(channel);
  size_t size = s->h * s->w;
  double mean = 0;
  for (size_t i = 0; i < size; i++) mean += from[i];
  mean /= (double)size;
  for (size_t i = 0; i < size; i++) to[i] = mean + s->amount * (from[i] - mean);
}

/* Where a span of `side` begins in `length`. */
static size_t place(size_t side, size_t length, double u) {
  return (size_t)(u * (double)(length - side + 1));
}

static void occlude(const shift *s, double *to, double *from, size_t image, size_t channel) {
  BNN_UNUSED(channel);
  bnn_key key = key_of(s, image);
  size_t side = (size_t)round(s->amount);
  size_t h = side < s->h ? side : s->h, w = side < s->w ? side : s->w;
  size_t top = place(h, s->h, draw(key, 0)), left = place(w, s->w, draw(key, 1));
  memcpy(to, from, s->h * s->w * sizeof *to);
  for (size_t i = top; i < top + h; i++)
    for (size_t k = left; k < left + w; k++)
      if (!isnan(to[i * s->w + k])) to[i * s->w + k] = 0;
}

/* ---- kinds ---- */

/* Shifts the plane `from`, which it may change, of a channel of an image. */
typedef void apply_fn(const shift *s, double *to, double *from, size_t image, size_t channel);

static apply_fn *const apply[] = {rotate, translate, noise, blur, contrast, occlude};

static const struct {
  const char *name, *amount;
  double least, most;
} rows[] = {
#define X(tag, name, amount, least, most) {name, amount, least, most},
    BNN_SHIFT_ROWS(X)
#undef X
};

const char *bnn_shift_name(bnn_shift_kind kind) {
  return (unsigned)kind < BNN_SHIFT_COUNT ? rows[kind].name : NULL;
}

/* ---- images ---- */

static double clip(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; } /* NaN stays */

static void load(double *plane, const bnn_tensor *x, size_t at, size_t size) {
  if (x->dtype == BNN_U8)
    for (size_t i = 0; i < size; i++) plane[i] = ((const uint8_t *)x->data)[at + i] / 255.0;
  else
    for (size_t i = 0; i < size; i++) plane[i] = (double)bnn_tensor_real(x)[at + i];
}

static void store(bnn_tensor *y, size_t at, const double *plane, size_t size) {
  if (y->dtype == BNN_U8)
    for (size_t i = 0; i < size; i++)
      ((uint8_t *)y->data)[at + i] = (uint8_t)(clip(plane[i]) * 255 + 0.5);
  else
    for (size_t i = 0; i < size; i++) bnn_tensor_real(y)[at + i] = (bnn_real)clip(plane[i]);
}

static void shift_block(void *data, size_t block) {
  const shift *s = data;
  size_t size = s->h * s->w, end = (block + 1) * BLOCK < s->n ? (block + 1) * BLOCK : s->n;
  double *from = s->planes + 2 * block * size, *to = from + size;
  for (size_t i = block * BLOCK; i < end; i++)
    for (size_t c = 0; c < s->channels; c++) {
      if (bnn_context_stopped(s->context)) return;
      size_t at = (i * s->channels + c) * size;
      load(from, s->x, at, size);
      apply[s->kind](s, to, from, i, c);
      store(s->y, at, to, size);
    }
}

static bnn_status check_values(const bnn_tensor *x, bnn_err *err) {
  if (x->dtype == BNN_U8) return BNN_OK;
  for (size_t i = 0; i < x->size; i++) {
    double v = (double)bnn_tensor_real(x)[i];
    if (v < 0 || v > 1)
      return bnn_fail(err, BNN_ERANGE, "x: image %zu: expected values 0 to 1, got %g",
                      i / (x->size / x->dim[0]) + 1, v);
  }
  return BNN_OK;
}

static bnn_status check(const bnn_tensor *x, bnn_shift_kind kind, double amount, const bnn_key *key,
                        bnn_err *err) {
  if (x->dtype != BNN_U8 && x->dtype != BNN_REAL)
    return bnn_fail(err, BNN_ETYPE, "x: expected u8 or %s, got %s", bnn_dtype_name(BNN_REAL),
                    bnn_dtype_name(x->dtype));
  if (x->rank != 3 && x->rank != 4)
    return bnn_fail(err, BNN_ESHAPE, "x: expected [n, h, w] or [n, channels, h, w], got %s",
                    BNN_SHAPE(x));
  if ((unsigned)kind >= BNN_SHIFT_COUNT)
    return bnn_fail(err, BNN_ERANGE, "there is no shift %d", (int)kind);
  if (!(amount >= rows[kind].least && amount <= rows[kind].most))
    return bnn_fail(err, BNN_ERANGE, "%s of %s: expected %g to %g, got %g", rows[kind].amount,
                    rows[kind].name, rows[kind].least, rows[kind].most, amount);
  if (!key && (kind == BNN_SHIFT_NOISE || kind == BNN_SHIFT_OCCLUDE))
    return bnn_fail(err, BNN_ERANGE, "%s: expected a key, got none", rows[kind].name);
  return check_values(x, err);
}

/* Memory for a call, and its weights. */
static bnn_status prepare(shift *s, bnn_err *err) {
  size_t blocks = (s->n + BLOCK - 1) / BLOCK, size = s->h * s->w;
  s->radius = s->kind == BNN_SHIFT_BLUR ? (size_t)ceil(3 * s->amount) : 0;
  s->planes = bnn_mem_alloc(2 * blocks * size, sizeof *s->planes);
  s->weights = bnn_mem_alloc(s->radius + 1, sizeof *s->weights);
  if (!s->planes || !s->weights)
    return bnn_fail(err, BNN_ENOMEM, "to shift images of %zu x %zu", s->h, s->w);
  if (s->kind == BNN_SHIFT_BLUR) fill_weights(s);
  return BNN_OK;
}

static bnn_status run(shift *s, bnn_err *err) {
  bnn_context_run(s->context, shift_block, s, (s->n + BLOCK - 1) / BLOCK);
  if (bnn_context_stopped(s->context))
    return bnn_fail(err, BNN_ESTOP, "while shifting %zu images", s->n);
  return BNN_OK;
}

bnn_status bnn_shift(bnn_tensor **out, bnn_context *context, const bnn_tensor *x,
                     bnn_shift_kind kind, double amount, const bnn_key *key, bnn_err *err) {
  assert(bnn_tensor_is_contiguous(x));
  BNN_TRY(check(x, kind, amount, key, err));
  if (x->size == 0 || amount == (kind == BNN_SHIFT_CONTRAST ? 1 : 0))
    return bnn_tensor_clone(out, x, err);
  const size_t *side = x->dim + x->rank - 2;
  shift s = {context,        x,
             .n = x->dim[0], .channels = x->rank == 4 ? x->dim[1] : 1,
             .h = side[0],   .w = side[1],
             .kind = kind,   .amount = amount,
             .key = key};
  BNN_TRY(bnn_tensor_new(&s.y, x->dtype, x->rank, x->dim, err));
  bnn_status status = prepare(&s, err);
  if (status == BNN_OK) status = run(&s, err);
  bnn_mem_free(s.weights);
  bnn_mem_free(s.planes);
  if (status == BNN_OK)
    *out = s.y;
  else
    bnn_tensor_unref(s.y);
  return status;
}
