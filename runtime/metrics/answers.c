/* answers.c - see answers.h.  A pass over the examples gives three sums for each class, and a metric
 * is a pass over these. */
#include "answers.h"

#include <math.h>
#include <string.h>

/* By class: the weight of its labels, of its answers, and of its right answers. */
typedef struct class_sums {
  const double *labels, *answers, *right;
  size_t classes, positive;
  double total;
  double distance[3]; /* sum of the weights times [c != d], |c - d|, (c - d)^2 */
} class_sums;

static double f1_of(const class_sums *s, size_t c) {
  const double both = s->labels[c] + s->answers[c];
  return both > 0 ? 2 * s->right[c] / both : 0;
}

static double balanced_accuracy(const class_sums *s) {
  double sum = 0, count = 0;
  for (size_t c = 0; c < s->classes; c++)
    if (s->labels[c] > 0) sum += s->right[c] / s->labels[c], count++;
  return sum / count;
}

static double f1_macro(const class_sums *s) {
  double sum = 0, count = 0;
  for (size_t c = 0; c < s->classes; c++)
    if (s->labels[c] + s->answers[c] > 0) sum += f1_of(s, c), count++;
  return sum / count;
}

static double f1_micro(const class_sums *s) { return 1 - s->distance[0] / s->total; }

static double f1_weighted(const class_sums *s) {
  double sum = 0;
  for (size_t c = 0; c < s->classes; c++) sum += s->labels[c] * f1_of(s, c);
  return sum / s->total;
}

static double f1_class(const class_sums *s) { return f1_of(s, s->positive); }

static double kappa(const class_sums *s) {
  double same = 0; /* the share of pairs of a label and an independent answer that agree */
  for (size_t c = 0; c < s->classes; c++) same += s->labels[c] * s->answers[c];
  return 1 - s->distance[0] / s->total / (1 - same / s->total / s->total);
}

/* E|C - D| of independent classes: the sum over k of P(C <= k < D) + P(D <= k < C). */
static double kappa_linear(const class_sums *s) {
  double expected = 0, labels = 0, answers = 0;
  for (size_t c = 0; c < s->classes; c++) {
    labels += s->labels[c] / s->total, answers += s->answers[c] / s->total;
    expected += labels * (1 - answers) + answers * (1 - labels);
  }
  return 1 - s->distance[1] / s->total / expected;
}

/* E(C - D)^2 of independent classes: their variances and the squared difference of their means. */
static double kappa_quadratic(const class_sums *s) {
  double mean[2] = {0, 0}, variance = 0;
  for (size_t c = 0; c < s->classes; c++) {
    mean[0] += (double)c * s->labels[c] / s->total;
    mean[1] += (double)c * s->answers[c] / s->total;
  }
  for (size_t c = 0; c < s->classes; c++) {
    const double a = (double)c - mean[0], b = (double)c - mean[1];
    variance += (a * a * s->labels[c] + b * b * s->answers[c]) / s->total;
  }
  const double apart = mean[0] - mean[1];
  return 1 - s->distance[2] / s->total / (variance + apart * apart);
}

struct bnn_agreement {
  const char *name;
  double (*value)(const class_sums *sums);
};

static const bnn_agreement metrics[] = {
    {"balanced_accuracy", balanced_accuracy},
    {"f1_macro", f1_macro},
    {"f1_micro", f1_micro},
    {"f1_weighted", f1_weighted},
    {"f1_class", f1_class},
    {"kappa", kappa},
    {"kappa_linear", kappa_linear},
    {"kappa_quadratic", kappa_quadratic},
};

const bnn_agreement *bnn_agreement_find(const char *name) {
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
    if (strcmp(metrics[i].name, name) == 0) return &metrics[i];
  return NULL;
}

static double agreement_value(const void *data, const double *weight, void *scratch) {
  const bnn_answers *d = data;
  double *labels = scratch, *answers = labels + d->classes, *right = answers + d->classes;
  class_sums sums = {labels, answers, right, d->classes, d->positive, 0, {0, 0, 0}};
  for (size_t c = 0; c < 3 * d->classes; c++) labels[c] = 0;
  for (size_t i = 0; i < d->n; i++) {
    const int32_t label = d->label[i], answer = d->answer[i];
    const double apart = fabs((double)label - (double)answer);
    labels[label] += weight[i], answers[answer] += weight[i], sums.total += weight[i];
    if (apart == 0) right[label] += weight[i];
    sums.distance[0] += weight[i] * (apart > 0);
    sums.distance[1] += weight[i] * apart;
    sums.distance[2] += weight[i] * apart * apart;
  }
  return d->metric->value(&sums);
}

bnn_statistic bnn_answers_statistic(const bnn_answers *data) {
  return (bnn_statistic){.value = agreement_value,
                         .data = data,
                         .n = data->n,
                         .scratch = 3 * data->classes * sizeof(double)};
}

void bnn_confusion(double *sum, const bnn_answers *data, const double *weight) {
  for (size_t i = 0; i < data->classes * data->classes; i++) sum[i] = 0;
  for (size_t i = 0; i < data->n; i++)
    sum[(size_t)data->label[i] * data->classes + (size_t)data->answer[i]] += weight ? weight[i] : 1;
}
