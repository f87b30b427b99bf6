/* feed.c - see feed.h. */
#include "feed.h"

#include <stdio.h>

bnn_feeds bnn_feeds_of(int x, int y, int weight) {
  return (bnn_feeds){
      3, {{"x", BNN_FEED_X, x}, {"y", BNN_FEED_Y, y}, {"weight", BNN_FEED_WEIGHT, weight}}};
}

bnn_sources bnn_sources_of(const bnn_tensor *x, const bnn_tensor *y, const bnn_tensor *weight) {
  return (bnn_sources){3, {x, y, weight}};
}

bnn_status bnn_feeds_add(bnn_feeds *f, bnn_feed_role role, const char *name, int node,
                         bnn_err *err) {
  if (f->n == BNN_FEEDS_MAX)
    return bnn_fail(err, BNN_ERANGE, "%s: expected at most %d tensors", name, BNN_FEEDS_MAX);
  bnn_feed *feed = &f->feed[f->n++];
  *feed = (bnn_feed){.role = role, .node = node};
  snprintf(feed->name, sizeof feed->name, "%s", name);
  return BNN_OK;
}

bnn_status bnn_feeds_check(const bnn_feeds *f, const bnn_program *program, bnn_err *err) {
  for (size_t i = 0; i < f->n; i++) {
    const bnn_feed *feed = &f->feed[i];
    BNN_TRY(bnn_program_check_rows(program, feed->node, feed->name, err));
    if (feed->role == BNN_FEED_WEIGHT)
      BNN_TRY(bnn_program_check_row_weights(program, feed->node, err));
  }
  return BNN_OK;
}

bnn_status bnn_feeds_check_rows(const bnn_feeds *f, const bnn_sources *data, bnn_err *err) {
  const size_t n = data->tensor[0]->dim[0];
  for (size_t i = 1; i < data->n; i++) {
    const bnn_tensor *t = data->tensor[i];
    if (t && (t->rank == 0 || t->dim[0] != n))
      return bnn_fail(err, BNN_ESHAPE, "%s has %zu rows, %s is %s", f->feed[0].name, n,
                      i < f->n ? f->feed[i].name : "another", BNN_SHAPE(t));
  }
  return BNN_OK;
}
