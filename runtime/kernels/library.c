/* library.c - see library.h. */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no conversion from what dlsym gives to a pointer to a function; POSIX says that they
 * look alike. */
bool bnn_library_find(void *handle, const char *name, void *place) {
  void *address = dlsym(handle, name);
  memcpy(place, &address, sizeof address);
  return address != NULL;
}

void *bnn_library_load(const char *file, const bnn_library_row *rows, size_t n) {
  void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  for (size_t i = 0; handle && i < n; i++)
    if (!bnn_library_find(handle, rows[i].name, rows[i].place)) return NULL;
  return handle;
}
