/* resample.c - see resample.h. */
#include "resample.h"

#include <math.h>
#include <string.h>

#include "../kernels/isa.h"

bnn_affine bnn_affine_after(const bnn_affine *f, const bnn_affine *m) {
  return (bnn_affine){.yy = f->yy * m->yy + f->yx * m->xy,
                      .yx = f->yy * m->yx + f->yx * m->xx,
                      .ty = f->yy * m->ty + f->yx * m->tx + f->ty,
                      .xy = f->xy * m->yy + f->xx * m->xy,
                      .xx = f->xy * m->yx + f->xx * m->xx,
                      .tx = f->xy * m->ty + f->xx * m->tx + f->tx};
}

/* ---- places ---- */

/* The pixel of `length` that stands for place i; -1 where there is none. */
static ptrdiff_t place(ptrdiff_t i, size_t length, bnn_edge edge) {
  const ptrdiff_t n = (ptrdiff_t)length;
  if (i >= 0 && i < n) return i;
  if (edge == BNN_EDGE_ZERO) return -1;
  if (edge == BNN_EDGE_REPEAT || n == 1) return i < 0 ? 0 : n - 1;
  const ptrdiff_t period = 2 * (n - 1);
  i = (i % period + period) % period;
  return i < n ? i : period - i;
}

static bnn_real pixel(const bnn_plane *p, ptrdiff_t y, ptrdiff_t x) {
  const size_t at = (size_t)y * p->w + (size_t)x;
  return p->dtype == BNN_U8 ? ((const uint8_t *)p->data)[at] / (bnn_real)255
                            : ((const bnn_real *)p->data)[at];
}

/* The pixel that stands for (y, x), 0 where there is none. */
static bnn_real pixel_at(const bnn_plane *p, ptrdiff_t y, ptrdiff_t x, bnn_edge edge) {
  y = place(y, p->h, edge);
  x = place(x, p->w, edge);
  return y < 0 || x < 0 ? 0 : pixel(p, y, x);
}

/* ---- from pixels to pixels ---- */

static bool is_whole(const bnn_affine *m) {
  return m->yx == 0 && m->xy == 0 && m->yy == 1 && fabs(m->xx) == 1 && m->ty == rint(m->ty) &&
         m->tx == rint(m->tx);
}

/* Pixels of a line as they stand. */
static void copy(bnn_real *out, const bnn_plane *p, size_t at, size_t n) {
  if (p->dtype == BNN_U8)
    bnn_isa_get()->vec->pixels(out, (const uint8_t *)p->data + at, n);
  else
    memcpy(out, (const bnn_real *)p->data + at, n * sizeof *out);
}

static void clear(bnn_real *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = 0;
}

/* Pixels [from, from + n) of line y, from any place: what lies beyond the edge is 0. */
static void copy_within(bnn_real *out, const bnn_plane *p, size_t y, ptrdiff_t from, size_t n) {
  const ptrdiff_t w = (ptrdiff_t)p->w, end = from + (ptrdiff_t)n;
  const ptrdiff_t first = from < 0 ? 0 : from > w ? w : from, last = end > w ? w : end;
  const size_t count = last > first ? (size_t)(last - first) : 0;
  const size_t before = count ? (size_t)(first - from) : n;
  clear(out, before);
  if (count) copy(out + before, p, y * p->w + (size_t)first, count);
  clear(out + before + count, n - before - count);
}

static void move_whole(bnn_real *out, const bnn_plane *p, const bnn_affine *m, bnn_edge edge,
                       size_t y, size_t x, size_t n) {
  const ptrdiff_t line = place((ptrdiff_t)y + (ptrdiff_t)m->ty, p->h, edge);
  const ptrdiff_t step = m->xx < 0 ? -1 : 1;
  const ptrdiff_t first = (step < 0 ? (ptrdiff_t)(p->w - 1 - x) : (ptrdiff_t)x) + (ptrdiff_t)m->tx;
  if (line < 0) {
    clear(out, n);
  } else if (step > 0 && edge == BNN_EDGE_ZERO) {
    copy_within(out, p, (size_t)line, first, n);
  } else {
    for (size_t i = 0; i < n; i++) out[i] = pixel_at(p, line, first + step * (ptrdiff_t)i, edge);
  }
}

/* ---- between pixels ---- */

/* As floor, which is a call where the instruction set has none. */
static ptrdiff_t floor_of(double x) {
  const ptrdiff_t i = (ptrdiff_t)x;
  return i - (x < (double)i);
}

/* The value between four pixels. */
static bnn_real between(const bnn_real v[4], bnn_real down, bnn_real right) {
  const bnn_real above = v[0] + right * (v[1] - v[0]), below = v[2] + right * (v[3] - v[2]);
  return above + down * (below - above);
}

/* Where at least one of the four pixels lies beyond the edge. */
static bnn_real at_edge(const bnn_plane *p, ptrdiff_t i, ptrdiff_t k, bnn_real down, bnn_real right,
                        bnn_edge edge) {
  bnn_real v[4];
  for (int j = 0; j < 4; j++) v[j] = pixel_at(p, i + j / 2, k + j % 2, edge);
  return between(v, down, right);
}

/* A pixel of a plane whose type is known where this is inlined; of u8 as it is. */
static inline bnn_real load(const bnn_plane *p, bool is_u8, ptrdiff_t at) {
  return is_u8 ? ((const uint8_t *)p->data)[at] : ((const bnn_real *)p->data)[at];
}

/* A line of places, which run along (y, x) + i (dy, dx). */
typedef struct places {
  double y, x, dy, dx;
} places;

/* Whether the four pixels about place i lie within the plane. */
static inline bool is_inside(const bnn_plane *p, const places *at, size_t i) {
  const double y = at->y + (double)i * at->dy, x = at->x + (double)i * at->dx;
  return y >= 0 && x >= 0 && y < (double)(p->h - 1) && x < (double)(p->w - 1);
}

/* Within the plane, where the nearest place above and to the left is that of an integer cast.  The
 * four pixels of u8 are divided by 255 as one. */
static inline void interpolate_inside(bool is_u8, bnn_real *out, const bnn_plane *p,
                                      const places *at, size_t from, size_t end) {
  const int32_t w = (int32_t)p->w;
  const bnn_real scale = is_u8 ? 255 : 1;
  for (size_t i = from; i < end; i++) {
    const double y = at->y + (double)i * at->dy, x = at->x + (double)i * at->dx;
    const int32_t top = (int32_t)y, left = (int32_t)x;
    const ptrdiff_t k = (ptrdiff_t)top * w + left;
    const bnn_real v[] = {load(p, is_u8, k), load(p, is_u8, k + 1), load(p, is_u8, k + w),
                          load(p, is_u8, k + w + 1)};
    out[i] = between(v, (bnn_real)(y - top), (bnn_real)(x - left)) / scale;
  }
}

static void interpolate_at_edge(bnn_real *out, const bnn_plane *p, const places *at, bnn_edge edge,
                                size_t from, size_t end) {
  for (size_t i = from; i < end; i++) {
    const double y = at->y + (double)i * at->dy, x = at->x + (double)i * at->dx;
    const ptrdiff_t top = floor_of(y), left = floor_of(x);
    out[i] = at_edge(p, top, left, (bnn_real)(y - (double)top), (bnn_real)(x - (double)left), edge);
  }
}

/* A line cuts the plane, which is convex, in one piece. */
static void interpolate(bnn_real *out, const bnn_plane *p, const bnn_affine *m, bnn_edge edge,
                        size_t y, size_t x, size_t n) {
  const double y0 = ((double)p->h - 1) / 2, x0 = ((double)p->w - 1) / 2;
  const double line = (double)y - y0, column = (double)x - x0;
  const places at = {.y = y0 + m->yy * line + m->yx * column + m->ty,
                     .x = x0 + m->xy * line + m->xx * column + m->tx,
                     .dy = m->yx,
                     .dx = m->xx};
  size_t from = 0, end = n;
  while (from < n && !is_inside(p, &at, from)) from++;
  while (end > from && !is_inside(p, &at, end - 1)) end--;
  interpolate_at_edge(out, p, &at, edge, 0, from);
  if (p->dtype == BNN_U8)
    interpolate_inside(true, out, p, &at, from, end);
  else
    interpolate_inside(false, out, p, &at, from, end);
  interpolate_at_edge(out, p, &at, edge, end, n);
}

void bnn_resample(bnn_real *out, const bnn_plane *plane, const bnn_affine *map, bnn_edge edge,
                  size_t y, size_t x, size_t n) {
  if (is_whole(map))
    move_whole(out, plane, map, edge, y, x, n);
  else
    interpolate(out, plane, map, edge, y, x, n);
}
