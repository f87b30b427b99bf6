/* arena_plan.h - where buffers of known sizes and lifetimes lie in one arena, before it exists.
 *
 * A two-level segregated fit (Masmano et al. 2004, "TLSF: a new dynamic memory allocator for
 * real-time systems"): taking and giving back a range are of constant time, so that a plan of n
 * buffers is linear in n whatever their sizes.  Free ranges are merged with their neighbours at
 * once. */
#ifndef BNN_ARENA_PLAN_H
#define BNN_ARENA_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

/* Powers of 2, and steps between two of them. */
enum { BNN_PLAN_POWERS = 61, BNN_PLAN_STEPS = 16 };

typedef struct bnn_plan_range {
  size_t at, size;
  uint32_t before, after; /* neighbours in the arena */
  uint32_t prev, next;    /* others of its list, when it is free */
  uint8_t is_free;
} bnn_plan_range;

typedef struct bnn_arena_plan {
  bnn_plan_range *range; /* range 0 is the empty one */
  uint32_t n, last, spare;
  size_t end; /* bytes of the arena so far */
  uint32_t list[BNN_PLAN_POWERS][BNN_PLAN_STEPS];
  uint64_t powers;                 /* bit k: a list of power k is not empty */
  uint16_t steps[BNN_PLAN_POWERS]; /* bit j: its list j is not */
} bnn_arena_plan;

/* A plan of at most `most` ranges alive at the same time.  ENOMEM. */
bnn_status bnn_arena_plan_init(bnn_arena_plan *p, size_t most, bnn_err *err);
void bnn_arena_plan_fini(bnn_arena_plan *p);

/* A range of that many bytes; bnn_arena_plan_at says where it is.  Of 0 bytes there is one, 0. */
uint32_t bnn_arena_plan_take(bnn_arena_plan *p, size_t size);
static inline size_t bnn_arena_plan_at(const bnn_arena_plan *p, uint32_t range) {
  return p->range[range].at;
}

/* Gives a range back; what is taken later may lie there. */
void bnn_arena_plan_give(bnn_arena_plan *p, uint32_t range);

#endif
