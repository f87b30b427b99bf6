/* image.c - from a picture of a character to 28 x 28.
 *
 * 1. Shrink by area to at most 512 pixels a side: less noise, bounded work.
 * 2. Which way the ink differs: squared deviations from the border's median, above against below.
 * 3. Flatten: fit a + b x + c y to the background and subtract it, since photographs have a slope
 * of light.  Otsu's threshold (1979) parts ink from background, and the fit is repeated without
 * ink.
 * 4. Stretch contrast: three noise levels above the background to 0, the ink's upper decile to 1.
 * 5. Drop specks: 8-connected components with less than 3% of the largest one's ink.
 * 6. Crop to the ink, scale by area to fit 20 x 20, centre by mass in 28 x 28. */
#include "image.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../base/mem.h"
#include "../tensor/shape.h"

enum { WORK_MAX = 512, BINS = 256, FITS = 4 };

static const double contrast_min = 16;    /* grey levels between ink and background */
static const double contrast_noise = 3.5; /* and in standard deviations of the background */
static const float component_min = 0.25f; /* ink that holds a component together */
static const double speck_max = 0.03;     /* of the greatest component */

/* ---- planes ---- */

typedef struct plane {
  size_t h, w;
  float *v; /* [h, w] */
} plane;

static bnn_status plane_new(plane *p, size_t h, size_t w, bnn_err *err) {
  float *v = bnn_mem_zalloc(h * w, sizeof *v);
  if (!v) return bnn_fail(err, BNN_ENOMEM, "an image of %zu x %zu", h, w);
  *p = (plane){h, w, v};
  return BNN_OK;
}

/* Rows and columns [from, to) of an image; either u8 or v is there. */
typedef struct window {
  const uint8_t *u8;
  const float *v;
  size_t width; /* elements from row to row */
  size_t y0, x0, h, w;
} window;

static double pixel(const window *a, size_t y, size_t x) {
  size_t i = (a->y0 + y) * a->width + a->x0 + x;
  return a->u8 ? a->u8[i] : (double)a->v[i];
}

/* The mean over [top, bottom) x [left, right), whose ends may lie within pixels. */
static double area_mean(const window *a, double top, double bottom, double left, double right) {
  double sum = 0, weight = 0;
  for (size_t y = (size_t)top; y < a->h && (double)y < bottom; y++) {
    double wy = fmin(bottom, (double)y + 1) - fmax(top, (double)y);
    for (size_t x = (size_t)left; x < a->w && (double)x < right; x++) {
      double wx = fmin(right, (double)x + 1) - fmax(left, (double)x);
      sum += wy * wx * pixel(a, y, x);
      weight += wy * wx;
    }
  }
  return weight > 0 ? sum / weight : 0;
}

static void resize(plane *to, const window *from) {
  double sy = (double)from->h / (double)to->h, sx = (double)from->w / (double)to->w;
  for (size_t y = 0; y < to->h; y++)
    for (size_t x = 0; x < to->w; x++)
      to->v[y * to->w + x] = (float)area_mean(from, (double)y * sy, (double)(y + 1) * sy,
                                              (double)x * sx, (double)(x + 1) * sx);
}

/* Sizes with the longer one `longest` and the aspect kept. */
static void fit_size(size_t *h, size_t *w, size_t longest) {
  double scale = (double)longest / (double)(*h > *w ? *h : *w);
  *h = (size_t)fmax(1, round((double)*h * scale));
  *w = (size_t)fmax(1, round((double)*w * scale));
}

static bnn_status shrink(plane *p, const bnn_tensor *grey, bnn_err *err) {
  size_t h = grey->dim[0], w = grey->dim[1];
  window all = {.u8 = grey->data, .width = w, .h = h, .w = w};
  if (h > WORK_MAX || w > WORK_MAX) fit_size(&h, &w, WORK_MAX);
  BNN_TRY(plane_new(p, h, w, err));
  resize(p, &all);
  return BNN_OK;
}

/* ---- levels ---- */

/* Counts of values in [lo, hi], in BINS bins. */
typedef struct histogram {
  double lo, hi, count[BINS], total;
} histogram;

static void count_values(histogram *g, const float *v, size_t n, double lo, double hi) {
  *g = (histogram){.lo = lo, .hi = hi};
  for (size_t i = 0; i < n; i++) {
    double at = ((double)v[i] - lo) / (hi - lo) * BINS;
    if (at < 0 || at > BINS) continue;
    g->count[at < BINS ? (int)at : BINS - 1]++;
    g->total++;
  }
}

/* Of values that are numbers.  (With fmin and fmax of doubles gcc 12 for aarch64 ends in an internal
 * error at -O3, vect_transform_reduction.) */
static void range_of(const float *v, size_t n, double *lo, double *hi) {
  float least = v[0], most = v[0];
  for (size_t i = 1; i < n; i++) {
    least = v[i] < least ? v[i] : least;
    most = v[i] > most ? v[i] : most;
  }
  *lo = (double)least;
  *hi = (double)most;
}

/* The value below which a part of all lies; the middle of its bin. */
static double quantile(const histogram *g, double part) {
  double sum = 0;
  int k = 0;
  for (; k < BINS - 1; k++)
    if ((sum += g->count[k]) > part * g->total) break;
  return g->lo + (k + 0.5) / BINS * (g->hi - g->lo);
}

/* Otsu: the cut that makes the variance between the two sides greatest. */
static double otsu(const histogram *g) {
  double all = 0, below = 0, n = 0, best = -1, cut = g->lo;
  for (int k = 0; k < BINS; k++) all += k * g->count[k];
  for (int k = 0; k < BINS - 1; k++) {
    n += g->count[k];
    below += k * g->count[k];
    if (n == 0 || n == g->total) continue;
    double gap = below / n - (all - below) / (g->total - n),
           between = n * (g->total - n) * gap * gap;
    if (between <= best) continue;
    best = between;
    cut = g->lo + (k + 1.0) / BINS * (g->hi - g->lo);
  }
  return cut;
}

static double border_median(const plane *p) {
  histogram g = {.lo = 0, .hi = 256};
  for (size_t y = 0; y < p->h; y++)
    for (size_t x = 0; x < p->w; x++)
      if (y == 0 || x == 0 || y == p->h - 1 || x == p->w - 1) {
        g.count[(int)p->v[y * p->w + x]]++;
        g.total++;
      }
  return quantile(&g, 0.5);
}

/* Ink is high afterwards. */
static void turn_to_light(plane *p, bnn_ink ink) {
  size_t n = p->h * p->w;
  double middle = border_median(p), above = 0, below = 0;
  for (size_t i = 0; i < n; i++) {
    double d = (double)p->v[i] - middle;
    *(d > 0 ? &above : &below) += d * d;
  }
  bool dark = ink == BNN_INK_AUTO ? below > above : ink == BNN_INK_DARK;
  for (size_t i = 0; dark && i < n; i++) p->v[i] = 255 - p->v[i];
}

/* ---- the slope of light ---- */

/* Solves the symmetric m s = r by Cramer's rule; false when m is singular, as it is for an
 * image of one row. */
static bool solve3(double s[3], double m[3][3], const double r[3]) {
  double det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
               m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
               m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  if (!(fabs(det) > 1e-9 * m[0][0] * m[0][0] * m[0][0])) return false;
  for (int k = 0; k < 3; k++) {
    double a[3][3];
    memcpy(a, m, sizeof a);
    for (int i = 0; i < 3; i++) a[i][k] = r[i];
    s[k] = (a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
            a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
            a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0])) /
           det;
  }
  return true;
}

/* Subtracts the plane that fits the pixels below `cut` best, coordinates in [-1, 1].  An image
 * whose background lies in one line loses its mean only. */
static void subtract_fit(plane *p, double cut) {
  double m[3][3] = {{0}}, r[3] = {0}, s[3];
  for (size_t y = 0; y < p->h; y++)
    for (size_t x = 0; x < p->w; x++) {
      double v = (double)p->v[y * p->w + x];
      const double u[3] = {1, 2 * ((double)x + 0.5) / (double)p->w - 1,
                           2 * ((double)y + 0.5) / (double)p->h - 1};
      for (int i = 0; v < cut && i < 3; i++) {
        r[i] += u[i] * v;
        for (int k = 0; k < 3; k++) m[i][k] += u[i] * u[k];
      }
    }
  if (m[0][0] == 0) return;
  if (!solve3(s, m, r)) s[0] = r[0] / m[0][0], s[1] = s[2] = 0;
  for (size_t y = 0; y < p->h; y++)
    for (size_t x = 0; x < p->w; x++)
      p->v[y * p->w + x] -= (float)(s[0] + s[1] * (2 * ((double)x + 0.5) / (double)p->w - 1) +
                                    s[2] * (2 * ((double)y + 0.5) / (double)p->h - 1));
}

static double threshold(const plane *p) {
  histogram g;
  double lo, hi;
  range_of(p->v, p->h * p->w, &lo, &hi);
  if (!(hi > lo)) return INFINITY;
  count_values(&g, p->v, p->h * p->w, lo, hi);
  return otsu(&g);
}

/* Leaves the background near 0.  What lies between it and half the threshold counts for the fit. */
static void flatten(plane *p) {
  subtract_fit(p, INFINITY);
  for (int k = 0; k < FITS; k++) {
    double cut = threshold(p);
    subtract_fit(p, k == 0 ? cut : cut / 2);
  }
}

/* ---- contrast ---- */

/* What lies on either side of a cut. */
typedef struct sides {
  double n[2], mean[2], std[2]; /* of the background, of the ink */
} sides;

static sides part_at(const plane *p, double cut) {
  sides s = {.n = {0}};
  double sum[2] = {0}, square[2] = {0};
  for (size_t i = 0; i < p->h * p->w; i++) {
    double v = (double)p->v[i];
    int k = v >= cut;
    s.n[k]++;
    sum[k] += v;
    square[k] += v * v;
  }
  for (int k = 0; k < 2; k++) {
    if (s.n[k] == 0) continue;
    s.mean[k] = sum[k] / s.n[k];
    s.std[k] = sqrt(fmax(0, square[k] / s.n[k] - s.mean[k] * s.mean[k]));
  }
  return s;
}

/* The background's noise as its quartiles show it: 0 for a drawing, whatever its soft edges are. */
static void background(const plane *p, double cut, double *level, double *noise) {
  histogram g;
  double lo, hi;
  range_of(p->v, p->h * p->w, &lo, &hi);
  count_values(&g, p->v, p->h * p->w, lo, fmax(cut, lo + 1));
  *level = quantile(&g, 0.5);
  double spread = quantile(&g, 0.75) - quantile(&g, 0.25);
  *noise = spread / 1.349; /* of a normal distribution */
}

static bnn_status fail_blank(double contrast, double noise, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "no ink to be seen: it differs by %.3g of 255, noise by %.3g",
                  contrast, noise);
}

static bnn_status stretch(plane *p, bnn_err *err) {
  double cut = threshold(p), level, noise, lo, hi;
  sides s = part_at(p, cut);
  double contrast = s.mean[1] - s.mean[0];
  if (s.n[1] == 0 || contrast < contrast_min || contrast < contrast_noise * s.std[0])
    return fail_blank(s.n[1] == 0 ? 0 : contrast, s.std[0], err);
  background(p, cut, &level, &noise);
  range_of(p->v, p->h * p->w, &lo, &hi);
  histogram ink;
  count_values(&ink, p->v, p->h * p->w, cut, fmax(hi, cut + 1));
  double from = level + 3 * noise, to = quantile(&ink, 0.9);
  if (!(to > from)) return fail_blank(contrast, noise, err);
  for (size_t i = 0; i < p->h * p->w; i++)
    p->v[i] = (float)fmin(1, fmax(0, ((double)p->v[i] - from) / (to - from)));
  return BNN_OK;
}

/* ---- connected components ---- */

/* Pixels by component, 0 for none, and how much ink each component has. */
typedef struct components {
  const plane *p;
  int *label;    /* [h, w] */
  size_t *stack; /* [h, w] */
  size_t depth;
  double *mass; /* [h w + 1], by label */
  double least; /* mass of a component that is kept */
} components;

static void visit(components *s, size_t i, int number) {
  if (s->label[i] != 0 || s->p->v[i] < component_min) return;
  s->label[i] = number;
  s->mass[number] += (double)s->p->v[i];
  s->stack[s->depth++] = i;
}

/* Labels the component that pixel i is in. */
static void fill_component(components *s, size_t i, int number) {
  size_t h = s->p->h, w = s->p->w;
  visit(s, i, number);
  while (s->depth != 0) {
    size_t at = s->stack[--s->depth], y = at / w, x = at % w;
    for (size_t ny = y ? y - 1 : 0; ny <= y + 1 && ny < h; ny++)
      for (size_t nx = x ? x - 1 : 0; nx <= x + 1 && nx < w; nx++) visit(s, ny * w + nx, number);
  }
}

static void label_components(components *s) {
  int number = 0;
  double greatest = 0;
  for (size_t i = 0; i < s->p->h * s->p->w; i++) {
    if (s->label[i] != 0 || s->p->v[i] < component_min) continue;
    fill_component(s, i, ++number);
    greatest = fmax(greatest, s->mass[number]);
  }
  s->least = speck_max * greatest;
}

/* Whether pixel (y, x) is in a component that is kept, or beside one: soft edges belong to it. */
static bool is_kept(const components *s, size_t y, size_t x) {
  size_t h = s->p->h, w = s->p->w;
  for (size_t ny = y ? y - 1 : 0; ny <= y + 1 && ny < h; ny++)
    for (size_t nx = x ? x - 1 : 0; nx <= x + 1 && nx < w; nx++) {
      int label = s->label[ny * w + nx];
      if (label != 0 && s->mass[label] >= s->least) return true;
    }
  return false;
}

static bnn_status drop_specks(plane *p, bnn_err *err) {
  size_t n = p->h * p->w;
  components s = {.p = p, .label = bnn_mem_zalloc(n, sizeof(int))};
  s.stack = bnn_mem_alloc(n, sizeof *s.stack);
  s.mass = bnn_mem_zalloc(n + 1, sizeof *s.mass);
  bnn_status status = BNN_OK;
  if (s.label && s.stack && s.mass) {
    label_components(&s);
    for (size_t i = 0; i < n; i++)
      if (!is_kept(&s, i / p->w, i % p->w)) p->v[i] = 0;
  } else {
    status = bnn_fail(err, BNN_ENOMEM, "the components of an image");
  }
  bnn_mem_free(s.label);
  bnn_mem_free(s.stack);
  bnn_mem_free(s.mass);
  return status;
}

/* ---- into the frame ---- */

static window ink_box(const plane *p) {
  size_t top = p->h, left = p->w, bottom = 0, right = 0;
  for (size_t y = 0; y < p->h; y++)
    for (size_t x = 0; x < p->w; x++) {
      if (!(p->v[y * p->w + x] > 0)) continue;
      if (y < top) top = y;
      if (x < left) left = x;
      if (y >= bottom) bottom = y + 1;
      if (x >= right) right = x + 1;
    }
  if (bottom == 0) return (window){.v = p->v};
  return (window){
      .v = p->v, .width = p->w, .y0 = top, .x0 = left, .h = bottom - top, .w = right - left};
}

/* Where the box begins so that its centre of mass is in the middle of pixel 14 (from 0), where it
 * is in MNIST (measured: 14.0 in both directions), without leaving the frame. */
static size_t place(double mass_at, size_t n) {
  double from = round(BNN_IMAGE_SIDE / 2 + 0.5 - mass_at);
  return (size_t)fmin(fmax(from, 0), (double)(BNN_IMAGE_SIDE - n));
}

static void put(uint8_t *to, const plane *box) {
  double mass = 0, my = 0, mx = 0, most = 0;
  for (size_t i = 0; i < box->h * box->w; i++) {
    double v = (double)box->v[i];
    mass += v;
    my += v * ((double)(i / box->w) + 0.5);
    mx += v * ((double)(i % box->w) + 0.5);
    most = fmax(most, v);
  }
  size_t y0 = place(my / mass, box->h), x0 = place(mx / mass, box->w);
  for (size_t y = 0; y < box->h; y++)
    for (size_t x = 0; x < box->w; x++)
      to[(y0 + y) * BNN_IMAGE_SIDE + x0 + x] =
          (uint8_t)lround(255 * (double)box->v[y * box->w + x] / most);
}

static bnn_status frame(bnn_tensor **out, const plane *p, bnn_err *err) {
  plane box = {.v = NULL};
  bnn_tensor *x = NULL;
  window ink = ink_box(p);
  size_t h = ink.h, w = ink.w;
  if (h == 0) return bnn_fail(err, BNN_EDATA, "no ink to be seen: all of it is specks");
  fit_size(&h, &w, BNN_IMAGE_BOX);
  BNN_TRY(plane_new(&box, h, w, err));
  resize(&box, &ink);
  bnn_status status =
      bnn_tensor_new(&x, BNN_U8, 2, (size_t[]){BNN_IMAGE_SIDE, BNN_IMAGE_SIDE}, err);
  if (status == BNN_OK) {
    put(x->data, &box);
    *out = x;
  }
  bnn_mem_free(box.v);
  return status;
}

static bnn_status check_grey(const bnn_tensor *x, bnn_err *err) {
  if (x->dtype != BNN_U8)
    return bnn_fail(err, BNN_ETYPE, "expected an image of u8, got %s", bnn_dtype_name(x->dtype));
  if (x->rank != 2 || x->size == 0 || !bnn_tensor_is_contiguous(x))
    return bnn_fail(err, BNN_ESHAPE, "expected a contiguous image [h, w], got %s%s", BNN_SHAPE(x),
                    bnn_tensor_is_contiguous(x) ? "" : " and strided");
  return BNN_OK;
}

bnn_status bnn_image_character(bnn_tensor **out, const bnn_tensor *grey, bnn_ink ink,
                               bnn_err *err) {
  plane p = {.v = NULL};
  BNN_TRY(check_grey(grey, err));
  BNN_TRY(shrink(&p, grey, err));
  turn_to_light(&p, ink);
  flatten(&p);
  bnn_status status = stretch(&p, err);
  if (status == BNN_OK) status = drop_specks(&p, err);
  if (status == BNN_OK) status = frame(out, &p, err);
  bnn_mem_free(p.v);
  return status;
}
