/* conv_direct.c - convolution of small images by windows that stand at every position: each offset
 * of the window is a view of the image, some elements further on, and no patch is copied.
 *
 * Images are laid out with their padding, in rows of `width`; y and dy in rows of the same width,
 * so that one step right or down is the same step everywhere:
 *
 *   y (q)  = b + sum over c, k, l of w (c, k, l) x (c, q + k width + l)
 *   dx (q) = sum over o, k, l of w (o, k, l) dy (o, q - k width - l)
 *   dw (o, c, k, l) = sum over images and q of dy (o, q) x (c, q + k width + l)
 *
 * The columns of y after those of the window's positions are computed and dropped; in dy they are 0.
 * (There 0 meets an element of another row: if that is infinite or NaN, dw is NaN.)
 *
 * Planes of dy are aligned, as every vector of theirs meets each offset of x.  What is laid out stays
 * on the stack: an image or a few, as many as fit the second-level cache. */
#include <stdalign.h>

#include "../../base/mem.h"
#include "../../base/stop.h"
#include "../../kernels/product.h"
#include "conv.h"

enum {
  SCRATCH = 1 << 16, /* elements on the stack */
  TERMS = 1 << 12,   /* of a sum, at most */
  IMAGES = 8,        /* that are laid out at a time, at most, for dw */
  ROWS = 18,         /* planes of y or dx that are worked out at a time */
  STRETCH = 32,      /* elements of dx that have their terms in common */
};

/* How images are laid out, in elements. */
typedef struct layout {
  size_t width;             /* of a row */
  size_t x_plane, x_size;   /* a channel, an image */
  size_t y_n, dx_n;         /* from the first to the last position, rounded up */
  size_t lead;              /* zeros before a plane of dy */
  size_t dy_plane, dy_size; /* with its lead, an image */
  size_t first;             /* of x, without its padding */
} layout;

static size_t round_up(size_t n) {
  return (n + BNN_SHIFTED_STEP - 1) / BNN_SHIFTED_STEP * BNN_SHIFTED_STEP;
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static layout layout_of(const conv *c) {
  const window *v = &c->v;
  layout f = {.width = v->in[1] + 2 * v->padding[1]};
  const size_t reach = (v->size[0] - 1) * f.width + v->size[1] - 1;
  f.x_plane = (v->in[0] + 2 * v->padding[0]) * f.width;
  f.x_size = round_up(c->channels * f.x_plane + v->size[1] + BNN_SHIFTED_STEP);
  f.first = v->padding[0] * f.width + v->padding[1];
  f.y_n = round_up(v->out[0] * f.width);
  f.dx_n = round_up(v->in[0] * f.width);
  f.lead = round_up(reach > f.first ? reach - f.first : 0);
  f.dy_plane = round_up(f.lead + most(f.y_n, f.first + f.dx_n));
  f.dy_size = c->filters * f.dy_plane;
  return f;
}

/* Sizes are looked at one by one first, so that no product of them overflows. */
bool CONV(direct_fits)(const conv *c) {
  const window *v = &c->v;
  const size_t size[] = {c->channels,   c->filters,    v->in[0],   v->in[1],
                         v->padding[0], v->padding[1], v->size[0], v->size[1]};
  if (!bnn_product_can_shift() || c->pointwise || v->stride[0] != 1 || v->stride[1] != 1)
    return false;
  for (size_t i = 0; i < sizeof size / sizeof *size; i++)
    if (size[i] > TERMS) return false;
  const size_t window_size = v->size[0] * v->size[1];
  if (c->depth == 0 || c->filters == 0 || window_size > TERMS / most(c->channels, c->filters))
    return false;
  const layout f = layout_of(c);
  return f.x_size + f.dy_size + ROWS * most(f.y_n, f.dx_n) <= SCRATCH;
}

/* Where the terms of a sum are, in w and in what it meets. */
typedef struct terms {
  int32_t w[TERMS], at[TERMS];
  size_t n;
} terms;

/* Over the channels of x, for y and dw: in the order of a filter's elements. */
static void terms_of_x(terms *t, const conv *c, const layout *f) {
  t->n = 0;
  for (size_t i = 0; i < c->channels; i++)
    for (size_t k = 0; k < c->v.size[0]; k++)
      for (size_t l = 0; l < c->v.size[1]; l++, t->n++) {
        t->w[t->n] = (int32_t)t->n;
        t->at[t->n] = (int32_t)(i * f->x_plane + k * f->width + l);
      }
}

/* Over the filters, for dx: those of each row of the window together. */
static void terms_of_dy(terms *t, const conv *c, const layout *f) {
  t->n = 0;
  for (size_t k = 0; k < c->v.size[0]; k++)
    for (size_t o = 0; o < c->filters; o++)
      for (size_t l = 0; l < c->v.size[1]; l++, t->n++) {
        t->w[t->n] = (int32_t)(o * c->depth + k * c->v.size[1] + l);
        t->at[t->n] = (int32_t)(o * f->dy_plane + f->lead + f->first - k * f->width - l);
      }
}

/* An image [channels, h, w] into its layout, whose other elements are 0 already. */
static void lay_out_x(bnn_real *to, const bnn_real *x, const conv *c, const layout *f) {
  const size_t h = c->v.in[0], w = c->v.in[1];
  for (size_t i = 0; i < c->channels; i++)
    conv_copy_rows(to + i * f->x_plane + f->first, f->width, x + i * h * w, w, w, h);
}

static void lay_out_dy(bnn_real *to, const bnn_real *dy, const conv *c, const layout *f) {
  const size_t h = c->v.out[0], w = c->v.out[1];
  for (size_t o = 0; o < c->filters; o++)
    conv_copy_rows(to + o * f->dy_plane + f->lead, f->width, dy + o * c->positions, w, w, h);
}

/* y of one image, whose layout is x; `scratch` is for ROWS planes. */
static void forward_image(bnn_real *y, bnn_real *scratch, const bnn_real *x, const bnn_real *w,
                          const bnn_real *b, const conv *c, const layout *f, const terms *t) {
  const size_t rows = c->v.out[0], columns = c->v.out[1];
  for (size_t o = 0, n; o < c->filters; o += n) {
    n = conv_least(ROWS, c->filters - o);
    const bnn_shifted_product p = {.c = scratch,
                                   .ldc = f->y_n,
                                   .start = b + o,
                                   .a = w + o * c->depth,
                                   .a_row = c->depth,
                                   .b = x,
                                   .a_at = t->w,
                                   .b_at = t->at,
                                   .m = n,
                                   .n = f->y_n,
                                   .k = t->n};
    bnn_product_shifted(&p);
    for (size_t i = 0; i < n; i++)
      conv_copy_rows(y + (o + i) * c->positions, columns, scratch + i * f->y_n, f->width, columns,
                     rows);
  }
}

void CONV(direct_forward)(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c) {
  alignas(BNN_MEM_ALIGN) bnn_real scratch[SCRATCH];
  terms t;
  const layout f = layout_of(c);
  const size_t in = c->channels * c->v.in[0] * c->v.in[1], out = c->filters * c->positions;
  terms_of_x(&t, c, &f);
  memset(scratch, 0, f.x_size * sizeof *scratch);
  for (size_t i = 0; i < c->images && !bnn_stop_asked(); i++) {
    lay_out_x(scratch, x + i * in, c, &f);
    forward_image(y + i * out, scratch + f.x_size, scratch, w, b, c, &f, &t);
  }
}

/* ROWS planes of dx or less, from channel `from` on, a stretch at a time: rows of the window that
 * meet no row of dy from there are left out, which for a small image is a quarter of them. */
static void dx_planes(bnn_real *out, size_t n, size_t from, const bnn_real *dy, const bnn_real *w,
                      const conv *c, const layout *f, const terms *t) {
  const size_t window_size = c->v.size[0] * c->v.size[1], row_terms = c->filters * c->v.size[1];
  for (size_t j = 0; j < f->dx_n; j += STRETCH) {
    const size_t columns = conv_least(STRETCH, f->dx_n - j), rows = c->v.out[0];
    const size_t top = (f->first + j) / f->width, bottom = (f->first + j + columns - 1) / f->width;
    const size_t end = conv_least(bottom + 1, c->v.size[0]),
                 k = conv_least(top < rows ? 0 : top - rows + 1, end);
    const bnn_shifted_product p = {.c = out + j,
                                   .ldc = f->dx_n,
                                   .a = w + from * window_size,
                                   .a_row = window_size,
                                   .b = dy + j,
                                   .a_at = t->w + k * row_terms,
                                   .b_at = t->at + k * row_terms,
                                   .m = n,
                                   .n = columns,
                                   .k = (end - k) * row_terms};
    bnn_product_shifted(&p);
  }
}

/* dx of one image += or = what the layout dy gives. */
static void image_to_dx(bnn_real *dx, bnn_real *scratch, const bnn_real *dy, const bnn_real *w,
                        const conv *c, const layout *f, const terms *t, bool set) {
  const size_t h = c->v.in[0], width = c->v.in[1];
  for (size_t i = 0, n; i < c->channels; i += n) {
    n = conv_least(ROWS, c->channels - i);
    dx_planes(scratch, n, i, dy, w, c, f, t);
    for (size_t k = 0; k < n; k++)
      (set ? conv_copy_rows : conv_add_rows)(dx + (i + k) * h * width, width, scratch + k * f->dx_n,
                                             f->width, width, h);
  }
}

/* dw += what `images` images give, whose layouts are x and dy. */
static void images_to_dw(bnn_real *dw, const bnn_real *dy, const bnn_real *x, size_t images,
                         const conv *c, const layout *f, const terms *t) {
  const bnn_shifted_inner p = {.c = dw,
                               .ldc = c->depth,
                               .a = dy + f->lead,
                               .a_image = f->dy_size,
                               .a_row = f->dy_plane,
                               .b = x,
                               .b_image = f->x_size,
                               .b_at = t->at,
                               .m = c->filters,
                               .n = f->y_n,
                               .k = t->n,
                               .images = images};
  bnn_product_inner(&p);
}

void CONV(direct_backward)(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const conv *c, bool set) {
  alignas(BNN_MEM_ALIGN) bnn_real scratch[SCRATCH];
  terms of_x, of_dy;
  const layout f = layout_of(c);
  const size_t in = c->channels * c->v.in[0] * c->v.in[1], out = c->filters * c->positions;
  const size_t fit = (SCRATCH - ROWS * f.dx_n) / (f.x_size + f.dy_size),
               group = conv_least(conv_least(fit, IMAGES), c->images);
  bnn_real *x_layouts = scratch + ROWS * f.dx_n, *dy_layouts = x_layouts + group * f.x_size;
  if (!dx && !dw) return;
  terms_of_x(&of_x, c, &f);
  terms_of_dy(&of_dy, c, &f);
  memset(x_layouts, 0, group * (f.x_size + f.dy_size) * sizeof *scratch);
  for (size_t i = 0, n; i < c->images && !bnn_stop_asked(); i += n) {
    n = conv_least(group, c->images - i);
    for (size_t g = 0; g < n; g++) {
      lay_out_dy(dy_layouts + g * f.dy_size, dy + (i + g) * out, c, &f);
      if (dw) lay_out_x(x_layouts + g * f.x_size, x + (i + g) * in, c, &f);
      if (dx)
        image_to_dx(dx + (i + g) * in, scratch, dy_layouts + g * f.dy_size, w, c, &f, &of_dy, set);
    }
    if (dw) images_to_dw(dw, dy_layouts, x_layouts, n, c, &f, &of_x);
  }
}
