/* bytes.c - blocks that grow with what is read into them. */
#include "bytes.h"

#include <string.h>

#include "../base/mem.h"

enum {
  FIRST_BYTES = 1 << 16, /* of a block that grows */
  USUAL_RATIO = 64,      /* bytes that are believed of a compressed byte; MNIST has 5, zeros 1032 */
};

static bnn_status read_gzip(void *state, void *to, size_t n, size_t *got, bnn_err *err) {
  return bnn_gzip_read(state, to, n, got, err);
}

static bnn_status count_gzip(void *state, uint64_t most, uint64_t *count, bnn_err *err) {
  return bnn_gzip_count(state, most, count, err);
}

bnn_source bnn_source_gzip(bnn_gzip *file) {
  return (bnn_source){.name = bnn_gzip_name(file),
                      .read = read_gzip,
                      .state = file,
                      .size = bnn_gzip_size(file),
                      .count = count_gzip,
                      .plain = !bnn_gzip_is_compressed(file)};
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

static bnn_status fail_short(const bnn_source *from, uint64_t n, size_t wanted, const char *what,
                             bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "%s: ends after %llu of the %zu bytes that %s takes", from->name,
                  (unsigned long long)n, wanted, what);
}

/* Whether a source of known size has `wanted` more bytes, where that is cheap to tell or doubtful. */
static bnn_status check_there(const bnn_source *from, size_t wanted, const char *what,
                              bnn_err *err) {
  uint64_t count;
  bool believed = wanted <= FIRST_BYTES || wanted / USUAL_RATIO <= from->size;
  if (!from->plain && believed) return BNN_OK;
  BNN_TRY(from->count(from->state, wanted, &count, err));
  return count < wanted ? fail_short(from, count, wanted, what, err) : BNN_OK;
}

bnn_status bnn_bytes_read(bnn_bytes *b, const bnn_source *from, size_t wanted, const char *what,
                          bnn_err *err) {
  size_t room = wanted, got = 0;
  if (from->size != 0)
    BNN_TRY(check_there(from, wanted, what, err));
  else if (room > FIRST_BYTES)
    room = FIRST_BYTES;
  do {
    if (!grow(b, room)) return bnn_fail(err, BNN_ENOMEM, "%s: %zu bytes", from->name, room);
    BNN_TRY(from->read(from->state, b->p + b->n, room - b->n, &got, err));
    b->n += got;
    if (b->n < room) return fail_short(from, b->n, wanted, what, err);
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
