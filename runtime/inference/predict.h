/* predict.h - a program's outputs over a whole data set, averaged over sampled networks.
 *
 * Constant memory whatever the number of samples: running mean and squared deviations (Welford
 * 1962, in double) for each row and output, and of classes the mean entropy and the votes.  Weights
 * are sampled a group at a time; then chunks of rows go through the group's networks, in the order
 * of the samples: the result depends neither on the number of threads nor on the size of a group,
 * nor on how many calls the samples came in. */
#ifndef BNN_PREDICT_H
#define BNN_PREDICT_H

#include "../base/context.h"
#include "../batches/batch.h"
#include "../program/program.h"
#include "posterior.h"

/* program: finished, forward only.  feeds, key_node as in bnn_objective_spec.  key: sample s draws its weights with
 * key:fold(s), s counted from first_sample; programs that draw noise get
 * key:fold("noise"):fold(s), as in a step (objective.h). */
typedef struct bnn_predict_spec {
  bnn_program *program;
  bnn_feeds feeds;
  int key_node;
  const bnn_posterior *posterior;
  int samples; /* samples to add */
  bnn_key key;
  int first_sample; /* the number of the first of all samples */
} bnn_predict_spec;

/* Elements of outputs[0] per row; 0 when it is not real or has no row for each row of the batch. */
size_t bnn_predict_width(const bnn_program *program);

/* ---- samples in parts ---- */

/* What is predicted: an output of the program, real [chunk, ...], of which the mean and the deviation
 * are kept; and another of which the mean alone is, or -1.  classes: each row is the probabilities
 * of its classes; then `extra`, if any, is logits.  A network has one head for each target. */
typedef struct bnn_head {
  int output, extra;
  bool classes;
} bnn_head;

/* Running sums for `rows` rows over the samples so far.  One call at a time. */
typedef struct bnn_prediction bnn_prediction;

/* No samples yet.  heads: 1 to BNN_FEEDS_MAX.
 * ESHAPE: an output is not real, or has no row for each row of the batch.  ERANGE: how many heads
 * there are, or an output that the program has not.  ENOMEM. */
bnn_status bnn_prediction_new(bnn_prediction **out, const bnn_program *program, size_t rows,
                              const bnn_head *heads, size_t n_heads, bnn_err *err);

/* A copy that shares no memory.  ENOMEM. */
bnn_status bnn_prediction_clone(bnn_prediction **out, const bnn_prediction *p, bnn_err *err);
void bnn_prediction_free(bnn_prediction *p);
size_t bnn_prediction_bytes(const bnn_prediction *p);

/* Whether spec and inputs are those of the samples so far, if there are any: the key and
 * first_sample, the parameters, and inputs by shape, type and values (parameters and inputs by a
 * fingerprint of up to 4096 words of each).  EDATA names what differs. */
bnn_status bnn_prediction_check(const bnn_prediction *p, const bnn_predict_spec *spec,
                                const bnn_sources *data, bnn_err *err);

/* Adds spec->samples samples: 50 and another 50 leave the bits of 100.  data: a source for each feed.
 * A program without rows must have been recorded for all rows of them.
 * EDATA: as bnn_prediction_check; ESHAPE, ETYPE, ERANGE: as bnn_objective_step, and more than
 * INT_MAX samples in all; ENOMEM.  After ESTOP, the context was stopped, and after an ERANGE of
 * values that the program reads p can only be freed. */
bnn_status bnn_prediction_add(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                              const bnn_sources *data, bnn_err *err);

/* Samples so far, heads, and of head h, from 0, elements per row of its output and of its extra one (0
 * when there is none). */
int bnn_prediction_samples(const bnn_prediction *p);
size_t bnn_prediction_heads(const bnn_prediction *p);
size_t bnn_prediction_width(const bnn_prediction *p, size_t h);
size_t bnn_prediction_extra(const bnn_prediction *p, size_t h);
bool bnn_prediction_has_classes(const bnn_prediction *p, size_t h);

/* The largest standard error of a mean of head h, over all rows and elements: sd / sqrt S with
 * sd^2 = sum of squared deviations / (S - 1).  Infinity below 2 samples; 0 without rows; NaN if any
 * prediction is. */
double bnn_prediction_standard_error(const bnn_prediction *p, size_t h);

/* Mean and population standard deviation (ddof 0) of head h [rows, width], std may be NULL; the mean of
 * its extra output [rows, extra].  At least 1 sample. */
void bnn_prediction_moments(const bnn_prediction *p, size_t h, bnn_real *mean, bnn_real *std);
void bnn_prediction_extra_mean(const bnn_prediction *p, size_t h, bnn_real *mean);

/* Of head h of classes, [rows] each, in nats: the entropy H of the mean probabilities, the mean E of the
 * samples' entropies, H - E (what is below 0 by rounding is 0: for networks that agree to the bit
 * it is 0 exactly), 1 - the largest share of votes (a sample votes for its first largest
 * probability), and -logsumexp of the mean logits (energy: NULL without an extra output).  NaN where a
 * sample was.  At least 1 sample.  ENOMEM. */
typedef struct bnn_class_scores {
  bnn_real *entropy, *expected_entropy, *mutual_information, *variation_ratio, *energy;
} bnn_class_scores;
bnn_status bnn_prediction_scores(const bnn_prediction *p, size_t h, const bnn_class_scores *out,
                                 bnn_err *err);

/* ---- all at once ---- */

/* Mean and population standard deviation (ddof 0) of outputs[0] over the samples of every row of the
 * data: mean and std [n, w] with w elements per row, contiguous tensors of the real type; std may be
 * NULL.
 * ESHAPE, ETYPE, ERANGE: as bnn_objective_step; ESTOP: the context was stopped; ENOMEM.  On failure
 * mean and std are untouched. */
bnn_status bnn_predict(bnn_context *context, const bnn_predict_spec *spec, const bnn_sources *data,
                       bnn_tensor *mean, bnn_tensor *std, bnn_err *err);

#endif
