/* glyph_ink.c - a pen's way as grey pixels: each line is a capsule of varying radius, each pixel
 * takes the most ink that a capsule leaves on it.
 *
 * Ink falls off across the edge over SOFT pixels, which is the blur that MNIST's reduction to 20x20
 * left.  Floats on purpose, IEEE's basic operations only: see glyphs.h. */
#include <math.h>
#include <string.h>

#include "glyph_draw.h"

enum { BOX = 20, LANES = 8, STRIDE = BOX + LANES };

#define SOFT 1.5f

typedef struct canvas {
  float ink[BOX * STRIDE]; /* columns from BOX on are never read: rows are done LANES at a time */
} canvas;

static inline float min_of(float a, float b) { return a < b ? a : b; }
static inline float max_of(float a, float b) { return a > b ? a : b; }
static inline float clamp01(float v) { return min_of(max_of(v, 0), 1); }

static int clamp_pixel(float v) { return (int)min_of(max_of(v, 0), BOX); }

/* A line from a by (dx, dy), and 1 over its squared length. */
typedef struct line {
  float x, y, dx, dy, inverse, radius, growth;
} line;

static line line_between(const bnn_glyph_step *a, const bnn_glyph_step *b) {
  line l = {a->x, a->y, b->x - a->x, b->y - a->y, 0, a->radius, b->radius - a->radius};
  l.inverse = 1 / (l.dx * l.dx + l.dy * l.dy + 1e-6f);
  return l;
}

/* LANES pixels of a row from (x, y) on, positions of their middles. */
static inline void ink_row(float *ink, float x, float y, const line *l) {
  for (int k = 0; k < LANES; k++) {
    float px = x + (float)k - l->x, py = y - l->y;
    float t = clamp01((px * l->dx + py * l->dy) * l->inverse);
    float ex = px - t * l->dx, ey = py - t * l->dy;
    float edge = l->radius + t * l->growth - sqrtf(ex * ex + ey * ey);
    float v = clamp01(edge * (1 / SOFT) + 0.5f);
    ink[k] = max_of(ink[k], v);
  }
}

static void ink_line(canvas *c, const bnn_glyph_step *a, const bnn_glyph_step *b) {
  line l = line_between(a, b);
  float reach = max_of(a->radius, b->radius) + SOFT / 2;
  int x0 = clamp_pixel(min_of(a->x, b->x) - reach),
      x1 = clamp_pixel(max_of(a->x, b->x) + reach + 1);
  int y0 = clamp_pixel(min_of(a->y, b->y) - reach),
      y1 = clamp_pixel(max_of(a->y, b->y) + reach + 1);
  for (int y = y0; y < y1; y++)
    for (int x = x0; x < x1; x += LANES)
      ink_row(c->ink + y * STRIDE + x, (float)x + 0.5f, (float)y + 0.5f, &l);
}

/* The canvas as bytes; the edge's straight ramp becomes an S, as a blur's is. */
static void develop(uint8_t *grey, const canvas *c) {
  for (int y = 0; y < BOX; y++)
    for (int x = 0; x < BOX; x++) {
      float v = c->ink[y * STRIDE + x];
      grey[y * BOX + x] = (uint8_t)(int)(v * v * (3 - 2 * v) * 255 + 0.5f);
    }
}

/* How far to move the box so that the mean position comes nearest the middle of the image's pixel
 * (14, 14), counted from 0, where MNIST has it on average, without leaving the image.  `sum` is of
 * positions in half pixels (the middles of pixels are odd). */
static int shift_of(int sum, int mass) {
  const int most = BNN_GLYPH_SIDE - BOX;
  if (mass == 0) return most / 2;
  int above =
      (BNN_GLYPH_SIDE + 2) * mass - sum; /* of half pixels, rounded: 2 mass times the shift */
  int shift = above > 0 ? above / (2 * mass) : 0;
  return shift < most ? shift : most;
}

static void centre(uint8_t *image, const uint8_t *grey) {
  int mass = 0, sum_x = 0, sum_y = 0;
  for (int y = 0; y < BOX; y++)
    for (int x = 0; x < BOX; x++) {
      int v = grey[y * BOX + x];
      mass += v;
      sum_x += v * (2 * x + 1);
      sum_y += v * (2 * y + 1);
    }
  int right = shift_of(sum_x, mass), down = shift_of(sum_y, mass);
  memset(image, 0, BNN_GLYPH_PIXELS);
  for (int y = 0; y < BOX; y++)
    memcpy(image + (y + down) * BNN_GLYPH_SIDE + right, grey + y * BOX, BOX);
}

void bnn_glyph_ink(uint8_t *image, const bnn_glyph_step *way, size_t n) {
  canvas c = {{0}};
  uint8_t grey[BOX * BOX];
  for (size_t i = 0; i < n; i++) ink_line(&c, &way[way[i].down ? i : i - 1], &way[i]);
  develop(grey, &c);
  centre(image, grey);
}
