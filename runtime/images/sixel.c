/* sixel.c - see sixel.h.
 *
 * A sixel is a character of six pixels, one below the other, bit 0 on top, + '?'.  A band of six
 * rows is written once for each colour in it: '#' its number, its sixels, '$' back to the left,
 * '-' to the next band; "!n" repeats the next character n times. */
#include "sixel.h"

#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../tensor/shape.h"

enum {
  SIDE_MAX = 1 << 15,
  COLOURS = 256,
  LEVEL_BITS = 5, /* of each part of a colour that the median cut looks at */
  LEVELS = 1 << LEVEL_BITS,
  CELLS = LEVELS * LEVELS * LEVELS,
  PARTS = 3,
  BAND = 6,
  SHORTEST = 4, /* a run that is shorter repeated than as "!n" and the character */
};

/* Colours that are as one to the cut: how many pixels have them, and the sums of their parts. */
typedef struct cell {
  uint32_t n;
  uint64_t sum[PARTS];
} cell;

/* Cells [from, to) of the list; n pixels; `axis` is the part over which they spread the most. */
typedef struct box {
  size_t from, to;
  uint64_t n, spread;
  unsigned axis;
} box;

typedef struct job {
  bnn_bytes *out;
  bnn_err *err;
  size_t h, w;
  const uint8_t *pixels;          /* [h, w, parts] */
  size_t parts;                   /* 1 or 3 */
  uint8_t colour[COLOURS][PARTS]; /* in percent */
  cell *cells;                    /* [CELLS] */
  uint16_t *list, *sorted;        /* [CELLS]: numbers of the cells that have pixels */
  uint8_t *colour_of;             /* [CELLS] */
  box boxes[COLOURS];
  size_t n_boxes;
  uint8_t *bits;        /* [COLOURS, w]: of the band; 0 between bands */
  size_t last[COLOURS]; /* 1 + the last column of a colour in the band; 0: none */
} job;

static uint8_t percent(uint64_t sum, uint64_t n) {
  return (uint8_t)((sum * 100 + 255 * n / 2) / (255 * n));
}

/* ---- the palette ---- */

static size_t cell_of(const uint8_t *rgb) {
  const unsigned drop = 8 - LEVEL_BITS;
  return (size_t)(((rgb[0] >> drop) << 2 * LEVEL_BITS) | ((rgb[1] >> drop) << LEVEL_BITS) |
                  (rgb[2] >> drop));
}

static unsigned level(uint16_t number, unsigned axis) {
  return number >> (PARTS - 1 - axis) * LEVEL_BITS & (LEVELS - 1);
}

static void count_pixels(job *j) {
  for (size_t i = 0; i < j->h * j->w; i++) {
    const uint8_t *rgb = j->pixels + i * PARTS;
    cell *c = &j->cells[cell_of(rgb)];
    c->n++;
    for (int k = 0; k < PARTS; k++) c->sum[k] += rgb[k];
  }
}

/* Fills in what a box says of its cells. */
static void measure(const job *j, box *b) {
  b->n = b->spread = 0;
  for (size_t i = b->from; i < b->to; i++) b->n += j->cells[j->list[i]].n;
  for (unsigned axis = 0; axis < PARTS; axis++) {
    unsigned low = LEVELS, high = 0;
    for (size_t i = b->from; i < b->to; i++) {
      unsigned v = level(j->list[i], axis);
      if (v < low) low = v;
      if (v > high) high = v;
    }
    if (b->n * (high - low) <= b->spread) continue;
    b->spread = b->n * (high - low);
    b->axis = axis;
  }
}

/* Sorts the cells of a box along its axis; those of a level stay in order. */
static void sort_box(job *j, const box *b) {
  size_t at[LEVELS + 1] = {0};
  for (size_t i = b->from; i < b->to; i++) at[level(j->list[i], b->axis) + 1]++;
  for (unsigned v = 0; v < LEVELS; v++) at[v + 1] += at[v];
  for (size_t i = b->from; i < b->to; i++) j->sorted[at[level(j->list[i], b->axis)]++] = j->list[i];
  memcpy(j->list + b->from, j->sorted, (b->to - b->from) * sizeof *j->list);
}

/* Parts a box of at least two cells where half of its pixels are on either side. */
static void split(job *j, box *b) {
  sort_box(j, b);
  uint64_t below = 0;
  size_t at = b->from;
  do below += j->cells[j->list[at++]].n;
  while (at + 1 < b->to && 2 * below < b->n);
  box *upper = &j->boxes[j->n_boxes++];
  *upper = (box){.from = at, .to = b->to};
  b->to = at;
  measure(j, b);
  measure(j, upper);
}

/* The box that spreads the most; NULL when all have one cell. */
static box *widest(job *j) {
  box *best = NULL;
  for (size_t i = 0; i < j->n_boxes; i++)
    if (j->boxes[i].spread > (best ? best->spread : 0)) best = &j->boxes[i];
  return best;
}

static void cut(job *j) {
  box *b = &j->boxes[0];
  *b = (box){.from = 0};
  for (size_t i = 0; i < CELLS; i++)
    if (j->cells[i].n > 0) j->list[b->to++] = (uint16_t)i;
  j->n_boxes = 1;
  measure(j, b);
  while (j->n_boxes < COLOURS && (b = widest(j))) split(j, b);
}

/* Each box is a colour, the mean of its pixels. */
static void name_colours(job *j) {
  for (size_t i = 0; i < j->n_boxes; i++) {
    const box *b = &j->boxes[i];
    uint64_t sum[PARTS] = {0};
    for (size_t at = b->from; at < b->to; at++) {
      j->colour_of[j->list[at]] = (uint8_t)i;
      for (int k = 0; k < PARTS; k++) sum[k] += j->cells[j->list[at]].sum[k];
    }
    for (int k = 0; k < PARTS; k++) j->colour[i][k] = percent(sum[k], b->n);
  }
}

static void make_palette(job *j) {
  if (j->parts == 1) {
    for (int level = 0; level <= 100; level++) memset(j->colour[level], level, PARTS);
    return;
  }
  count_pixels(j);
  cut(j);
  name_colours(j);
}

static uint8_t colour_at(const job *j, size_t i) {
  if (j->parts == 1) return percent(j->pixels[i], 1);
  return j->colour_of[cell_of(j->pixels + i * PARTS)];
}

/* ---- the bands ---- */

static bnn_status add_text(job *j, const char *text) {
  return bnn_bytes_add(j->out, text, strlen(text), j->err);
}

static bnn_status add_run(job *j, char c, size_t n) {
  char text[24] = {c, c, c};
  if (n < SHORTEST)
    text[n] = '\0';
  else
    snprintf(text, sizeof text, "!%zu%c", n, c);
  return add_text(j, text);
}

/* The sixels of a colour in the band, which then are 0 again. */
static bnn_status add_sixels(job *j, size_t colour) {
  uint8_t *bits = j->bits + colour * j->w;
  size_t end = j->last[colour];
  bnn_status status = BNN_OK;
  for (size_t at = 0, to; at < end && status == BNN_OK; at = to) {
    for (to = at + 1; to < end && bits[to] == bits[at];) to++;
    status = add_run(j, (char)('?' + bits[at]), to - at);
  }
  memset(bits, 0, end);
  j->last[colour] = 0;
  return status;
}

/* Which pixels of the band that begins at row y have each colour. */
static void fill_bits(job *j, size_t y) {
  for (size_t row = 0; row < BAND && y + row < j->h; row++)
    for (size_t x = 0; x < j->w; x++) {
      size_t colour = colour_at(j, (y + row) * j->w + x);
      j->bits[colour * j->w + x] |= (uint8_t)(1 << row);
      if (x >= j->last[colour]) j->last[colour] = x + 1;
    }
}

static bnn_status add_band(job *j, size_t y) {
  char number[16];
  const char *before = y > 0 ? "-" : "";
  fill_bits(j, y);
  for (size_t colour = 0; colour < COLOURS; colour++) {
    if (j->last[colour] == 0) continue;
    snprintf(number, sizeof number, "%s#%zu", before, colour);
    BNN_TRY(add_text(j, number));
    BNN_TRY(add_sixels(j, colour));
    before = "$";
  }
  return BNN_OK;
}

/* The head: pixels are square and the ground is left alone; the size, and the colours. */
static bnn_status add_head(job *j) {
  char text[64];
  size_t n = j->parts == 1 ? 101 : j->n_boxes;
  snprintf(text, sizeof text, "\033P0;1q\"1;1;%zu;%zu", j->w, j->h);
  BNN_TRY(add_text(j, text));
  for (size_t i = 0; i < n; i++) {
    const uint8_t *c = j->colour[i];
    snprintf(text, sizeof text, "#%zu;2;%d;%d;%d", i, c[0], c[1], c[2]);
    BNN_TRY(add_text(j, text));
  }
  return BNN_OK;
}

static bnn_status encode(job *j) {
  make_palette(j);
  BNN_TRY(add_head(j));
  for (size_t y = 0; y < j->h; y += BAND) BNN_TRY(add_band(j, y));
  return add_text(j, "\033\\");
}

/* ---- */

static bnn_status check(const bnn_tensor *x, bnn_err *err) {
  if (x->dtype != BNN_U8)
    return bnn_fail(err, BNN_ETYPE, "expected an image of u8, got %s", bnn_dtype_name(x->dtype));
  bool fits = (x->rank == 2 || (x->rank == 3 && x->dim[2] == PARTS)) && x->size > 0;
  if (!fits || x->dim[0] > SIDE_MAX || x->dim[1] > SIDE_MAX)
    return bnn_fail(err, BNN_ESHAPE,
                    "expected an image [h, w] or [h, w, 3] of at most %d x %d, got %s", SIDE_MAX,
                    SIDE_MAX, BNN_SHAPE(x));
  return BNN_OK;
}

/* Makes what the palette of colours needs; false: no memory. */
static bool make_cells(job *j) {
  j->cells = bnn_mem_zalloc(CELLS, sizeof *j->cells);
  j->list = bnn_mem_alloc(CELLS, sizeof *j->list);
  j->sorted = bnn_mem_alloc(CELLS, sizeof *j->sorted);
  j->colour_of = bnn_mem_zalloc(CELLS, 1);
  return j->cells && j->list && j->sorted && j->colour_of;
}

static void free_all(job *j) {
  void *const made[] = {j->cells, j->list, j->sorted, j->colour_of, j->bits, j};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) bnn_mem_free(made[i]);
}

static bnn_status encode_whole(bnn_bytes *out, const bnn_tensor *x, bnn_err *err) {
  job *j = bnn_mem_zalloc(1, sizeof *j);
  if (!j) return bnn_fail(err, BNN_ENOMEM, "no memory for a picture");
  j->out = out;
  j->err = err;
  j->h = x->dim[0];
  j->w = x->dim[1];
  j->pixels = x->data;
  j->parts = x->rank == 3 ? PARTS : 1;
  j->bits = bnn_mem_zalloc(COLOURS, j->w);
  bool ok = j->bits && (j->parts == 1 || make_cells(j));
  size_t before = out->n;
  bnn_status status = ok ? encode(j) : bnn_fail(err, BNN_ENOMEM, "no memory for a picture");
  if (status != BNN_OK) out->n = before;
  free_all(j);
  return status;
}

bnn_status bnn_sixel_encode(bnn_bytes *out, const bnn_tensor *x, bnn_err *err) {
  BNN_TRY(check(x, err));
  bnn_tensor *whole = NULL;
  if (!bnn_tensor_is_contiguous(x)) BNN_TRY(bnn_tensor_clone(&whole, x, err));
  bnn_status status = encode_whole(out, whole ? whole : x, err);
  bnn_tensor_unref(whole);
  return status;
}
