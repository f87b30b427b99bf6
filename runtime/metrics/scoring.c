/* scoring.c - see scoring.h. */
#include "scoring.h"

#include <math.h>

bnn_status bnn_check_labels(const int32_t *label, size_t n, size_t classes, bnn_err *err) {
  for (size_t i = 0; i < n; i++)
    if (label[i] < 0 || (size_t)label[i] >= classes)
      return bnn_fail(err, BNN_ERANGE, "label %zu is %d, there are %zu classes, from 0", i + 1,
                      (int)label[i], classes);
  return BNN_OK;
}

void bnn_top_label(double *confidence, int32_t *label, const double *p, size_t n, size_t classes) {
  for (size_t i = 0; i < n; i++) {
    const double *row = p + i * classes;
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
      if (row[c] > row[best]) best = c;
    confidence[i] = row[best];
    label[i] = (int32_t)best;
  }
}

void bnn_label_rank(double *out, const double *p, const int32_t *label, size_t n, size_t classes) {
  for (size_t i = 0; i < n; i++) {
    const double *row = p + i * classes;
    size_t y = (size_t)label[i], rank = 0;
    for (size_t c = 0; c < classes; c++) rank += row[c] > row[y] || (row[c] == row[y] && c < y);
    out[i] = (double)rank;
  }
}

void bnn_row_nll(double *out, const double *p, const int32_t *label, size_t n, size_t classes) {
  for (size_t i = 0; i < n; i++) out[i] = 0 - log(p[i * classes + (size_t)label[i]]);
}

void bnn_row_brier(double *out, const double *p, const int32_t *label, size_t n, size_t classes) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t c = 0; c < classes; c++) {
      double miss = p[i * classes + c] - (c == (size_t)label[i]);
      sum += miss * miss;
    }
    out[i] = sum;
  }
}

void bnn_row_squared_error(double *out, const double *a, const double *b, size_t n, size_t width) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t k = i * width; k < (i + 1) * width; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
    out[i] = sum / (double)width;
  }
}

void bnn_row_absolute_error(double *out, const double *a, const double *b, size_t n, size_t width) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t k = i * width; k < (i + 1) * width; k++) sum += fabs(a[k] - b[k]);
    out[i] = sum / (double)width;
  }
}

void bnn_row_within(double *out, const double *mean, const double *std, const double *target,
                    double reach, size_t n, size_t width) {
  for (size_t i = 0; i < n; i++) {
    size_t in = 0;
    for (size_t k = i * width; k < (i + 1) * width; k++)
      in += fabs(target[k] - mean[k]) <= reach * std[k];
    out[i] = (double)in / (double)width;
  }
}

void bnn_row_interval_score(double *out, const double *lower, const double *upper,
                            const double *target, double alpha, size_t n, size_t width) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t k = i * width; k < (i + 1) * width; k++) {
      const double outside = fmax(0, fmax(lower[k] - target[k], target[k] - upper[k]));
      sum += upper[k] - lower[k] + 2 / alpha * outside;
    }
    out[i] = sum / (double)width;
  }
}

bool bnn_clip_above_1(double *out, const double *p, size_t n) {
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    any = any || p[i] > 1;
    if (out) out[i] = p[i] > 1 ? 1 : p[i];
  }
  return any;
}

size_t bnn_find_improper_row(size_t *column, double *value, const double *p, size_t n,
                             size_t classes) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t c = 0; c < classes; c++) {
      double q = p[i * classes + c];
      *column = c, *value = q;
      if (!(q >= 0 && q <= 1 + BNN_PROBABILITY_SLACK)) return i;
      sum += q;
    }
    *column = classes, *value = sum;
    if (!(fabs(sum - 1) <= BNN_PROBABILITY_SLACK)) return i;
  }
  return n;
}
