/* tfevents.c - see tfevents.h. */
#include "tfevents.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../base/mem.h"

/* ---- records ---- */

/* Four bits at a time: the table is sixteen numbers that can be checked by eye, and a row of a log is
 * short. */
uint32_t bnn_crc32c(const void *p, size_t n) {
  static const uint32_t of_nibble[16] = {
      0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
      0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
      0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  };
  const unsigned char *byte = p;
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < n; i++) {
    crc ^= byte[i];
    crc = (crc >> 4) ^ of_nibble[crc & 15];
    crc = (crc >> 4) ^ of_nibble[crc & 15];
  }
  return ~crc;
}

static void put_u32(unsigned char *to, uint32_t x) {
  for (int i = 0; i < 4; i++) to[i] = (unsigned char)(x >> 8 * i);
}

static void put_u64(unsigned char *to, uint64_t x) {
  for (int i = 0; i < 8; i++) to[i] = (unsigned char)(x >> 8 * i);
}

static uint32_t masked(const void *p, size_t n) {
  const uint32_t crc = bnn_crc32c(p, n);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

bnn_status bnn_tfevents_record(bnn_bytes *out, const void *event, size_t n, bnn_err *err) {
  unsigned char head[12], tail[4];
  put_u64(head, n);
  put_u32(head + 8, masked(head, 8));
  put_u32(tail, masked(event, n));
  BNN_TRY(bnn_bytes_add(out, head, sizeof head, err));
  BNN_TRY(bnn_bytes_add(out, event, n, err));
  return bnn_bytes_add(out, tail, sizeof tail, err);
}

/* ---- histograms ---- */

/* Limits 1e-12 1.1^k up to 1e20, then the largest double; the same below 0.  Numbers of one sign
 * that would lie in few of them have equal steps instead. */
enum { SIDE_MAX = 800, STEPS = 50 };
static const double narrow = 20; /* of the largest to the smallest: 1.1^31 */

typedef struct histogram {
  double limit[2 * SIDE_MAX + 1], count[2 * SIDE_MAX + 1]; /* bucket i: (limit[i - 1], limit[i]] */
  size_t n;
  double min, max, num, sum, squares;
} histogram;

static void set_growing_limits(histogram *h) {
  double side[SIDE_MAX];
  size_t n = 0;
  for (double x = 1e-12; x < 1e20; x *= 1.1) side[n++] = x;
  side[n++] = DBL_MAX;
  h->n = 2 * n;
  for (size_t i = 0; i < n; i++) {
    h->limit[n - 1 - i] = -side[i];
    h->limit[n + i] = side[i];
  }
}

static void set_equal_limits(histogram *h) {
  h->n = STEPS + 1;
  for (size_t i = 0; i < STEPS; i++) h->limit[i] = h->min + (h->max - h->min) * (double)i / STEPS;
  h->limit[STEPS] = h->max;
}

/* Whether all lie within a factor of each other, and are not one number. */
static bool is_narrow(const histogram *h) {
  const double low = h->min > 0 ? h->min : -h->max, high = h->min > 0 ? h->max : -h->min;
  return low > 0 && high < narrow * low && high - low > 1e-9 * high;
}

/* The sums of the finite elements, and limits for their counts. */
static void histogram_init(histogram *h, const bnn_real *x, size_t n) {
  *h = (histogram){.min = INFINITY, .max = -INFINITY};
  for (size_t i = 0; i < n; i++) {
    const double value = (double)x[i];
    if (!isfinite(value)) continue;
    h->num++;
    h->sum += value;
    h->squares += value * value;
    h->min = value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
  }
  if (is_narrow(h))
    set_equal_limits(h);
  else
    set_growing_limits(h);
}

/* A bucket about where x is: limits grow by 1.1, or are STEPS equal ones. */
static size_t guess(const histogram *h, double x) {
  static const double per_log = 10.49205869417966; /* 1 / log 1.1 */
  if (h->n == STEPS + 1) return (size_t)((x - h->min) / (h->max - h->min) * STEPS);
  const double size = fabs(x), half = (double)(h->n / 2);
  const double at = size > 1e-12 ? log(size * 1e12) * per_log : 0;
  if (at >= half) return x > 0 ? h->n - 1 : 0;
  return (size_t)(x > 0 ? half + at : half - at);
}

/* The first limit of x or more. */
static void add_value(histogram *h, double x) {
  size_t i = guess(h, x);
  while (i > 0 && h->limit[i - 1] >= x) i--;
  while (h->limit[i] < x) i++;
  h->count[i]++;
}

/* A message as it grows; the first failure stays. */
typedef struct message {
  bnn_bytes *out;
  bnn_status status;
  bnn_err *err;
} message;

static void put(message *m, const void *p, size_t n) {
  if (m->status == BNN_OK) m->status = bnn_bytes_add(m->out, p, n, m->err);
}

static void put_varint(message *m, uint64_t x) {
  unsigned char byte[10];
  size_t n = 0;
  for (; x >= 128; x >>= 7) byte[n++] = (unsigned char)(x | 128);
  byte[n++] = (unsigned char)x;
  put(m, byte, n);
}

static void put_double(message *m, double x) {
  uint64_t bits;
  unsigned char byte[8];
  memcpy(&bits, &x, sizeof bits);
  put_u64(byte, bits);
  put(m, byte, sizeof byte);
}

enum { WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

static void put_field(message *m, uint64_t field, double x) {
  put_varint(m, field << 3 | WIRE_FIXED64);
  put_double(m, x);
}

static void put_list(message *m, uint64_t field, const double *x, size_t n) {
  put_varint(m, field << 3 | WIRE_BYTES);
  put_varint(m, 8 * n);
  for (size_t i = 0; i < n; i++) put_double(m, x[i]);
}

/* Without the empty buckets at both ends, but for one below the first. */
static void put_histogram(message *m, const histogram *h) {
  size_t from = 0, to = h->n;
  while (from + 1 < to && h->count[from] == 0 && h->count[from + 1] == 0) from++;
  while (to > from + 1 && h->count[to - 1] == 0) to--;
  put_field(m, 1, h->min);
  put_field(m, 2, h->max);
  put_field(m, 3, h->num);
  put_field(m, 4, h->sum);
  put_field(m, 5, h->squares);
  put_list(m, 6, h->limit + from, to - from);
  put_list(m, 7, h->count + from, to - from);
}

bnn_status bnn_tfevents_histogram(bnn_bytes *out, bnn_tensor *x, size_t *finite, bnn_err *err) {
  bnn_tensor *whole = NULL;
  if (x->dtype != BNN_REAL)
    return bnn_fail(err, BNN_ETYPE, "x: expected %s, got %s: x:real() converts",
                    bnn_dtype_name(BNN_REAL), bnn_dtype_name(x->dtype));
  histogram *h = bnn_mem_alloc(1, sizeof *h);
  if (!h) return bnn_fail(err, BNN_ENOMEM, "a histogram");
  bnn_status status = bnn_tensor_contiguous(&whole, x, err);
  if (status == BNN_OK) {
    const bnn_real *value = bnn_tensor_real(whole);
    histogram_init(h, value, whole->size);
    for (size_t i = 0; i < whole->size; i++)
      if (isfinite(value[i])) add_value(h, (double)value[i]);
    *finite = (size_t)h->num;
    message m = {out, BNN_OK, err};
    if (*finite) put_histogram(&m, h);
    status = m.status;
  }
  bnn_tensor_unref(whole);
  bnn_mem_free(h);
  return status;
}
