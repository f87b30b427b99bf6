/* arena_plan.c - see arena_plan.h. */
#include "arena_plan.h"

#include <stdbool.h>

#include "../base/mem.h"

enum { STEP_BITS = 4 }; /* BNN_PLAN_STEPS = 2^4 */

/* How many free ranges of a size's own list are looked at before those of the next, all of which
 * are large enough. */
enum { LOOKS = 8 };

/* The list of a size: its highest bit, and the four after that. */
typedef struct place {
  unsigned power, step;
} place;

static place place_of(size_t size) {
  const unsigned top = 63 - (unsigned)__builtin_clzll((unsigned long long)size);
  if (top < STEP_BITS) return (place){0, (unsigned)size};
  return (place){top - STEP_BITS + 1, (unsigned)(size >> (top - STEP_BITS)) & (BNN_PLAN_STEPS - 1)};
}

bnn_status bnn_arena_plan_init(bnn_arena_plan *p, size_t most, bnn_err *err) {
  *p = (bnn_arena_plan){.n = 1};
  /* between two ranges that are alive lies one free range at most */
  const size_t capacity = 2 * most + 2;
  p->range = capacity < UINT32_MAX ? bnn_mem_alloc(capacity, sizeof *p->range) : NULL;
  if (!p->range) return bnn_fail(err, BNN_ENOMEM, "a plan of %zu buffers", most);
  p->range[0] = (bnn_plan_range){.at = 0};
  return BNN_OK;
}

void bnn_arena_plan_fini(bnn_arena_plan *p) {
  bnn_mem_free(p->range);
  p->range = NULL;
}

/* A range that is in no list, of the spare ones where there are some. */
static uint32_t new_range(bnn_arena_plan *p, size_t at, size_t size, uint32_t before,
                          uint32_t after) {
  const uint32_t r = p->spare ? p->spare : p->n++;
  if (p->spare) p->spare = p->range[r].next;
  p->range[r] = (bnn_plan_range){.at = at, .size = size, .before = before, .after = after};
  if (before) p->range[before].after = r;
  if (after)
    p->range[after].before = r;
  else
    p->last = r;
  return r;
}

static void list_add(bnn_arena_plan *p, uint32_t r) {
  const place to = place_of(p->range[r].size);
  uint32_t *head = &p->list[to.power][to.step];
  p->range[r].is_free = 1;
  p->range[r].prev = 0;
  p->range[r].next = *head;
  if (*head) p->range[*head].prev = r;
  *head = r;
  p->powers |= UINT64_C(1) << to.power;
  p->steps[to.power] |= (uint16_t)(1u << to.step);
}

static void list_remove(bnn_arena_plan *p, uint32_t r) {
  bnn_plan_range *x = &p->range[r];
  const place of = place_of(x->size);
  uint32_t *head = &p->list[of.power][of.step];
  if (x->prev)
    p->range[x->prev].next = x->next;
  else
    *head = x->next;
  if (x->next) p->range[x->next].prev = x->prev;
  x->is_free = 0;
  if (*head) return;
  p->steps[of.power] &= (uint16_t) ~(1u << of.step);
  if (!p->steps[of.power]) p->powers &= ~(UINT64_C(1) << of.power);
}

/* A free range of that size or more, or 0: of its own list, or the first of the next larger one. */
static uint32_t find_free(const bnn_arena_plan *p, size_t size) {
  const place of = place_of(size);
  uint32_t r = p->list[of.power][of.step];
  for (int k = 0; r && k < LOOKS; k++, r = p->range[r].next)
    if (p->range[r].size >= size) return r;
  const unsigned steps = p->steps[of.power] & (0xfffeu << of.step);
  if (steps) return p->list[of.power][__builtin_ctz(steps)];
  const uint64_t powers = p->powers & (~UINT64_C(1) << of.power);
  if (!powers) return 0;
  const int power = __builtin_ctzll(powers);
  return p->list[power][__builtin_ctz(p->steps[power])];
}

/* The arena's end: its last range grows where that is free. */
static uint32_t take_at_end(bnn_arena_plan *p, size_t size) {
  const uint32_t last = p->last;
  if (!last || !p->range[last].is_free) {
    p->end += size;
    return new_range(p, p->end - size, size, last, 0);
  }
  list_remove(p, last);
  p->end += size - p->range[last].size;
  p->range[last].size = size;
  return last;
}

uint32_t bnn_arena_plan_take(bnn_arena_plan *p, size_t size) {
  if (size == 0) return 0;
  const uint32_t r = find_free(p, size);
  if (!r) return take_at_end(p, size);
  list_remove(p, r);
  const size_t rest = p->range[r].size - size;
  p->range[r].size = size;
  if (rest > 0) list_add(p, new_range(p, p->range[r].at + size, rest, r, p->range[r].after));
  return r;
}

/* Joins `r` with the range after it, which is free and goes. */
static void join_behind(bnn_arena_plan *p, uint32_t r) {
  const uint32_t gone = p->range[r].after;
  p->range[r].size += p->range[gone].size;
  p->range[r].after = p->range[gone].after;
  if (p->range[gone].after)
    p->range[p->range[gone].after].before = r;
  else
    p->last = r;
  p->range[gone].next = p->spare;
  p->spare = gone;
}

void bnn_arena_plan_give(bnn_arena_plan *p, uint32_t r) {
  if (r == 0) return;
  const uint32_t before = p->range[r].before, after = p->range[r].after;
  if (after && p->range[after].is_free) {
    list_remove(p, after);
    join_behind(p, r);
  }
  if (before && p->range[before].is_free) {
    list_remove(p, before);
    join_behind(p, before);
    r = before;
  }
  list_add(p, r);
}
