/* answers.h - how answers agree with labels, class by class, under any weights of the examples.
 *
 * With n_c the weight of the examples of class c, a_c that of those answered so, r_c that of both,
 * and W of all:
 *
 *   balanced_accuracy   mean of r_c / n_c over the classes with examples
 *   f1_macro            mean of f_c = 2 r_c / (n_c + a_c) over the classes of labels or answers
 *   f1_micro            2 sum r_c / sum (n_c + a_c), which is the accuracy
 *   f1_weighted         sum n_c f_c / W
 *   f1_class            f_c of one class; 0 where neither a label nor an answer has it
 *   kappa               1 - observed / expected disagreement (Cohen 1960); the expected one is that
 *                       of answers independent of the labels; a disagreement is 1
 *   kappa_linear        the same, but that one of classes c and d is |c - d| (Cohen 1968)
 *   kappa_quadratic     or (c - d)^2
 *
 * A kappa is NaN where the expected disagreement is 0: all labels and answers are one class. */
#ifndef BNN_ANSWERS_H
#define BNN_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "bootstrap.h"

typedef struct bnn_agreement bnn_agreement;

/* The metric of that name, or NULL. */
const bnn_agreement *bnn_agreement_find(const char *name);

/* label and answer [n], each in [0, classes); positive: the class of f1_class. */
typedef struct bnn_answers {
  const int32_t *label, *answer;
  size_t n, classes, positive;
  const bnn_agreement *metric;
} bnn_answers;

/* The metric as a statistic of the examples; the caller keeps data. */
bnn_statistic bnn_answers_statistic(const bnn_answers *data);

/* The weight (NULL: each 1) of the examples by class and answer: sum [classes, classes]. */
void bnn_confusion(double *sum, const bnn_answers *data, const double *weight);

#endif
