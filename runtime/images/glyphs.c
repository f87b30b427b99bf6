/* glyphs.c - the sets of generated digits and letters: which class, which style, by which hand. */
#include "glyphs.h"

#include "../kernels/rng.h"
#include "glyph_draw.h"
#include "glyph_strokes.h"

enum { DIGITS = 10, LETTERS = 26, BLOCK = 64 }; /* images of one job */

/* What an image's key is folded by. */
enum { KEY_LABEL, KEY_STYLE, KEY_HAND };

int bnn_glyph_classes(bnn_glyph_set set) { return set == BNN_GLYPH_DIGITS ? DIGITS : LETTERS; }

char bnn_glyph_name(bnn_glyph_set set, int label) {
  if (label < 0 || label >= bnn_glyph_classes(set)) return 0;
  return (char)((set == BNN_GLYPH_DIGITS ? '0' : 'A') + label);
}

int bnn_glyph_look_alike(char letter) {
  static const char digit[] = /* of A to Z */ "-8-0--6-1-----0-0-57----42";
  if (letter < 'A' || letter > 'Z' || digit[letter - 'A'] == '-') return -1;
  return digit[letter - 'A'] - '0';
}

static int choose_label(bnn_glyph_set set, bnn_key key) {
  int choice[LETTERS], n = 0;
  for (int label = 0; label < bnn_glyph_classes(set); label++)
    if (set != BNN_GLYPH_UNLIKE || bnn_glyph_look_alike(bnn_glyph_name(set, label)) < 0)
      choice[n++] = label;
  return choice[bnn_rng_below(key, (uint64_t)n)];
}

static int32_t make_one(uint8_t *image, bnn_glyph_set set, bnn_key key) {
  int label = choose_label(set, bnn_key_fold(key, KEY_LABEL));
  char name = bnn_glyph_name(set, label);
  const bnn_glyph_style *style = bnn_glyph_choose(set, name, bnn_key_fold(key, KEY_STYLE));
  bnn_glyph_draw(image, style, bnn_key_fold(key, KEY_HAND));
  return label;
}

typedef struct work {
  bnn_context *context;
  uint8_t *images;
  int32_t *labels;
  bnn_glyph_set set;
  bnn_key key; /* folded by the set, so that two sets of one key share no hand */
  uint64_t from;
  size_t n;
} work;

static void fill_block(void *data, size_t block) {
  const work *w = data;
  size_t end = (block + 1) * BLOCK < w->n ? (block + 1) * BLOCK : w->n;
  if (bnn_context_stopped(w->context)) return;
  for (size_t i = block * BLOCK; i < end; i++) {
    bnn_key key = bnn_key_split(w->key, w->from + i);
    w->labels[i] = make_one(w->images + i * BNN_GLYPH_PIXELS, w->set, key);
  }
}

bnn_status bnn_glyphs_fill(bnn_context *context, uint8_t *images, int32_t *labels,
                           bnn_glyph_set set, bnn_key key, uint64_t from, size_t n, bnn_err *err) {
  if ((unsigned)set > BNN_GLYPH_UNLIKE)
    return bnn_fail(err, BNN_ERANGE, "there is no set %d of glyphs", (int)set);
  work w = {context, images, labels, set, bnn_key_fold(key, set), from, n};
  bnn_context_run(context, fill_block, &w, (n + BLOCK - 1) / BLOCK);
  if (bnn_context_stopped(context)) return bnn_fail(err, BNN_ESTOP, "while drawing %zu images", n);
  return BNN_OK;
}
