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

static void interpolate(bnn_real *out, const bnn_plane *p, const bnn_affine *m, bnn_edge edge,
                        size_t y, size_t x, size_t n) {
  const double y0 = ((double)p->h - 1) / 2, x0 = ((double)p->w - 1) / 2;
  const double line = (double)y - y0, column = (double)x - x0;
  const bnn_bilinear at = {.y = y0 + m->yy * line + m->yx * column + m->ty,
                           .x = x0 + m->xy * line + m->xx * column + m->tx,
                           .dy = m->yx,
                           .dx = m->xx,
                           .h = p->h,
                           .w = p->w,
                           .fades = edge == BNN_EDGE_ZERO,
                           .reflects = edge == BNN_EDGE_REFLECT};
  if (p->dtype == BNN_U8)
    bnn_isa_get()->vec->bilinear_u8(out, p->data, &at, n);
  else
    bnn_isa_get()->vec->bilinear(out, p->data, &at, n);
}

void bnn_resample(bnn_real *out, const bnn_plane *plane, const bnn_affine *map, bnn_edge edge,
                  size_t y, size_t x, size_t n) {
  if (is_whole(map))
    move_whole(out, plane, map, edge, y, x, n);
  else
    interpolate(out, plane, map, edge, y, x, n);
}
