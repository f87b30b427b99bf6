/* npz.c - .npz through libzip.
 *
 * Everything that a directory entry claims is checked against the size of the archive before its
 * data are touched, and then the data are read through npy.c, which allocates as they arrive. */
#include "npz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../files/save.h"
#include "npy.h"

void bnn_npz_free(bnn_npz *z) {
  if (!z) return;
  for (size_t i = 0; i < z->n; i++) {
    bnn_mem_free(z->name[i]);
    bnn_tensor_unref(z->x[i]);
  }
  for (size_t i = 0; i < z->n_skipped; i++) {
    bnn_mem_free(z->skipped[i].name);
    bnn_mem_free(z->skipped[i].why);
  }
  bnn_mem_free(z->name);
  bnn_mem_free(z->x);
  bnn_mem_free(z->skipped);
  bnn_mem_free(z);
}

#ifdef BNN_HAVE_LIBZIP
#include <zip.h>

enum {
  DEFLATE_RATIO = 1032, /* bytes at most that a deflated byte stands for */
  NAME_MAX_CHARS = 1000,
};

const char *bnn_npz_version(void) { return zip_libzip_version(); }

/* ---- errors ---- */

static bnn_status status_of(int code) {
  switch (code) {
  case ZIP_ER_MEMORY: return BNN_ENOMEM;
  case ZIP_ER_NOENT:
  case ZIP_ER_OPEN:
  case ZIP_ER_READ:
  case ZIP_ER_SEEK:
  case ZIP_ER_TELL:
  case ZIP_ER_WRITE:
  case ZIP_ER_CLOSE:
  case ZIP_ER_RENAME:
  case ZIP_ER_REMOVE:
  case ZIP_ER_TMPOPEN: return BNN_EIO;
  default: return BNN_EDATA;
  }
}

/* libzip 1.7 takes some failed allocations for a damaged archive ("Not a zip archive", "No error"):
 * errno, which each entry here clears first, tells that memory was out. */
static bnn_status fail_zip(zip_error_t *reason, const char *name, bnn_err *err) {
  if (errno == ENOMEM) return bnn_fail(err, BNN_ENOMEM, "%s: no memory for the archive", name);
  return bnn_fail(err, status_of(zip_error_code_zip(reason)), "%s: %s", name,
                  zip_error_strerror(reason));
}

/* ---- names ---- */

static bool has_control_character(const char *name) {
  for (const char *p = name; *p; p++)
    if ((unsigned char)*p < ' ' || *p == 0x7f) return true;
  return false;
}

/* Why an array cannot be written under a name; NULL when it can.  Others may unpack the archive, so
 * none is written that would lead out of their folder. */
static const char *fault_of(const char *name) {
  size_t n = strlen(name);
  if (n == 0) return "is empty";
  if (n > NAME_MAX_CHARS) return "is longer than 1000 bytes";
  if (has_control_character(name)) return "holds a control character";
  for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
    if (strncmp(p, "..", 2) == 0 && (p[2] == 0 || p[2] == '/')) return "leads out of a folder";
  return NULL;
}

/* A member's name for errors: what a terminal would act on shows as '?'. */
static void show_name(char to[64], const char *name) {
  size_t n = 0;
  for (; name[n] && n < 63; n++)
    to[n] = (unsigned char)name[n] < ' ' || name[n] == 0x7f ? '?' : name[n];
  to[n] = 0;
}

/* ---- reading ---- */

typedef struct reader {
  zip_t *zip;
  const char *name;
  uint64_t left; /* bytes of the archive that no member has claimed yet */
  const char *const *wanted;
  size_t n_wanted; /* 0: all */
  bnn_npz *z;
} reader;

/* The member that is being read. */
typedef struct member {
  zip_t *zip;
  uint64_t index, size, taken; /* bytes that the directory promises, and that were read */
  bool plain;                  /* stored */
  zip_file_t *file;
  char name[BNN_ERR_TEXT]; /* "archive: member.npy" */
} member;

static bnn_status read_member(void *state, void *to, size_t n, size_t *got, bnn_err *err) {
  member *m = state;
  size_t count = 0;
  while (count < n) {
    zip_int64_t part = zip_fread(m->file, (char *)to + count, n - count);
    if (part < 0) return fail_zip(zip_file_get_error(m->file), m->name, err);
    if (part == 0) break;
    count += (size_t)part;
  }
  m->taken += count;
  *got = count;
  return BNN_OK;
}

static bnn_status open_member(member *m, bnn_err *err) {
  m->file = zip_fopen_index(m->zip, m->index, 0);
  return m->file ? BNN_OK : fail_zip(zip_get_error(m->zip), m->name, err);
}

/* A deflated member is read a second time, into nothing. */
static bnn_status count_member(void *state, uint64_t most, uint64_t *count, bnn_err *err) {
  const member *m = state;
  uint64_t end = m->plain ? m->size : most < UINT64_MAX - m->taken ? m->taken + most : UINT64_MAX;
  if (!m->plain) {
    member again = *m;
    char part[1 << 14];
    size_t got = 0;
    again.taken = 0;
    BNN_TRY(open_member(&again, err));
    bnn_status status;
    do status = read_member(&again, part, sizeof part, &got, err);
    while (status == BNN_OK && got != 0 && again.taken < end);
    zip_fclose(again.file);
    BNN_TRY(status);
    end = again.taken;
  }
  uint64_t left = end > m->taken ? end - m->taken : 0;
  *count = left < most ? left : most;
  return BNN_OK;
}

/* What the directory says of a member must be possible. */
static bnn_status check_claims(reader *r, const member *m, const zip_stat_t *s, bnn_err *err) {
  const zip_uint64_t wanted =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((s->valid & wanted) != wanted)
    return bnn_fail(err, BNN_EDATA, "%s: the archive does not say its size or method", m->name);
  if (s->encryption_method != ZIP_EM_NONE)
    return bnn_fail(err, BNN_EDATA, "%s: is encrypted", m->name);
  if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE)
    return bnn_fail(err, BNN_EDATA,
                    "%s: expected compression method 0 (stored) or 8 (deflate), got %d", m->name,
                    s->comp_method);
  if (s->comp_size > r->left)
    return bnn_fail(err, BNN_EDATA, "%s: its %llu bytes are more than the archive has left",
                    m->name, (unsigned long long)s->comp_size);
  r->left -= s->comp_size;
  bool possible = s->comp_method == ZIP_CM_STORE ? s->size == s->comp_size
                                                 : s->size / DEFLATE_RATIO <= s->comp_size;
  if (!possible)
    return bnn_fail(err, BNN_EDATA, "%s: %llu bytes cannot come from %llu", m->name,
                    (unsigned long long)s->size, (unsigned long long)s->comp_size);
  return BNN_OK;
}

/* One byte more: after the last one libzip compares CRC-32 and size. */
static bnn_status check_end(member *m, bnn_err *err) {
  size_t got = 0;
  char next;
  BNN_TRY(read_member(m, &next, 1, &got, err));
  return got == 0 ? BNN_OK : bnn_fail(err, BNN_EDATA, "%s: bytes follow the array", m->name);
}

static bnn_status read_array(bnn_tensor **out, reader *r, member *m, uint64_t i, bnn_err *err) {
  zip_stat_t s;
  bnn_tensor *x = NULL;
  if (zip_stat_index(r->zip, i, 0, &s) != 0) return fail_zip(zip_get_error(r->zip), m->name, err);
  BNN_TRY(check_claims(r, m, &s, err));
  m->zip = r->zip;
  m->index = i;
  m->size = s.size;
  m->taken = 0;
  m->plain = s.comp_method == ZIP_CM_STORE;
  BNN_TRY(open_member(m, err));
  bnn_source source = {m->name, read_member, m, s.comp_size, count_member, m->plain};
  bnn_status status = bnn_npy_next(&x, &source, err);
  if (status == BNN_OK) status = check_end(m, err);
  zip_fclose(m->file);
  if (status == BNN_OK)
    *out = x;
  else
    bnn_tensor_unref(x);
  return status;
}

/* ---- which members ---- */

static const char ending[] = ".npy";
enum { ENDING = sizeof ending - 1 };

/* A copy of n bytes of text with a zero byte; NULL when memory is out. */
static char *copy_text(const char *text, size_t n) {
  char *copy = bnn_mem_zalloc(n + 1, 1);
  if (copy) memcpy(copy, text, n);
  return copy;
}

static bnn_status skip(reader *r, const char *name, const char *why, bnn_err *err) {
  bnn_npz_skipped *s = &r->z->skipped[r->z->n_skipped++]; /* there is one for each member */
  s->name = copy_text(name, strlen(name));
  s->why = copy_text(why, strlen(why));
  return s->name && s->why ? BNN_OK : bnn_fail(err, BNN_ENOMEM, "%s: a list of names", r->name);
}

static bool is_wanted(const reader *r, const char *name, size_t n) {
  for (size_t i = 0; i < r->n_wanted; i++)
    if (strncmp(r->wanted[i], name, n) == 0 && r->wanted[i][n] == 0) return true;
  return r->n_wanted == 0;
}

/* Why a member cannot be an array by its name; NULL if it may be one. */
static const char *no_array(const char *name, size_t n) {
  if (n < ENDING || strcmp(name + n - ENDING, ending) != 0)
    return "not an array, which would end in .npy";
  if (n == ENDING) return "not an array, which would have a name before .npy";
  if (strncmp(name, "__MACOSX/", sizeof "__MACOSX/" - 1) == 0)
    return "not an array, but what macOS notes about one";
  return has_control_character(name) ? "its name holds a control character" : NULL;
}

static bnn_status check_single(const reader *r, const member *m, uint64_t i, const char *name,
                               bnn_err *err) {
  zip_int64_t first = zip_name_locate(r->zip, name, 0);
  if (first < 0 && errno == ENOMEM) return fail_zip(zip_get_error(r->zip), m->name, err);
  if (first >= 0 && (uint64_t)first != i)
    return bnn_fail(err, BNN_EDATA, "%s: is there twice", m->name);
  return BNN_OK;
}

/* Array i becomes the next of r->z; or is skipped, if no tensor can hold it. */
static bnn_status take_array(reader *r, member *m, uint64_t i, const char *name, size_t n,
                             bnn_err *err) {
  bnn_npz *z = r->z;
  bnn_err why = {.text = ""};
  BNN_TRY(check_single(r, m, i, name, err));
  bnn_status status = read_array(&z->x[z->n], r, m, i, &why);
  if (status == BNN_ETYPE) return skip(r, name, bnn_err_reason(&why, m->name), err);
  if (status != BNN_OK) return bnn_fail(err, status, "%s", why.text);
  z->name[z->n] = copy_text(name, n - ENDING);
  if (!z->name[z->n]) {
    bnn_tensor_unref(z->x[z->n]);
    return bnn_fail(err, BNN_ENOMEM, "%s: %zu bytes", m->name, n);
  }
  z->n++;
  return BNN_OK;
}

static bnn_status take_member(reader *r, uint64_t i, bnn_err *err) {
  member m;
  char shown[64];
  const char *name = zip_get_name(r->zip, i, 0);
  if (!name) return fail_zip(zip_get_error(r->zip), r->name, err);
  size_t n = strlen(name);
  const char *why = no_array(name, n);
  if (why) return skip(r, name, why, err);
  if (!is_wanted(r, name, n - ENDING)) return BNN_OK;
  show_name(shown, name);
  snprintf(m.name, sizeof m.name, "%s: %s", r->name, shown);
  return take_array(r, &m, i, name, n, err);
}

/* Why the wanted array is not among those that were read. */
static bnn_status fail_wanted(const reader *r, const char *wanted, bnn_err *err) {
  const bnn_npz *z = r->z;
  char shown[64];
  size_t n = strlen(wanted);
  show_name(shown, wanted);
  for (size_t i = 0; i < z->n_skipped; i++) {
    const char *name = z->skipped[i].name;
    if (strncmp(name, wanted, n) == 0 && (name[n] == 0 || strcmp(name + n, ending) == 0))
      return bnn_fail(err, BNN_EDATA, "%s: array '%s': %s", r->name, shown, z->skipped[i].why);
  }
  return bnn_fail(err, BNN_EDATA, "%s: has no array '%s'", r->name, shown);
}

static bnn_status check_wanted(const reader *r, bnn_err *err) {
  const bnn_npz *z = r->z;
  for (size_t i = 0; i < r->n_wanted; i++) {
    size_t k = 0;
    while (k < z->n && strcmp(z->name[k], r->wanted[i]) != 0) k++;
    if (k == z->n) return fail_wanted(r, r->wanted[i], err);
  }
  if (z->n > 0) return BNN_OK;
  char shown[64];
  show_name(shown, z->skipped[0].name);
  return bnn_fail(err, BNN_EDATA, "%s: %s: %s", r->name, shown, z->skipped[0].why);
}

static bnn_status read_all(reader *r, bnn_err *err) {
  zip_int64_t n = zip_get_num_entries(r->zip, 0);
  if (n <= 0) return bnn_fail(err, BNN_EDATA, "%s: holds no arrays", r->name);
  r->z->name = bnn_mem_zalloc((size_t)n, sizeof *r->z->name);
  r->z->x = bnn_mem_zalloc((size_t)n, sizeof *r->z->x);
  r->z->skipped = bnn_mem_zalloc((size_t)n, sizeof *r->z->skipped);
  if (!r->z->name || !r->z->x || !r->z->skipped)
    return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu arrays", r->name, (size_t)n);
  for (zip_int64_t i = 0; i < n; i++) BNN_TRY(take_member(r, (uint64_t)i, err));
  return check_wanted(r, err);
}

/* Opens the archive that `source` gives and takes the source over, whatever comes of it. */
static bnn_status open_archive(reader *r, zip_source_t *source, bnn_err *err) {
  zip_error_t reason;
  zip_stat_t about;
  zip_error_init(&reason);
  if (zip_source_stat(source, &about) == 0 && about.valid & ZIP_STAT_SIZE) r->left = about.size;
  r->zip = zip_open_from_source(source, ZIP_RDONLY, &reason);
  bnn_status status = BNN_OK;
  if (!r->zip) {
    status = fail_zip(&reason, r->name, err);
    zip_source_free(source);
  }
  zip_error_fini(&reason);
  return status;
}

static bnn_status read_source(bnn_npz **out, zip_source_t *source, reader *r, bnn_err *err) {
  BNN_TRY(open_archive(r, source, err));
  r->z = bnn_mem_zalloc(1, sizeof *r->z);
  bnn_status status =
      r->z ? read_all(r, err) : bnn_fail(err, BNN_ENOMEM, "%s: no memory to read it", r->name);
  zip_discard(r->zip);
  if (status == BNN_OK)
    *out = r->z;
  else
    bnn_npz_free(r->z);
  return status;
}

static bnn_status fail_source(zip_error_t *reason, const char *name, bnn_err *err) {
  bnn_status status = fail_zip(reason, bnn_path_shown(name), err);
  zip_error_fini(reason);
  return status;
}

bnn_status bnn_npz_read(bnn_npz **out, const char *path, const char *const *wanted, size_t n_wanted,
                        bnn_err *err) {
  reader r = {.name = bnn_path_shown(path), .wanted = wanted, .n_wanted = n_wanted};
  zip_error_t reason;
  errno = 0;
  zip_error_init(&reason);
  zip_source_t *source = zip_source_file_create(path, 0, -1, &reason);
  if (!source) return fail_source(&reason, path, err);
  zip_error_fini(&reason);
  return read_source(out, source, &r, err);
}

bnn_status bnn_npz_parse(bnn_npz **out, const void *bytes, size_t n, const char *name,
                         const char *const *wanted, size_t n_wanted, bnn_err *err) {
  reader r = {.name = bnn_path_shown(name), .wanted = wanted, .n_wanted = n_wanted};
  zip_error_t reason;
  errno = 0;
  zip_error_init(&reason);
  zip_source_t *source = zip_source_buffer_create(bytes, n, 0, &reason);
  if (!source) return fail_source(&reason, name, err);
  zip_error_fini(&reason);
  return read_source(out, source, &r, err);
}

/* ---- writing ---- */

/* What a member is made of; it must stand until the archive is closed. */
typedef struct part {
  bnn_tensor *x; /* contiguous; held */
  char header[BNN_NPY_HEADER];
} part;

static bnn_status add_part(zip_t *zip, part *p, const char *path, const char *name, bool compressed,
                           bnn_err *err) {
  enum { JAN_1ST_1980 = 1 << 5 | 1 }; /* as numpy.savez: the bytes do not depend on the day */
  char file[NAME_MAX_CHARS + 8];
  snprintf(file, sizeof file, "%s.npy", name);
  zip_buffer_fragment_t piece[] = {{(zip_uint8_t *)p->header, bnn_npy_header(p->header, p->x)},
                                   {p->x->data, p->x->size * bnn_dtype_size(p->x->dtype)}};
  zip_source_t *source = zip_source_buffer_fragment(zip, piece, 2, 0);
  if (!source) return fail_zip(zip_get_error(zip), path, err);
  zip_int64_t i = zip_file_add(zip, file, source, ZIP_FL_ENC_UTF_8);
  if (i < 0) {
    zip_source_free(source);
    if (zip_error_code_zip(zip_get_error(zip)) == ZIP_ER_EXISTS)
      return bnn_fail(err, BNN_ERANGE, "%s: the name '%s' is there twice", path, name);
    return fail_zip(zip_get_error(zip), path, err);
  }
  if (zip_set_file_compression(zip, (zip_uint64_t)i, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE,
                               0) != 0 ||
      zip_file_set_dostime(zip, (zip_uint64_t)i, 0, JAN_1ST_1980, 0) != 0)
    return fail_zip(zip_get_error(zip), path, err);
  return BNN_OK;
}

static bnn_status add_parts(zip_t *zip, part *parts, size_t n, const char *path,
                            const char *const *name, bnn_tensor *const *x, bool compressed,
                            bnn_err *err) {
  for (size_t i = 0; i < n; i++) {
    BNN_TRY(bnn_tensor_contiguous(&parts[i].x, x[i], err));
    BNN_TRY(add_part(zip, &parts[i], path, name[i], compressed, err));
  }
  return BNN_OK;
}

/* Where libzip writes to: a file that is being saved.  libzip returns to a member's header when it
 * knows its size, so it seeks. */
typedef struct sink {
  bnn_saving *saving;
  uint64_t position, size;
  bnn_status status; /* OK until saving fails; then `fault` says why */
  bnn_err fault;
  zip_error_t reason; /* the same for libzip */
} sink;

static zip_int64_t fail_sink(sink *s, int code, int number) {
  zip_error_set(&s->reason, code, number);
  return -1;
}

static zip_int64_t write_sink(sink *s, const void *data, uint64_t n) {
  s->status = bnn_save_write(s->saving, data, (size_t)n, &s->fault);
  if (s->status != BNN_OK) return fail_sink(s, ZIP_ER_WRITE, EIO);
  s->position += n;
  if (s->size < s->position) s->size = s->position;
  return (zip_int64_t)n;
}

static zip_int64_t seek_sink(sink *s, void *data, uint64_t n) {
  zip_int64_t to = zip_source_seek_compute_offset(s->position, s->size, data, n, &s->reason);
  if (to < 0) return -1;
  s->status = bnn_save_seek(s->saving, (uint64_t)to, &s->fault);
  if (s->status != BNN_OK) return fail_sink(s, ZIP_ER_SEEK, EIO);
  s->position = (uint64_t)to;
  return 0;
}

/* libzip's callback.  A sink looks like a file that does not exist yet and is never read. */
static zip_int64_t serve_sink(void *state, void *data, zip_uint64_t n, zip_source_cmd_t command) {
  sink *s = state;
  switch (command) {
  case ZIP_SOURCE_SUPPORTS:
    return zip_source_make_command_bitmap(
        ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
        ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE,
        ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE,
        ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, -1);
  case ZIP_SOURCE_STAT: return fail_sink(s, ZIP_ER_READ, ENOENT);
  case ZIP_SOURCE_ERROR: return zip_error_to_data(&s->reason, data, n);
  case ZIP_SOURCE_BEGIN_WRITE:
  case ZIP_SOURCE_COMMIT_WRITE:   /* bnn_save_commit's work */
  case ZIP_SOURCE_ROLLBACK_WRITE: /* bnn_save_abort's */
  case ZIP_SOURCE_FREE: return 0;
  case ZIP_SOURCE_WRITE: return write_sink(s, data, n);
  case ZIP_SOURCE_SEEK_WRITE: return seek_sink(s, data, n);
  case ZIP_SOURCE_TELL_WRITE: return (zip_int64_t)s->position;
  default: return fail_sink(s, ZIP_ER_OPNOTSUPP, 0);
  }
}

/* An empty archive over a sink, which must outlive it. */
static bnn_status new_archive(zip_t **out, sink *s, const char *path, bnn_err *err) {
  zip_error_t reason;
  errno = 0;
  zip_error_init(&reason);
  zip_source_t *source = zip_source_function_create(serve_sink, s, &reason);
  zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE, &reason) : NULL;
  if (!zip) {
    if (source) zip_source_free(source);
    return fail_source(&reason, path, err);
  }
  zip_error_fini(&reason);
  *out = zip;
  return BNN_OK;
}

/* Writes the archive, and frees it whatever comes of that. */
static bnn_status close_archive(zip_t *zip, const sink *s, const char *path, bnn_err *err) {
  if (zip_close(zip) == 0) return BNN_OK;
  bnn_status status = s->status;
  if (status != BNN_OK)
    bnn_fail(err, status, "%s", s->fault.text);
  else
    status = fail_zip(zip_get_error(zip), path, err);
  zip_discard(zip);
  return status;
}

static bnn_status write_members(sink *s, const char *path, part *parts, size_t n,
                                const char *const *name, bnn_tensor *const *x, bool compressed,
                                bnn_err *err) {
  zip_t *zip = NULL;
  BNN_TRY(new_archive(&zip, s, path, err));
  bnn_status status = add_parts(zip, parts, n, path, name, x, compressed, err);
  if (status == BNN_OK) return close_archive(zip, s, path, err);
  zip_discard(zip);
  return status;
}

static bnn_status write_archive(const char *path, part *parts, size_t n, const char *const *name,
                                bnn_tensor *const *x, bool compressed, bnn_err *err) {
  sink s = {.status = BNN_OK};
  BNN_TRY(bnn_save_begin(&s.saving, path, err));
  zip_error_init(&s.reason);
  bnn_status status = write_members(&s, bnn_path_shown(path), parts, n, name, x, compressed, err);
  zip_error_fini(&s.reason);
  if (status == BNN_OK) return bnn_save_commit(s.saving, err);
  bnn_save_abort(s.saving);
  return status;
}

bnn_status bnn_npz_write(const char *path, size_t n, const char *const *name, bnn_tensor *const *x,
                         bool compressed, bnn_err *err) {
  if (n == 0) return bnn_fail(err, BNN_ERANGE, "%s: no arrays to write", bnn_path_shown(path));
  for (size_t i = 0; i < n; i++)
    if (fault_of(name[i])) {
      char shown[64];
      show_name(shown, name[i]);
      return bnn_fail(err, BNN_ERANGE, "%s: the name '%s' %s", bnn_path_shown(path), shown,
                      fault_of(name[i]));
    }
  part *parts = bnn_mem_zalloc(n, sizeof *parts);
  if (!parts) return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu arrays", bnn_path_shown(path), n);
  bnn_status status = write_archive(path, parts, n, name, x, compressed, err);
  for (size_t i = 0; i < n; i++) bnn_tensor_unref(parts[i].x);
  bnn_mem_free(parts);
  return status;
}

#else

const char *bnn_npz_version(void) { return NULL; }

static bnn_status fail_absent(const char *path, bnn_err *err) {
  return bnn_fail(err, BNN_EIO,
                  "%s: this program was built without libzip, which .npz needs (make deps clean)",
                  bnn_path_shown(path));
}

bnn_status bnn_npz_read(bnn_npz **out, const char *path, const char *const *wanted, size_t n_wanted,
                        bnn_err *err) {
  (void)out, (void)wanted, (void)n_wanted;
  return fail_absent(path, err);
}

bnn_status bnn_npz_parse(bnn_npz **out, const void *bytes, size_t n, const char *name,
                         const char *const *wanted, size_t n_wanted, bnn_err *err) {
  (void)out, (void)bytes, (void)n, (void)wanted, (void)n_wanted;
  return fail_absent(name, err);
}

bnn_status bnn_npz_write(const char *path, size_t n, const char *const *name, bnn_tensor *const *x,
                         bool compressed, bnn_err *err) {
  (void)n, (void)name, (void)x, (void)compressed;
  return fail_absent(path, err);
}

#endif
