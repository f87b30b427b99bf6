/* calibration.c - see calibration.h. */
#include "calibration.h"

#include <math.h>

#include "scoring.h"

/* ---- bins of equal width ---- */

static size_t bin_of(double confidence, bool single, size_t bins) {
  double at =
      single ? (double)ceilf((float)bins * (float)confidence) : ceil((double)bins * confidence);
  size_t index = at < 1 ? 0 : (size_t)at - 1;
  return index < bins ? index : bins - 1;
}

bnn_status bnn_bin_confidences(uint32_t *bin, const double *confidence, size_t n, bool single,
                               size_t bins, bnn_err *err) {
  if (bins < 1 || bins > BNN_BINS_MAX)
    return bnn_fail(err, BNN_ERANGE, "bins: expected 1 to %d, got %zu", BNN_BINS_MAX, bins);
  for (size_t i = 0; i < n; i++) {
    if (!(confidence[i] >= 0 && confidence[i] <= 1 + BNN_PROBABILITY_SLACK))
      return bnn_fail(err, BNN_ERANGE, "confidence %zu: expected 0 to 1, got %g", i + 1,
                      confidence[i]);
    bin[i] = (uint32_t)bin_of(confidence[i], single, bins);
  }
  return BNN_OK;
}

typedef struct bin_sum {
  double n, right, confidence;
} bin_sum;

static double gap_of(const bin_sum *sum, size_t bins, bnn_gap gap) {
  double total = 0, largest = 0, n = 0;
  for (size_t b = 0; b < bins; b++) {
    if (sum[b].n == 0) continue;
    double over = sum[b].confidence - sum[b].right;
    total += gap == BNN_GAP_SIGNED ? over : fabs(over);
    largest = fmax(largest, fabs(over) / sum[b].n);
    n += sum[b].n;
  }
  return gap == BNN_GAP_LARGEST ? largest : total / n;
}

static double binned_value(const void *data, const double *weight, void *scratch) {
  const bnn_binned *d = data;
  bin_sum *sum = scratch;
  for (size_t b = 0; b < d->bins; b++) sum[b] = (bin_sum){0, 0, 0};
  for (size_t i = 0; i < d->n; i++) {
    bin_sum *s = &sum[d->bin[i]];
    s->n += weight[i];
    s->right += d->right[i] * weight[i];
    s->confidence += weight[i] * d->confidence[i];
  }
  return gap_of(sum, d->bins, d->gap);
}

bnn_statistic bnn_binned_statistic(const bnn_binned *data) {
  return (bnn_statistic){
      .value = binned_value, .data = data, .n = data->n, .scratch = data->bins * sizeof(bin_sum)};
}

void bnn_count_bins(double *n, double *confidence, double *right, const bnn_binned *data,
                    const double *weight) {
  for (size_t b = 0; b < data->bins; b++) n[b] = right[b] = confidence[b] = 0;
  for (size_t i = 0; i < data->n; i++) {
    const uint32_t b = data->bin[i];
    const double w = weight ? weight[i] : 1;
    n[b] += w;
    right[b] += w * data->right[i];
    confidence[b] += w * data->confidence[i];
  }
}

/* ---- temperature ---- */

/* The mean negative log-likelihood at b = 1/T and its first two derivatives in b: with p =
 * softmax(b z), E_p z - z_y and Var_p z. */
typedef struct slope {
  double nll, first, second;
} slope;

static void add_row(slope *sum, const double *z, int32_t y, size_t classes, double b) {
  double most = z[0], mass = 0, mean = 0, variance = 0;
  for (size_t c = 1; c < classes; c++) most = fmax(most, z[c]);
  for (size_t c = 0; c < classes; c++) { /* below the largest: nothing overflows */
    double below = z[c] - most, e = exp(b * below);
    mass += e, mean += e * below;
  }
  mean /= mass;
  for (size_t c = 0; c < classes; c++) {
    double below = z[c] - most;
    variance += exp(b * below) / mass * (below - mean) * (below - mean);
  }
  sum->nll += log(mass) - b * (z[y] - most);
  sum->first += mean - (z[y] - most);
  sum->second += variance;
}

static slope slope_at(const double *z, const int32_t *label, size_t n, size_t classes, double b) {
  slope sum = {0, 0, 0};
  for (size_t i = 0; i < n; i++) add_row(&sum, z + i * classes, label[i], classes, b);
  return (slope){sum.nll / (double)n, sum.first / (double)n, sum.second / (double)n};
}

/* b in [low, high] where the rising derivative crosses 0. */
static double find_root(const double *z, const int32_t *label, size_t n, size_t classes, double b,
                        double low, double high) {
  for (int step = 0; step < 100; step++) {
    slope s = slope_at(z, label, n, classes, b);
    if (s.first == 0) return b;
    *(s.first > 0 ? &high : &low) = b;
    double next = b - s.first / s.second;
    if (!(next > low && next < high)) next = sqrt(low * high);
    if (fabs(next - b) <= 1e-12 * b) return next;
    b = next;
  }
  return b;
}

bnn_status bnn_temperature_fit(bnn_temperature *out, const double *z, const int32_t *label,
                               size_t n, size_t classes, bnn_err *err) {
  const double low = 1e-2, high = 1e2;
  if (n == 0) return bnn_fail(err, BNN_ERANGE, "there are no examples");
  BNN_TRY(bnn_check_labels(label, n, classes, err));
  slope one = slope_at(z, label, n, classes, 1);
  double b = 1;
  if (one.first > 0 && slope_at(z, label, n, classes, low).first >= 0)
    b = low;
  else if (one.first < 0 && slope_at(z, label, n, classes, high).first <= 0)
    b = high;
  else
    b = find_root(z, label, n, classes, 1, low, high);
  double after = slope_at(z, label, n, classes, b).nll;
  *out = (bnn_temperature){.temperature = 1 / b, .before = one.nll, .after = after};
  return BNN_OK;
}
