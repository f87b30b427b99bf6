/* batch.h - rows of a data set, and the one pass that turns them into a program's input.
 *
 * Images stay uint8 in memory; they become real, divided by 255, in the pass that gathers a batch,
 * as torchvision's ToTensor does.  So wherever a uint8 tensor meets a real input of a network, it
 * is taken for an image of intensities 0..255.  Integers of other types are unchanged: labels,
 * tokens, positions (scripts/bnn/autodiff/network_input.lua is the same rule on Lua's side). */
#ifndef BNN_BATCH_H
#define BNN_BATCH_H

#include "../augment/augment.h"
#include "feed.h"

/* Rows of data.  rows: i32 positions counted from 1, as a permutation holds them, of which the batch
 * has [from, from + count); NULL: rows from .. from + count - 1.  augment: what is done at random, by
 * augment_key, to the source `augmented`, and where it mixes examples to the targets, source
 * `mixed`, and the examples' weights, source `weights`, each 0 without; or NULL.
 *
 * Examples of weights w and w' that are mixed with the shares s and 1 - s become one of weight
 * W = s w + (1 - s) w', whose targets have the shares s w / W and (1 - s) w' / W: a loss that is linear
 * in the targets, such as the cross-entropy, is then the sum of both examples' weighted losses, times
 * their shares.  (A squared error is, up to what does not depend on the network.) */
typedef struct bnn_batch {
  bnn_sources data;
  const int32_t *rows;
  size_t from, count;
  const bnn_augment *augment;
  bnn_key augment_key;
  size_t augmented, mixed, weights;
} bnn_batch;

/* Whether the source can feed an input of shape `want` (dim 0 is the batch): same row shape, or as
 * many elements in a row; the same dtype, or u8 for real.  name: "x", for the text.
 * ESHAPE, ETYPE; ERANGE when source is not contiguous. */
bnn_status bnn_batch_check(const bnn_tensor *source, const bnn_shape *want, const char *name,
                           bnn_err *err);

/* The same of source i, also of targets that are mixed: an augmentation makes real rows of them. */
bnn_status bnn_batch_check_source(const bnn_batch *batch, size_t i, const bnn_shape *want,
                                  const char *name, bnn_err *err);

/* Whether every position lies within the sources, which have as many rows each, and can be augmented.
 * ERANGE, ESHAPE, ETYPE. */
bnn_status bnn_batch_check_rows(const bnn_batch *batch, const bnn_feeds *feeds, bnn_err *err);

/* Adds to err the row of the data, "..., in row 17 of 100", by its place in the batch, from 0;
 * returns status. */
bnn_status bnn_batch_fail(const bnn_batch *batch, size_t row, bnn_status status, bnn_err *err);

/* Writes rows [from, from + n) of the batch to out, whose element type is `dtype`: of source i. */
void bnn_batch_gather(void *out, bnn_dtype dtype, const bnn_batch *batch, size_t i, size_t from,
                      size_t n);

#endif
