/* test_tensor.c - making, counting, viewing, copying and converting tensors. */
#include "tensor/tensor.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "support.h"

/* ---- types ---- */

START_TEST(every_type_has_a_size_and_a_name_that_finds_it) {
  static const size_t size[] = {1, 4, 8, 8, 4, 8};
  for (int d = 0; d < BNN_DTYPE_COUNT; d++) {
    bnn_dtype found = BNN_DTYPE_COUNT;
    ck_assert_uint_eq(bnn_dtype_size((bnn_dtype)d), size[d]);
    ck_assert(bnn_dtype_find(&found, bnn_dtype_name((bnn_dtype)d)));
    ck_assert_int_eq(found, d);
  }
  bnn_dtype none = BNN_U8;
  ck_assert(!bnn_dtype_find(&none, "f16"));
  ck_assert(!bnn_dtype_find(&none, ""));
  ck_assert_int_eq(none, BNN_U8);
  ck_assert_uint_eq(bnn_dtype_size(BNN_REAL), sizeof(bnn_real));
}
END_TEST

/* ---- making and counting ---- */

START_TEST(a_new_tensor_is_zero_contiguous_and_aligned) {
  for (int d = 0; d < BNN_DTYPE_COUNT; d++) {
    bnn_tensor *x;
    ck_succeeds(bnn_tensor_new(&x, (bnn_dtype)d, DIMS(3, 5, 7), &err));
    ck_assert_uint_eq((uintptr_t)x->data % BNN_MEM_ALIGN, 0);
    ck_assert_uint_eq(x->size, 105);
    ck_assert(bnn_tensor_is_contiguous(x));
    ck_assert(x->stride[0] == 35 && x->stride[1] == 7 && x->stride[2] == 1);
    for (size_t i = 0; i < x->size; i++) ck_assert(bnn_tensor_get(x, i) == 0);
    bnn_tensor_unref(x);
  }
}
END_TEST

START_TEST(scalars_and_empty_tensors_are_tensors) {
  bnn_tensor *scalar = tensor_of(BNN_F32, SCALAR, VALUES(7));
  bnn_tensor *empty = tensor_of(BNN_F32, DIMS(4, 0, 3), NULL);
  ck_assert_uint_eq(scalar->size, 1);
  ck_assert(bnn_tensor_get(scalar, 0) == 7);
  ck_assert_uint_eq(empty->size, 0);
  ck_assert(bnn_tensor_is_contiguous(scalar) && bnn_tensor_is_contiguous(empty));
  bnn_tensor_unref(scalar);
  bnn_tensor_unref(empty);
}
END_TEST

START_TEST(shapes_that_no_memory_can_hold_are_refused) {
  static const size_t ones[BNN_RANK_MAX + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  bnn_tensor *x = NULL;
  ck_refuses(bnn_tensor_new(&x, BNN_F32, 9, ones, &err), BNN_ESHAPE,
             "rank: expected 0 to 8, got 9");
  ck_refuses(bnn_tensor_new(&x, BNN_F32, -1, ones, &err), BNN_ESHAPE, "expected 0 to 8, got -1");
  ck_refuses(bnn_tensor_new(&x, BNN_F32, DIMS(SIZE_MAX, 2), &err), BNN_ESHAPE,
             "[18446744073709551615, 2] of f32");
  ck_refuses(bnn_tensor_new(&x, BNN_F64, DIMS(SIZE_MAX / 16 + 1), &err), BNN_ESHAPE, "of f64");
  ck_refuses(bnn_tensor_new(&x, BNN_U8, DIMS(0, SIZE_MAX, 2), &err), BNN_ESHAPE, "of u8");
  ck_refuses(bnn_tensor_borrow(&x, BNN_U8, 9, ones, NULL, &err), BNN_ESHAPE,
             "expected 0 to 8, got 9");
  ck_assert_int_eq(bnn_tensor_new(&x, BNN_F32, 9, ones, NULL), BNN_ESHAPE); /* err may be NULL */
  ck_assert_ptr_null(x);
}
END_TEST

START_TEST(a_size_beyond_memory_is_out_of_memory) {
  bnn_tensor *x = NULL;
  ck_refuses(bnn_tensor_new(&x, BNN_F32, DIMS((size_t)1 << 60), &err), BNN_ENOMEM,
             "4611686018427387904 bytes for [1152921504606846976] of f32");
  ck_assert_ptr_null(x);
}
END_TEST

START_TEST(references_keep_a_tensor_and_the_last_frees_it) {
  bnn_tensor *x = tensor_of(BNN_I32, DIMS(2), VALUES(5, 6));
  ck_assert_ptr_eq(bnn_tensor_ref(x), x);
  bnn_tensor_unref(x);
  ck_tensor(x, BNN_I32, DIMS(2), VALUES(5, 6));
  bnn_tensor_unref(x);
  bnn_tensor_unref(NULL);
}
END_TEST

static void *take_and_give_back(void *x) {
  for (int k = 0; k < 10000; k++) {
    bnn_tensor *view = NULL;
    bnn_tensor_unref(bnn_tensor_ref(x));
    if (bnn_tensor_narrow(&view, x, 0, 1, 1, NULL) == BNN_OK) bnn_tensor_unref(view);
  }
  return NULL;
}

START_TEST(counts_hold_on_four_threads) {
  pthread_t thread[4];
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(3), NULL);
  for (int k = 0; k < 4; k++) pthread_create(&thread[k], NULL, take_and_give_back, x);
  for (int k = 0; k < 4; k++) pthread_join(thread[k], NULL);
  ck_assert_uint_eq(atomic_load(&x->refs), 1);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_borrowed_tensor_shows_the_memory_of_its_caller) {
  int32_t memory[] = {1, 2, 3, 4};
  bnn_tensor *x, *row;
  ck_succeeds(bnn_tensor_borrow(&x, BNN_I32, DIMS(2, 2), memory, &err));
  ck_succeeds(bnn_tensor_select(&row, x, 0, 1, &err));
  bnn_tensor_unref(x);
  bnn_tensor_set(row, 0, 30);
  ck_assert_int_eq(memory[2], 30);
  bnn_tensor_unref(row);
}
END_TEST

START_TEST(a_header_in_place_needs_no_memory) {
  float memory[] = {1, 2, 3, 4, 5, 6};
  bnn_tensor x;
  bnn_tensor_init(&x, BNN_F32, DIMS(2, 3), memory);
  ck_tensor(&x, BNN_F32, DIMS(2, 3), VALUES(1, 2, 3, 4, 5, 6));
  ck_assert(bnn_tensor_is_contiguous(&x));
  ck_assert_uint_eq(x.row0, 0);
  ck_assert_uint_eq(bnn_mem_live(), 0);
}
END_TEST

START_TEST(shapes_are_the_same_by_rank_and_dims) {
  bnn_tensor *a = tensor_of(BNN_U8, DIMS(2, 3), NULL), *b = tensor_of(BNN_F32, DIMS(2, 3), NULL);
  bnn_tensor *c = tensor_of(BNN_U8, DIMS(6), NULL), *d = tensor_of(BNN_U8, DIMS(3, 2), NULL);
  ck_assert(bnn_tensor_same_shape(a, b));
  ck_assert(!bnn_tensor_same_shape(a, c));
  ck_assert(!bnn_tensor_same_shape(a, d));
  bnn_tensor_unref(a);
  bnn_tensor_unref(b);
  bnn_tensor_unref(c);
  bnn_tensor_unref(d);
}
END_TEST

/* ---- views ---- */

START_TEST(narrow_shows_positions_along_an_axis) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3, 4), NULL), *rows, *columns, *both;
  ck_succeeds(bnn_tensor_narrow(&rows, x, 0, 1, 2, &err));
  ck_succeeds(bnn_tensor_narrow(&columns, x, 1, 1, 2, &err));
  ck_succeeds(bnn_tensor_narrow(&both, columns, 0, 2, 1, &err));
  ck_tensor(rows, BNN_F32, DIMS(2, 4), VALUES(4, 5, 6, 7, 8, 9, 10, 11));
  ck_tensor(columns, BNN_F32, DIMS(3, 2), VALUES(1, 2, 5, 6, 9, 10));
  ck_tensor(both, BNN_F32, DIMS(1, 2), VALUES(9, 10));
  ck_assert(bnn_tensor_is_contiguous(rows) && bnn_tensor_is_contiguous(both));
  ck_assert(!bnn_tensor_is_contiguous(columns));
  bnn_tensor_unref(rows);
  bnn_tensor_unref(columns);
  bnn_tensor_unref(both);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(narrow_to_nothing_is_allowed_everywhere) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3, 4), NULL), *columns, *none;
  ck_succeeds(bnn_tensor_narrow(&columns, x, 1, 2, 2, &err));
  for (size_t from = 0; from <= 3; from++) {
    ck_succeeds(bnn_tensor_narrow(&none, columns, 0, from, 0, &err));
    ck_tensor(none, BNN_F32, DIMS(0, 2), NULL);
    bnn_tensor_unref(none);
  }
  bnn_tensor_unref(columns);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(select_drops_the_axis) {
  bnn_tensor *x = tensor_of(BNN_I64, DIMS(2, 3, 2), NULL), *middle, *element;
  ck_succeeds(bnn_tensor_select(&middle, x, 1, 2, &err));
  ck_tensor(middle, BNN_I64, DIMS(2, 2), VALUES(4, 5, 10, 11));
  ck_succeeds(bnn_tensor_select(&element, middle, 0, 1, &err));
  bnn_tensor_unref(middle);
  ck_succeeds(bnn_tensor_select(&middle, element, 0, 0, &err));
  ck_tensor(middle, BNN_I64, SCALAR, VALUES(10));
  bnn_tensor_unref(middle);
  bnn_tensor_unref(element);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(permute_reorders_axes) {
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(2, 3, 2), NULL), *y, *z;
  ck_succeeds(bnn_tensor_permute(&y, x, (const int[]){2, 0, 1}, &err));
  ck_tensor(y, BNN_F64, DIMS(2, 2, 3), VALUES(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  ck_assert(!bnn_tensor_is_contiguous(y));
  ck_succeeds(bnn_tensor_permute(&z, y, (const int[]){1, 2, 0}, &err));
  ck_assert(bnn_tensor_is_contiguous(z));
  ck_tensor(z, BNN_F64, DIMS(2, 3, 2), VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(z);
}
END_TEST

START_TEST(view_gives_another_shape_to_the_same_elements) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 6), NULL), *y, *empty, *z;
  ck_succeeds(bnn_tensor_view(&y, x, DIMS(3, 2, 2), &err));
  ck_tensor(y, BNN_U8, DIMS(3, 2, 2), VALUES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  ck_succeeds(bnn_tensor_narrow(&empty, x, 0, 0, 0, &err));
  ck_succeeds(bnn_tensor_view(&z, empty, DIMS(5, 0), &err));
  ck_tensor(z, BNN_U8, DIMS(5, 0), NULL);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(z);
  bnn_tensor_unref(empty);
}
END_TEST

START_TEST(broadcast_repeats_with_stride_zero) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 1), VALUES(5, 6)), *y, *copy;
  ck_succeeds(bnn_tensor_broadcast(&y, x, DIMS(2, 2, 3), &err));
  ck_assert(y->stride[0] == 0 && y->stride[1] == 1 && y->stride[2] == 0);
  ck_assert_uint_eq(y->size, 12);
  ck_tensor(y, BNN_F32, DIMS(2, 2, 3), VALUES(5, 5, 5, 6, 6, 6, 5, 5, 5, 6, 6, 6));
  ck_succeeds(bnn_tensor_contiguous(&copy, y, &err));
  ck_tensor(copy, BNN_F32, DIMS(2, 2, 3), VALUES(5, 5, 5, 6, 6, 6, 5, 5, 5, 6, 6, 6));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(copy);
}
END_TEST

START_TEST(broadcast_follows_numpy) {
  static const struct {
    int from_rank;
    size_t from[3];
    int to_rank;
    size_t to[3];
    bool agrees;
  } row[] = {
      {0, {0}, 2, {2, 3}, true},          {1, {3}, 2, {2, 3}, true}, {1, {1}, 1, {0}, true},
      {2, {2, 3}, 2, {2, 3}, true},       {1, {0}, 2, {4, 0}, true}, {1, {2}, 2, {2, 3}, false},
      {2, {1, 3}, 1, {3}, false},         {1, {3}, 1, {1}, false},   {1, {0}, 1, {1}, false},
      {3, {2, 1, 1}, 3, {2, 5, 6}, true},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_tensor *x = tensor_of(BNN_F32, row[k].from_rank, row[k].from, NULL), *y = NULL;
    if (row[k].agrees) {
      ck_succeeds(bnn_tensor_broadcast(&y, x, row[k].to_rank, row[k].to, &err));
      ck_tensor(y, BNN_F32, row[k].to_rank, row[k].to, NULL);
    } else {
      ck_refuses(bnn_tensor_broadcast(&y, x, row[k].to_rank, row[k].to, &err), BNN_ESHAPE,
                 "does not broadcast to");
    }
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

START_TEST(a_broadcast_may_have_more_elements_than_memory) {
  bnn_tensor *x = tensor_of(BNN_U8, SCALAR, VALUES(3)), *y, *copy = NULL;
  ck_succeeds(bnn_tensor_broadcast(&y, x, DIMS((size_t)1 << 40, 1 << 20), &err));
  ck_assert(bnn_tensor_get(y, y->size - 1) == 3);
  ck_refuses(bnn_tensor_clone(&copy, y, &err), BNN_ENOMEM, "[1099511627776, 1048576]");
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(views_share_memory_and_keep_it_alive) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL), *turned, *row, *flat;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_tensor_select(&row, turned, 1, 1, &err));
  ck_succeeds(bnn_tensor_view(&flat, x, DIMS(6), &err));
  ck_assert_ptr_eq(row->base, x); /* the owner, not the view between */
  bnn_tensor_unref(x);
  bnn_tensor_unref(turned);
  bnn_tensor_set(row, 2, 50);
  ck_tensor(flat, BNN_F32, DIMS(6), VALUES(0, 1, 2, 3, 4, 50));
  bnn_tensor_unref(row);
  bnn_tensor_unref(flat);
}
END_TEST

/* The elements of x in another shape, of a view that shares its memory. */
static void ck_view(bnn_tensor *x, int rank, const size_t *dim) {
  bnn_tensor *view = NULL, *copy = NULL, *want = NULL;
  ck_succeeds(bnn_tensor_view(&view, x, rank, dim, &err));
  ck_succeeds(bnn_tensor_clone(&copy, x, &err));
  ck_succeeds(bnn_tensor_view(&want, copy, rank, dim, &err));
  ck_assert_str_eq(BNN_SHAPE(view), BNN_SHAPE(want));
  ck_assert_ptr_eq(view->data, x->data);
  for (size_t i = 0; i < x->size; i++)
    ck_assert_double_eq(bnn_tensor_get(view, i), bnn_tensor_get(want, i));
  bnn_tensor_unref(view);
  bnn_tensor_unref(copy);
  bnn_tensor_unref(want);
}

/* Columns 2..7 of [3, 12], turned [2, 3, 4] and a repeated row: cut where they can be. */
START_TEST(axes_that_are_apart_in_memory_are_cut_and_not_joined) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3, 12), NULL), *part, *y = NULL;
  ck_succeeds(bnn_tensor_narrow(&part, x, 1, 2, 6, &err));
  ck_view(part, DIMS(3, 2, 3));
  ck_view(part, DIMS(3, 1, 6, 1));
  ck_view(part, DIMS(1, 3, 3, 2));
  ck_refuses(bnn_tensor_view(&y, part, DIMS(18), &err), BNN_ESHAPE, "[3, 6] is not contiguous");
  ck_refuses(bnn_tensor_view(&y, part, DIMS(6, 3), &err), BNN_ESHAPE, "no view as [6, 3]");
  ck_refuses(bnn_tensor_view(&y, part, DIMS(2, 9), &err), BNN_ESHAPE, "no view as [2, 9]");
  bnn_tensor_unref(part);
  bnn_tensor_unref(x);
  x = tensor_of(BNN_F32, DIMS(2, 3, 4), NULL);
  ck_succeeds(bnn_tensor_permute(&part, x, (const int[]){2, 0, 1}, &err)); /* [4, 2, 3] */
  ck_view(part, DIMS(4, 6));
  ck_view(part, DIMS(2, 2, 3, 2));
  ck_refuses(bnn_tensor_view(&y, part, DIMS(24), &err), BNN_ESHAPE, "not contiguous");
  bnn_tensor_unref(part);
  bnn_tensor_unref(x);
  x = tensor_of(BNN_F32, DIMS(6), NULL);
  ck_succeeds(bnn_tensor_broadcast(&part, x, DIMS(4, 6), &err));
  ck_view(part, DIMS(2, 2, 3, 2));
  ck_refuses(bnn_tensor_view(&y, part, DIMS(24), &err), BNN_ESHAPE, "not contiguous");
  bnn_tensor_unref(part);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(what_is_outside_a_tensor_is_refused_by_name) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL), *t, *y = NULL;
  ck_succeeds(bnn_tensor_permute(&t, x, (const int[]){1, 0}, &err));
  ck_refuses(bnn_tensor_narrow(&y, x, 2, 0, 1, &err), BNN_ERANGE, "axis 3 of [2, 3], which has 2");
  ck_refuses(bnn_tensor_narrow(&y, x, -1, 0, 1, &err), BNN_ERANGE, "axis 0 of [2, 3]");
  ck_refuses(bnn_tensor_narrow(&y, x, 1, 2, 2, &err), BNN_ERANGE,
             "2 positions from 3 along axis 2 of [2, 3], which has 3");
  ck_refuses(bnn_tensor_narrow(&y, x, 1, 4, 0, &err), BNN_ERANGE, "0 positions from 5");
  ck_refuses(bnn_tensor_narrow(&y, x, 1, 1, SIZE_MAX, &err), BNN_ERANGE, "positions from 2");
  ck_refuses(bnn_tensor_select(&y, x, 0, 2, &err), BNN_ERANGE,
             "position 3 along axis 1 of [2, 3], which has 2");
  ck_refuses(bnn_tensor_select(&y, x, 2, 0, &err), BNN_ERANGE, "axis 3 of [2, 3]");
  ck_refuses(bnn_tensor_permute(&y, x, (const int[]){0, 2}, &err), BNN_ERANGE, "axis 3 of [2, 3]");
  ck_refuses(bnn_tensor_permute(&y, x, (const int[]){1, 1}, &err), BNN_ERANGE,
             "axis 2 of [2, 3] is repeated");
  ck_refuses(bnn_tensor_view(&y, x, DIMS(4), &err), BNN_ESHAPE,
             "[2, 3] has 6 elements, a view as [4] wants 4");
  ck_refuses(bnn_tensor_view(&y, x, DIMS(SIZE_MAX, 4), &err), BNN_ESHAPE, "[18446744073709551615");
  ck_refuses(bnn_tensor_view(&y, t, DIMS(6), &err), BNN_ESHAPE,
             "[3, 2] is not contiguous, so it has no view as [6]");
  ck_refuses(bnn_tensor_broadcast(&y, x, DIMS(3, 3), &err), BNN_ESHAPE,
             "[2, 3] does not broadcast to [3, 3]");
  ck_refuses(bnn_tensor_broadcast(&y, x, 9, (const size_t[9]){0}, &err), BNN_ESHAPE,
             "expected 0 to 8, got 9");
  ck_assert_ptr_null(y);
  bnn_tensor_unref(x);
  bnn_tensor_unref(t);
}
END_TEST

/* ---- copying ---- */

/* Every order of three axes, narrowed on both ends: all ways in which runs merge. */
START_TEST(copy_puts_every_element_where_it_belongs) {
  static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  bnn_tensor *x = tensor_of((bnn_dtype)_i, DIMS(4, 5, 6), NULL);
  for (int k = 0; k < 36; k++) {
    bnn_tensor *turned, *part, *room, *back, *dst;
    ck_succeeds(bnn_tensor_permute(&turned, x, order[k % 6], &err));
    ck_succeeds(bnn_tensor_narrow(&part, turned, k % 3, 1, 2, &err));
    size_t dim[3]; /* of a tensor whose axes, put in another order, have part's dims */
    int inverse[3];
    for (int a = 0; a < 3; a++) {
      inverse[order[k / 6][a]] = a;
      dim[a] = part->dim[order[k / 6][a]];
    }
    ck_succeeds(bnn_tensor_new(&room, (bnn_dtype)_i, 3, dim, &err));
    ck_succeeds(bnn_tensor_permute(&dst, room, inverse, &err));
    ck_succeeds(bnn_tensor_copy(dst, part, &err));
    ck_succeeds(bnn_tensor_clone(&back, dst, &err));
    for (size_t i = 0; i < part->size; i++) {
      ck_assert(bnn_tensor_get(dst, i) == bnn_tensor_get(part, i));
      ck_assert(bnn_tensor_get(back, i) == bnn_tensor_get(part, i));
    }
    bnn_tensor *all[] = {turned, part, room, back, dst};
    for (int a = 0; a < 5; a++) bnn_tensor_unref(all[a]);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(copy_within_a_tensor_reads_before_it_writes) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(5), NULL), *head, *tail;
  ck_succeeds(bnn_tensor_narrow(&head, x, 0, 0, 4, &err));
  ck_succeeds(bnn_tensor_narrow(&tail, x, 0, 1, 4, &err));
  ck_succeeds(bnn_tensor_copy(tail, head, &err));
  ck_tensor(x, BNN_F32, DIMS(5), VALUES(0, 0, 1, 2, 3));
  ck_succeeds(bnn_tensor_copy(head, tail, &err));
  ck_tensor(x, BNN_F32, DIMS(5), VALUES(0, 1, 2, 3, 3));
  ck_succeeds(bnn_tensor_copy(x, x, &err));
  ck_tensor(x, BNN_F32, DIMS(5), VALUES(0, 1, 2, 3, 3));
  bnn_tensor_unref(head);
  bnn_tensor_unref(tail);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_matrix_is_transposed_in_its_own_memory) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3, 3), NULL), *turned;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_tensor_copy(x, turned, &err));
  ck_tensor(x, BNN_F32, DIMS(3, 3), VALUES(0, 3, 6, 1, 4, 7, 2, 5, 8));
  bnn_tensor_unref(turned);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(copies_of_empty_tensors_and_scalars_work) {
  bnn_tensor *a = tensor_of(BNN_U8, DIMS(0, 3), NULL), *b = tensor_of(BNN_U8, DIMS(0, 3), NULL);
  bnn_tensor *c = tensor_of(BNN_U8, SCALAR, VALUES(4)), *d = tensor_of(BNN_U8, SCALAR, VALUES(0));
  ck_succeeds(bnn_tensor_copy(a, b, &err));
  ck_succeeds(bnn_tensor_copy(d, c, &err));
  ck_tensor(d, BNN_U8, SCALAR, VALUES(4));
  bnn_tensor *all[] = {a, b, c, d};
  for (int k = 0; k < 4; k++) bnn_tensor_unref(all[k]);
}
END_TEST

START_TEST(copies_that_do_not_agree_are_refused) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3), NULL), *wide = tensor_of(BNN_F32, DIMS(3, 1), NULL);
  bnn_tensor *bytes = tensor_of(BNN_U8, DIMS(3), NULL), *repeated;
  ck_refuses(bnn_tensor_copy(x, bytes, &err), BNN_ETYPE, "source is u8, destination f32");
  ck_refuses(bnn_tensor_copy(x, wide, &err), BNN_ESHAPE, "source is [3, 1], destination [3]");
  ck_succeeds(bnn_tensor_broadcast(&repeated, x, DIMS(2, 3), &err));
  ck_refuses(bnn_tensor_copy(repeated, repeated, &err), BNN_ESHAPE,
             "destination [2, 3] repeats its elements along axis 1");
  bnn_tensor *all[] = {x, wide, bytes, repeated};
  for (int k = 0; k < 4; k++) bnn_tensor_unref(all[k]);
}
END_TEST

START_TEST(contiguous_gives_the_tensor_itself_when_it_can) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL), *turned, *y, *z;
  ck_succeeds(bnn_tensor_contiguous(&y, x, &err));
  ck_assert_ptr_eq(y, x);
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_tensor_contiguous(&z, turned, &err));
  ck_assert(bnn_tensor_is_contiguous(z) && z->data != x->data);
  ck_tensor(z, BNN_F32, DIMS(3, 2), VALUES(0, 3, 1, 4, 2, 5));
  bnn_tensor *all[] = {x, turned, y, z};
  for (int k = 0; k < 4; k++) bnn_tensor_unref(all[k]);
}
END_TEST

START_TEST(an_axis_of_size_one_does_not_matter_for_contiguity) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(4, 3), NULL), *column, *turned;
  ck_succeeds(bnn_tensor_narrow(&column, x, 0, 2, 1, &err));
  ck_succeeds(bnn_tensor_permute(&turned, column, (const int[]){1, 0}, &err));
  ck_assert(bnn_tensor_is_contiguous(turned));
  bnn_tensor *all[] = {x, column, turned};
  for (int k = 0; k < 3; k++) bnn_tensor_unref(all[k]);
}
END_TEST

START_TEST(a_clone_is_a_snapshot) {
  bnn_tensor *x = tensor_of(BNN_I32, DIMS(2), VALUES(1, 2)), *y;
  ck_succeeds(bnn_tensor_clone(&y, x, &err));
  bnn_tensor_set(x, 0, 9);
  ck_tensor(y, BNN_I32, DIMS(2), VALUES(1, 2));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- elements ---- */

START_TEST(elements_are_read_as_numbers_and_as_integers) {
  bnn_tensor *f = tensor_of(BNN_F64, DIMS(5), VALUES(1.75, -2.5, 1e300, -1e300, NAN));
  static const int64_t want[] = {1, -2, INT64_MAX, INT64_MIN, 0};
  for (size_t i = 0; i < 5; i++) ck_assert_int_eq(bnn_tensor_get_int(f, i), want[i]);
  bnn_tensor *u = tensor_of(BNN_U64, DIMS(1), NULL), *s = tensor_of(BNN_I64, DIMS(1), NULL);
  *(uint64_t *)u->data = UINT64_MAX;
  *(int64_t *)s->data = INT64_MIN + 1;
  ck_assert(bnn_tensor_get(u, 0) == 0x1p64);
  ck_assert_int_eq(bnn_tensor_get_int(u, 0), -1);
  ck_assert_int_eq(bnn_tensor_get_int(s, 0), INT64_MIN + 1);
  bnn_tensor_unref(f);
  bnn_tensor_unref(u);
  bnn_tensor_unref(s);
}
END_TEST

START_TEST(elements_are_set_through_strides) {
  bnn_tensor *x = tensor_of((bnn_dtype)_i, DIMS(2, 3), NULL), *turned;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  for (size_t i = 0; i < 6; i++) bnn_tensor_set(turned, i, 10. * (double)i);
  ck_tensor(x, (bnn_dtype)_i, DIMS(2, 3), VALUES(0, 20, 40, 10, 30, 50));
  ck_assert_int_eq(bnn_tensor_get_int(turned, 5), 50);
  bnn_tensor_unref(x);
  bnn_tensor_unref(turned);
}
END_TEST

/* ---- conversion ---- */

START_TEST(small_integers_convert_between_all_types) {
  for (int to = 0; to < BNN_DTYPE_COUNT; to++) {
    bnn_tensor *x = tensor_of((bnn_dtype)_i, DIMS(2, 3), VALUES(0, 1, 2, 100, 200, 255));
    bnn_tensor *turned, *y, *z;
    ck_succeeds(bnn_tensor_convert(&y, x, (bnn_dtype)to, &err));
    ck_tensor(y, (bnn_dtype)to, DIMS(2, 3), VALUES(0, 1, 2, 100, 200, 255));
    ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
    ck_succeeds(bnn_tensor_convert(&z, turned, (bnn_dtype)to, &err));
    ck_tensor(z, (bnn_dtype)to, DIMS(3, 2), VALUES(0, 100, 1, 200, 2, 255));
    ck_assert(y->data != x->data && bnn_tensor_is_contiguous(z));
    bnn_tensor *all[] = {x, turned, y, z};
    for (int k = 0; k < 4; k++) bnn_tensor_unref(all[k]);
  }
}
END_TEST

/* Floats at the ends of each range: what fits, and the neighbour that does not. */
static const struct {
  bnn_dtype from, to;
  double fits, refused;
} float_row[] = {
    {BNN_F32, BNN_U8, 255, 256},
    {BNN_F32, BNN_U8, 0, -1},
    {BNN_F32, BNN_U8, -0.0, 0.5},
    {BNN_F64, BNN_U8, 3, NAN},
    {BNN_F64, BNN_I32, 2147483647, 2147483648},
    {BNN_F64, BNN_I32, -2147483648., -2147483649.},
    {BNN_F32, BNN_I32, 2147483520, 2147483648},
    {BNN_F64, BNN_I32, 1e9, 1e9 + 0.25},
    {BNN_F64, BNN_I64, 0x1.fffffffffffffp62, 0x1p63},
    {BNN_F64, BNN_I64, -0x1p63, -0x1.0000000000001p63},
    {BNN_F64, BNN_I64, -5, -INFINITY},
    {BNN_F64, BNN_U64, 0x1.fffffffffffffp63, 0x1p64},
    {BNN_F64, BNN_U64, 0, -1},
    {BNN_F32, BNN_U64, 0x1p63, INFINITY},
    {BNN_F64, BNN_F32, 0x1.fffffep127, 0x1.ffffffp127},
    {BNN_F64, BNN_F32, -0x1.fffffep127, -1e39},
    {BNN_F64, BNN_F32, INFINITY, 1e300},
};
enum { FLOAT_ROWS = sizeof float_row / sizeof *float_row };

START_TEST(floats_convert_only_when_their_value_stays) {
  bnn_dtype to = float_row[_i].to;
  bnn_tensor *x = tensor_of(float_row[_i].from, DIMS(1), VALUES(float_row[_i].fits)), *y = NULL;
  ck_succeeds(bnn_tensor_convert(&y, x, to, &err));
  ck_tensor(y, to, DIMS(1), VALUES(float_row[_i].fits));
  bnn_tensor_unref(y);
  y = NULL;
  bnn_tensor_set(x, 0, float_row[_i].refused);
  ck_refuses(bnn_tensor_convert(&y, x, to, &err), BNN_ERANGE, bnn_dtype_name(to));
  ck_assert_ptr_null(y);
  bnn_tensor_unref(x);
}
END_TEST

/* Integers: `bits` is the 64-bit pattern, stored as u64, or as i64 or i32 when negative. */
static const struct {
  bnn_dtype from, to;
  uint64_t fits, refused;
} integer_row[] = {
    {BNN_I32, BNN_U8, 255, 256},
    {BNN_I32, BNN_U8, 0, (uint64_t)-1},
    {BNN_I32, BNN_U64, INT32_MAX, (uint64_t)-1},
    {BNN_I32, BNN_F32, 1 << 24, (1 << 24) + 1},
    {BNN_I32, BNN_F32, (uint64_t)INT32_MIN, (uint64_t)INT32_MIN + 1},
    {BNN_I64, BNN_U8, 255, 256},
    {BNN_I64, BNN_I32, INT32_MAX, (uint64_t)INT32_MAX + 1},
    {BNN_I64, BNN_I32, (uint64_t)INT32_MIN, (uint64_t)INT32_MIN - 1},
    {BNN_I64, BNN_U64, INT64_MAX, (uint64_t)INT64_MIN},
    {BNN_I64, BNN_F32, (uint64_t)INT64_MIN, INT64_MAX},
    {BNN_I64, BNN_F64, (uint64_t)1 << 53, ((uint64_t)1 << 53) + 1},
    {BNN_I64, BNN_F64, (uint64_t)INT64_MIN, (uint64_t)INT64_MIN + 1},
    {BNN_U64, BNN_U8, 255, UINT64_MAX},
    {BNN_U64, BNN_I32, INT32_MAX, UINT64_MAX},
    {BNN_U64, BNN_I64, INT64_MAX, (uint64_t)INT64_MAX + 1},
    {BNN_U64, BNN_F32, (uint64_t)0xffffff << 40, UINT64_MAX},
    {BNN_U64, BNN_F64, (uint64_t)1 << 63, UINT64_MAX},
};
enum { INTEGER_ROWS = sizeof integer_row / sizeof *integer_row };

static void set_bits(bnn_tensor *x, uint64_t bits) {
  if (x->dtype == BNN_I32)
    *(int32_t *)x->data = (int32_t)bits;
  else
    *(uint64_t *)x->data = bits;
}

START_TEST(integers_convert_only_when_their_value_stays) {
  bnn_dtype from = integer_row[_i].from, to = integer_row[_i].to;
  bnn_tensor *x = tensor_of(from, DIMS(1), NULL), *y = NULL, *back;
  set_bits(x, integer_row[_i].fits);
  ck_succeeds(bnn_tensor_convert(&y, x, to, &err));
  ck_succeeds(bnn_tensor_convert(&back, y, from, &err));
  ck_assert_int_eq(memcmp(x->data, back->data, bnn_dtype_size(from)), 0);
  bnn_tensor_unref(y);
  bnn_tensor_unref(back);
  y = NULL;
  set_bits(x, integer_row[_i].refused);
  ck_refuses(bnn_tensor_convert(&y, x, to, &err), BNN_ERANGE, bnn_dtype_name(to));
  ck_assert_ptr_null(y);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(the_first_element_that_does_not_fit_is_named) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), VALUES(1, 2, 3, 4, 2.5, -1)), *t, *y = NULL;
  ck_refuses(bnn_tensor_convert(&y, x, BNN_U8, &err), BNN_ERANGE,
             "element [2, 2] is 2.5, which u8 cannot hold");
  ck_succeeds(bnn_tensor_permute(&t, x, (const int[]){1, 0}, &err));
  ck_refuses(bnn_tensor_convert(&y, t, BNN_U8, &err), BNN_ERANGE, "element [2, 2] is 2.5");
  bnn_tensor_unref(t);
  bnn_tensor_unref(x);
  x = tensor_of(BNN_U64, SCALAR, NULL);
  set_bits(x, UINT64_MAX);
  ck_refuses(bnn_tensor_convert(&y, x, BNN_F64, &err), BNN_ERANGE,
             "element [] is 18446744073709551615, which f64 cannot hold");
  bnn_tensor_unref(x);
  x = tensor_of(BNN_I64, DIMS(1), VALUES(-7));
  ck_refuses(bnn_tensor_convert(&y, x, BNN_U64, &err), BNN_ERANGE, "element [1] is -7, which u64");
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(rounding_to_f32_is_no_loss_but_nan_and_infinity_stay) {
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(3), VALUES(0.1, NAN, -INFINITY)), *y;
  ck_succeeds(bnn_tensor_convert(&y, x, BNN_F32, &err));
  ck_assert(((float *)y->data)[0] == 0.1f);
  ck_assert(isnan(bnn_tensor_get(y, 1)));
  ck_assert(bnn_tensor_get(y, 2) == -INFINITY);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(empty_tensors_convert) {
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(0, 3), NULL), *y;
  ck_succeeds(bnn_tensor_convert(&y, x, BNN_U8, &err));
  ck_tensor(y, BNN_U8, DIMS(0, 3), NULL);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- memory ---- */

static bnn_status convert_a_view(void *arg, bnn_err *err) {
  bnn_tensor *y;
  BNN_TRY(bnn_tensor_convert(&y, arg, BNN_F64, err));
  bnn_tensor_unref(y);
  return BNN_OK;
}

static bnn_status make_and_view(void *arg, bnn_err *err) {
  bnn_tensor *x = NULL, *v[6] = {NULL};
  bnn_status status = bnn_tensor_new(&x, BNN_F32, DIMS(2, 3), err);
  (void)arg;
  if (status == BNN_OK) status = bnn_tensor_narrow(&v[0], x, 1, 0, 2, err);
  if (status == BNN_OK) status = bnn_tensor_select(&v[1], v[0], 0, 1, err);
  if (status == BNN_OK) status = bnn_tensor_permute(&v[2], x, (const int[]){1, 0}, err);
  if (status == BNN_OK) status = bnn_tensor_view(&v[3], x, DIMS(6), err);
  if (status == BNN_OK) status = bnn_tensor_broadcast(&v[4], v[2], DIMS(4, 3, 2), err);
  if (status == BNN_OK) status = bnn_tensor_contiguous(&v[5], v[4], err);
  if (status == BNN_OK) status = bnn_tensor_copy(x, x, err);
  bnn_tensor_unref(x);
  for (int k = 0; k < 6; k++) bnn_tensor_unref(v[k]);
  return status;
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL), *turned;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_survives_failing_allocations(convert_a_view, x);
  ck_survives_failing_allocations(convert_a_view, turned);
  ck_survives_failing_allocations(make_and_view, NULL);
  bnn_tensor_unref(turned);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, every_type_has_a_size_and_a_name_that_finds_it);
  tcase_add_test(tests, a_new_tensor_is_zero_contiguous_and_aligned);
  tcase_add_test(tests, scalars_and_empty_tensors_are_tensors);
  tcase_add_test(tests, shapes_that_no_memory_can_hold_are_refused);
  tcase_add_test(tests, a_size_beyond_memory_is_out_of_memory);
  tcase_add_test(tests, references_keep_a_tensor_and_the_last_frees_it);
  tcase_add_test(tests, counts_hold_on_four_threads);
  tcase_add_test(tests, a_borrowed_tensor_shows_the_memory_of_its_caller);
  tcase_add_test(tests, a_header_in_place_needs_no_memory);
  tcase_add_test(tests, shapes_are_the_same_by_rank_and_dims);
  tcase_add_test(tests, narrow_shows_positions_along_an_axis);
  tcase_add_test(tests, narrow_to_nothing_is_allowed_everywhere);
  tcase_add_test(tests, select_drops_the_axis);
  tcase_add_test(tests, permute_reorders_axes);
  tcase_add_test(tests, view_gives_another_shape_to_the_same_elements);
  tcase_add_test(tests, broadcast_repeats_with_stride_zero);
  tcase_add_test(tests, broadcast_follows_numpy);
  tcase_add_test(tests, a_broadcast_may_have_more_elements_than_memory);
  tcase_add_test(tests, views_share_memory_and_keep_it_alive);
  tcase_add_test(tests, what_is_outside_a_tensor_is_refused_by_name);
  tcase_add_test(tests, axes_that_are_apart_in_memory_are_cut_and_not_joined);
  tcase_add_loop_test(tests, copy_puts_every_element_where_it_belongs, 0, BNN_DTYPE_COUNT);
  tcase_add_test(tests, copy_within_a_tensor_reads_before_it_writes);
  tcase_add_test(tests, a_matrix_is_transposed_in_its_own_memory);
  tcase_add_test(tests, copies_of_empty_tensors_and_scalars_work);
  tcase_add_test(tests, copies_that_do_not_agree_are_refused);
  tcase_add_test(tests, contiguous_gives_the_tensor_itself_when_it_can);
  tcase_add_test(tests, an_axis_of_size_one_does_not_matter_for_contiguity);
  tcase_add_test(tests, a_clone_is_a_snapshot);
  tcase_add_test(tests, elements_are_read_as_numbers_and_as_integers);
  tcase_add_loop_test(tests, elements_are_set_through_strides, 0, BNN_DTYPE_COUNT);
  tcase_add_loop_test(tests, small_integers_convert_between_all_types, 0, BNN_DTYPE_COUNT);
  tcase_add_loop_test(tests, floats_convert_only_when_their_value_stays, 0, FLOAT_ROWS);
  tcase_add_loop_test(tests, integers_convert_only_when_their_value_stays, 0, INTEGER_ROWS);
  tcase_add_test(tests, the_first_element_that_does_not_fit_is_named);
  tcase_add_test(tests, rounding_to_f32_is_no_loss_but_nan_and_infinity_stay);
  tcase_add_test(tests, empty_tensors_convert);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("tensor", add_tests); }
