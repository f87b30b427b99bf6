/* posterior.h - a posterior over the parameters of a network: a family (families/family.h) for
 * each run of tensors, whose buffers the caller owns; or a mixture of posteriors (posterior_mixture.h), which
 * predicts and is not trained. */
#ifndef BNN_POSTERIOR_H
#define BNN_POSTERIOR_H

#include "../base/context.h"
#include "../base/status.h"
#include "../families/family.h"

struct bnn_mixture;

/* Groups in the order of the layout, which they cover; or no groups and a mixture.  A value: the
 * caller owns what it points to. */
typedef struct bnn_posterior {
  const bnn_layout *layout;
  size_t n_groups;
  const bnn_group *group; /* [n_groups] */
  const struct bnn_mixture *mixture;
} bnn_posterior;

/* ESHAPE: the groups do not cover the layout one after the other, one ends within a tensor, or one that
 * is trained has more than BNN_ROWS_MAX rows; or the components of a mixture have other tensors. */
bnn_status bnn_posterior_check(const bnn_posterior *q, bnn_err *err);

/* Whether p has the families of q, with as many rows, over the same tensors; the buffers may differ. */
bool bnn_posterior_is_alike(const bnn_posterior *p, const bnn_posterior *q);

/* The group that tensor t belongs to. */
size_t bnn_posterior_group_of(const bnn_posterior *q, size_t t);

/* Whether every family can be trained. */
bool bnn_posterior_is_trainable(const bnn_posterior *q);

/* Elements of all buffers, and where array a of group g (family.h) begins among them: the first array
 * of every group, then the second of every group that has one, and so on.  Gradients and the state of
 * a rule are flat arrays in this order. */
size_t bnn_posterior_trained(const bnn_posterior *q);
size_t bnn_posterior_place(const bnn_posterior *q, size_t g, int a);

/* Copies all buffers into x [bnn_posterior_trained], or x into them. */
void bnn_posterior_read(const bnn_posterior *q, bnn_real *x);
void bnn_posterior_write(const bnn_posterior *q, const bnn_real *x);

/* Draws all weights of sample s, from 1, into theta [size of the layout]: normal i of `key`
 * belongs to element i.  Only a finite support and a mixture read s. */
void bnn_posterior_sample(const bnn_posterior *q, bnn_context *context, bnn_real *theta,
                          bnn_key key, int64_t s);

/* The same of a draw: the key's, or its mirror image. */
void bnn_posterior_draw(const bnn_posterior *q, bnn_context *context, bnn_real *theta,
                        bnn_draw draw, int64_t s);

/* The number of samples: 1 for a point, the largest finite support of a group; of a mixture those in
 * which each sample of its components has had its share; 0 if any number can be drawn. */
size_t bnn_posterior_support(const bnn_posterior *q);

/* The weights of a posterior that is one point, [size], in its buffer; NULL if there is something
 * to draw. */
const bnn_real *bnn_posterior_point(const bnn_posterior *q);

/* The mean of all weights into theta [size].  Not of a mixture, as for the standard deviation: both
 * follow from those of its components, which need memory. */
void bnn_posterior_mean(const bnn_posterior *q, bnn_real *theta);

/* The standard deviation of each weight's samples into sigma [size], 0 for points.  Returns whether
 * every family has one; without, sigma is not touched. */
bool bnn_posterior_std(const bnn_posterior *q, bnn_real *sigma);

/* KL(q || N(0, prior_std^2)) of a tensor, and its entropy, in nats; NaN if the family has no
 * closed form, or no entropy. */
double bnn_posterior_kl(const bnn_posterior *q, size_t tensor, double prior_std);
double bnn_posterior_entropy(const bnn_posterior *q, size_t tensor);

/* The root of the mean of E w^2 over n tensors from `tensor` on: the standard deviation s of the
 * prior N(0, s^2) that is nearest to q.  NaN of a family that is not trained; 0 of no elements. */
double bnn_posterior_rms(const bnn_posterior *q, size_t tensor, size_t n);

/* Folds all buffers into a fingerprint, up to 4096 words of each; of a mixture also its order. */
uint64_t bnn_posterior_fingerprint(uint64_t h, const bnn_posterior *q);

#endif
