/* bind_augment.h - augmentations, and rows of a batch that carry one. */
#ifndef BIND_AUGMENT_H
#define BIND_AUGMENT_H

#include <lua.h>

#include "batches/batch.h"

/* The rows of a batch at this argument: a tensor i32, or NULL for nil; of augmented rows the batch gets
 * the augmentation too. */
const bnn_tensor *bind_check_rows(lua_State *L, int arg, bnn_batch *batch);

void bind_open_augment(lua_State *L);

#endif
