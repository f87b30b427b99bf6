/* posterior_mixture.h - mixtures of posteriors over one layout, for prediction: which component each sample comes
 * from.
 *
 * Sample s belongs to a component by s alone.  The order is that of fair scheduling (Baruah et al.
 * 1996, "Proportionate progress"; Tijdeman 1980, the chairman assignment problem): after any
 * number S of samples a component of weight w has had less than one more or less than w S of them, so
 * that the plain mean over samples is an estimate by proportional allocation.  A component draws its
 * own samples 1, 2, ..., so that those of a finite one take turns.  The order repeats after a
 * period at which each has had its share exactly, or, if none of up to BNN_MIXTURE_PERIOD samples does,
 * after so many. */
#ifndef BNN_POSTERIOR_MIXTURE_H
#define BNN_POSTERIOR_MIXTURE_H

#include "posterior.h"

enum { BNN_MIXTURE_PERIOD = 1 << 16, BNN_MIXTURE_SUPPORT = 100 };

/* A value: the caller owns what it points to. */
typedef struct bnn_mixture {
  size_t n;
  const bnn_posterior *const *component; /* [n], over one layout */
  size_t period;
  const uint32_t *order; /* [period] the component of each sample, from 0 */
  const uint32_t *turn;  /* [period] how many of its samples came before in the period */
  const uint32_t *share; /* [n] the samples of a component in a period */
} bnn_mixture;

/* The least number of samples, up to BNN_MIXTURE_PERIOD, in which component c of n gets weight[c] of
 * them, a whole number, and each of its members[c] samples as many as another; 0 if there is none.
 * weight: above 0, of sum 1; members: 1 of a component without a finite support. */
size_t bnn_mixture_period(const double *weight, const size_t *members, size_t n);

/* Writes the order of `period` samples. */
void bnn_mixture_order(uint32_t *order, uint32_t *turn, uint32_t *share, const double *weight,
                       size_t n, size_t period);

/* The number of samples of a mixture whose components all have a finite support: the period, if that is
 * no more than the samples of all components or BNN_MIXTURE_SUPPORT; else 0, as any number can be
 * drawn. */
size_t bnn_mixture_support(const bnn_mixture *m);

/* The component of sample s, from 1, and which of the component's own it is, from 1. */
size_t bnn_mixture_component(const bnn_mixture *m, int64_t s, int64_t *own);

#endif
