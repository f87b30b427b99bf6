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

/* The four pixels of u8 are divided by 255 as one. */
static inline void interpolate_as(bool is_u8, bnn_real *out, const bnn_plane *p,
                                  const bnn_affine *m, bnn_edge edge, size_t y, size_t x,
                                  size_t n) {
  const ptrdiff_t h = (ptrdiff_t)p->h, w = (ptrdiff_t)p->w;
  const double y0 = ((double)h - 1) / 2, x0 = ((double)w - 1) / 2, line = (double)y - y0;
  const double from_y = y0 + m->yy * line + m->ty, from_x = x0 + m->xy * line + m->tx;
  for (size_t i = 0; i < n; i++) {
    const double column = (double)(x + i) - x0;
    const double at_y = from_y + m->yx * column, at_x = from_x + m->xx * column;
    const ptrdiff_t top = floor_of(at_y), left = floor_of(at_x), at = top * w + left;
    const bnn_real down = (bnn_real)(at_y - (double)top), right = (bnn_real)(at_x - (double)left);
    if (top < 0 || left < 0 || top + 1 >= h || left + 1 >= w) {
      out[i] = at_edge(p, top, left, down, right, edge);
      continue;
    }
    const bnn_real v[] = {load(p, is_u8, at), load(p, is_u8, at + 1), load(p, is_u8, at + w),
                          load(p, is_u8, at + w + 1)};
    out[i] = between(v, down, right) / (is_u8 ? 255 : 1);
  }
}

static void interpolate(bnn_real *out, const bnn_plane *p, const bnn_affine *m, bnn_edge edge,
                        size_t y, size_t x, size_t n) {
  if (p->dtype == BNN_U8)
    interpolate_as(true, out, p, m, edge, y, x, n);
  else
    interpolate_as(false, out, p, m, edge, y, x, n);
}

void bnn_resample(bnn_real *out, const bnn_plane *plane, const bnn_affine *map, bnn_edge edge,
                  size_t y, size_t x, size_t n) {
  if (is_whole(map))
    move_whole(out, plane, map, edge, y, x, n);
  else
    interpolate(out, plane, map, edge, y, x, n);
}
