/* family.h - families of posteriors: a distribution over the weights of some tensors of a network,
 * made of named buffers, and the functions that training and prediction call.
 *
 * A family is a file NAME.c in this folder that defines `BNN_FAMILY(NAME) = {...}`, and the row
 * X(NAME) of families.def.  Its file is compiled once for each instruction set, as ops are
 * (kernels/isa.h); bnn_family_find gives the row of the set in use.  In its functions
 *   - elements are counted in the layout: element i is element i - q->first of a buffer;
 *   - functions named backward ADD to d and write nothing else;
 *   - nothing is allocated, nothing fails; NaN goes in and comes out. */
#ifndef BNN_FAMILY_H
#define BNN_FAMILY_H

#include <stdbool.h>

#include "../base/context.h"
#include "../base/real.h"
#include "../tensor/key.h"
#include "layout.h"

/* Buffers of a family, rows of one that is trained, and so the arrays of a group that is. */
enum {
  BNN_BUFFERS_MAX = 4,
  BNN_ROWS_MAX = 64,
  BNN_ARRAYS_MAX = BNN_BUFFERS_MAX - 1 + BNN_ROWS_MAX
};

typedef struct bnn_family bnn_family;

/* A family over elements [first, end) of a layout, whole tensors; buffer b of the family is
 * buffer[b] [end - first], or [rows, end - first] of one that has rows. */
typedef struct bnn_group {
  const bnn_family *family;
  const bnn_layout *layout;
  size_t first, end;
  size_t
      rows; /* of the buffers that have some: the samples of a finite family, or a rank; else 0 */
  bool is_state; /* of a point: running statistics, which no rule updates */
  bnn_real *buffer[BNN_BUFFERS_MAX];
  double
      *scratch; /* of a family that has `prepare`, where its gradients are asked for; else NULL */
} bnn_group;

/* What the noise of a sample is: normal i of the key, or minus that of its mirror image. */
typedef struct bnn_draw {
  bnn_key key;
  bool is_mirrored;
} bnn_draw;

typedef struct bnn_buffer_spec {
  const char *name, *doc;
  bool decayed;  /* a rule that decays weights decays this */
  bool has_rows; /* the group's number of rows, rather than one: the last buffer alone may */
} bnn_buffer_spec;

/* A second number for each weight beside its mean, which is buffer 0: what an estimator
 * (inference/estimator.h) computes with in place of one draw. */
typedef struct bnn_spread {
  /* Writes the spreads to spread [size of the layout], where the group's lie; normal i of the draw
   * belongs to element i of the layout. */
  void (*draw)(const bnn_group *q, bnn_context *context, bnn_real *spread, bnn_draw draw);

  /* d[b] [span.count] += dmean (dL / dmean) and dspread (dL / dspread), each [span.count], times the
   * derivatives of both for buffer b. */
  void (*backward)(const bnn_group *q, bnn_span span, const bnn_real *dmean,
                   const bnn_real *dspread, const bnn_real *spread, bnn_real *const *d);

  /* The derivative of a spread for buffer 1, where it is this times the spread; else 0. */
  bnn_real slope;
} bnn_spread;

struct bnn_family {
  const char *name, *doc;
  int n_buffers;
  bnn_buffer_spec buffer[BNN_BUFFERS_MAX];

  /* Whether every sample is buffer 0: there is nothing to draw. */
  bool is_point;

  /* Whether there are as many samples as rows, and no others. */
  bool is_finite;

  /* Writes the weights of sample s, from 1, to theta [size of the layout], where the group's lie;
   * normal i of the draw belongs to element i of the layout.  Only a finite family
   * reads s, and starts again after its end.  Of a family that is trained a draw and its mirror image
   * are as likely, and lie on opposite sides of the mean. */
  void (*sample)(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw,
                 int64_t s);

  /* Writes the mean of the samples to theta.  NULL: it is buffer 0. */
  void (*mean)(const bnn_group *q, bnn_real *theta);

  /* d[a] [span.count] += g dtheta / darray a (see bnn_group_arrays), from g [span.count] = dL / dtheta at the sample
   * theta [span.count] that `draw` gave.  NULL: the family is not trained. */
  void (*backward)(const bnn_group *q, bnn_span span, bnn_draw draw, const bnn_real *g,
                   const bnn_real *theta, bnn_real *const *d);

  /* The variances of weights that are Gaussian, each by itself.  NULL: of others. */
  bnn_spread moments;

  /* The deviations theta - mean of a draw, where the signs of the deviations of any
   * weights may be flipped without changing the distribution.  NULL: where they may not. */
  bnn_spread deviations;

  /* Of a family whose KL and entropy are not sums over tensors: writes what they have in common
   * to q->scratch [scratch(q)], on the threads of the context, for the gradients that are asked for
   * until a buffer changes.  Its tensors all have the KL's one weight, and what kl and entropy give
   * of a tensor is what it adds to those before it.  NULL: each tensor is by itself. */
  size_t (*scratch)(const bnn_group *q);
  void (*prepare)(const bnn_group *q, bnn_context *context);

  /* KL(q || N(0, prior_std^2)) of a tensor in nats, a sum over its elements; and d += weight times
   * its gradient, precision = 1 / prior_std^2.  NULL: there is no closed form; the KL
   * is the cross-entropy at the samples minus the entropy. */
  double (*kl)(const bnn_group *q, size_t tensor, double prior_std);
  void (*kl_backward)(const bnn_group *q, bnn_span span, bnn_real weight, bnn_real precision,
                      bnn_real *const *d);

  /* The entropy of a tensor in nats, and d += weight times its gradient.  NULL for a point, which
   * has none. */
  double (*entropy)(const bnn_group *q, size_t tensor);
  void (*entropy_backward)(const bnn_group *q, bnn_span span, bnn_real weight, bnn_real *const *d);

  /* The sum of E w^2 over a tensor, by which the scale of a prior is fitted.  NULL: of a family
   * that is not trained. */
  double (*second_moment)(const bnn_group *q, size_t tensor);

  /* Writes the standard deviation of each weight's samples to sigma [size of the layout], where the
   * group's lie.  NULL: a point, whose samples do not vary, or a family without a closed form. */
  void (*std)(const bnn_group *q, bnn_real *sigma);
};

/* The arrays that a group is made of, [end - first] each: its buffers, and of one with rows each row by
 * itself.  Array a, and the buffer it belongs to. */
int bnn_group_arrays(const bnn_group *q);
bnn_real *bnn_group_array(const bnn_group *q, int a);
const bnn_buffer_spec *bnn_group_spec(const bnn_group *q, int a);

#ifdef BNN_ISA
#define BNN_FAMILY(name) const bnn_family BNN_ISA_NAME(bnn_family_##name)
#endif

/* Row i of the table, NULL past the end; and the row of a name, NULL if there is none. */
const bnn_family *bnn_family_row(size_t i);
const bnn_family *bnn_family_find(const char *name);

/* Calls job(q, theta, draw, from, n) for pieces [from, from + n) of the elements of q, on the
 * threads of the context; the pieces follow from the size. */
typedef void bnn_sample_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                              size_t n);
void bnn_family_sample_pieces(const bnn_group *q, bnn_context *context, bnn_sample_piece *job,
                              bnn_real *theta, bnn_draw draw);

#endif
