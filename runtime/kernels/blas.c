/* blas.c - OpenBLAS, loaded when it is first needed; nothing else includes cblas.h or loads it.
 *
 * Threads: the library starts threads of its own in its constructor, and ends the program if it may
 * not.  Our pool splits the work instead, in blocks that follow from the shapes alone, so the
 * constructor is shown an environment that says OPENBLAS_NUM_THREADS=1.
 *
 * Core: a library older than the processor falls back to kernels of another age (0.3.21 on a Xeon
 * of 2024: Prescott's, of 2004, a quarter of the speed).  What it would choose it tells only when it
 * has chosen, and a newer one knows better kernels than ours would be for it; so it is asked, and
 * where its answer is older than the processor it is unloaded, which without threads leaves nothing
 * behind, and loaded again with OPENBLAS_CORETYPE set (4 ms, on such machines only).  A core that
 * the user has chosen stays.
 *
 * Check: products of whole numbers, which no order of summation rounds, must equal our own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* environ */
#endif
#include "blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../base/mem.h"
#include "../base/number.h"
#include "../base/stop.h"
#include "blas_buffers.h"
#include "isa.h"
#include "library.h"
#include "own_product.h"
#include "product_block.h"

#ifdef BNN_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

#ifndef BNN_BLAS_SONAME /* what configure.sh saw a program linked with */
#define BNN_BLAS_SONAME "libopenblas.so.0"
#endif

enum { LIBRARY_BYTES = 64 << 20 }; /* of address space, with the libraries after it: 40 MB seen */

typedef enum state { UNLOADED, LOADED, ABSENT } state;

static struct {
  _Atomic state state;
  pthread_mutex_t lock; /* around everything but the functions once they are there */
  void *handle;
  __typeof__(GEMM) *gemm;
  __typeof__(openblas_get_config) *config;
  __typeof__(openblas_get_corename) *core;
  __typeof__(openblas_set_num_threads) *set_threads;
  void *(*take)(int); /* of buffers; not in its headers, and NULL in a library that hides them */
  void (*give)(void *);
  char text[BNN_ERR_TEXT]; /* who chose the core, or why there is no OpenBLAS */
  bnn_blas_notice *notice;
} blas = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the environment that its constructor sees ---- */

static bool sets(const char *entry, const char *name) {
  const size_t n = strlen(name);
  return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

/* The value of a variable; NULL when it is unset or empty, which OpenBLAS takes for a core. */
static const char *value_of(const char *name) {
  for (char **entry = environ; entry && *entry; entry++)
    if (sets(*entry, name)) return (*entry)[strlen(name) + 1] ? *entry + strlen(name) + 1 : NULL;
  return NULL;
}

/* The process's environment with one thread and with this "OPENBLAS_CORETYPE=..." instead of the
 * user's, or, where it is NULL, with none; NULL: out of memory. */
static char **environment_with(char *core) {
  static char one_thread[] = "OPENBLAS_NUM_THREADS=1";
  size_t n = 0, kept = 0;
  while (environ && environ[n]) n++;
  char **copy = bnn_mem_alloc(n + 3, sizeof *copy);
  if (!copy) return NULL;
  for (size_t i = 0; i < n; i++)
    if (!sets(environ[i], "OPENBLAS_NUM_THREADS") && !sets(environ[i], "OPENBLAS_CORETYPE"))
      copy[kept++] = environ[i];
  copy[kept++] = one_thread;
  if (core) copy[kept++] = core;
  copy[kept] = NULL;
  return copy;
}

/* ---- loading ---- */

static bool find_function(void *place, const char *name) {
  return bnn_library_find(blas.handle, name, place);
}

#define NAME_OF_(function) #function
#define NAME_OF(function) NAME_OF_(function)

static bool find_functions(void) {
  const bool complete = find_function(&blas.gemm, NAME_OF(GEMM)) &&
                        find_function(&blas.config, "openblas_get_config") &&
                        find_function(&blas.core, "openblas_get_corename") &&
                        find_function(&blas.set_threads, "openblas_set_num_threads");
  if (!find_function(&blas.take, "blas_memory_alloc") ||
      !find_function(&blas.give, "blas_memory_free"))
    blas.take = NULL, blas.give = NULL;
  return complete;
}

static void close_library(void) {
  dlclose(blas.handle);
  blas.handle = NULL;
}

/* Tries the names that it goes by; of the first the error is kept. */
static bnn_status open_handle(bnn_err *err) {
  static const char *const name[] = {BNN_BLAS_SONAME, "libopenblas.so.0", "libopenblas.so"};
  bnn_status status = BNN_OK;
  for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
    blas.handle = dlopen(name[i], RTLD_NOW | RTLD_LOCAL);
    if (blas.handle) return BNN_OK;
    if (status == BNN_OK) status = bnn_fail(err, BNN_EIO, "%s", dlerror());
  }
  return status;
}

/* The constructor runs in here.  Pointing `environ` elsewhere for that long leaves the environment
 * itself as it is, for threads that read it meanwhile and for child processes. */
static bnn_status open_library(char *core, bnn_err *err) {
  char **ours = environment_with(core), **theirs = environ;
  if (!ours) return bnn_fail(err, BNN_ENOMEM, "the environment of OpenBLAS");
  environ = ours;
  const bnn_status status = open_handle(err);
  environ = theirs;
  bnn_mem_free(ours);
  if (status != BNN_OK || find_functions()) return status;
  close_library();
  return bnn_fail(err, BNN_EIO, BNN_BLAS_SONAME " lacks functions of OpenBLAS");
}

/* ---- the core ---- */

typedef enum age { OLD, AVX2, NEWEST } age;

static bool is_one_of(const char *name, const char *const *list) {
  while (*list && strcasecmp(name, *list) != 0) list++;
  return *list != NULL;
}

/* Of the instructions that a core's kernels use; one that is not named here is as new as any, or
 * has been chosen with care (AMD's Bulldozer and its heirs). */
static age age_of(const char *core) {
  static const char *const old[] = {
      "Katmai",     "Coppermine",   "Northwood",     "Prescott",  "Banias", "Core2",  "Penryn",
      "Dunnington", "Nehalem",      "Sandybridge",   "Atom",      "Nano",   "Athlon", "Opteron",
      "Bobcat",     "Opteron_SSE3", "Opteron(SSE3)", "Barcelona", NULL};
  static const char *const avx2[] = {"Haswell", "Zen", NULL};
  return is_one_of(core, old) ? OLD : is_one_of(core, avx2) ? AVX2 : NEWEST;
}

/* The core for what the processor can do, whatever instruction set is in use; NULL: one that the
 * library has. */
static const char *core_for(const char *core) {
  const char *best = bnn_isa_available(0);
  if (strcmp(best, "avx512") == 0 && age_of(core) < NEWEST) return "SkylakeX";
  if (strcmp(best, "avx2") == 0 && age_of(core) < AVX2) return "Haswell";
  return NULL;
}

static bnn_status open_with(const char *core, bnn_err *err) {
  char setting[64];
  bnn_format(setting, sizeof setting, "OPENBLAS_CORETYPE=%s", core);
  return open_library(setting, err);
}

/* Loads the library with the core that the user has chosen.  Where it does not know the name it
 * takes one that the processor may not have (0.3.21: Cooperlake), so it is unloaded again, and not
 * `found`. */
static bnn_status open_with_choice(bool *found, const char *asked, bnn_err *err) {
  BNN_TRY(open_with(asked, err));
  const bool has_aliases = age_of(asked) < NEWEST; /* Katmai is Prescott */
  *found = has_aliases || strcasecmp(blas.core(), asked) == 0;
  bnn_format(blas.text, sizeof blas.text, "by OPENBLAS_CORETYPE");
  if (!*found) close_library();
  return BNN_OK;
}

/* Loads the library with the core that is right. */
static bnn_status open_with_core(bnn_err *err) {
  const char *asked = value_of("OPENBLAS_CORETYPE");
  bool found = false;
  if (asked) BNN_TRY(open_with_choice(&found, asked, err));
  if (found) return BNN_OK;
  if (asked && blas.notice)
    blas.notice("OpenBLAS has no core of the name in OPENBLAS_CORETYPE, which is left out");
  BNN_TRY(open_library(NULL, err));
  const char *core = core_for(blas.core());
  bnn_format(blas.text, sizeof blas.text, "by OpenBLAS");
  if (!core) return BNN_OK;
  char first[32];
  bnn_format(first, sizeof first, "%s", blas.core());
  close_library();
  BNN_TRY(open_with(core, err));
  if (strcasecmp(blas.core(), core) == 0)
    bnn_format(blas.text, sizeof blas.text,
               "by bnnlua, as the processor is newer than what OpenBLAS chose, %s", first);
  return BNN_OK;
}

/* ---- whether it calculates right ---- */

/* Whole numbers from -8 to 8, another sequence for each seed. */
static void fill_whole(bnn_real *x, size_t n, uint32_t seed) {
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525 + 1013904223; /* Numerical Recipes */
    x[i] = (bnn_real)((int)(seed >> 16) % 17 - 8);
  }
}

static void call(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  bnn_blas_enter();
  blas.gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m,
            (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c, (int)ldc);
  bnn_blas_leave();
}

/* Odd sizes, of which a kernel has a main part and each of its rests; the last is beyond a million
 * terms, where OpenBLAS goes from its kernels for small matrices to the others. */
static const size_t checked[][3] = {
    {1, 1, 1}, {5, 3, 7}, {37, 29, 53}, {1, 67, 131}, {107, 97, 101}};
enum { CHECKED = sizeof checked / sizeof *checked, CHECKED_MOST = 107 * 131 };

/* All four layouts, in turn stored and added; x has room for four matrices. */
static bool is_right(bnn_real *x, size_t m, size_t n, size_t k, bool add) {
  bnn_real *a = x, *b = a + CHECKED_MOST, *c = b + CHECKED_MOST, *want = c + CHECKED_MOST;
  fill_whole(a, m * k, 1);
  fill_whole(b, k * n, 2);
  for (int layout = 0; layout < 4; layout++, add = !add) {
    const bool ta = layout & 1, tb = layout & 2;
    fill_whole(c, m * n, 3);
    memcpy(want, c, m * n * sizeof *c);
    call(c, n, a, ta ? m : k, ta, b, tb ? k : n, tb, m, n, k, add);
    bnn_own_product(want, n, a, ta ? m : k, ta, b, tb ? k : n, tb, m, n, k, add);
    for (size_t i = 0; i < m * n; i++)
      if (c[i] != want[i]) return false; /* NaN too */
  }
  return true;
}

static bnn_status check(bnn_err *err) {
  bnn_real *x = bnn_mem_alloc(4 * CHECKED_MOST, sizeof *x);
  if (!x) return bnn_fail(err, BNN_ENOMEM, "the check of OpenBLAS");
  bool right = true;
  for (size_t i = 0; i < CHECKED && right; i++)
    right = is_right(x, checked[i][0], checked[i][1], checked[i][2], i % 2);
  bnn_mem_free(x);
  return right ? BNN_OK : bnn_fail(err, BNN_EDATA, "its kernels for %s miscalculate", blas.core());
}

/* ---- large products, in blocks ----
 * The library adds up the terms of a sum in a register, some hundreds of them, and then adds that to c:
 * where k is cut at a multiple of that number, the bits are those of one call, and so is the time.
 * The number is its core's and it does not tell it, so it is tried out when it is first needed. */

enum { TRY_SIDE = 96, TRY_K = 2200, TRY_FROM = 64, TRY_TO = 1024, TRY_STEP = 16 };

/* Whether c [TRY_SIDE, TRY_SIDE] has the bits of `whole` when k is cut after `step` terms. */
static bool keeps_bits(bnn_real *c, const bnn_real *whole, const bnn_real *a, const bnn_real *b,
                       size_t step) {
  const size_t n = TRY_SIDE, size = TRY_SIDE * TRY_SIDE * sizeof *c;
  call(c, n, a, TRY_K, false, b, n, false, n, n, step, false);
  call(c, n, a + step, TRY_K, false, b + step * n, n, false, n, n, TRY_K - step, true);
  return memcmp(c, whole, size) == 0;
}

/* Numbers of all sizes between -1 and 1, whose sums depend on their order. */
static void fill_mixed(bnn_real *x, size_t n) {
  uint32_t seed = 1;
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525 + 1013904223;
    x[i] = (bnn_real)(int32_t)seed / (bnn_real)INT32_MAX;
  }
}

static size_t found_step; /* 0: none, or no memory to look */

static void find_step(void) {
  const size_t inner = TRY_SIDE * TRY_K, outer = TRY_SIDE * TRY_SIDE;
  bnn_real *a = bnn_mem_alloc(2 * inner + 2 * outer, sizeof *a);
  if (!a) return;
  bnn_real *b = a + inner, *c = b + inner, *whole = c + outer;
  fill_mixed(a, 2 * inner);
  call(whole, TRY_SIDE, a, TRY_K, false, b, TRY_SIDE, false, TRY_SIDE, TRY_SIDE, TRY_K, false);
  for (size_t step = TRY_FROM; step <= TRY_TO && !found_step; step += TRY_STEP)
    if (keeps_bits(c, whole, a, b, step)) found_step = step;
  bnn_mem_free(a);
}

/* Where k may be cut; 0: nowhere, or the product needs no cut. */
static size_t step_of_terms(size_t m, size_t n, size_t k) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const bnn_product_block whole = bnn_product_block_of(m, n, k, 0);
  if (whole.rows == m && whole.columns == n) return 0;
  pthread_once(&once, find_step);
  return found_step;
}

typedef __typeof__(call) product;

/* One block of c, all its terms; `step` is where k may be cut. */
static void add_terms(product *make, bnn_real *c, size_t ldc, const bnn_real *a, size_t lda,
                      bool ta, const bnn_real *b, size_t ldb, bool tb,
                      const bnn_product_block *block, size_t k, size_t step, bool add) {
  for (size_t t = 0, terms; t < k && !bnn_stop_asked(); t += terms) {
    terms = bnn_product_block_part(k - t, block->terms, step);
    make(c, ldc, a + t * (ta ? lda : 1), lda, ta, b + t * (tb ? 1 : ldb), ldb, tb, block->rows,
         block->columns, terms, add || t > 0);
  }
}

static void in_blocks(product *make, bnn_real *c, size_t ldc, const bnn_real *a, size_t lda,
                      bool ta, const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k,
                      bool add) {
  const size_t step = make == call ? step_of_terms(m, n, k) : 0;
  const bnn_product_block most = bnn_product_block_of(m, n, k, step);
  bnn_product_block block = most;
  for (size_t i = 0; i < m; i += block.rows) {
    block.rows = bnn_product_block_part(m - i, most.rows, BNN_PRODUCT_STEP);
    for (size_t j = 0; j < n; j += block.columns) {
      block.columns = bnn_product_block_part(n - j, most.columns, BNN_PRODUCT_STEP);
      add_terms(make, c + i * ldc + j, ldc, a + i * (ta ? 1 : lda), lda, ta, b + j * (tb ? ldb : 1),
                ldb, tb, &block, k, step, add);
    }
  }
}

/* ---- all of it ---- */

/* Calls that may be inside at once: the library has two buffers for each of the threads it was
 * built for (MAX_THREADS), and one built without threads or locks is for one caller. */
static int most_callers(void) {
  const char *config = blas.config(), *threads = strstr(config, "MAX_THREADS=");
  if (threads) return 2 * (int)bnn_number_read(threads + strlen("MAX_THREADS="), NULL);
  return strstr(config, "USE_LOCKING") ? 32 : 1;
}

static bnn_status prepare(bnn_err *err) {
  blas.set_threads(1); /* where something else had loaded it, its constructor did not see ours */
  if (!bnn_blas_buffers_open(blas.take, blas.give, most_callers()))
    return bnn_fail(err, BNN_ENOMEM, "the address space has no room for a buffer of OpenBLAS");
  return check(err);
}

static bnn_status load(bnn_err *err) {
  if (!bnn_blas_has_room(LIBRARY_BYTES + BNN_BLAS_BUFFER_BYTES))
    return bnn_fail(err, BNN_ENOMEM, "the address space has no room for OpenBLAS");
  BNN_TRY(open_with_core(err));
  const bnn_status status = prepare(err);
  if (status != BNN_OK) close_library();
  return status;
}

/* From now on our own kernels serve. */
static void do_without(const bnn_err *why) {
  char text[BNN_ERR_TEXT + 128];
  bnn_format(blas.text, sizeof blas.text, "%s", why->text);
  bnn_format(text, sizeof text, "no OpenBLAS (%s): products are made by slower kernels of our own",
             why->text);
  if (blas.notice) blas.notice(text);
}

bnn_status bnn_blas_load(bnn_err *err) {
  if (atomic_load_explicit(&blas.state, memory_order_acquire) != UNLOADED) return BNN_OK;
  bnn_err why = {.status = BNN_OK};
  pthread_mutex_lock(&blas.lock);
  if (blas.state == UNLOADED && load(&why) != BNN_ENOMEM) {
    if (why.status != BNN_OK) do_without(&why);
    atomic_store_explicit(&blas.state, why.status == BNN_OK ? LOADED : ABSENT,
                          memory_order_release);
  }
  pthread_mutex_unlock(&blas.lock);
  return why.status == BNN_ENOMEM ? bnn_fail(err, BNN_ENOMEM, "%s", why.text) : BNN_OK;
}

void bnn_blas_on_notice(bnn_blas_notice *notice) { blas.notice = notice; }

void bnn_blas_mm(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (size_t i = 0; !add && i < m; i++) memset(c + i * ldc, 0, n * sizeof *c);
    return;
  }
  const bool loaded = bnn_blas_load(NULL) == BNN_OK && blas.state == LOADED;
  in_blocks(loaded ? call : bnn_own_product, c, ldc, a, lda, ta, b, ldb, tb, m, n, k, add);
}

/* ---- what it is ---- */

static bool is_loaded(void) { return bnn_blas_load(NULL) == BNN_OK && blas.state == LOADED; }

const char *bnn_blas_config(void) { return is_loaded() ? blas.config() : NULL; }
const char *bnn_blas_core(void) { return is_loaded() ? blas.core() : NULL; }

const char *bnn_blas_choice(void) {
  return is_loaded() || blas.state == ABSENT ? blas.text
                                             : "the address space has no room for OpenBLAS";
}
