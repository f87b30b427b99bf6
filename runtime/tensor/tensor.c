/* tensor.c - making, sharing, viewing, copying and converting strided arrays.
 *
 * A view copies the header of the tensor it looks into and holds that tensor's owner, never another
 * view.  Copies first merge axes over which both sides run on, so that the inner loop is long. */
#include "tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/number.h"
#include "shape.h"

/* ---- types ---- */

size_t bnn_dtype_size(bnn_dtype dtype) {
  static const size_t size[] = {
#define X(tag, name, type) sizeof(type),
      BNN_DTYPE_ROWS(X)
#undef X
  };
  return size[dtype];
}

const char *bnn_dtype_name(bnn_dtype dtype) {
  static const char *const names[] = {
#define X(tag, name, type) name,
      BNN_DTYPE_ROWS(X)
#undef X
  };
  return (unsigned)dtype < BNN_DTYPE_COUNT ? names[dtype] : "unknown type";
}

bool bnn_dtype_find(bnn_dtype *out, const char *name) {
  for (int d = 0; d < BNN_DTYPE_COUNT; d++)
    if (strcmp(name, bnn_dtype_name((bnn_dtype)d)) == 0) {
      *out = (bnn_dtype)d;
      return true;
    }
  return false;
}

/* ---- making and counting ---- */

static bnn_status check_shape(bnn_dtype dtype, int rank, const size_t *dim, bnn_err *err) {
  if (rank < 0 || rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_ESHAPE, "rank: expected 0 to %d, got %d", BNN_RANK_MAX, rank);
  size_t n, bytes = bnn_dtype_size(dtype);
  bool fits = bnn_shape_size(&n, rank, dim);
  for (int k = 0; fits && k < rank; k++) /* the strides of an empty tensor must fit as well */
    fits = dim[k] == 0 || !__builtin_mul_overflow(bytes, dim[k], &bytes);
  if (!fits || bytes > PTRDIFF_MAX)
    return bnn_fail(err, BNN_ESHAPE, "%s of %s is more than memory can address",
                    bnn_shape_print(rank, dim).s, bnn_dtype_name(dtype));
  return BNN_OK;
}

static void set_shape(bnn_tensor *x, int rank, const size_t *dim) {
  ptrdiff_t stride = 1;
  x->rank = rank;
  x->size = 1;
  for (int k = rank - 1; k >= 0; k--) {
    x->dim[k] = dim[k];
    x->stride[k] = stride;
    x->size *= dim[k];
    if (dim[k] != 0) stride *= (ptrdiff_t)dim[k];
  }
}

void bnn_tensor_init(bnn_tensor *x, bnn_dtype dtype, int rank, const size_t *dim, void *data) {
  atomic_init(&x->refs, 1);
  x->dtype = dtype;
  x->row0 = 0;
  x->data = data;
  x->base = NULL;
  x->block = NULL;
  x->release = NULL;
  memset(x->dim, 0, sizeof x->dim);
  memset(x->stride, 0, sizeof x->stride);
  set_shape(x, rank, dim);
}

bnn_status bnn_tensor_borrow(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                             void *data, bnn_err *err) {
  BNN_TRY(check_shape(dtype, rank, dim, err));
  bnn_tensor *x = bnn_mem_alloc(1, sizeof *x);
  if (!x) return bnn_fail(err, BNN_ENOMEM, "a tensor's header");
  bnn_tensor_init(x, dtype, rank, dim, data);
  *out = x;
  return BNN_OK;
}

bnn_status bnn_tensor_adopt(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                            void *data, void *block, void (*release)(void *block), bnn_err *err) {
  BNN_TRY(bnn_tensor_borrow(out, dtype, rank, dim, data, err));
  (*out)->block = block;
  (*out)->release = release;
  return BNN_OK;
}

/* As bnn_tensor_new, with the elements filled with 0 only when `cleared`. */
static bnn_status make(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim, bool cleared,
                       bnn_err *err) {
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_borrow(&x, dtype, rank, dim, NULL, err));
  size_t each = bnn_dtype_size(dtype);
  x->block = cleared ? bnn_mem_zalloc(x->size, each) : bnn_mem_alloc(x->size, each);
  if (!x->block) {
    bnn_fail(err, BNN_ENOMEM, "%zu bytes for %s of %s", x->size * each, BNN_SHAPE(x),
             bnn_dtype_name(dtype));
    bnn_tensor_unref(x);
    return BNN_ENOMEM;
  }
  x->data = x->block;
  *out = x;
  return BNN_OK;
}

bnn_status bnn_tensor_new(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                          bnn_err *err) {
  return make(out, dtype, rank, dim, true, err);
}

bnn_tensor *bnn_tensor_ref(bnn_tensor *x) {
  atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
  return x;
}

void bnn_tensor_unref(bnn_tensor *x) {
  if (!x || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1) return;
  bnn_tensor *base = x->base;
  if (x->release)
    x->release(x->block);
  else
    bnn_mem_free(x->block);
  bnn_mem_free(x);
  bnn_tensor_unref(base); /* an owner, which has no base itself: this ends here */
}

bool bnn_tensor_is_contiguous(const bnn_tensor *x) {
  ptrdiff_t stride = 1;
  if (x->size == 0) return true;
  for (int k = x->rank - 1; k >= 0; k--) {
    if (x->dim[k] == 1) continue; /* never stepped along */
    if (x->stride[k] != stride) return false;
    stride *= (ptrdiff_t)x->dim[k];
  }
  return true;
}

bool bnn_tensor_same_shape(const bnn_tensor *a, const bnn_tensor *b) {
  return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* ---- copying ---- */

/* Two tensors walked together: axes of size 1 dropped, axes over which both run on merged. */
typedef struct walk {
  int rank;
  size_t dim[BNN_RANK_MAX];
  ptrdiff_t to[BNN_RANK_MAX], from[BNN_RANK_MAX]; /* strides in elements */
} walk;

static walk plan_walk(const bnn_tensor *dst, const bnn_tensor *src) {
  walk w = {.rank = 0};
  for (int k = 0; k < dst->rank; k++) {
    ptrdiff_t n = (ptrdiff_t)dst->dim[k];
    if (n == 1) continue;
    int last = w.rank - 1;
    if (last >= 0 && w.to[last] == dst->stride[k] * n && w.from[last] == src->stride[k] * n) {
      w.dim[last] *= dst->dim[k];
    } else {
      last = w.rank++;
      w.dim[last] = dst->dim[k];
    }
    w.to[last] = dst->stride[k];
    w.from[last] = src->stride[k];
  }
  return w;
}

#define COPY_STRIDED(type)       \
  for (size_t i = 0; i < n; i++) \
  ((type *)to)[(ptrdiff_t)i * dto] = ((const type *)from)[(ptrdiff_t)i * dfrom]

/* One run of n elements of `each` bytes. */
static void copy_run(void *to, ptrdiff_t dto, const void *from, ptrdiff_t dfrom, size_t n,
                     size_t each) {
  if (dto == 1 && dfrom == 1)
    memmove(to, from, n * each);
  else if (each == 1)
    COPY_STRIDED(uint8_t);
  else if (each == 4)
    COPY_STRIDED(uint32_t);
  else
    COPY_STRIDED(uint64_t);
}

static void copy_axes(const walk *w, int axis, char *to, const char *from, size_t each) {
  if (axis == w->rank - 1) {
    copy_run(to, w->to[axis], from, w->from[axis], w->dim[axis], each);
    return;
  }
  for (size_t i = 0; i < w->dim[axis]; i++)
    copy_axes(w, axis + 1, to + (ptrdiff_t)i * w->to[axis] * (ptrdiff_t)each,
              from + (ptrdiff_t)i * w->from[axis] * (ptrdiff_t)each, each);
}

/* src into dst, of one shape and type, whose memory does not overlap or is the same throughout. */
static void copy_elements(bnn_tensor *dst, const bnn_tensor *src) {
  if (dst->size == 0) return;
  size_t each = bnn_dtype_size(dst->dtype);
  walk w = plan_walk(dst, src);
  if (w.rank == 0)
    memmove(dst->data, src->data, each);
  else
    copy_axes(&w, 0, dst->data, src->data, each);
}

/* The first byte of x's elements and the one after the last; strides are never negative. */
static void extent(uintptr_t *from, uintptr_t *to, const bnn_tensor *x) {
  size_t last = 0;
  for (int k = 0; k < x->rank; k++) last += (x->dim[k] - 1) * (size_t)x->stride[k];
  *from = (uintptr_t)x->data;
  *to = *from + (last + 1) * bnn_dtype_size(x->dtype);
}

static bool overlap(const bnn_tensor *a, const bnn_tensor *b) {
  uintptr_t a0, a1, b0, b1;
  if (a->size == 0 || b->size == 0) return false;
  extent(&a0, &a1, a);
  extent(&b0, &b1, b);
  return a0 < b1 && b0 < a1;
}

static bnn_status check_copy(const bnn_tensor *dst, const bnn_tensor *src, bnn_err *err) {
  if (dst->dtype != src->dtype)
    return bnn_fail(err, BNN_ETYPE, "source is %s, destination %s", bnn_dtype_name(src->dtype),
                    bnn_dtype_name(dst->dtype));
  if (!bnn_tensor_same_shape(dst, src))
    return bnn_fail(err, BNN_ESHAPE, "source is %s, destination %s", BNN_SHAPE(src),
                    BNN_SHAPE(dst));
  for (int k = 0; k < dst->rank; k++)
    if (dst->stride[k] == 0 && dst->dim[k] > 1)
      return bnn_fail(err, BNN_ESHAPE, "destination %s repeats its elements along axis %d",
                      BNN_SHAPE(dst), k + 1);
  return BNN_OK;
}

bnn_status bnn_tensor_copy(bnn_tensor *dst, const bnn_tensor *src, bnn_err *err) {
  BNN_TRY(check_copy(dst, src, err));
  if (!overlap(dst, src)) {
    copy_elements(dst, src);
    return BNN_OK;
  }
  bnn_tensor *read = NULL; /* all of src is read before any of dst is written */
  BNN_TRY(bnn_tensor_clone(&read, src, err));
  copy_elements(dst, read);
  bnn_tensor_unref(read);
  return BNN_OK;
}

bnn_status bnn_tensor_clone(bnn_tensor **out, const bnn_tensor *x, bnn_err *err) {
  bnn_tensor *y = NULL;
  BNN_TRY(make(&y, x->dtype, x->rank, x->dim, false, err));
  copy_elements(y, x);
  *out = y;
  return BNN_OK;
}

bnn_status bnn_tensor_contiguous(bnn_tensor **out, bnn_tensor *x, bnn_err *err) {
  if (!bnn_tensor_is_contiguous(x)) return bnn_tensor_clone(out, x, err);
  *out = bnn_tensor_ref(x);
  return BNN_OK;
}

/* ---- single elements ---- */

static void *element(const bnn_tensor *x, size_t i) {
  ptrdiff_t at = 0;
  for (int k = x->rank - 1; k >= 0; k--) {
    at += (ptrdiff_t)(i % x->dim[k]) * x->stride[k];
    i /= x->dim[k];
  }
  return (char *)x->data + at * (ptrdiff_t)bnn_dtype_size(x->dtype);
}

static double read_double(bnn_dtype dtype, const void *p) {
  switch (dtype) {
#define X(tag, name, type) \
  case BNN_##tag: return (double)*(const type *)p;
    BNN_DTYPE_ROWS(X)
#undef X
  default: return 0;
  }
}

/* A float outside int64 has no value to cast to: the nearest end stands for it, 0 for NaN. */
static int64_t saturate(double v) {
  if (isnan(v)) return 0;
  if (v >= 0x1p63) return INT64_MAX;
  return v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

static int64_t read_int(bnn_dtype dtype, const void *p) {
  switch (dtype) {
  case BNN_U8: return *(const uint8_t *)p;
  case BNN_I32: return *(const int32_t *)p;
  case BNN_I64: return *(const int64_t *)p;
  case BNN_U64: return (int64_t) * (const uint64_t *)p;
  default: return saturate(read_double(dtype, p));
  }
}

double bnn_tensor_get(const bnn_tensor *x, size_t i) {
  return read_double(x->dtype, element(x, i));
}

int64_t bnn_tensor_get_int(const bnn_tensor *x, size_t i) {
  return read_int(x->dtype, element(x, i));
}

void bnn_tensor_set(bnn_tensor *x, size_t i, double value) {
  void *p = element(x, i);
  switch (x->dtype) {
#define X(tag, name, type) \
  case BNN_##tag: *(type *)p = (type)value; break;
    BNN_DTYPE_ROWS(X)
#undef X
  default: break;
  }
}

/* ---- conversion ---- */

/* Whether a float with `bits` bits of significand holds the integer m. */
static bool exact(uint64_t m, int bits) { return m == 0 || (m >> __builtin_ctzll(m)) >> bits == 0; }

static bool integer_fits(bool negative, uint64_t magnitude, bnn_dtype to) {
  switch (to) {
  case BNN_U8: return !negative && magnitude <= UINT8_MAX;
  case BNN_I32: return magnitude <= (uint64_t)INT32_MAX + negative;
  case BNN_I64: return magnitude <= (uint64_t)INT64_MAX + negative;
  case BNN_U64: return !negative;
  case BNN_F32: return exact(magnitude, FLT_MANT_DIG);
  default: return exact(magnitude, DBL_MANT_DIG);
  }
}

/* An f64 is rounded to f32, which both call a float, but it must not become infinite by that. */
static bool float_fits(double v, bnn_dtype to) {
  switch (to) {
  case BNN_U8: return v == trunc(v) && v >= 0 && v <= UINT8_MAX;
  case BNN_I32: return v == trunc(v) && v >= INT32_MIN && v <= INT32_MAX;
  case BNN_I64: return v == trunc(v) && v >= -0x1p63 && v < 0x1p63;
  case BNN_U64: return v == trunc(v) && v >= 0 && v < 0x1p64;
  case BNN_F32: return !isfinite(v) || fabs(v) < 0x1.ffffffp127; /* FLT_MAX and half a step */
  default: return true;
  }
}

static bool element_fits(bnn_dtype from, const void *p, bnn_dtype to) {
  if (from == BNN_F32 || from == BNN_F64) return float_fits(read_double(from, p), to);
  if (from == BNN_U64) return integer_fits(false, *(const uint64_t *)p, to);
  int64_t v = read_int(from, p);
  return integer_fits(v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v, to);
}

static bool always_fits(bnn_dtype from, bnn_dtype to) {
  return from == to || from == BNN_U8 || (from == BNN_I32 && (to == BNN_I64 || to == BNN_F64)) ||
         (from == BNN_F32 && to == BNN_F64);
}

static bnn_status fail_element(const bnn_tensor *x, size_t i, bnn_dtype to, bnn_err *err) {
  size_t place[BNN_RANK_MAX], rest = i;
  for (int k = x->rank - 1; k >= 0; k--) {
    place[k] = rest % x->dim[k] + 1;
    rest /= x->dim[k];
  }
  char value[40];
  if (x->dtype == BNN_F32 || x->dtype == BNN_F64)
    bnn_format(value, sizeof value, "%.*g", x->dtype == BNN_F32 ? 9 : 17, bnn_tensor_get(x, i));
  else if (x->dtype == BNN_U64)
    snprintf(value, sizeof value, "%" PRIu64, *(const uint64_t *)element(x, i));
  else
    snprintf(value, sizeof value, "%" PRId64, bnn_tensor_get_int(x, i));
  return bnn_fail(err, BNN_ERANGE, "element %s is %s, which %s cannot hold",
                  bnn_shape_print(x->rank, place).s, value, bnn_dtype_name(to));
}

static bnn_status check_elements(const bnn_tensor *x, bnn_dtype to, bnn_err *err) {
  if (always_fits(x->dtype, to)) return BNN_OK;
  size_t each = bnn_dtype_size(x->dtype);
  for (size_t i = 0; i < x->size; i++)
    if (!element_fits(x->dtype, (const char *)x->data + i * each, to))
      return fail_element(x, i, to, err);
  return BNN_OK;
}

/* BNN_DTYPE_ROWS again: a macro does not expand inside itself. */
#define TARGET_ROWS(X) \
  X(U8, uint8_t) X(I32, int32_t) X(I64, int64_t) X(U64, uint64_t) X(F32, float) X(F64, double)
_Static_assert(BNN_DTYPE_COUNT == 6, "TARGET_ROWS has the rows of BNN_DTYPE_ROWS");

#define CAST_LOOP(tag, type)                                    \
  case BNN_##tag:                                               \
    for (size_t i = 0; i < n; i++) ((type *)y)[i] = (type)x[i]; \
    break;

#define X(tag, name, type)                                                                        \
  static void cast_from_##tag(void *restrict y, bnn_dtype to, const type *restrict x, size_t n) { \
    switch (to) {                                                                                 \
      TARGET_ROWS(CAST_LOOP)                                                                      \
    default: break;                                                                               \
    }                                                                                             \
  }
BNN_DTYPE_ROWS(X)
#undef X

/* Every element of x fits y's type; both contiguous. */
static void cast_elements(bnn_tensor *y, const bnn_tensor *x) {
  switch (x->dtype) {
#define X(tag, name, type) \
  case BNN_##tag: cast_from_##tag(y->data, y->dtype, x->data, x->size); break;
    BNN_DTYPE_ROWS(X)
#undef X
  default: break;
  }
}

/* x is contiguous. */
static bnn_status convert(bnn_tensor **out, const bnn_tensor *x, bnn_dtype dtype, bnn_err *err) {
  BNN_TRY(check_elements(x, dtype, err));
  BNN_TRY(make(out, dtype, x->rank, x->dim, false, err));
  cast_elements(*out, x);
  return BNN_OK;
}

bnn_status bnn_tensor_convert(bnn_tensor **out, const bnn_tensor *x, bnn_dtype dtype,
                              bnn_err *err) {
  if (dtype == x->dtype) return bnn_tensor_clone(out, x, err);
  if (bnn_tensor_is_contiguous(x)) return convert(out, x, dtype, err);
  bnn_tensor *dense = NULL;
  BNN_TRY(bnn_tensor_clone(&dense, x, err));
  bnn_status status = convert(out, dense, dtype, err);
  bnn_tensor_unref(dense);
  return status;
}

/* ---- views ---- */

static bnn_status make_view(bnn_tensor **out, bnn_tensor *x, bnn_err *err) {
  bnn_tensor *v = NULL;
  BNN_TRY(bnn_tensor_borrow(&v, x->dtype, x->rank, x->dim, x->data, err));
  memcpy(v->stride, x->stride, sizeof v->stride);
  v->base = bnn_tensor_ref(x->base ? x->base : x);
  *out = v;
  return BNN_OK;
}

/* Moves a view's first element; an empty view stays, since there may be nothing after x's end. */
static void move(bnn_tensor *v, size_t from, ptrdiff_t stride) {
  if (v->size != 0)
    v->data = (char *)v->data + (ptrdiff_t)from * stride * (ptrdiff_t)bnn_dtype_size(v->dtype);
}

static void count_elements(bnn_tensor *v) {
  v->size = 1;
  for (int k = 0; k < v->rank; k++) v->size *= v->dim[k];
}

static bnn_status check_axis(const bnn_tensor *x, int axis, bnn_err *err) {
  if (axis < 0 || axis >= x->rank)
    return bnn_fail(err, BNN_ERANGE, "axis %d of %s, which has %d", axis + 1, BNN_SHAPE(x),
                    x->rank);
  return BNN_OK;
}

bnn_status bnn_tensor_narrow(bnn_tensor **out, bnn_tensor *x, int axis, size_t from, size_t count,
                             bnn_err *err) {
  BNN_TRY(check_axis(x, axis, err));
  size_t n = x->dim[axis];
  if (from > n || count > n - from)
    return bnn_fail(err, BNN_ERANGE, "%zu positions from %zu along axis %d of %s, which has %zu",
                    count, from + 1, axis + 1, BNN_SHAPE(x), n);
  bnn_tensor *v = NULL;
  BNN_TRY(make_view(&v, x, err));
  v->dim[axis] = count;
  count_elements(v);
  move(v, from, x->stride[axis]);
  *out = v;
  return BNN_OK;
}

bnn_status bnn_tensor_select(bnn_tensor **out, bnn_tensor *x, int axis, size_t i, bnn_err *err) {
  BNN_TRY(check_axis(x, axis, err));
  if (i >= x->dim[axis])
    return bnn_fail(err, BNN_ERANGE, "position %zu along axis %d of %s, which has %zu", i + 1,
                    axis + 1, BNN_SHAPE(x), x->dim[axis]);
  bnn_tensor *v = NULL;
  BNN_TRY(make_view(&v, x, err));
  v->rank--;
  for (int k = axis; k < v->rank; k++) {
    v->dim[k] = v->dim[k + 1];
    v->stride[k] = v->stride[k + 1];
  }
  count_elements(v);
  move(v, i, x->stride[axis]);
  *out = v;
  return BNN_OK;
}

bnn_status bnn_tensor_permute(bnn_tensor **out, bnn_tensor *x, const int *order, bnn_err *err) {
  unsigned seen = 0;
  for (int k = 0; k < x->rank; k++) {
    BNN_TRY(check_axis(x, order[k], err));
    if (seen & 1u << order[k])
      return bnn_fail(err, BNN_ERANGE, "axis %d of %s is repeated in the order", order[k] + 1,
                      BNN_SHAPE(x));
    seen |= 1u << order[k];
  }
  bnn_tensor *v = NULL;
  BNN_TRY(make_view(&v, x, err));
  for (int k = 0; k < x->rank; k++) {
    v->dim[k] = x->dim[order[k]];
    v->stride[k] = x->stride[order[k]];
  }
  *out = v;
  return BNN_OK;
}

/* The strides of x's elements in another shape of the same size: each run of axes that lie in memory
 * like one is cut anew.  False when the new axes do not end where the runs do. */
static bool view_strides(ptrdiff_t *stride, const bnn_tensor *x, int rank, const size_t *dim) {
  int to = rank; /* the new axes from `to` on have strides */
  for (int last = x->rank - 1, first; last >= 0; last = first - 1) {
    size_t run = x->dim[last], cut = 1;
    for (first = last; first > 0; first--) {
      const bool joins = x->stride[first - 1] == (ptrdiff_t)run * x->stride[last];
      if (x->dim[first - 1] != 1 && !joins) break;
      run *= x->dim[first - 1];
    }
    while (to > 0 && (cut < run || dim[to - 1] == 1)) {
      stride[--to] = (ptrdiff_t)cut * x->stride[last];
      cut *= dim[to];
    }
    if (cut != run) return false;
  }
  return to == 0;
}

bnn_status bnn_tensor_view(bnn_tensor **out, bnn_tensor *x, int rank, const size_t *dim,
                           bnn_err *err) {
  size_t n;
  BNN_TRY(check_shape(x->dtype, rank, dim, err));
  if (!bnn_shape_size(&n, rank, dim) || n != x->size)
    return bnn_fail(err, BNN_ESHAPE, "%s has %zu elements, a view as %s wants %zu", BNN_SHAPE(x),
                    x->size, bnn_shape_print(rank, dim).s, n);
  ptrdiff_t stride[BNN_RANK_MAX];
  const bool contiguous = bnn_tensor_is_contiguous(x);
  if (!contiguous && !view_strides(stride, x, rank, dim))
    return bnn_fail(err, BNN_ESHAPE, "%s is not contiguous, so it has no view as %s", BNN_SHAPE(x),
                    bnn_shape_print(rank, dim).s);
  bnn_tensor *v = NULL;
  BNN_TRY(make_view(&v, x, err));
  set_shape(v, rank, dim);
  if (!contiguous) memcpy(v->stride, stride, (size_t)rank * sizeof *stride);
  *out = v;
  return BNN_OK;
}

static bool broadcasts(const bnn_tensor *x, int rank, const size_t *dim) {
  if (rank < x->rank) return false;
  for (int k = 1; k <= x->rank; k++)
    if (x->dim[x->rank - k] != dim[rank - k] && x->dim[x->rank - k] != 1) return false;
  return true;
}

bnn_status bnn_tensor_broadcast(bnn_tensor **out, bnn_tensor *x, int rank, const size_t *dim,
                                bnn_err *err) {
  BNN_TRY(check_shape(x->dtype, rank, dim, err));
  if (!broadcasts(x, rank, dim))
    return bnn_fail(err, BNN_ESHAPE, "%s does not broadcast to %s", BNN_SHAPE(x),
                    bnn_shape_print(rank, dim).s);
  bnn_tensor *v = NULL;
  BNN_TRY(make_view(&v, x, err));
  set_shape(v, rank, dim);
  for (int k = 1; k <= rank; k++) {
    bool own = k <= x->rank && x->dim[x->rank - k] == dim[rank - k];
    v->stride[rank - k] = own ? x->stride[x->rank - k] : 0;
  }
  *out = v;
  return BNN_OK;
}
