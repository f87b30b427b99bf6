/* tensor.h - strided arrays of one element type, counted by reference.
 *
 * Ownership: a tensor is reference counted; `new`, `ref` and every function with an `out` give the
 *            caller one reference, `unref` drops it.  A view holds a reference to its base
 *            tensor and shares its memory.  Counts are atomic; contents are not guarded.
 * Shapes:    written [n, d], outermost first; a scalar has rank 0 and size 1.  Any dim may be 0.
 * Strides:   in elements.  A tensor made by `new` is row-major and contiguous; a view need not be.
 *            Ops take contiguous tensors: bnn_tensor_contiguous makes one.
 * Errors:    functions that can fail return bnn_status and write `err` when it is not NULL.
 *            On failure no output argument has been touched.  Their texts count axes and positions
 *            from 1, as their readers in Lua do. */
#ifndef BNN_TENSOR_H
#define BNN_TENSOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../base/real.h"
#include "../base/status.h"

enum { BNN_RANK_MAX = 8 };

/* X(tag, name, C type).  Ops compute in the real type (f32, or f64 in the double build). */
#define BNN_DTYPE_ROWS(X) \
  X(U8, "u8", uint8_t)    \
  X(I32, "i32", int32_t)  \
  X(I64, "i64", int64_t)  \
  X(U64, "u64", uint64_t) \
  X(F32, "f32", float)    \
  X(F64, "f64", double)

typedef enum bnn_dtype {
#define X(tag, name, type) BNN_##tag,
  BNN_DTYPE_ROWS(X)
#undef X
      BNN_DTYPE_COUNT,
  BNN_REAL = BNN_REAL_DTYPE
} bnn_dtype;

typedef struct bnn_tensor bnn_tensor;
struct bnn_tensor {
  atomic_size_t refs;
  bnn_dtype dtype;
  int rank;
  size_t dim[BNN_RANK_MAX];       /* [rank] */
  ptrdiff_t stride[BNN_RANK_MAX]; /* [rank], in elements; 0 along a broadcast axis */
  size_t size;                    /* product of dim */
  size_t row0;                    /* in a block of a batch: its first row's place in the batch */
  void *data;                     /* first element */
  bnn_tensor *base;               /* the owner of the memory, for a view; else NULL */
  void *block;                    /* the memory itself, for an owner; NULL for a view or borrowed */
  void (*release)(void *block);   /* gives block back, in place of bnn_mem_free; or NULL */
};

/* The elements as the real type; the tensor must be of dtype BNN_REAL. */
static inline bnn_real *bnn_tensor_real(const bnn_tensor *x) { return (bnn_real *)x->data; }

/* Bytes of one element, and the name of a type such as "f32". */
size_t bnn_dtype_size(bnn_dtype dtype);
const char *bnn_dtype_name(bnn_dtype dtype);

/* The type of that name; false if there is none. */
bool bnn_dtype_find(bnn_dtype *out, const char *name);

/* A tensor of `rank` dims, filled with 0.  *out: owned by the caller.
 * ESHAPE: rank > BNN_RANK_MAX, or more elements than a size_t of bytes can count.  ENOMEM. */
bnn_status bnn_tensor_new(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                          bnn_err *err);

/* A contiguous tensor over the caller's memory, which must outlive it.  ESHAPE, ENOMEM. */
bnn_status bnn_tensor_borrow(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                             void *data, bnn_err *err);

/* The same, and the tensor owns `block`, in which data lies: after its last view, block is
 * freed by release, or by bnn_mem_free if that is NULL.  On failure it stays the caller's.
 */
bnn_status bnn_tensor_adopt(bnn_tensor **out, bnn_dtype dtype, int rank, const size_t *dim,
                            void *data, void *block, void (*release)(void *block), bnn_err *err);

/* One more reference; returns x. */
bnn_tensor *bnn_tensor_ref(bnn_tensor *x);

/* Drops one reference; NULL is allowed. */
void bnn_tensor_unref(bnn_tensor *x);

/* Fills in a tensor header in place: contiguous, borrowing data, without a reference; do not
 * unref it.  Programs plan their buffers with it.  rank and dims must be valid. */
void bnn_tensor_init(bnn_tensor *x, bnn_dtype dtype, int rank, const size_t *dim, void *data);

bool bnn_tensor_is_contiguous(const bnn_tensor *x);

/* Same rank and dims. */
bool bnn_tensor_same_shape(const bnn_tensor *a, const bnn_tensor *b);

/* x itself (one more reference) if it is contiguous, else a contiguous copy.  ENOMEM. */
bnn_status bnn_tensor_contiguous(bnn_tensor **out, bnn_tensor *x, bnn_err *err);

/* A contiguous copy of x.  ENOMEM. */
bnn_status bnn_tensor_clone(bnn_tensor **out, const bnn_tensor *x, bnn_err *err);

/* A contiguous copy of x with elements of another type.  A float becomes an integer only if it is
 * whole and in range, an integer a float only if that is exact; f64 is rounded to f32, unless
 * that would make it infinite.  ERANGE names the first element that does not fit.  ENOMEM. */
bnn_status bnn_tensor_convert(bnn_tensor **out, const bnn_tensor *x, bnn_dtype dtype, bnn_err *err);

/* Copies the elements of src into dst; same dtype and shape, either may be strided.  Where they
 * overlap, all of src is read first (through a copy: ENOMEM).
 * ESHAPE: also when dst repeats its elements, as a broadcast view does.  ETYPE. */
bnn_status bnn_tensor_copy(bnn_tensor *dst, const bnn_tensor *src, bnn_err *err);

/* Views; each shares x's memory, so writes show in both.  Axes and positions count from 0.
 * narrow: positions [from, from + count) along axis.  select: position i, without the axis.
 * permute: axis k of the view is axis order[k] of x.  view: the same elements in another shape
 * (if x is strided, axes that are not adjacent in memory can be split but not joined: ESHAPE).
 * broadcast: NumPy's rule, to a shape of rank >= x's.
 * ERANGE: a position or axis outside x.  ESHAPE: sizes do not agree.  ENOMEM. */
bnn_status bnn_tensor_narrow(bnn_tensor **out, bnn_tensor *x, int axis, size_t from, size_t count,
                             bnn_err *err);
bnn_status bnn_tensor_select(bnn_tensor **out, bnn_tensor *x, int axis, size_t i, bnn_err *err);
bnn_status bnn_tensor_permute(bnn_tensor **out, bnn_tensor *x, const int *order, bnn_err *err);
bnn_status bnn_tensor_view(bnn_tensor **out, bnn_tensor *x, int rank, const size_t *dim,
                           bnn_err *err);
bnn_status bnn_tensor_broadcast(bnn_tensor **out, bnn_tensor *x, int rank, const size_t *dim,
                                bnn_err *err);

/* Element i in row-major order (any strides), as double or as int64; i < size. */
double bnn_tensor_get(const bnn_tensor *x, size_t i);
int64_t bnn_tensor_get_int(const bnn_tensor *x, size_t i);

/* Sets element i in row-major order from a double; the caller has checked that it fits. */
void bnn_tensor_set(bnn_tensor *x, size_t i, double value);

#endif
