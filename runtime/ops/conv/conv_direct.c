/* conv_direct.c - convolution of small images without a copy for each patch: each element of the
 * window is a view of the image, some elements further on.
 *
 * Under a stride of s an image is laid out as s[0] s[1] phases, each every s'th row and column of
 * it, so that one position of the window is one step in all of them: element k of the window meets
 * phase k d mod s, floor(k d / s) further on, for a dilation of d.  Phases that no element meets
 * are left out.  A stride of 1 has one phase, the image.
 *
 * Phases are laid out with their padding, in rows of `width`; y and dy in rows of the same width,
 * so that one step right or down is the same step everywhere.  With shift (k, l) for the distance
 * floor(k d / s) width + floor(l d / s) and x (c, k, l) for the phase that (k, l) meets:
 *
 *   y (q)  = b + sum over c, k, l of w (c, k, l) x (c, k, l) (q + shift (k, l))
 *   dx (q) = sum over o and the k, l that meet this phase of w (o, k, l) dy (o, q - shift (k, l))
 *   dw (o, c, k, l) = sum over images and q of dy (o, q) x (c, k, l) (q + shift (k, l))
 *
 * The columns of y after those of the window's positions are computed and dropped; in dy they are 0.
 * (There 0 meets an element of another row: if that is infinite or NaN, dw is NaN.)
 *
 * Planes of dy are aligned, as every vector of theirs meets each view of x.  What is laid out stays
 * on the stack: an image or a few, as many as fit the second-level cache; of one too large for that
 * a part of the channels of x and of y, whose sums are added up. */
#include <stdalign.h>

#include "../../base/mem.h"
#include "../../base/stop.h"
#include "../../kernels/product.h"
#include "conv.h"

enum {
  SCRATCH = 3 << 16, /* elements on the stack */
  GROUP = 1 << 16,   /* of images that are laid out at a time, for dw, */
  TERMS = 1 << 12,   /* of a sum, at most */
  IMAGES = 32,       /* and how many, at most */
  PART = 4,          /* channels or filters, at least, of those that are done apart */
  ROWS = 6,          /* planes of y or dx that are worked out at a time */
  PHASES = 8,        /* along an axis, at most */
  SHORT = 32,        /* elements of dx that have their terms in common, in planes up to SMALL, */
  SMALL = 224,       /* of FEW or more channels at a time; others have them all in common */
  FEW = 3,
};

/* A phase of an axis, by the element of the window that is the first to meet it: its first pixel,
 * how many it has, the first one's place in it, and how many elements of the window meet it. */
typedef struct axis_phase {
  size_t first, n, place, terms;
} axis_phase;

/* How images are laid out, in elements. */
typedef struct layout {
  size_t step[2], phases[2]; /* of the window's elements that meet the same phase; along an axis */
  axis_phase axis[2][PHASES];
  size_t width;             /* of a row */
  size_t x_plane, x_size;   /* a phase of a channel, an image */
  size_t scratch;           /* the planes of y or dx that are worked out at a time */
  size_t y_n, dx_n;         /* from the first to the last position, rounded up; dx_n: at most */
  size_t lead;              /* zeros before a plane of dy */
  size_t dy_plane, dy_size; /* with its lead, an image */
} layout;

/* A phase, which element `k` of the window is the first to meet, along both axes. */
typedef struct phase {
  size_t k[2];
  size_t first[2], n[2]; /* pixels of the image: the first, and how many */
  size_t begin;          /* the first one's place in the phase's plane */
  size_t terms[2];       /* how many elements of the window meet it */
} phase;

static size_t round_up(size_t n) {
  return (n + BNN_SHIFTED_STEP - 1) / BNN_SHIFTED_STEP * BNN_SHIFTED_STEP;
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t over(size_t a, size_t b) { return (a + b - 1) / b; }

static size_t common_divisor(size_t a, size_t b) {
  while (b) {
    const size_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* How far on element k of the window looks, along an axis. */
static inline size_t shift_along(const window *v, int axis, size_t k) {
  return k * v->dilation[axis] / v->stride[axis];
}

static inline size_t shift_of(const window *v, const layout *f, size_t k, size_t l) {
  return shift_along(v, 0, k) * f->width + shift_along(v, 1, l);
}

/* How many phases an axis has, which element k of the window is the first to meet. */
static size_t phases_along(const window *v, int axis) {
  return conv_least(v->stride[axis] / common_divisor(v->stride[axis], v->dilation[axis]),
                    v->size[axis]);
}

static axis_phase axis_phase_of(const window *v, int axis, size_t step, size_t k) {
  const size_t s = v->stride[axis], pad = v->padding[axis], at = k * v->dilation[axis] % s;
  axis_phase p = {.first = (at + s - pad % s) % s, .terms = over(v->size[axis] - k, step)};
  p.n = p.first < v->in[axis] ? over(v->in[axis] - p.first, s) : 0;
  p.place = (p.first + pad) / s;
  return p;
}

static inline phase phase_of(const layout *f, size_t k, size_t l) {
  const axis_phase *a = &f->axis[0][k], *b = &f->axis[1][l];
  return (phase){.k = {k, l},
                 .first = {a->first, b->first},
                 .n = {a->n, b->n},
                 .begin = a->place * f->width + b->place,
                 .terms = {a->terms, b->terms}};
}

static layout layout_of(const conv *c) {
  const window *v = &c->v;
  layout f;
  size_t height[2], first[2]; /* first: the least place of a pixel in a phase, along an axis */
  for (int i = 0; i < 2; i++) {
    f.step[i] = v->stride[i] / common_divisor(v->stride[i], v->dilation[i]);
    f.phases[i] = phases_along(v, i);
    for (size_t k = 0; k < f.phases[i]; k++) f.axis[i][k] = axis_phase_of(v, i, f.step[i], k);
    height[i] = over(v->in[i] + 2 * v->padding[i], v->stride[i]);
    first[i] = v->padding[i] / v->stride[i];
  }
  f.width = height[1];
  const size_t reach = shift_of(v, &f, v->size[0] - 1, v->size[1] - 1);
  const size_t least_begin = first[0] * f.width + first[1];
  const size_t most_begin = least_begin + (v->stride[0] > 1) * f.width + (v->stride[1] > 1);
  f.x_plane = height[0] * f.width;
  f.x_size = round_up(c->channels * f.phases[0] * f.phases[1] * f.x_plane +
                      shift_along(v, 1, v->size[1] - 1) + 1 + BNN_SHIFTED_STEP);
  f.y_n = round_up(v->out[0] * f.width);
  f.dx_n = round_up(over(v->in[0], v->stride[0]) * f.width);
  const size_t pair = v->stride[1] == 2 && f.phases[1] == 2 ? 2 : 1;
  f.scratch =
      most(conv_least(ROWS, c->filters) * f.y_n, pair * conv_least(ROWS, c->channels) * f.dx_n);
  f.lead = round_up(reach > least_begin ? reach - least_begin : 0);
  f.dy_plane = round_up(f.lead + most(f.y_n, most_begin + f.dx_n));
  f.dy_size = c->filters * f.dy_plane;
  return f;
}

/* Sizes are looked at one by one first, so that no product of them overflows. */
static bool fits(const conv *c) {
  const window *v = &c->v;
  const size_t size[] = {c->channels,   c->filters,    v->in[0],       v->in[1],
                         v->padding[0], v->padding[1], v->size[0],     v->size[1],
                         v->stride[0],  v->stride[1],  v->dilation[0], v->dilation[1]};
  if (!bnn_product_can_shift() || c->pointwise) return false;
  for (size_t i = 0; i < sizeof size / sizeof *size; i++)
    if (size[i] > TERMS) return false;
  const size_t window_size = v->size[0] * v->size[1];
  if (phases_along(v, 0) > PHASES || phases_along(v, 1) > PHASES) return false;
  if (c->depth == 0 || c->filters == 0 || window_size > TERMS / most(c->channels, c->filters))
    return false;
  const layout f = layout_of(c);
  return most(f.x_size + f.dy_size, GROUP) + f.scratch <= SCRATCH;
}

/* Not where a fifth of y's layout is dropped, as in small images with many filters: patches are no
 * slower there. */
static bool is_worth_parts(const conv *c) {
  const size_t wide = over(c->v.in[1] + 2 * c->v.padding[1], c->v.stride[1]);
  return c->groups == 1 && 5 * c->positions >= 4 * round_up(c->v.out[0] * wide);
}

/* Halves of what is more, until their layouts fit. */
bool conv_direct_part(conv *part, const conv *c) {
  *part = *c;
  while (!fits(part)) {
    size_t *n = part->channels > part->filters ? &part->channels : &part->filters;
    if (*n < 2 * PART || !is_worth_parts(c)) return false;
    *n = (*n + 1) / 2;
  }
  return true;
}

/* Where the terms of a sum are, in w and in what it meets. */
typedef struct terms {
  int32_t w[TERMS], at[TERMS];
  size_t n;
} terms;

/* Where phase (k, l) of channel i is laid out. */
static inline size_t plane_of(const layout *f, size_t i, size_t k, size_t l) {
  return ((i * f->phases[0] + k) * f->phases[1] + l) * f->x_plane;
}

/* Over the channels of x, for y and dw: in the order of a filter's elements. */
static void terms_of_x(terms *t, const conv *c, const layout *f) {
  t->n = 0;
  for (size_t i = 0; i < c->channels; i++)
    for (size_t k = 0; k < c->v.size[0]; k++)
      for (size_t l = 0; l < c->v.size[1]; l++, t->n++) {
        t->w[t->n] = (int32_t)t->n;
        t->at[t->n] =
            (int32_t)(plane_of(f, i, k % f->step[0], l % f->step[1]) + shift_of(&c->v, f, k, l));
      }
}

/* Over the filters, for a phase of dx: those of each row of the window together. */
static void add_terms_of_phase(terms *t, const conv *c, const layout *f, const phase *p) {
  const window *v = &c->v;
  for (size_t k = p->k[0]; k < v->size[0]; k += f->step[0])
    for (size_t o = 0; o < c->filters; o++)
      for (size_t l = p->k[1]; l < v->size[1]; l += f->step[1], t->n++) {
        t->w[t->n] = (int32_t)(o * c->depth + k * v->size[1] + l);
        t->at[t->n] = (int32_t)(o * f->dy_plane + f->lead + p->begin - shift_of(v, f, k, l));
      }
}

/* One phase after the other. */
static void terms_of_dy(terms *t, const conv *c, const layout *f) {
  t->n = 0;
  for (size_t k = 0; k < f->phases[0]; k++)
    for (size_t l = 0; l < f->phases[1]; l++) {
      const phase p = phase_of(f, k, l);
      add_terms_of_phase(t, c, f, &p);
    }
}

/* Whether neighbours in a row of the image are in two phases, which are moved together. */
static bool has_pairs(const conv *c, const layout *f) {
  return c->v.stride[1] == 2 && f->phases[1] == 2;
}

/* Element k[1] of the window that is the first to meet the pixels of column 0, of 0 and 1. */
static size_t phase_of_column_0(const layout *f) { return f->axis[1][0].first == 0 ? 0 : 1; }

/* The rows of an image that meet element k of the window, into both phases of theirs. */
static void lay_out_pairs(bnn_real *to, const bnn_real *x, const conv *c, const layout *f,
                          size_t k) {
  const window *v = &c->v;
  const size_t l = phase_of_column_0(f), w = v->in[1];
  const phase p = phase_of(f, k, l), q = phase_of(f, k, 1 - l);
  for (size_t i = 0; i < c->channels; i++) {
    bnn_real *const even = to + plane_of(f, i, k, l) + p.begin, *const odd =
                                                                    to + plane_of(f, i, k, 1 - l) +
                                                                    q.begin;
    const bnn_real *from = x + (i * v->in[0] + p.first[0]) * w;
    for (size_t r = 0; r < p.n[0]; r++)
      conv_split(even + r * f->width, odd + r * f->width, from + r * v->stride[0] * w, w);
  }
}

/* The pixels of an image that meet element (k, l) of the window. */
static void lay_out_phase(bnn_real *to, const bnn_real *x, const conv *c, const layout *f, size_t k,
                          size_t l) {
  const window *v = &c->v;
  const phase p = phase_of(f, k, l);
  const size_t w = v->in[1], from = p.first[0] * w + p.first[1];
  for (size_t i = 0; i < c->channels; i++)
    conv_gather_rows(to + plane_of(f, i, k, l) + p.begin, f->width, x + i * v->in[0] * w + from,
                     v->stride[0] * w, v->stride[1], p.n[1], p.n[0]);
}

/* An image [channels, h, w] into its layout, whose other elements are 0 already. */
static void lay_out_x(bnn_real *to, const bnn_real *x, const conv *c, const layout *f) {
  for (size_t k = 0; k < f->phases[0]; k++)
    if (has_pairs(c, f))
      lay_out_pairs(to, x, c, f, k);
    else
      for (size_t l = 0; l < f->phases[1]; l++) lay_out_phase(to, x, c, f, k, l);
}

static void lay_out_dy(bnn_real *to, const bnn_real *dy, const conv *c, const layout *f) {
  const size_t h = c->v.out[0], w = c->v.out[1];
  for (size_t o = 0; o < c->filters; o++)
    conv_copy_rows(to + o * f->dy_plane + f->lead, f->width, dy + o * c->positions, w, w, h);
}

/* y of one image, set or added to, whose layout is x; `scratch` is for ROWS planes. */
static void forward_image(bnn_real *y, bnn_real *scratch, const bnn_real *x, const bnn_real *w,
                          const bnn_real *b, const conv *c, const layout *f, const terms *t,
                          bool set) {
  const size_t rows = c->v.out[0], columns = c->v.out[1];
  for (size_t o = 0, n; o < c->filters; o += n) {
    n = conv_least(ROWS, c->filters - o);
    const bnn_shifted_product p = {.c = scratch,
                                   .ldc = f->y_n,
                                   .start = b ? b + o : NULL,
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
      (set ? conv_copy_rows : conv_add_rows)(y + (o + i) * c->positions, columns,
                                             scratch + i * f->y_n, f->width, columns, rows);
  }
}

void conv_direct_forward(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                         const conv *c, bool set) {
  alignas(BNN_MEM_ALIGN) bnn_real scratch[SCRATCH];
  terms t;
  const layout f = layout_of(c);
  const size_t in = c->x_image / c->groups, out = c->y_image / c->groups;
  terms_of_x(&t, c, &f);
  memset(scratch, 0, f.x_size * sizeof *scratch);
  for (size_t g = 0; g < c->groups; g++)
    for (size_t i = 0; i < c->images && !bnn_stop_asked(); i++) {
      lay_out_x(scratch, x + i * c->x_image + g * in, c, &f);
      forward_image(y + i * c->y_image + g * out, scratch + f.x_size, scratch,
                    w + g * c->filters * c->depth, b ? b + g * c->filters : NULL, c, &f, &t, set);
    }
}

/* ROWS planes of a phase of dx or less, from channel `from` on, a stretch at a time; t: the terms of
 * the phase.  Rows of the window that meet no row of dy from there are left out, which for a small
 * image is a quarter of them. */
static void dx_planes(bnn_real *out, size_t n, size_t from, const bnn_real *dy, const bnn_real *w,
                      const conv *c, const layout *f, const phase *p, const int32_t *w_at,
                      const int32_t *dy_at) {
  const window *v = &c->v;
  const size_t size = v->size[0] * v->size[1], row_terms = c->filters * p->terms[1];
  const size_t dx_n = round_up(p->n[0] * f->width),
               stretch = dx_n <= SMALL && n >= FEW && 3 * p->n[0] >= 4 * v->out[0] ? SHORT : dx_n;
  for (size_t j = 0; j < dx_n; j += stretch) {
    const size_t columns = conv_least(stretch, dx_n - j);
    const size_t top = (p->begin + j) / f->width, bottom = (p->begin + j + columns - 1) / f->width;
    size_t first = 0, end = p->terms[0];
    while (first < end && shift_along(v, 0, p->k[0] + first * f->step[0]) + v->out[0] <= top)
      first++;
    while (end > first && shift_along(v, 0, p->k[0] + (end - 1) * f->step[0]) > bottom) end--;
    const bnn_shifted_product product = {.c = out + j,
                                         .ldc = f->dx_n,
                                         .a = w + from * size,
                                         .a_row = size,
                                         .b = dy + j,
                                         .a_at = w_at + first * row_terms,
                                         .b_at = dy_at + first * row_terms,
                                         .m = n,
                                         .n = columns,
                                         .k = (end - first) * row_terms};
    bnn_product_shifted(&product);
  }
}

/* n channels of dx from i on, at the rows that meet element k of the window: from one phase, whose
 * planes are in scratch, or from the phases of column 0 and of column 1, a block of ROWS each. */
static void phase_to_dx(bnn_real *dx, const bnn_real *scratch, size_t i, size_t n, const conv *c,
                        const layout *f, const phase *p, bool set) {
  const window *v = &c->v;
  const size_t w = v->in[1], row = v->stride[0] * w;
  for (size_t r = 0; r < n; r++, scratch += f->dx_n)
    conv_scatter_rows(dx + ((i + r) * v->in[0] + p->first[0]) * w + p->first[1], row, v->stride[1],
                      scratch, f->width, p->n[1], p->n[0], set);
}

static void pair_to_dx(bnn_real *dx, const bnn_real *even, const bnn_real *odd, size_t i, size_t n,
                       const conv *c, const layout *f, const phase *p, bool set) {
  const window *v = &c->v;
  const size_t w = v->in[1], row = v->stride[0] * w;
  for (size_t r = 0; r < n; r++, even += f->dx_n, odd += f->dx_n) {
    bnn_real *to = dx + ((i + r) * v->in[0] + p->first[0]) * w;
    for (size_t j = 0; j < p->n[0]; j++)
      if (set)
        conv_merge(to + j * row, even + j * f->width, odd + j * f->width, w, true);
      else
        conv_merge(to + j * row, even + j * f->width, odd + j * f->width, w, false);
  }
}

/* The rows of dx that meet element k of the window, n channels from i on; from: of their terms. */
static void rows_to_dx(bnn_real *dx, bnn_real *scratch, size_t i, size_t n, const bnn_real *dy,
                       const bnn_real *w, const conv *c, const layout *f, const terms *t,
                       size_t from, size_t k, bool set) {
  const size_t block = conv_least(ROWS, c->channels) * f->dx_n;
  const bool pairs = has_pairs(c, f);
  phase p = {0};
  for (size_t l = 0; l < f->phases[1]; l++) {
    p = phase_of(f, k, l);
    dx_planes(scratch + (pairs ? l * block : 0), n, i, dy, w, c, f, &p, t->w + from, t->at + from);
    if (!pairs) phase_to_dx(dx, scratch, i, n, c, f, &p, set);
    from += p.terms[0] * p.terms[1] * c->filters;
  }
  const size_t even = phase_of_column_0(f) * block;
  if (pairs) pair_to_dx(dx, scratch + even, scratch + (block - even), i, n, c, f, &p, set);
}

/* dx of one image += or = what the layout dy gives. */
static void image_to_dx(bnn_real *dx, bnn_real *scratch, const bnn_real *dy, const bnn_real *w,
                        const conv *c, const layout *f, const terms *t, bool set) {
  const window *v = &c->v;
  if (set && f->phases[0] * f->phases[1] < v->stride[0] * v->stride[1])
    memset(dx, 0, c->channels * v->in[0] * v->in[1] * sizeof *dx);
  for (size_t k = 0, from = 0; k < f->phases[0]; k++) {
    for (size_t i = 0, n; i < c->channels; i += n) {
      n = conv_least(ROWS, c->channels - i);
      rows_to_dx(dx, scratch, i, n, dy, w, c, f, t, from, k, set);
    }
    from += f->axis[0][k].terms * v->size[1] * c->filters;
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

/* What the backward pass of all groups has in common: layouts of `group` images each. */
typedef struct pass {
  const conv *c;
  layout f;
  size_t group;
  bnn_real *scratch, *x_layouts, *dy_layouts;
  terms of_x, of_dy;
} pass;

/* One group of channels. */
static void group_backward(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const pass *p, bool set) {
  const conv *c = p->c;
  const layout *f = &p->f;
  for (size_t i = 0, n; i < c->images && !bnn_stop_asked(); i += n) {
    n = conv_least(p->group, c->images - i);
    for (size_t g = 0; g < n; g++) {
      bnn_real *dy_layout = p->dy_layouts + g * f->dy_size;
      lay_out_dy(dy_layout, dy + (i + g) * c->y_image, c, f);
      if (dw) lay_out_x(p->x_layouts + g * f->x_size, x + (i + g) * c->x_image, c, f);
      if (dx)
        image_to_dx(dx + (i + g) * c->x_image, p->scratch, dy_layout, w, c, f, &p->of_dy, set);
    }
    if (dw) images_to_dw(dw, p->dy_layouts, p->x_layouts, n, c, f, &p->of_x);
  }
}

void conv_direct_backward(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                          const bnn_real *w, const conv *c, bool set) {
  alignas(BNN_MEM_ALIGN) bnn_real scratch[SCRATCH];
  if (!dx && !dw) return;
  pass p = {.c = c, .f = layout_of(c), .scratch = scratch};
  const size_t size = p.f.x_size + p.f.dy_size, weights = c->filters * c->depth,
               in = c->x_image / c->groups, out = c->y_image / c->groups;
  p.group = conv_least(conv_least(most(GROUP / size, 1), IMAGES), c->images);
  p.x_layouts = scratch + p.f.scratch;
  p.dy_layouts = p.x_layouts + p.group * p.f.x_size;
  terms_of_x(&p.of_x, c, &p.f);
  terms_of_dy(&p.of_dy, c, &p.f);
  memset(p.x_layouts, 0, p.group * size * sizeof *scratch);
  for (size_t g = 0; g < c->groups; g++)
    group_backward(dx ? dx + g * in : NULL, dw ? dw + g * weights : NULL, dy + g * out,
                   x ? x + g * in : NULL, w + g * weights, &p, set);
}
