/* feed.h - the tensors of a data set, and the inputs of a program that their rows feed.
 *
 * A data set has inputs x, perhaps targets y, and perhaps a weight for each example.  x and y are one
 * tensor each, or several by name ("x.image", "x.table"): a program has an input for each of them, and
 * source i of a data set feeds what feed i says. */
#ifndef BNN_FEED_H
#define BNN_FEED_H

#include "../program/program.h"

enum { BNN_FEEDS_MAX = 16, BNN_FEED_NAME_MAX = 64 };

typedef enum bnn_feed_role { BNN_FEED_X, BNN_FEED_Y, BNN_FEED_WEIGHT } bnn_feed_role;

/* An input of a program with a row for each example. */
typedef struct bnn_feed {
  char name[BNN_FEED_NAME_MAX]; /* "x", "y.age": for messages */
  bnn_feed_role role;
  int node; /* -1: the program does not read it */
} bnn_feed;

typedef struct bnn_feeds {
  size_t n;
  bnn_feed feed[BNN_FEEDS_MAX];
} bnn_feeds;

/* Tensors [n, ...] of as many rows, the first of which is there; NULL for others that are not. */
typedef struct bnn_sources {
  size_t n;
  const bnn_tensor *tensor[BNN_FEEDS_MAX];
} bnn_sources;

/* One x, y and weight: nodes, -1 for what the program does not read; tensors, NULL for what is not
 * there. */
bnn_feeds bnn_feeds_of(int x, int y, int weight);
bnn_sources bnn_sources_of(const bnn_tensor *x, const bnn_tensor *y, const bnn_tensor *weight);

/* Adds a feed; its name is cut to what fits.  ERANGE: there are BNN_FEEDS_MAX. */
bnn_status bnn_feeds_add(bnn_feeds *f, bnn_feed_role role, const char *name, int node,
                         bnn_err *err);

/* Whether the program's inputs can be fed so: batch inputs, weights real [batch].  ERANGE names the
 * first that cannot. */
bnn_status bnn_feeds_check(const bnn_feeds *f, const bnn_program *program, bnn_err *err);

/* Whether the sources have as many rows each.  ESHAPE. */
bnn_status bnn_feeds_check_rows(const bnn_feeds *f, const bnn_sources *data, bnn_err *err);

/* Source i; NULL if it is not there. */
static inline const bnn_tensor *bnn_source_at(const bnn_sources *data, size_t i) {
  return i < data->n ? data->tensor[i] : NULL;
}

#endif
