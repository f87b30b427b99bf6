/* bytes.c - blocks that grow with what is read into them. */
#include "bytes.h"

#include <string.h>

#include "mem.h"

enum {
  FIRST_BYTES = 1 << 16, /* of a block, for any source */
  USUAL_RATIO = 16,      /* bytes read for a byte of the source; MNIST has 5 */
};

static bnn_status read_gzip(void *state, void *to, size_t n, size_t *got, bnn_err *err) {
  return bnn_gzip_read(state, to, n, got, err);
}

bnn_source bnn_source_gzip(bnn_gzip *file) {
  return (bnn_source){bnn_gzip_name(file), read_gzip, file, bnn_gzip_size(file)};
}

/* NULL when memory is out: then b is as it was. */
static unsigned char *grow(bnn_bytes *b, size_t room) {
  unsigned char *p = bnn_mem_alloc(room, 1);
  if (!p) return NULL;
  if (b->n) memcpy(p, b->p, b->n);
  bnn_mem_free(b->p);
  b->p = p;
  b->room = room;
  return p;
}

static size_t first_room(uint64_t size, size_t wanted) {
  uint64_t usual = size < UINT64_MAX / USUAL_RATIO ? size * USUAL_RATIO : UINT64_MAX;
  if (usual < FIRST_BYTES) usual = FIRST_BYTES;
  return usual < wanted ? (size_t)usual : wanted;
}

bnn_status bnn_bytes_read(bnn_bytes *b, const bnn_source *from, size_t wanted, bnn_err *err) {
  size_t room = first_room(from->size, wanted);
  do {
    size_t got;
    if (!grow(b, room)) return bnn_fail(err, BNN_ENOMEM, "%s: %zu bytes", from->name, room);
    BNN_TRY(from->read(from->state, b->p + b->n, room - b->n, &got, err));
    b->n += got;
    if (b->n < room) return BNN_OK; /* the data end here */
    room = wanted / 2 > room ? 2 * room : wanted;
  } while (b->n < wanted);
  return BNN_OK;
}

bnn_status bnn_bytes_add(bnn_bytes *b, const void *p, size_t n, bnn_err *err) {
  if (n > b->room - b->n) {
    size_t least = b->n + n, room = 2 * b->room > least ? 2 * b->room : least;
    if (least < n || !grow(b, room < FIRST_BYTES ? FIRST_BYTES : room))
      return bnn_fail(err, BNN_ENOMEM, "%zu bytes", room);
  }
  if (n) memcpy(b->p + b->n, p, n);
  b->n += n;
  return BNN_OK;
}

void bnn_bytes_free(bnn_bytes *b) {
  bnn_mem_free(b->p);
  *b = (bnn_bytes){.p = NULL};
}
