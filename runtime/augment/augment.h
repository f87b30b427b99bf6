/* augment.h - augmentation: the examples of a batch, changed at random while they are gathered.
 *
 * An augmentation is a list of kinds (augmentation.h) with their amounts: first those that move pixels,
 * whose maps are composed in their order and interpolated once, then those that change values, then
 * one that mixes examples.  What is drawn for an example is a function of the batch's key and of the
 * example's place in the batch, from 0: kind number k of the list, from 0, draws with
 * key:fold(k):split(place).  So neither threads nor blocks change a bit.
 *
 * Mixing: the other example of place i is at place (i + s) mod n, with one s from 1 to n - 1 for the
 * batch, so that each example is mixed into one other; both are augmented before.  Labels i32 [n]
 * become real [n, classes], the shares of their classes: a loss that is linear in them, as
 * cross-entropy is, becomes lambda l(y) + (1 - lambda) l(y').  Real targets are mixed as inputs are.
 *
 * Images are u8 or real, [n, h, w] or [n, channels, h, w], and come out real; u8 are divided by 255.
 * Without a kind that moves pixels x is any u8 or real [n, ...].  Nothing here allocates but
 * bnn_augment_new. */
#ifndef BNN_AUGMENT_H
#define BNN_AUGMENT_H

#include "../tensor/shape.h"
#include "augmentation.h"
#include "resample.h"

typedef struct bnn_augment bnn_augment;

/* A kind of the list; edge: of all pixels that come from beyond the image, the last one that is not
 * BNN_EDGE_ZERO. */
typedef struct bnn_augment_item {
  const bnn_augmentation *kind;
  double amount;
  bnn_edge edge;
} bnn_augment_item;

/* classes: of labels that are mixed; 0 without.  *out: owned by the caller.
 * ERANGE: an amount, a kind after one of a later stage, two that mix.  ENOMEM. */
bnn_status bnn_augment_new(bnn_augment **out, const bnn_augment_item *items, size_t n,
                           size_t classes, bnn_err *err);
void bnn_augment_free(bnn_augment *a);
size_t bnn_augment_bytes(const bnn_augment *a);

/* Whether x [n, ...] and y [n, ...] (or NULL) can be augmented.  ESHAPE, ETYPE; ERANGE: labels are to be
 * mixed and their classes were not given. */
bnn_status bnn_augment_check(const bnn_augment *a, const bnn_tensor *x, const bnn_tensor *y,
                             bnn_err *err);

/* Whether examples are mixed, and so y changes; the elements of a row of y then. */
bool bnn_augment_mixes(const bnn_augment *a);
size_t bnn_augment_target_size(const bnn_augment *a, const bnn_tensor *y);

/* Whether this row of labels can be mixed.  ERANGE. */
bnn_status bnn_augment_check_label(const bnn_augment *a, const bnn_tensor *y, size_t row,
                                   bnn_err *err);

/* Where the other example of a place in a batch of n is: the place itself without mixing. */
size_t bnn_augment_partner(const bnn_augment *a, bnn_key key, size_t place, size_t n);

/* An example: a row of a source, at a place of the batch. */
typedef struct bnn_augment_example {
  size_t row, place;
} bnn_augment_example;

/* Writes the augmented row of x of the example `own` and its partner. */
void bnn_augment_input(bnn_real *out, const bnn_augment *a, bnn_key key, const bnn_tensor *x,
                       bnn_augment_example own, bnn_augment_example partner);

/* The share of `own` in the mix with its partner, in [0, 1]; 1 where it has none.  And the row of y of
 * a list that mixes, in which row `own` of y has this share. */
double bnn_augment_share(const bnn_augment *a, bnn_key key, bnn_augment_example own,
                         bnn_augment_example partner);
void bnn_augment_target(bnn_real *out, const bnn_augment *a, const bnn_tensor *y, size_t own,
                        size_t partner, double share);

#endif
