/* glyphs.h - digits and capital letters that the program draws itself, in the manner of MNIST:
 * white ink on black, 28x28 of u8, the ink fitted into a box of 20x20 and centred by its mass.
 *
 * Endless sets, written by the same hands: the same distributions of distortion, pen and rendering.
 * Image i of a set under a key, drawing and label, is a pure function of (set, key, i), with the
 * same bits on every processor and compiler and in the float and the double build: integers and
 * IEEE's basic operations only, compiled with -ffp-contract=off. */
#ifndef BNN_GLYPHS_H
#define BNN_GLYPHS_H

#include <stddef.h>
#include <stdint.h>

#include "../base/context.h"
#include "../base/status.h"
#include "../tensor/key.h"

enum { BNN_GLYPH_SIDE = 28, BNN_GLYPH_PIXELS = BNN_GLYPH_SIDE * BNN_GLYPH_SIDE };

typedef enum bnn_glyph_set {
  BNN_GLYPH_DIGITS,
  BNN_GLYPH_LETTERS,
  BNN_GLYPH_UNLIKE /* letters, labelled as such, without those that look like a digit */
} bnn_glyph_set;

/* How many classes the set has, 10 or 26: labels are 0 to one less. */
int bnn_glyph_classes(bnn_glyph_set set);

/* The character that a label stands for: '0' to '9', 'A' to 'Z'; 0 outside. */
char bnn_glyph_name(bnn_glyph_set set, int label);

/* The digit that a letter can be taken for, such as 8 for 'B'; -1 when there is none.  To refuse
 * these is no merit, so BNN_GLYPH_UNLIKE leaves them out. */
int bnn_glyph_look_alike(char letter);

/* Images [n, 28, 28] and labels [n] of elements [from, from + n) of the set; each label is drawn
 * with equal probability.  Works on all threads of the context; the result does not depend on them.
 * ESTOP: the context was stopped; images and labels are then partly written.
 * ERANGE: there is no such set. */
bnn_status bnn_glyphs_fill(bnn_context *context, uint8_t *images, int32_t *labels,
                           bnn_glyph_set set, bnn_key key, uint64_t from, size_t n, bnn_err *err);

#endif
