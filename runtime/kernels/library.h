/* library.h - shared libraries that are loaded when they are first needed rather than linked, so that
 * the start of the program does not pay for them and a machine without them runs it all the same. */
#ifndef BNN_LIBRARY_H
#define BNN_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* A function of a library: its name there, and the pointer to a function that is to point to it. */
typedef struct bnn_library_row {
  const char *name;
  void *place;
} bnn_library_row;

/* Loads a library by its file's name and fills the places of rows [n].  Returns its handle, or NULL
 * where it is missing or lacks one of them.  It stays loaded. */
void *bnn_library_load(const char *file, const bnn_library_row *rows, size_t n);

/* Finds one function in a library that dlopen has loaded; false, and *place is NULL: it has none. */
bool bnn_library_find(void *handle, const char *name, void *place);

#endif
