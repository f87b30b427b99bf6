/* augmentation.c - the rows of augment.def, and what their files share. */
#include "augmentation.h"

#include <string.h>

#include "../kernels/rng.h"

#define X(name) extern const bnn_augmentation bnn_augmentation_##name;
#include "augment.def"
#undef X

static const bnn_augmentation *const rows[] = {
#define X(name) &bnn_augmentation_##name,
#include "augment.def"
#undef X
    NULL};

const bnn_augmentation *bnn_augmentation_at(size_t i) {
  return i < sizeof rows / sizeof *rows ? rows[i] : NULL;
}

const bnn_augmentation *bnn_augmentation_find(const char *name) {
  for (size_t i = 0; rows[i]; i++)
    if (strcmp(rows[i]->name, name) == 0) return rows[i];
  return NULL;
}

double bnn_augment_uniform(bnn_key key, uint64_t i) {
  bnn_real u;
  bnn_rng_uniform(&u, key, i, 1);
  return (double)u;
}

/* A whole number from -most to most, of a key of the axis' own. */
static double whole(bnn_key key, const char *axis, double most) {
  bnn_key own = bnn_key_fold_name(key, axis, strlen(axis));
  return (double)bnn_rng_below(own, 2 * (uint64_t)most + 1) - most;
}

bnn_affine bnn_augment_whole_move(double most, bnn_key key) {
  bnn_affine from = BNN_AFFINE_IDENTITY;
  from.ty = whole(key, "y", most);
  from.tx = whole(key, "x", most);
  return from;
}
