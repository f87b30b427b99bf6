/* test_tfevents.c - checksums and records against published vectors, histograms against counts. */
#include "formats/tfevents.h"

#include <math.h>
#include <string.h>

#include "support.h"

START_TEST(checksums_are_the_published_ones) {
  unsigned char zeros[32] = {0};
  ck_assert_uint_eq(bnn_crc32c("123456789", 9), 0xe3069283);
  ck_assert_uint_eq(bnn_crc32c(zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720, B.4 */
  ck_assert_uint_eq(bnn_crc32c("", 0), 0);
}
END_TEST

/* The first record of a file, {wall_time = 1.7e9, file_version = "brain.Event:2"}, as TensorFlow
 * writes it. */
START_TEST(a_record_has_tensorflows_bytes) {
  static const unsigned char event[] = "\x09\x00\x00\x00\x40\xfc\x54\xd9\x41\x1a\x0d"
                                       "brain.Event:2";
  static const unsigned char want[] = "\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7f\x4b\x22"
                                      "\x09\x00\x00\x00\x40\xfc\x54\xd9\x41\x1a\x0d"
                                      "brain.Event:2\xec\xed\x8f\x9d";
  bnn_bytes out = {0};
  ck_succeeds(bnn_tfevents_record(&out, event, sizeof event - 1, &err));
  ck_assert_uint_eq(out.n, sizeof want - 1);
  ck_assert_mem_eq(out.p, want, out.n);
  bnn_bytes_free(&out);
}
END_TEST

/* ---- a HistogramProto, read back ---- */

typedef struct histogram {
  double number[6]; /* by field: min, max, num, sum, sum_squares */
  size_t n;
  double limit[2000], count[2000];
} histogram;

static double read_double(const unsigned char *p) {
  uint64_t bits = 0;
  double x;
  for (int i = 0; i < 8; i++) bits |= (uint64_t)p[i] << 8 * i;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static const unsigned char *read_list(const unsigned char *p, double *x, size_t *n) {
  size_t bytes = 0;
  for (int shift = 0;; shift += 7) {
    bytes |= (size_t)(*p & 127) << shift;
    if (*p++ < 128) break;
  }
  *n = bytes / 8;
  for (size_t i = 0; i < *n; i++, p += 8) x[i] = read_double(p);
  return p;
}

static void read_histogram(histogram *h, const bnn_bytes *b) {
  size_t counts = 0;
  for (const unsigned char *p = b->p; p < b->p + b->n;) {
    const int field = *p >> 3, wire = *p & 7;
    p++;
    if (wire == 1) {
      ck_assert_int_lt(field, 6);
      h->number[field] = read_double(p);
      p += 8;
    } else {
      ck_assert_int_eq(wire, 2);
      p = field == 6 ? read_list(p, h->limit, &h->n) : read_list(p, h->count, &counts);
    }
  }
  ck_assert_uint_eq(counts, h->n);
}

static histogram *histogram_of(bnn_tensor *x, size_t finite) {
  bnn_bytes out = {0};
  size_t n = 0;
  histogram *h = calloc(1, sizeof *h);
  ck_succeeds(bnn_tfevents_histogram(&out, x, &n, &err));
  ck_assert_uint_eq(n, finite);
  if (n) read_histogram(h, &out);
  ck_assert(n || !out.n);
  bnn_bytes_free(&out);
  return h;
}

/* Each bucket holds what is above the limit before it, up to its own. */
START_TEST(buckets_count_the_elements_between_their_limits) {
  static const double values[] = {-3, -1e-3, 0, 1e-14, 0.5, 0.5, 2, 1e25, -1e30, 1e-12};
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(10), values);
  histogram *h = histogram_of(x, 10);
  ck_assert_double_eq_tol(h->number[1], -1e30, 1e24);
  ck_assert_double_eq_tol(h->number[2], 1e25, 1e19);
  ck_assert_double_eq(h->number[3], 10);
  double all = 0;
  for (size_t i = 0; i < h->n; i++) {
    double want = 0;
    for (size_t k = 0; k < 10; k++) {
      const double value = (double)bnn_tensor_real(x)[k];
      want += value <= h->limit[i] && (i == 0 || value > h->limit[i - 1]);
    }
    ck_assert_double_eq(h->count[i], want);
    ck_assert(i == 0 || h->limit[i] > h->limit[i - 1]);
    all += h->count[i];
  }
  ck_assert_double_eq(all, 10);
  free(h);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(empty_ends_are_left_out_and_sums_are_those_of_the_elements) {
  static const double values[] = {1, 2, 40, NAN, INFINITY, -INFINITY};
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(2, 3), values);
  histogram *h = histogram_of(x, 3);
  ck_assert_double_eq(h->number[4], 43);
  ck_assert_double_eq(h->number[5], 1605);
  ck_assert_uint_lt(h->n, 45); /* log 40 / log 1.1 = 38.7 */
  ck_assert_double_eq(h->count[0], 0);
  ck_assert_double_gt(h->count[1], 0);
  ck_assert_double_gt(h->count[h->n - 1], 0);
  free(h);
  bnn_tensor_unref(x);
}
END_TEST

/* Such as standard deviations, which would all be in one or two buckets of a width of 10%. */
START_TEST(numbers_near_each_other_are_counted_in_equal_buckets) {
  static const double values[] = {0.03, 0.0304, 0.0305, 0.031, 0.0301, 0.031};
  for (int sign = -1; sign <= 1; sign += 2) {
    bnn_tensor *x = tensor_of(BNN_REAL, DIMS(6), values);
    for (size_t k = 0; k < 6; k++) bnn_tensor_real(x)[k] *= (bnn_real)sign;
    histogram *h = histogram_of(x, 6);
    ck_assert_uint_eq(h->n, 51);
    double all = 0;
    for (size_t i = 0; i < h->n; i++) {
      double want = 0;
      for (size_t k = 0; k < 6; k++) {
        const double value = (double)bnn_tensor_real(x)[k];
        want += value <= h->limit[i] && (i == 0 || value > h->limit[i - 1]);
      }
      ck_assert_double_eq(h->count[i], want);
      all += want;
    }
    ck_assert_double_eq(all, 6);
    ck_assert_double_eq(h->limit[0], h->number[1]);
    ck_assert_double_eq(h->limit[50], h->number[2]);
    free(h);
    bnn_tensor_unref(x);
  }
}
END_TEST

START_TEST(equal_numbers_are_in_one_bucket) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(3), VALUES(3, 3, 3));
  histogram *h = histogram_of(x, 3);
  ck_assert_uint_eq(h->n, 2);
  ck_assert_double_eq(h->count[1], 3);
  ck_assert(h->limit[0] < 3 && h->limit[1] >= 3);
  free(h);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_view_counts_its_own_elements_and_nothing_finite_is_nothing) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(3, 2), VALUES(1, 10, 2, 20, 3, 30)), *column = NULL;
  ck_succeeds(bnn_tensor_select(&column, x, 1, 0, &err));
  histogram *h = histogram_of(column, 3);
  ck_assert_double_eq(h->number[4], 6);
  free(h);
  bnn_tensor_unref(column);
  bnn_tensor_unref(x);
  x = tensor_of(BNN_REAL, DIMS(2), VALUES(NAN, INFINITY));
  free(histogram_of(x, 0));
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(other_types_are_refused) {
  bnn_bytes out = {0};
  size_t n;
  bnn_tensor *x = tensor_of(BNN_I32, DIMS(2), VALUES(1, 2));
  ck_refuses(bnn_tfevents_histogram(&out, x, &n, &err), BNN_ETYPE, "got i32: x:real() converts");
  bnn_tensor_unref(x);
}
END_TEST

static bnn_status make_both(void *data, bnn_err *err) {
  bnn_bytes out = {0};
  size_t n;
  bnn_status status = bnn_tfevents_histogram(&out, data, &n, err);
  if (status == BNN_OK) status = bnn_tfevents_record(&out, "event", 5, err);
  bnn_bytes_free(&out);
  return status;
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(2), VALUES(-1, 1));
  ck_survives_failing_allocations(make_both, x);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, checksums_are_the_published_ones);
  tcase_add_test(tests, a_record_has_tensorflows_bytes);
  tcase_add_test(tests, buckets_count_the_elements_between_their_limits);
  tcase_add_test(tests, empty_ends_are_left_out_and_sums_are_those_of_the_elements);
  tcase_add_test(tests, numbers_near_each_other_are_counted_in_equal_buckets);
  tcase_add_test(tests, equal_numbers_are_in_one_bucket);
  tcase_add_test(tests, a_view_counts_its_own_elements_and_nothing_finite_is_nothing);
  tcase_add_test(tests, other_types_are_refused);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("tfevents", add_tests); }
