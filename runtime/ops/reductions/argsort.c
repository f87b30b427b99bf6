/* argsort: the positions, counted from 1, that put the elements along an axis in order.
 *
 * The order is that of the elements, then of their positions, so that it is the same however it is
 * found: equal elements stay as they were.  A NaN counts as the largest number, as argmax has it.
 * Positions are sorted in their place: by quicksort with the median of three, by heapsort where that
 * does not halve what it sorts (Musser 1997), by insertion where little is left. */
#include "../integers.h"
#include "../op_help.h"

enum { FEW = 16 };

/* The elements along the axis, and whether the one at position a, from 1, comes before that at b. */
typedef struct line line;
struct line {
  const void *x;
  size_t stride;
  bool descending;
  bool (*before)(const line *l, int64_t a, int64_t b);
};

#define BEFORE(TAG, TYPE, LESS)                                   \
  static bool before_##TAG(const line *l, int64_t a, int64_t b) { \
    const TYPE *x = l->x;                                         \
    const TYPE u = x[(size_t)(a - 1) * l->stride];                \
    const TYPE v = x[(size_t)(b - 1) * l->stride];                \
    const bool less = LESS(u, v), more = LESS(v, u);              \
    if (less != more) return l->descending ? more : less;         \
    return a < b;                                                 \
  }
#define WHOLE_LESS(u, v) ((u) < (v))
#define REAL_LESS(u, v) ((u) < (v) || ((v) != (v) && (u) == (u)))
#define BEFORE_INTEGER(TAG, TYPE) BEFORE(TAG, TYPE, WHOLE_LESS)
INTEGER_ROWS(BEFORE_INTEGER)
BEFORE(real, bnn_real, REAL_LESS)

/* Positions in y, `stride` apart. */
typedef struct order {
  const line *of;
  int64_t *y;
  size_t stride;
} order;

static int64_t *place(const order *o, size_t i) { return o->y + i * o->stride; }
static bool precedes(const order *o, int64_t a, int64_t b) { return o->of->before(o->of, a, b); }

static void swap(const order *o, size_t i, size_t j) {
  const int64_t kept = *place(o, i);
  *place(o, i) = *place(o, j);
  *place(o, j) = kept;
}

static void sort_few(const order *o, size_t from, size_t end) {
  for (size_t i = from + 1; i < end; i++) {
    const int64_t moved = *place(o, i);
    size_t j = i;
    for (; j > from && precedes(o, moved, *place(o, j - 1)); j--) *place(o, j) = *place(o, j - 1);
    *place(o, j) = moved;
  }
}

/* Lets the element at `root` of a heap of n from `from` on sink to where it belongs. */
static void sink(const order *o, size_t from, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && precedes(o, *place(o, from + child), *place(o, from + child + 1))) child++;
    if (!precedes(o, *place(o, from + root), *place(o, from + child))) return;
    swap(o, from + root, from + child);
  }
}

static void sort_by_heap(const order *o, size_t from, size_t end) {
  const size_t n = end - from;
  for (size_t root = n / 2; root-- > 0;) sink(o, from, root, n);
  for (size_t left = n; left-- > 1;) {
    swap(o, from, from + left);
    sink(o, from, 0, left);
  }
}

/* The median of the first, the middle and the last position. */
static int64_t pivot_of(const order *o, size_t from, size_t end) {
  int64_t a = *place(o, from), b = *place(o, from + (end - from) / 2), c = *place(o, end - 1);
  if (precedes(o, b, a)) {
    const int64_t kept = a;
    a = b, b = kept;
  }
  return precedes(o, b, c) ? b : precedes(o, c, a) ? a : c;
}

/* Puts what precedes the pivot first; where the rest begins.  Both parts hold something. */
static size_t split(const order *o, size_t from, size_t end) {
  const int64_t pivot = pivot_of(o, from, end);
  size_t i = from, j = end - 1;
  for (;;) {
    while (precedes(o, *place(o, i), pivot)) i++;
    while (precedes(o, pivot, *place(o, j))) j--;
    if (i >= j) return i;
    swap(o, i++, j--);
  }
}

static void sort(const order *o, size_t from, size_t end) {
  int depth = 0;
  for (size_t n = end - from; n > 0; n /= 2) depth += 2;
  struct {
    size_t from, end;
    int depth;
  } todo[128] = {{from, end, depth}};
  for (int n = 1; n > 0;) {
    n--;
    from = todo[n].from, end = todo[n].end, depth = todo[n].depth;
    while (end - from > FEW && depth-- > 0) {
      const size_t middle = split(o, from, end);
      todo[n].from = middle, todo[n].end = end, todo[n].depth = depth;
      n++;
      end = middle;
    }
    if (end - from > FEW)
      sort_by_heap(o, from, end);
    else
      sort_few(o, from, end);
  }
}

static bool (*before_of(bnn_dtype dtype))(const line *, int64_t, int64_t) {
  switch (dtype) {
  case BNN_U8: return before_U8;
  case BNN_I32: return before_I32;
  case BNN_I64: return before_I64;
  case BNN_U64: return before_U64;
  default: return before_real;
  }
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_axis(op_axis(attr, x->rank), x, err));
  *y = *x;
  y->dtype = BNN_I64;
  return BNN_OK;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const int axis = op_axis(attr, x[0]->rank);
  const size_t length = x[0]->dim[axis], size = bnn_dtype_size(x[0]->dtype);
  const size_t outer = op_span(x[0]->dim, 0, axis);
  const size_t inner = op_span(x[0]->dim, axis + 1, x[0]->rank);
  for (size_t r = 0; r < outer * inner; r++) {
    const size_t at = r / inner * length * inner + r % inner;
    const line of = {(const char *)x[0]->data + at * size, inner, attr->descending,
                     before_of(x[0]->dtype)};
    const order o = {&of, (int64_t *)y->data + at, inner};
    for (size_t i = 0; i < length; i++) *place(&o, i) = (int64_t)i + 1;
    sort(&o, 0, length);
  }
}

BNN_OP(argsort) = {
    .name = "argsort",
    .doc = "argsort(x, axis = last, descending = false): positions, from 1, as i64, that put the "
           "elements along the axis in order; equal ones stay as they are, NaN counts as the "
           "largest",
    .example = "bnn.tensor{3, 1, 2}:argsort() --> {2, 3, 1}\n"
               "bnn.tensor{3, 1, 2}:argsort(1, true) --> {1, 3, 2}",
    .arity = 1,
    .args = "a?d?",
    .defaults = {.axis = BNN_AXIS_NONE},
    .arithmetic = true,
    .infer = infer,
    .rows = op_rows_along,
    .forward = forward,
    .check = {.lo = -2, .hi = 2, .attr = {.axis = 1}},
};
