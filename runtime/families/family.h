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

enum { BNN_BUFFERS_MAX = 4 };

typedef struct bnn_family bnn_family;

/* A family over elements [first, end) of a layout, whole tensors; buffer b of the family is
 * buffer[b] [end - first], or [rows, end - first] of one that has rows. */
typedef struct bnn_group {
  const bnn_family *family;
  const bnn_layout *layout;
  size_t first, end;
  size_t
      rows; /* of the buffers that have some: the samples of a finite family, or a rank; else 0 */
  bnn_real *buffer[BNN_BUFFERS_MAX];
} bnn_group;

/* What the noise of a sample is: normal i of the key, or minus that of its mirror image. */
typedef struct bnn_draw {
  bnn_key key;
  bool is_mirrored;
} bnn_draw;

typedef struct bnn_buffer_spec {
  const char *name, *doc;
  bool decayed;  /* a rule that decays weights decays this */
  bool has_rows; /* the group's number of rows, rather than one */
} bnn_buffer_spec;

/* Two numbers for each weight that an estimator (inference/estimator.h) computes with in place of one
 * draw: a mean, and a spread around it. */
typedef struct bnn_spread {
  /* Writes the means to theta [2][size of the layout], and the spreads after them, where the group's
   * lie; normal i of the draw belongs to element i of the layout. */
  void (*draw)(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw);

  /* d[b] [span.count] += dmean (dL / dmean) and dspread (dL / dspread), each [span.count], times the
   * derivatives of both for buffer b. */
  void (*backward)(const bnn_group *q, bnn_span span, const bnn_real *dmean,
                   const bnn_real *dspread, const bnn_real *spread, bnn_real *const *d);
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

  /* d[b] [span.count] += g dtheta / dbuffer b, from g [span.count] = dL / dtheta at the sample
   * theta [span.count] that `draw` gave.  NULL: the family is not trained. */
  void (*backward)(const bnn_group *q, bnn_span span, bnn_draw draw, const bnn_real *g,
                   const bnn_real *theta, bnn_real *const *d);

  /* Mean and variance of weights that are Gaussian, each by itself.  NULL: of others. */
  bnn_spread moments;

  /* Mean and deviation, theta - mean, of a draw, where the signs of the deviations of any
   * weights may be flipped without changing the distribution.  NULL: where they may not. */
  bnn_spread deviations;

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
