/* test_arena_plan.c - the plan of an arena: ranges that are alive do not overlap, ranges that were
 * given back are used again, and neighbours become one. */
#include <stdlib.h>
#include <string.h>

#include "program/arena_plan.h"
#include "support.h"

enum { ALIVE = 200, ROUNDS = 20000 };

/* Marks, in a map of the arena's bytes, a range as taken or free; no byte may be so already. */
static void mark(unsigned char *map, size_t at, size_t size, unsigned char as) {
  ck_assert_ptr_null(memchr(map + at, as, size));
  memset(map + at, as, size);
}

/* Sizes of many magnitudes, from a small generator of its own. */
static size_t next_size(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return 1 + (size_t)(*state >> 40) % ((size_t)1 << (*state >> 60));
}

START_TEST(ranges_that_are_alive_do_not_overlap) {
  static unsigned char map[(size_t)ALIVE << 16];
  uint32_t range[ALIVE] = {0};
  size_t size[ALIVE] = {0};
  uint64_t state = 1;
  bnn_arena_plan p;
  memset(map, 0, sizeof map);
  ck_succeeds(bnn_arena_plan_init(&p, ALIVE, &err));
  for (int round = 0; round < ROUNDS; round++) {
    const size_t k = (size_t)round * 7919 % ALIVE;
    if (size[k]) {
      mark(map, bnn_arena_plan_at(&p, range[k]), size[k], 0);
      bnn_arena_plan_give(&p, range[k]);
    }
    size[k] = next_size(&state);
    range[k] = bnn_arena_plan_take(&p, size[k]);
    ck_assert_uint_le(bnn_arena_plan_at(&p, range[k]) + size[k], p.end);
    ck_assert_uint_le(p.end, sizeof map);
    mark(map, bnn_arena_plan_at(&p, range[k]), size[k], 1);
  }
  bnn_arena_plan_fini(&p);
}
END_TEST

START_TEST(what_is_given_back_is_taken_again) {
  bnn_arena_plan p;
  ck_succeeds(bnn_arena_plan_init(&p, 3, &err));
  uint32_t a = bnn_arena_plan_take(&p, 64), b = bnn_arena_plan_take(&p, 640);
  for (int i = 0; i < 1000; i++) {
    const uint32_t c = bnn_arena_plan_take(&p, 64);
    bnn_arena_plan_give(&p, a);
    a = c;
  }
  ck_assert_uint_eq(p.end, 64 + 640 + 64);
  bnn_arena_plan_give(&p, b);
  ck_assert_uint_lt(bnn_arena_plan_at(&p, bnn_arena_plan_take(&p, 640)), 128);
  ck_assert_uint_eq(p.end, 64 + 640 + 64);
  bnn_arena_plan_fini(&p);
}
END_TEST

/* In whatever order neighbours are given back, what they leave holds as much as all of them. */
START_TEST(free_neighbours_become_one_range) {
  static const int order[][3] = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}};
  for (int k = 0; k < 4; k++) {
    bnn_arena_plan p;
    uint32_t part[3];
    ck_succeeds(bnn_arena_plan_init(&p, 5, &err));
    for (int i = 0; i < 3; i++) part[i] = bnn_arena_plan_take(&p, 100);
    bnn_arena_plan_take(&p, 100);
    for (int i = 0; i < 3; i++) bnn_arena_plan_give(&p, part[order[k][i]]);
    ck_assert_uint_eq(bnn_arena_plan_at(&p, bnn_arena_plan_take(&p, 300)), 0);
    ck_assert_uint_eq(p.end, 400);
    bnn_arena_plan_fini(&p);
  }
}
END_TEST

START_TEST(a_free_end_of_the_arena_grows) {
  bnn_arena_plan p;
  ck_succeeds(bnn_arena_plan_init(&p, 2, &err));
  bnn_arena_plan_take(&p, 10);
  bnn_arena_plan_give(&p, bnn_arena_plan_take(&p, 20));
  ck_assert_uint_eq(bnn_arena_plan_at(&p, bnn_arena_plan_take(&p, 50)), 10);
  ck_assert_uint_eq(p.end, 60);
  bnn_arena_plan_fini(&p);
}
END_TEST

START_TEST(nothing_takes_no_place) {
  bnn_arena_plan p;
  ck_succeeds(bnn_arena_plan_init(&p, 1, &err));
  const uint32_t none = bnn_arena_plan_take(&p, 0);
  bnn_arena_plan_give(&p, none);
  ck_assert_uint_eq(bnn_arena_plan_at(&p, bnn_arena_plan_take(&p, 8)), 0);
  ck_assert_uint_eq(p.end, 8);
  bnn_arena_plan_fini(&p);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, ranges_that_are_alive_do_not_overlap);
  tcase_add_test(tests, what_is_given_back_is_taken_again);
  tcase_add_test(tests, free_neighbours_become_one_range);
  tcase_add_test(tests, a_free_end_of_the_arena_grows);
  tcase_add_test(tests, nothing_takes_no_place);
}

int main(void) { return run_suite("arena_plan", add_tests); }
