/* csv_categories.c - see csv_categories.h. */
#include "csv_categories.h"

#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"

enum { FIRST_SLOTS = 64, TEXTS_MAX = 1 << 30 };

typedef bnn_csv_cell cell;

static cell *texts_of(const bnn_csv_categories *t) { return (cell *)(void *)t->texts.p; }

/* FNV-1a, whose high bits are folded into the low ones that choose a slot. */
static uint64_t hash_of(const cell *c) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < c->n; i++) h = (h ^ (unsigned char)c->p[i]) * 0x100000001b3;
  return h ^ (h >> 32);
}

/* The slot of a text, or the empty one where it would be; there is an empty one. */
static size_t slot_of(const bnn_csv_categories *t, const cell *c) {
  size_t at = hash_of(c) & (t->slots - 1);
  while (t->slot[at]) {
    const cell *other = &texts_of(t)[t->slot[at] - 1];
    if (other->n == c->n && (c->n == 0 || memcmp(other->p, c->p, c->n) == 0)) break;
    at = (at + 1) & (t->slots - 1);
  }
  return at;
}

int32_t bnn_csv_category_find(const bnn_csv_categories *t, const cell *c) {
  return t->slots ? t->slot[slot_of(t, c)] - 1 : -1;
}

static bnn_status grow(bnn_csv_categories *t) {
  bnn_csv_categories larger = *t;
  larger.slots = t->slots ? 2 * t->slots : FIRST_SLOTS;
  larger.slot = bnn_mem_zalloc(larger.slots, sizeof *larger.slot);
  if (!larger.slot) return BNN_ENOMEM;
  for (size_t k = 0; k < t->n; k++) larger.slot[slot_of(&larger, &texts_of(t)[k])] = (int32_t)k + 1;
  bnn_mem_free(t->slot);
  *t = larger;
  return BNN_OK;
}

bnn_status bnn_csv_category_add(bnn_csv_categories *t, int32_t *place, const cell *c) {
  if (2 * t->n >= t->slots) BNN_TRY(grow(t));
  size_t at = slot_of(t, c);
  if (!t->slot[at]) {
    if (t->n == TEXTS_MAX) return BNN_ERANGE;
    BNN_TRY(bnn_bytes_add(&t->texts, c, sizeof *c, NULL));
    t->slot[at] = (int32_t)++t->n;
  }
  *place = t->slot[at] - 1;
  return BNN_OK;
}

/* ---- order ---- */

/* A text with its number, 0 for all where one is none. */
typedef struct ranked {
  cell text;
  double number;
  size_t at;
} ranked;

static int compare(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->number != y->number) return x->number < y->number ? -1 : 1;
  return bnn_csv_compare(&x->text, &y->text);
}

static void fill(ranked *list, const bnn_csv_categories *t, char decimal) {
  bool numbers = true;
  for (size_t k = 0; k < t->n; k++) {
    list[k] = (ranked){texts_of(t)[k], 0, k};
    numbers = numbers && bnn_csv_number_with(&list[k].number, &list[k].text, decimal);
  }
  for (size_t k = 0; !numbers && k < t->n; k++) list[k].number = 0;
}

bnn_status bnn_csv_categories_sort(bnn_csv_categories *t, int32_t *new_place, char decimal) {
  if (t->n == 0) return BNN_OK;
  ranked *list = bnn_mem_alloc(t->n, sizeof *list);
  if (!list) return BNN_ENOMEM;
  fill(list, t, decimal);
  qsort(list, t->n, sizeof *list, compare);
  for (size_t k = 0; k < t->n; k++) {
    texts_of(t)[k] = list[k].text;
    new_place[list[k].at] = (int32_t)k;
  }
  bnn_mem_free(list);
  bnn_mem_free(t->slot); /* of the places before */
  t->slot = NULL;
  t->slots = 0;
  return BNN_OK;
}

void bnn_csv_categories_free(bnn_csv_categories *t) {
  bnn_bytes_free(&t->texts);
  bnn_mem_free(t->slot);
  *t = (bnn_csv_categories){.n = 0};
}
