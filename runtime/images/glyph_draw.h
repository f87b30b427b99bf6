/* glyph_draw.h - from the strokes of a style to one image. */
#ifndef BNN_GLYPH_DRAW_H
#define BNN_GLYPH_DRAW_H

#include "../tensor/key.h"
#include "glyph_strokes.h"

/* A pen's way in pixels: from each point to the next, unless the pen goes down there. */
typedef struct bnn_glyph_step {
  float x, y, radius;
  int down; /* the pen comes down here: no line leads to this point */
} bnn_glyph_step;

/* Draws `style` as the hand that `key` stands for; image [28, 28]. */
void bnn_glyph_draw(uint8_t *image, const bnn_glyph_style *style, bnn_key key);

/* Draws a way through the box [0, 20] x [0, 20], y downwards; what lies outside is cut off.  The
 * box then goes where the centre of mass is that of the image, to the nearest pixel. */
void bnn_glyph_ink(uint8_t *image, const bnn_glyph_step *way, size_t n);

#endif
