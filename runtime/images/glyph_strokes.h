/* glyph_strokes.h - how the generated digits and letters are written: the strokes of each style.
 *
 * A style is a list of points in a box 100 wide and 100 high, y downwards.  The pen goes down at a
 * point of kind START and passes smoothly through those that follow, turning sharply at a CORNER,
 * until the next START or the end.  Its weight is the share of writers who write so, among those of
 * the styles of the same class. */
#ifndef BNN_GLYPH_STROKES_H
#define BNN_GLYPH_STROKES_H

#include <stddef.h>
#include <stdint.h>

#include "glyphs.h"

enum { BNN_GLYPH_POINTS_MAX = 24, BNN_GLYPH_STROKES_MAX = 4 }; /* of a style; test_glyphs.c */

typedef enum bnn_glyph_kind { BNN_GLYPH_START, BNN_GLYPH_SMOOTH, BNN_GLYPH_CORNER } bnn_glyph_kind;

typedef struct bnn_glyph_point {
  uint8_t x, y, kind;
} bnn_glyph_point;

typedef struct bnn_glyph_style {
  char name; /* of its class: '0' to '9', 'A' to 'Z' */
  uint8_t weight;
  uint8_t n;
  const bnn_glyph_point *points; /* [n] */
} bnn_glyph_style;

/* The styles of a set, those of a class in a row, classes in order; *n: how many. */
const bnn_glyph_style *bnn_glyph_styles(bnn_glyph_set set, size_t *n);

/* One of the styles of the class `name`, which the set has, by their weights. */
const bnn_glyph_style *bnn_glyph_choose(bnn_glyph_set set, char name, bnn_key key);

#endif
