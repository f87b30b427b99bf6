/* estimator.c - see estimator.h. */
#include "estimator.h"

#include <string.h>

static const char *const names[] = {
#define X(name) #name,
    BNN_ESTIMATOR_ROWS(X)
#undef X
};

const char *bnn_estimator_name(bnn_estimator e) { return names[e]; }

bool bnn_estimator_find(bnn_estimator *out, const char *name) {
  for (int i = 0; i < BNN_ESTIMATOR_COUNT; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *out = (bnn_estimator)i;
    return true;
  }
  return false;
}

const bnn_spread *bnn_estimator_spread(bnn_estimator e, const bnn_family *family) {
  const bnn_spread *spread = e == BNN_ESTIMATOR_local_reparameterization ? &family->moments
                             : e == BNN_ESTIMATOR_flipout                ? &family->deviations
                                                                         : NULL;
  return spread && spread->draw ? spread : NULL;
}

bool bnn_estimator_suits(bnn_estimator e, const bnn_family *family) {
  return e == BNN_ESTIMATOR_reparameterization || family->is_point ||
         bnn_estimator_spread(e, family);
}

void bnn_estimator_draw(bnn_estimator e, const bnn_posterior *q, bnn_context *context,
                        bnn_real *theta, bnn_draw draw, int64_t s) {
  for (size_t g = 0; g < q->n_groups; g++) {
    const bnn_group *group = &q->group[g];
    const bnn_spread *spread = bnn_estimator_spread(e, group->family);
    if (spread)
      spread->draw(group, context, theta + q->layout->size, draw);
    else
      group->family->sample(group, context, theta, draw, s);
  }
}
