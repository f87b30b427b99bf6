/* augmentation.h - a kind of augmentation: what it draws for an example, from a key and one amount.
 *
 * A kind is a file augment_NAME.c that defines `const bnn_augmentation bnn_augmentation_NAME`, and the
 * row X(NAME) of augment.def.  It has one of three functions, which decides its stage:
 *
 *     move    where the pixel at a place comes from: an affine map.  The maps of a list become one, so
 *             that an image is interpolated once, and not at all where pixels meet pixels
 *     add     changes values
 *     share   the share lambda of an example in a mix with another one of its batch
 *
 * All are pure functions of their arguments, and allocate nothing. */
#ifndef BNN_AUGMENTATION_H
#define BNN_AUGMENTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/real.h"
#include "../tensor/key.h"

/* The place (y, x) of a pixel, from the middle of the image, y downwards, comes from
 * (yy y + yx x + ty, xy y + xx x + tx). */
typedef struct bnn_affine {
  double yy, yx, ty, xy, xx, tx;
} bnn_affine;

typedef enum bnn_augment_stage {
  BNN_AUGMENT_MOVE,
  BNN_AUGMENT_ADD,
  BNN_AUGMENT_MIX
} bnn_augment_stage;

typedef struct bnn_augmentation {
  const char *name, *amount; /* "rotate", "degrees" */
  double least, most;        /* of the amount */
  bool whole;                /* the amount is an integer */
  bnn_augment_stage stage;
  bnn_affine (*move)(double amount, bnn_key key);
  /* x[i] is element first + i of the example. */
  void (*add)(bnn_real *x, size_t first, size_t n, double amount, bnn_key key);
  double (*share)(double amount, bnn_key key);
} bnn_augmentation;

#define BNN_AFFINE_IDENTITY ((bnn_affine){.yy = 1, .xx = 1})

/* The row of that name; NULL if there is none. */
const bnn_augmentation *bnn_augmentation_find(const char *name);

/* Row i, in the order of augment.def; NULL behind the last. */
const bnn_augmentation *bnn_augmentation_at(size_t i);

/* A uniform number in [0, 1): the i-th of a key. */
double bnn_augment_uniform(bnn_key key, uint64_t i);

/* A move by whole pixels from -most to most along either axis, all equally likely. */
bnn_affine bnn_augment_whole_move(double most, bnn_key key);

#endif
