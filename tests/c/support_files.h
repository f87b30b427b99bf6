/* support_files.h - what the tests of file formats share: bytes made here, files in a folder of the
 * test's own, gzip, a corpus replayed. */
#ifndef SUPPORT_FILES_H
#define SUPPORT_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "support.h"

typedef struct bytes {
  size_t n;
  unsigned char *p; /* from malloc */
} bytes;

bytes bytes_of(const void *p, size_t n);

/* The bytes of a string literal, which may hold zeros. */
#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

/* a followed by b; frees both. */
bytes joined(bytes a, bytes b);

/* One gzip member that holds a; frees a. */
bytes gzipped(bytes a);

/* The whole of a file. */
bytes bytes_of_file(const char *path);

/* A fixture: an empty folder for each test, removed with all files in it. */
extern char folder[200];
void make_folder(void);
void remove_folder(void);

/* Writes b into the folder; frees b.  The path stands until the next call with the same slot. */
const char *file_of(int slot, bytes b);

/* The path of a file in the folder; stands until the fourth call from now. */
const char *path_of(const char *name);

/* How many files are in the folder. */
int files_in_folder(void);

/* Calls f with each file of a corpus folder; returns how many there are. */
int replay(const char *corpus, int (*f)(const uint8_t *bytes, size_t n));

/* Calls f with every beginning of b, and with b after each change of one bit and of each byte to
 * its complement.  Frees b. */
void replay_damaged(bytes b, int (*f)(const uint8_t *bytes, size_t n));

#endif
