/* glyph_draw.c - one image in one hand: a style's points shaken, joined by curves, bent by a smooth
 * field, slanted, turned and stretched, fitted into the box, and given a pen.
 *
 * Every number that makes a hand is a normal of the image's key, in a fixed order (enum below), so
 * a drawing never depends on how many numbers another took.  How sloppy the hand is multiplies the
 * shaking and the bending: most images are neat, some are hard.  Floats on purpose, IEEE's basic
 * operations only: see glyphs.h. */
#include "glyph_draw.h"
#include "../kernels/rng.h"

#include <math.h>
#include <stdbool.h>

enum {
  KNOTS = 5,       /* of the bending field, along each side */
  PIECES_MAX = 12, /* of one span between two points */
  WAY_MAX = BNN_GLYPH_POINTS_MAX * PIECES_MAX,
  PRESSURES = 4,
};

/* The places of a hand's normals. */
enum {
  SLOPPY,
  SLANT,
  TURN,
  STRETCH,
  WAIST,
  BOW,
  PEN,
  LIFT,
  PRESSURE,
  BEND = PRESSURE + PRESSURES,
  STROKE = BEND + 2 * KNOTS * KNOTS,
  POINT = STROKE + 2 * BNN_GLYPH_STROKES_MAX,
  NORMALS = POINT + 2 * BNN_GLYPH_POINTS_MAX
};

/* What the hands are like: standard deviations, in units of the style's height unless said.  Tuned
 * so that a small network reads 98% to 99% and still has something to doubt
 * (tests/long/test_glyphs_figures.lua). */
/* clang-format off */
#define SLOPPY_SD   0.25f  /* of the factor on the next four */
#define POINT_SD    0.035f /* of a point within a stroke */
#define END_SD      0.050f /* of a stroke's ends */
#define STROKE_SD   0.035f /* of a stroke as a whole */
#define BEND_SD     0.095f /* of a knot of the bending field */
#define WAIST_SD    0.30f  /* of how much longer the lower half is than the upper */
#define BOW_SD      0.33f  /* of an upright's bow: 1 is a quarter of the height */
#define STRETCH_SD  0.23f  /* of the width */
#define SLANT_MEAN  0.16f  /* of x to y, to the right */
#define SLANT_SD    0.28f
#define TURN_SD     0.13f  /* tangent of the angle */
#define PEN_MEAN    1.25f  /* radius, pixels */
#define PEN_SD      0.32f
#define PRESSURE_SD 0.16f  /* of the radius */
#define LIFT_MEAN   0.12f  /* of the radius, gone where the pen lifts */
#define LIFT_SD     0.14f
/* clang-format on */

#define BOX 20.0f

typedef struct vec {
  float x, y;
} vec;

typedef struct hand {
  float z[NORMALS];
  float sloppy; /* multiplies shaking and bending; 1 on average */
} hand;

typedef struct way {
  bnn_glyph_step step[WAY_MAX];
  size_t n;
} way;

static inline float min_of(float a, float b) { return a < b ? a : b; }
static inline float max_of(float a, float b) { return a > b ? a : b; }
static inline float between(float v, float lo, float hi) { return min_of(max_of(v, lo), hi); }

/* A hand's number for a knob, which goes no further than 1.8 standard deviations: hands differ
 * widely, but none is beyond reading. */
static float knob(const hand *h, int place) { return between(h->z[place], -1.8f, 1.8f); }

static void make_hand(hand *h, bnn_key key) {
  bnn_real z[NORMALS];
  bnn_rng_normal(z, key, 0, NORMALS);
  for (int i = 0; i < NORMALS; i++) h->z[i] = (float)z[i];
  h->sloppy = 1 + SLOPPY_SD * knob(h, SLOPPY);
}

/* ---- points ---- */

static bool is_end(const bnn_glyph_style *style, int i) {
  return style->points[i].kind == BNN_GLYPH_START || i + 1 == style->n ||
         style->points[i + 1].kind == BNN_GLYPH_START;
}

/* How far point i is shaken along one axis (0: x): half its own number, half its neighbours' mean,
 * so that a curve is drawn in another shape rather than with kinks. */
static float shake(const bnn_glyph_style *style, const hand *h, int i, int axis) {
  const float *z = h->z + POINT + axis;
  if (is_end(style, i)) return END_SD * z[2 * i];
  return POINT_SD * (0.5f * z[2 * i] + 0.25f * (z[2 * i - 2] + z[2 * i + 2]));
}

/* The style's points as this hand places them, in the box [-1/2, 1/2]: each is shaken, ends more,
 * and each stroke as a whole. */
static void place_points(vec *at, const bnn_glyph_style *style, const hand *h) {
  const float *stroke = h->z + STROKE - 2;
  for (int i = 0; i < style->n; i++) {
    const bnn_glyph_point *p = &style->points[i];
    if (p->kind == BNN_GLYPH_START) stroke += 2;
    float x = STROKE_SD * stroke[0] + shake(style, h, i, 0);
    float y = STROKE_SD * stroke[1] + shake(style, h, i, 1);
    at[i] = (vec){(float)p->x * 0.01f - 0.5f + h->sloppy * x,
                  (float)p->y * 0.01f - 0.5f + h->sloppy * y};
  }
}

/* ---- curves: centripetal Catmull-Rom splines, sharp at corners ---- */

/* A chord over its own length's root (the parameter's step), and that root. */
static vec chord(float *step, vec a, vec b) {
  float dx = b.x - a.x, dy = b.y - a.y;
  *step = sqrtf(sqrtf(dx * dx + dy * dy)) + 1e-3f;
  return (vec){dx / *step, dy / *step};
}

/* The velocity in the middle of three points: of the parabola through them. */
static vec velocity(vec a, vec b, vec c) {
  float h, k;
  vec u = chord(&h, a, b), v = chord(&k, b, c);
  return (vec){(u.x * k + v.x * h) / (h + k), (u.y * k + v.y * h) / (h + k)};
}

/* Velocities at both ends of the span from i to i + 1: at a corner or an end the one with which the
 * curve is straight there. */
static void span_velocities(vec out[2], const vec *at, const bnn_glyph_style *style, int i,
                            vec straight) {
  bool sharp0 = is_end(style, i) || style->points[i].kind == BNN_GLYPH_CORNER;
  bool sharp1 = is_end(style, i + 1) || style->points[i + 1].kind == BNN_GLYPH_CORNER;
  out[0] = sharp0 ? straight : velocity(at[i - 1], at[i], at[i + 1]);
  out[1] = sharp1 ? straight : velocity(at[i], at[i + 1], at[i + 2]);
  for (int k = 0; k < 2; k++)
    if (k ? sharp1 : sharp0) {
      out[k].x = 1.5f * straight.x - 0.5f * out[1 - k].x;
      out[k].y = 1.5f * straight.y - 0.5f * out[1 - k].y;
    }
}

/* Adds the span from point i to i + 1, Hermite's cubic, without its first point, in pieces of about
 * a 14th of the height. */
static void add_span(way *w, const vec *at, const bnn_glyph_style *style, int i) {
  float h;
  vec v[2], a = at[i], b = at[i + 1], straight = chord(&h, a, b);
  span_velocities(v, at, style, i, straight);
  int pieces = 1 + (int)min_of(h * h * 14, PIECES_MAX - 1);
  for (int k = 1; k <= pieces; k++) {
    float t = (float)k / (float)pieces, u = 1 - t;
    float p0 = u * u * (1 + 2 * t), p1 = t * t * (3 - 2 * t);
    float v0 = h * t * u * u, v1 = -h * t * t * u;
    w->step[w->n++] = (bnn_glyph_step){a.x * p0 + b.x * p1 + v[0].x * v0 + v[1].x * v1,
                                       a.y * p0 + b.y * p1 + v[0].y * v0 + v[1].y * v1, 0, 0};
  }
}

static void join_points(way *w, const vec *at, const bnn_glyph_style *style) {
  w->n = 0;
  for (int i = 0; i < style->n; i++)
    if (style->points[i].kind == BNN_GLYPH_START)
      w->step[w->n++] = (bnn_glyph_step){at[i].x, at[i].y, 0, 1};
    else
      add_span(w, at, style, i - 1);
}

/* ---- the hand ---- */

/* Weights of a cubic B-spline's four knots at t in [0, 1]. */
static void spline_weights(float w[4], float t) {
  float u = 1 - t;
  w[0] = u * u * u * (1.0f / 6);
  w[1] = (3 * t * t * t - 6 * t * t + 4) * (1.0f / 6);
  w[2] = (3 * u * u * u - 6 * u * u + 4) * (1.0f / 6);
  w[3] = t * t * t * (1.0f / 6);
}

/* The spline's cell along one side for a place near [-1/2, 1/2], and the place in it. */
static int cell_of(float *t, float x) {
  float at = between((x + 0.5f) * (KNOTS - 3), 0, KNOTS - 3);
  int cell = at < KNOTS - 4 ? (int)at : KNOTS - 4;
  *t = at - (float)cell;
  return cell;
}

/* Moves p by the field of random knots, which is smooth: what a rubber sheet would do. */
static void bend(bnn_glyph_step *p, const hand *h) {
  float wx[4], wy[4], tx, ty, dx = 0, dy = 0;
  int cx = cell_of(&tx, p->x), cy = cell_of(&ty, p->y);
  spline_weights(wx, tx);
  spline_weights(wy, ty);
  for (int j = 0; j < 4; j++)
    for (int i = 0; i < 4; i++) {
      const float *z = h->z + BEND + 2 * ((cy + j) * KNOTS + cx + i);
      dx += wx[i] * wy[j] * z[0];
      dy += wx[i] * wy[j] * z[1];
    }
  p->x += h->sloppy * BEND_SD * dx;
  p->y += h->sloppy * BEND_SD * dy;
}

/* Bends; moves the waist and bows; then stretches, slants and turns. */
static void distort(way *w, const hand *h) {
  float waist = WAIST_SD * knob(h, WAIST), bow = BOW_SD * knob(h, BOW);
  float stretch = 1 + STRETCH_SD * knob(h, STRETCH), slant = SLANT_MEAN + SLANT_SD * knob(h, SLANT);
  float tangent = TURN_SD * knob(h, TURN);
  float cosine = 1 / sqrtf(1 + tangent * tangent), sine = tangent * cosine;
  for (size_t i = 0; i < w->n; i++) {
    bnn_glyph_step *p = &w->step[i];
    bend(p, h);
    float sag = 0.25f - p->y * p->y, y = p->y + waist * sag;
    float x = stretch * (p->x + bow * sag) - slant * y;
    p->x = cosine * x - sine * y;
    p->y = sine * x + cosine * y;
  }
}

/* ---- the pen ---- */

/* Fits the ink of a pen of that radius into the box. */
static void fit(way *w, float radius) {
  vec lo = {w->step[0].x, w->step[0].y}, hi = lo;
  for (size_t i = 1; i < w->n; i++) {
    lo = (vec){min_of(lo.x, w->step[i].x), min_of(lo.y, w->step[i].y)};
    hi = (vec){max_of(hi.x, w->step[i].x), max_of(hi.y, w->step[i].y)};
  }
  float scale = (BOX - 2 * radius) / max_of(max_of(hi.x - lo.x, hi.y - lo.y), 0.1f);
  for (size_t i = 0; i < w->n; i++) {
    w->step[i].x = (w->step[i].x - 0.5f * (lo.x + hi.x)) * scale + BOX / 2;
    w->step[i].y = (w->step[i].y - 0.5f * (lo.y + hi.y)) * scale + BOX / 2;
  }
}

/* The radius along the way: pressure swells and wanes, and lets up where the pen lifts. */
static void press(way *w, const hand *h, float radius) {
  float lift = max_of(LIFT_MEAN + LIFT_SD * knob(h, LIFT), 0), z[PRESSURES];
  for (int k = 0; k < PRESSURES; k++) z[k] = PRESSURE_SD * knob(h, PRESSURE + k);
  size_t end = w->n;
  for (size_t i = w->n; i-- > 0;) {
    float t = (float)i / (float)w->n, u = 1 - t;
    float swell = z[0] * u * u * u + 3 * z[1] * u * u * t + 3 * z[2] * u * t * t + z[3] * t * t * t;
    float rest = (float)(end - 1 - i) * 0.25f;
    float r = radius * (1 + swell) * (1 - lift * max_of(1 - rest, 0));
    w->step[i].radius = max_of(r, 0.5f);
    if (w->step[i].down) end = i;
  }
}

void bnn_glyph_draw(uint8_t *image, const bnn_glyph_style *style, bnn_key key) {
  hand h;
  way w;
  vec at[BNN_GLYPH_POINTS_MAX];
  make_hand(&h, key);
  place_points(at, style, &h);
  join_points(&w, at, style);
  distort(&w, &h);
  float radius = PEN_MEAN + PEN_SD * knob(&h, PEN);
  fit(&w, radius);
  press(&w, &h, radius);
  bnn_glyph_ink(image, w.step, w.n);
}
