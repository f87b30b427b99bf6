/* walk.h - loops over a full shape and operands that broadcasting repeats along some of its axes.
 *
 * The axes are merged where all operands allow it, so that what is left is a few outer counters and
 * one inner loop along which each operand moves by one element or stands still.  An operand that
 * stands still is spread into a small buffer first: a kernel sees plain arrays only, and one
 * version of it serves every pattern of broadcasting.
 *
 * Gradients of repeated operands are sums over the axes they are repeated along: in double. */
#ifndef BNN_OPS_WALK_H
#define BNN_OPS_WALK_H

#include "op.h"

enum { WALK_INPUTS = 4, WALK_CHUNK = 256 };

typedef struct walk {
  int operands; /* 1 + inputs; operand 0 is the full shape itself */
  int rank;     /* of the outer loops */
  int kept;     /* after walk_split: the outer axes along which its operand moves come first */
  size_t dim[BNN_RANK_MAX];
  size_t stride[1 + WALK_INPUTS][BNN_RANK_MAX];
  size_t inner;                /* elements of the inner loop */
  bool still[1 + WALK_INPUTS]; /* the operand stands still along the inner loop */
} walk;

/* Counters of the outer loops, and the offset of each operand that they amount to. */
typedef struct walk_cursor {
  size_t index[BNN_RANK_MAX], at[1 + WALK_INPUTS];
} walk_cursor;

#define walk_init BNN_ISA_NAME(bnn_walk_init)
#define walk_split BNN_ISA_NAME(bnn_walk_split)
#define walk_count BNN_ISA_NAME(bnn_walk_count)
#define walk_next BNN_ISA_NAME(bnn_walk_next)
#define walk_seek BNN_ISA_NAME(bnn_walk_seek)
#define walk_map BNN_ISA_NAME(bnn_walk_map)
#define walk_grad BNN_ISA_NAME(bnn_walk_grad)
#define walk_map4 BNN_ISA_NAME(bnn_walk_map4)
#define walk_grad4 BNN_ISA_NAME(bnn_walk_grad4)

/* Operand 0 has the shape of `full`, operands 1..n those of x; each broadcasts to full.  No dim of
 * full is 0. */
void walk_init(walk *w, const bnn_tensor *full, const bnn_tensor *const *x, int n);

/* Puts the outer axes along which `operand` moves first and counts them in w->kept. */
void walk_split(walk *w, int operand);

/* Iterations of the outer axes [from, to), and a step to the next one; after the last, the cursor
 * is where it began. */
size_t walk_count(const walk *w, int from, int to);
void walk_next(walk_cursor *c, const walk *w, int from, int to);

/* So many steps at once, fewer than walk_count, of a cursor that is where it began. */
void walk_seek(walk_cursor *c, const walk *w, int from, int to, size_t steps);

/* y[i] = f(a[i], b[i], c[i]) and d[i] += its gradient; inputs that are not there are NULL. */
typedef void walk_value(bnn_real *restrict y, const bnn_real *a, const bnn_real *b,
                        const bnn_real *c, size_t n);
typedef void walk_slope(bnn_real *restrict d, const bnn_real *dy, const bnn_real *y,
                        const bnn_real *a, const bnn_real *b, const bnn_real *c, size_t n);

/* y = f(x...), broadcasting; and dx += the gradient with respect to x[k] of the shape of x[k]. */
void walk_map(bnn_tensor *y, const bnn_tensor *const *x, int n, walk_value *f);
void walk_grad(bnn_tensor *dx, int k, const bnn_tensor *dy, const bnn_tensor *y,
               const bnn_tensor *const *x, int n, walk_slope *f);

/* The same of up to four inputs, for gradients that do not read y. */
typedef void walk_value4(bnn_real *restrict y, const bnn_real *a, const bnn_real *b,
                         const bnn_real *c, const bnn_real *d, size_t n);
typedef void walk_slope4(bnn_real *restrict d, const bnn_real *dy, const bnn_real *a,
                         const bnn_real *b, const bnn_real *c, const bnn_real *e, size_t n);
void walk_map4(bnn_tensor *y, const bnn_tensor *const *x, int n, walk_value4 *f);
void walk_grad4(bnn_tensor *dx, int k, const bnn_tensor *dy, const bnn_tensor *y,
                const bnn_tensor *const *x, int n, walk_slope4 *f);

#endif
