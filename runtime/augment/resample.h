/* resample.h - pixels of an image from other places of it, line by line. */
#ifndef BNN_RESAMPLE_H
#define BNN_RESAMPLE_H

#include "../tensor/tensor.h"
#include "augmentation.h"

/* What lies beyond the edge of an image: nothing, its outermost pixels again and again, or its mirror
 * image without these. */
#define BNN_EDGE_ROWS(X) X(ZERO, "zero") X(REPEAT, "edge") X(REFLECT, "reflect")

typedef enum bnn_edge {
#define X(tag, name) BNN_EDGE_##tag,
  BNN_EDGE_ROWS(X)
#undef X
} bnn_edge;

/* A channel of an image: u8, which becomes real / 255, or real. */
typedef struct bnn_plane {
  const void *data;
  bnn_dtype dtype;
  size_t h, w;
} bnn_plane;

/* The map m after the map `first`: a pixel comes from first(m(place)). */
bnn_affine bnn_affine_after(const bnn_affine *first, const bnn_affine *m);

/* Writes pixels [x, x + n) of line y of the moved plane.  Bilinear; where the map leads from pixels to
 * pixels the values are those of the plane. */
void bnn_resample(bnn_real *out, const bnn_plane *plane, const bnn_affine *map, bnn_edge edge,
                  size_t y, size_t x, size_t n);

#endif
