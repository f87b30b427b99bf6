/* csv_categories.h - the texts of a column, numbered as they come: a hash table of cells.
 *
 * Open addressing with linear probing, at most half full, doubling as it fills. */
#ifndef BNN_CSV_CATEGORIES_H
#define BNN_CSV_CATEGORIES_H

#include <stdint.h>

#include "../files/bytes.h"
#include "csv_cell.h"

/* Starts as {0}, ends with bnn_csv_categories_free. */
typedef struct bnn_csv_categories {
  bnn_bytes texts; /* bnn_csv_cell [n], which point to what was added */
  size_t n;
  int32_t *slot; /* [slots]: 1 + the place of a text, 0 where none is */
  size_t slots;  /* a power of 2, or 0 */
} bnn_csv_categories;

/* The place of a text, from 0; -1 when it is not there. */
int32_t bnn_csv_category_find(const bnn_csv_categories *t, const bnn_csv_cell *c);

/* The same, after adding it where it is not there.  ENOMEM; ERANGE: there are 2^30. */
bnn_status bnn_csv_category_add(bnn_csv_categories *t, int32_t *place, const bnn_csv_cell *c);

/* Puts the texts in order: by number where all of them are numbers, else by their bytes.
 * new_place [n]: where the text that was at a place is now.  ENOMEM. */
bnn_status bnn_csv_categories_sort(bnn_csv_categories *t, int32_t *new_place, char decimal);

void bnn_csv_categories_free(bnn_csv_categories *t);

#endif
