/* save.h - the one way in which the runtime writes a file: whole or not at all.
 *
 * The bytes go to a temporary file beside the target, which takes its name when all of them are on
 * the disk: readers see either the old contents or the new ones, and a full disk or an error costs
 * neither.  What is read for the new contents may be the old file itself.
 *
 * Links:        a symbolic link stays, and the file it leads to is replaced, or made where the link
 *               dangles.  Other names of the same file (hard links) keep the old contents.
 * Permissions:  a new file gets what the umask leaves.  A file that is replaced keeps its mode and,
 *               as far as the system allows, its owner and group; access control lists and extended
 *               attributes are those of a new file.  A file that may not be written is refused.
 * Other things: what is not a regular file (a pipe, a device, /dev/stdout) is written in place by
 *               `commit`, from memory; so is a regular file that only a link of /proc leads to.
 * Power cuts:   the file is synced before it gets its name, the folder after it.  When the folder
 *               fails to sync, the new contents are in place but their name may not outlive a power
 *               cut: commit fails with EIO and says both.  A file system that cannot sync, or a
 *               folder that may not be read, is no error.
 * Leftovers:    a temporary file, NAME.PID-DIGITS.part, is removed on every failure.  One that a
 *               killed process left behind harms nobody; bnn_save_sweep removes such.
 *
 * Errors: EIO with the path and the system's reason; EDATA where the bytes come from a mapped file
 * that was cut short (map.h); ENOMEM. */
#ifndef BNN_SAVE_H
#define BNN_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

typedef struct bnn_save_part {
  const void *p;
  size_t n;
} bnn_save_part;

/* Writes the spans one after the other as the whole of a file. */
bnn_status bnn_save(const char *path, const bnn_save_part *spans, size_t count, bnn_err *err);

/* The same for a name that nobody has: of all that write it, on whatever machines of a shared file
 * system and without its locks, one wins, and the others write nothing.  *won: whether this call
 * did, which a reply that was lost on the way does not change.  EIO: also where the file system has
 * no hard links; where the folder fails to sync, the file may be there. */
bnn_status bnn_save_once(bool *won, const char *path, const bnn_save_part *spans, size_t count,
                         bnn_err *err);

/* A file that is being written: begin, write and seek as often as needed, then commit or abort.
 * After a failed write or seek only abort is of use. */
typedef struct bnn_saving bnn_saving;

/* *out: ended by bnn_save_commit or bnn_save_abort. */
bnn_status bnn_save_begin(bnn_saving **out, const char *path, bnn_err *err);

/* Writes n bytes at the position, which moves past them. */
bnn_status bnn_save_write(bnn_saving *s, const void *p, size_t n, bnn_err *err);

/* Moves the position, at most to the end of what has been written. */
bnn_status bnn_save_seek(bnn_saving *s, uint64_t position, bnn_err *err);

/* Brings what has been written to the disk, still under the temporary name; commit does it too. */
bnn_status bnn_save_sync(bnn_saving *s, bnn_err *err);

/* The path of the temporary file, to look at what has been written; NULL: there is none, as the
 * target is written in place.  It stands as long as s does. */
const char *bnn_save_temporary(const bnn_saving *s);

/* The target gets the new contents; frees s, whatever comes of it. */
bnn_status bnn_save_commit(bnn_saving *s, bnn_err *err);

/* The target stays as it is; frees s.  NULL is allowed. */
void bnn_save_abort(bnn_saving *s);

/* Removes from a folder the temporary files of processes that were killed: those which have not been
 * written to for a day.  A folder that cannot be read is left as it is. */
void bnn_save_sweep(const char *folder);

#endif
