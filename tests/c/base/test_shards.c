/* test_shards.c - which rows a shard has, and the order in which shards are added. */
#include "base/shards.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

/* By the definition, in numbers that are small enough to write it out. */
START_TEST(shards_are_equal_parts_in_order_and_none_is_empty) {
  for (size_t n = 1; n <= 40; n++)
    for (size_t shards = 1; shards <= 45; shards++) {
      const size_t m = (n + shards - 1) / shards;
      const bnn_shards s = bnn_shards_of(n, shards);
      size_t next = 0;
      for (size_t r = 0; r < s.count; r++) {
        const bnn_row_range rows = bnn_shards_rows(&s, r);
        ck_assert_uint_eq(rows.from, r * m);
        ck_assert_uint_eq(rows.count, n - r * m < m ? n - r * m : m);
        ck_assert_uint_gt(rows.count, 0);
        next = rows.from + rows.count;
      }
      ck_assert_uint_eq(next, n);
      ck_assert_uint_le(s.count, shards);
    }
}
END_TEST

START_TEST(no_rows_are_one_shard_of_none) {
  const bnn_shards s = bnn_shards_of(0, 4);
  ck_assert_uint_eq(s.count, 1);
  ck_assert_uint_eq(bnn_shards_rows(&s, 0).count, 0);
}
END_TEST

/* ---- the tree ---- */

enum { LEVELS = 8, TEXT = 256 };

/* What each level holds, written out. */
typedef struct written {
  char text[LEVELS][TEXT];
  size_t most; /* levels that were used */
} written;

static void write_leaf(void *data, bnn_shard_sum at) {
  written *w = data;
  ck_assert_uint_lt(at.level, LEVELS);
  if (at.level >= w->most) w->most = at.level + 1;
  snprintf(w->text[at.level], TEXT, "%zu", at.shard);
}

static void write_sum(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  written *w = data;
  char both[TEXT];
  const int n = snprintf(both, TEXT, "(%.120s+%.120s)", w->text[to.level], w->text[from.level]);
  ck_assert_int_lt(n, TEXT);
  ck_assert_uint_lt(to.shard, from.shard);
  strcpy(w->text[to.level], both);
}

START_TEST(shards_are_added_in_a_binary_tree) {
  static const struct {
    size_t shards;
    const char *sum;
  } want[] = {
      {1, "0"},
      {2, "(0+1)"},
      {3, "((0+1)+2)"},
      {4, "((0+1)+(2+3))"},
      {5, "(((0+1)+(2+3))+4)"},
      {6, "(((0+1)+(2+3))+(4+5))"},
      {7, "(((0+1)+(2+3))+((4+5)+6))"},
      {8, "(((0+1)+(2+3))+((4+5)+(6+7)))"},
      {9, "((((0+1)+(2+3))+((4+5)+(6+7)))+8)"},
  };
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    written w = {.most = 0};
    bnn_shards_add_up(&(bnn_shard_adder){write_leaf, write_sum, &w}, want[i].shards);
    ck_assert_str_eq(w.text[0], want[i].sum);
  }
}
END_TEST

START_TEST(the_levels_are_those_that_the_tree_needs) {
  for (size_t shards = 1; shards <= 40; shards++) {
    written w = {.most = 0};
    bnn_shards_add_up(&(bnn_shard_adder){write_leaf, write_sum, &w}, shards);
    ck_assert_uint_eq(w.most, bnn_shards_levels(shards));
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, shards_are_equal_parts_in_order_and_none_is_empty);
  tcase_add_test(tests, no_rows_are_one_shard_of_none);
  tcase_add_test(tests, shards_are_added_in_a_binary_tree);
  tcase_add_test(tests, the_levels_are_those_that_the_tree_needs);
}

int main(void) { return run_suite("shards", add_tests); }
