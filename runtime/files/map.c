/* map.c - mmap, and a handler for SIGBUS.
 *
 * The handler may not take a lock: it walks over a table of fixed size whose fields are atomic.  A
 * thread that faults in a mapping uses it, so that its slot stays as it is meanwhile. */
#include "map.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/mem.h"
#include "file.h"

enum { NAME_ROOM = 256 }; /* more than bnn_path_shown gives */

struct bnn_map_guard {
  atomic_size_t refs;
  bnn_file file;
  struct timespec modified;
  struct slot *slot;
  char name[NAME_ROOM]; /* for errors */
};

/* ---- the handler ---- */

typedef struct slot {
  atomic_uintptr_t begin; /* 0: free; 1: taken, not yet or no more in use */
  atomic_uintptr_t end;
  const char *_Atomic name;
} slot;

static slot slots[BNN_MAPS_MAX];
static atomic_size_t slots_used; /* those behind have never been used */

static atomic_int cut; /* 0: none; 1: being noted; 2: noted */
static char cut_name[NAME_ROOM];
static void (*_Atomic on_cut)(void);
static struct sigaction before;
static uintptr_t page_mask;

static slot *slot_at(uintptr_t address) {
  size_t n = atomic_load(&slots_used);
  for (size_t i = 0; i < n; i++)
    if (atomic_load(&slots[i].begin) > 1 && address >= atomic_load(&slots[i].begin) &&
        address < atomic_load(&slots[i].end))
      return &slots[i];
  return NULL;
}

/* Puts a page of zeros at the address.  mmap is a bare call of the system, although POSIX does not
 * list it as safe in a handler. */
static bool patch(uintptr_t address) {
  void *page = (void *)(address & ~page_mask);
  return mmap(page, page_mask + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
              -1, 0) != MAP_FAILED;
}

static void note_cut(const slot *s) {
  int none = 0;
  if (!atomic_compare_exchange_strong(&cut, &none, 1)) return;
  strncpy(cut_name, atomic_load(&s->name), sizeof cut_name - 1);
  atomic_store(&cut, 2);
}

static void sound_alarm(void) {
  void (*alarm)(void) = atomic_load(&on_cut);
  if (alarm) alarm();
}

/* What comes after a return is the access that failed, or the signal that was sent, once more. */
static void pass_on(const siginfo_t *info) {
  sigaction(SIGBUS, &before, NULL);
  if (info->si_code <= 0) raise(SIGBUS);
}

static void on_bus_error(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  int saved = errno;
  bool is_fault = info->si_code == BUS_ADRERR;
  slot *s = is_fault ? slot_at((uintptr_t)info->si_addr) : NULL;
  if (s && patch((uintptr_t)info->si_addr)) {
    note_cut(s);
    sound_alarm();
  } else if (info->si_code <= 0 && bnn_map_is_cut()) {
    sound_alarm();
  } else {
    pass_on(info);
  }
  errno = saved;
}

static void install(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
  sigaction(SIGBUS, &action, &before);
}

static bnn_status enter_slot(bnn_map *map, bnn_err *err) {
  for (size_t i = 0; i < BNN_MAPS_MAX; i++) {
    uintptr_t none = 0;
    slot *s = &slots[i];
    if (!atomic_compare_exchange_strong(&s->begin, &none, 1)) continue;
    size_t used = atomic_load(&slots_used);
    while (used < i + 1 && !atomic_compare_exchange_weak(&slots_used, &used, i + 1)) continue;
    atomic_store(&s->name, map->guard->name);
    atomic_store(&s->end, (uintptr_t)map->p + map->n);
    atomic_store(&s->begin, (uintptr_t)map->p);
    map->guard->slot = s;
    return BNN_OK;
  }
  return bnn_fail(err, BNN_EIO, "%s: %d files are mapped already, at most", map->guard->name,
                  BNN_MAPS_MAX);
}

static void leave_slot(slot *s) {
  if (!s) return;
  atomic_store(&s->begin, 1);
  atomic_store(&s->end, 0);
  atomic_store(&s->begin, 0);
}

bool bnn_map_is_cut(void) { return atomic_load_explicit(&cut, memory_order_relaxed) == 2; }

bnn_status bnn_map_cut(bnn_err *err) {
  if (!bnn_map_is_cut()) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "%s: was cut short, or cannot be read, while it is mapped",
                  cut_name);
}

void bnn_map_forget_cut(void) { atomic_store(&cut, 0); }

void bnn_map_on_cut(void (*alarm)(void)) { atomic_store(&on_cut, alarm); }

/* ---- opening ---- */

static bnn_status fail_system(const char *name, bnn_err *err) {
  return bnn_fail(err, errno == ENOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", name, strerror(errno));
}

/* Whether a time is of the tick of the clock that is still running, in which the time of a file may
 * stand still while it is changed. */
static bool is_now(const struct timespec *time) {
#ifdef CLOCK_REALTIME_COARSE
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now); /* what Linux stamps files with */
  return now.tv_sec == time->tv_sec && now.tv_nsec <= time->tv_nsec;
#else
  (void)time;
  return false;
#endif
}

/* The size and time of the file.  Where it was written to just now, waits for the next tick, so that
 * what is written from here on gives it another time. */
static bnn_status settle(struct stat *about, const bnn_map *map, bnn_err *err) {
  enum { TRIES = 6, WAIT_NS = 4000000 };
  static const struct timespec wait = {.tv_nsec = WAIT_NS};
  for (int k = 0; k < TRIES; k++) {
    if (fstat(map->guard->file.fd, about) != 0) return fail_system(map->guard->name, err);
    if (!is_now(&about->st_mtim)) break;
    nanosleep(&wait, NULL);
  }
  return BNN_OK;
}

/* Private and writable, so that a stray write costs a page and not the program; without reserve, so
 * that a file may be larger than memory. */
static bnn_status map_bytes(bnn_map *map, bnn_err *err) {
  struct stat about;
  const char *name = map->guard->name;
  BNN_TRY(settle(&about, map, err));
  if (about.st_size == 0) return bnn_fail(err, BNN_EDATA, "%s: holds no data", name);
  if ((uintmax_t)about.st_size > PTRDIFF_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: is more than memory can address", name);
  size_t n = (size_t)about.st_size;
  void *p =
      mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, map->guard->file.fd, 0);
  if (p == MAP_FAILED) return fail_system(name, err);
  map->p = p;
  map->n = n;
  map->guard->modified = about.st_mtim;
  return enter_slot(map, err);
}

static bnn_status open_guarded(bnn_map *map, const char *path, bnn_err *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  struct bnn_map_guard *guard = map->guard = bnn_mem_zalloc(1, sizeof *guard);
  if (!guard) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to map it", bnn_path_shown(path));
  atomic_init(&guard->refs, 1);
  guard->file.fd = -1;
  strncpy(guard->name, bnn_path_shown(path), sizeof guard->name - 1);
  BNN_TRY(bnn_file_open(&guard->file, path, err));
  return map_bytes(map, err);
}

bnn_status bnn_map_open_any(bnn_map **out, const char *path, bnn_err *err) {
  bnn_map *map = bnn_mem_zalloc(1, sizeof *map);
  if (!map) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to map it", bnn_path_shown(path));
  bnn_status status = open_guarded(map, path, err);
  if (status == BNN_OK)
    *out = map;
  else
    bnn_map_close(map);
  return status;
}

bnn_status bnn_map_open(bnn_map **out, const char *path, bnn_err *err) {
  bnn_map *map = NULL;
  BNN_TRY(bnn_map_open_any(&map, path, err));
  if (map->n >= 2 && map->p[0] == 0x1f && map->p[1] == 0x8b) {
    bnn_map_close(map);
    return bnn_fail(err, BNN_EDATA, "%s: is compressed, only a plain file can be mapped",
                    bnn_path_shown(path));
  }
  *out = map;
  return BNN_OK;
}

bnn_map *bnn_map_ref(bnn_map *map) {
  atomic_fetch_add(&map->guard->refs, 1);
  return map;
}

void bnn_map_close(void *map) {
  bnn_map *m = map;
  if (!m) return;
  if (m->guard) {
    if (atomic_fetch_sub(&m->guard->refs, 1) > 1) return;
    leave_slot(m->guard->slot);
    if (m->p) munmap(m->p, m->n);
    bnn_file_close(&m->guard->file);
    bnn_mem_free(m->guard);
  }
  bnn_mem_free(m);
}

bnn_status bnn_map_check(const bnn_tensor *x, bnn_err *err) {
  const bnn_tensor *owner = x->base ? x->base : x;
  if (owner->release != bnn_map_close) return BNN_OK;
  struct stat about;
  const bnn_map *map = owner->block;
  const struct bnn_map_guard *guard = map->guard;
  if (fstat(guard->file.fd, &about) != 0) return fail_system(guard->name, err);
  if ((size_t)about.st_size == map->n && about.st_mtim.tv_sec == guard->modified.tv_sec &&
      about.st_mtim.tv_nsec == guard->modified.tv_nsec)
    return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "%s: has been changed since it was mapped", guard->name);
}
