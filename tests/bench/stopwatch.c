/* stopwatch.c - what bench.lua needs of C: a clock, bare OpenBLAS products, and where the time of
 * a step goes.
 *
 * `make bench` links bnnlua once more, with this file and with -Wl,--wrap=NAME for each function
 * below that is called __wrap_NAME: calls of the runtime from one file to another come by here, and
 * while a trace is on their time is booked on one part of the step.  Time belongs to the innermost
 * function alone.  So bench.lua has bnn.train's own steps, their products and their parts in one
 * process, and the shipped library knows nothing of it. */
#define _POSIX_C_SOURCE 200809L
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/pool.h"
#include "bnn.h"
#include "kernels/isa.h"
#include "kernels/product.h"
#include "kernels/rng.h"

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the parts of a step ---- */

/* OUTSIDE is Lua on the thread that calls, and no work on the others.  CALL: serial work of a step
 * in C.  LOOP: the caller of a parallel loop, outside of its own jobs. */
// clang-format off
#define PART_ROWS(X)                                                            \
  X(OUTSIDE, "outside") X(CALL, "call") X(LOOP, "loop")                         \
  X(GATHER, "gather") X(SAMPLING, "sampling") X(FORWARD, "forward")             \
  X(DX, "dx") X(DW, "dw") X(PASSES, "passes") X(UPDATE, "update")
// clang-format on
#define PART_ENUM(name, text) PART_##name,
#define PART_TEXT(name, text) text,
typedef enum part { PART_ROWS(PART_ENUM) PARTS } part;
static const char *const part_text[] = {PART_ROWS(PART_TEXT)};

/* What one thread has booked; the first thread to book is the first of the list. */
typedef struct ledger {
  _Alignas(128) uint64_t ns[PARTS];
} ledger;

static ledger ledgers[BNN_THREADS_MAX + 1];
static atomic_int n_ledgers;
static _Thread_local ledger *mine;
static _Thread_local part current;
static _Thread_local uint64_t since;

static atomic_bool tracing;
static part job_part = PART_UPDATE; /* of what a job does itself; set between two loops */
static uint64_t loops_ns;           /* whole time of parallel loops, on the thread that calls */

/* Books the time until now and goes on with `next`; gives the part before, to go back to. */
static part book(part next) {
  const uint64_t now = now_ns();
  if (!mine)
    mine = &ledgers[atomic_fetch_add(&n_ledgers, 1) % (BNN_THREADS_MAX + 1)];
  else
    mine->ns[current] += now - since;
  const part before = current;
  current = next;
  since = now;
  return before;
}

static bool is_tracing(void) { return atomic_load_explicit(&tracing, memory_order_relaxed); }

/* Runs `call` as a part of the step when a trace is on. */
#define BOOKED(name, call)                                  \
  do {                                                      \
    const bool traced = is_tracing();                       \
    const part before = traced ? book(name) : PART_OUTSIDE; \
    call;                                                   \
    if (traced) book(before);                               \
  } while (0)

/* Declares the function that the linker put aside, and begins the one in its place. */
#define WRAPPED(type, name, ...)   \
  type __real_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__)

/* Labels are gathered before the loops. */
WRAPPED(void, bnn_batch_gather, void *out, bnn_dtype dtype, const bnn_batch *batch, size_t i,
        size_t from, size_t n) {
  BOOKED(current == PART_CALL ? PART_CALL : PART_GATHER,
         __real_bnn_batch_gather(out, dtype, batch, i, from, n));
}

WRAPPED(void, bnn_estimator_draw, bnn_estimator e, const bnn_posterior *q, bnn_context *context,
        bnn_real *theta, bnn_draw draw, int64_t s) {
  job_part = PART_SAMPLING;
  __real_bnn_estimator_draw(e, q, context, theta, draw, s);
  job_part = PART_UPDATE;
}

WRAPPED(void, bnn_frame_forward_block, bnn_frame *f, size_t b) {
  BOOKED(PART_PASSES, __real_bnn_frame_forward_block(f, b));
}

WRAPPED(void, bnn_frame_backward_block, bnn_frame *f, size_t b, bnn_real seed) {
  BOOKED(PART_PASSES, __real_bnn_frame_backward_block(f, b, seed));
}

WRAPPED(void, bnn_frame_run_parameter_job, bnn_frame *f, size_t j, bnn_real *out,
        bnn_real *scratch) {
  BOOKED(PART_PASSES, __real_bnn_frame_run_parameter_job(f, j, out, scratch));
}

static bool in_product(void) {
  return current == PART_FORWARD || current == PART_DX || current == PART_DW;
}

/* A linear layer's products: dw = x^T dy, dx = dy w^T. */
WRAPPED(void, bnn_product, bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta,
        const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  BOOKED(ta   ? PART_DW
         : tb ? PART_DX
              : PART_FORWARD,
         __real_bnn_product(c, ldc, a, lda, ta, b, ldb, tb, m, n, k, add));
}

WRAPPED(void, bnn_product_bias, bnn_real *c, const bnn_real *a, const bnn_real *b,
        const bnn_real *bias, size_t m, size_t n, size_t k) {
  BOOKED(PART_FORWARD, __real_bnn_product_bias(c, a, b, bias, m, n, k));
}

/* A convolution's on views of the image: y and dx, which has no bias to start from, and dw. */
WRAPPED(void, bnn_product_shifted, const bnn_shifted_product *p) {
  BOOKED(p->start ? PART_FORWARD : PART_DX, __real_bnn_product_shifted(p));
}

WRAPPED(void, bnn_product_inner, const bnn_shifted_inner *p) {
  BOOKED(PART_DW, __real_bnn_product_inner(p));
}

/* A convolution's, when they are its own: dw = dy patches^T, dpatches = w^T dy. */
WRAPPED(void, bnn_blas_mm, bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta,
        const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  BOOKED(in_product() ? current
         : ta         ? PART_DX
         : tb         ? PART_DW
                      : PART_FORWARD,
         __real_bnn_blas_mm(c, ldc, a, lda, ta, b, ldb, tb, m, n, k, add));
}

typedef struct loop {
  bnn_job *job;
  void *data;
} loop;

static void booked_job(void *data, size_t i) {
  const loop *l = data;
  const part before = book(job_part);
  l->job(l->data, i);
  book(before);
}

WRAPPED(void, bnn_pool_run, bnn_pool *pool, bnn_job *job, void *data, size_t count) {
  if (!is_tracing()) {
    __real_bnn_pool_run(pool, job, data, count);
    return;
  }
  loop l = {job, data};
  const part before = book(PART_LOOP);
  const uint64_t start = since;
  __real_bnn_pool_run(pool, booked_job, &l, count);
  book(before);
  loops_ns += since - start;
}

WRAPPED(bnn_status, bnn_objective_step, bnn_objective *o, bnn_context *context,
        const bnn_train_state *train, const bnn_batch *batch, const bnn_step_args *args,
        double *loss, bnn_err *err) {
  bnn_status status;
  BOOKED(PART_CALL, status = __real_bnn_objective_step(o, context, train, batch, args, loss, err));
  return status;
}

/* trace_start(): begins to book, from 0.  No loop may be running. */
static int trace_start(lua_State *L) {
  (void)L;
  memset(ledgers, 0, sizeof ledgers);
  loops_ns = 0;
  atomic_store(&tracing, true);
  book(PART_OUTSIDE);
  mine->ns[PART_OUTSIDE] = 0;
  return 0;
}

/* trace_stop(threads) -> {part = seconds}, which add up to the time since trace_start: what jobs
 * took is divided by the number of threads, and what these spent in a loop without a job is
 * "waiting". */
static int trace_stop(lua_State *L) {
  const double threads = (double)luaL_checkinteger(L, 1);
  book(PART_OUTSIDE);
  atomic_store(&tracing, false);
  double sum[PARTS] = {0}, busy = 0;
  for (int t = 0; t <= BNN_THREADS_MAX; t++)
    for (int p = 0; p < PARTS; p++)
      if (p > PART_LOOP || &ledgers[t] == mine) sum[p] += 1e-9 * (double)ledgers[t].ns[p];
  lua_newtable(L);
  for (int p = 0; p < PARTS; p++) {
    if (p == PART_LOOP) continue;
    if (p > PART_LOOP) busy += sum[p] /= threads;
    lua_pushnumber(L, sum[p]);
    lua_setfield(L, -2, part_text[p]);
  }
  lua_pushnumber(L, 1e-9 * (double)loops_ns - busy);
  lua_setfield(L, -2, "waiting");
  return 1;
}

/* ---- bare products ---- */

typedef struct product {
  bnn_real *c;
  const bnn_real *a, *b;
  bool ta, tb;
  size_t m, n, k;
  lua_Integer times;
} product;

typedef struct plan {
  lua_Integer count;
  product list[];
} plan;

/* matrix(size) -> room for that many elements, filled with uniforms. */
static int matrix(lua_State *L) {
  const size_t size = (size_t)luaL_checkinteger(L, 1);
  bnn_real *x = lua_newuserdatauv(L, size * sizeof *x, 0);
  bnn_rng_uniform(x, bnn_key_new(size), 0, size);
  return 1;
}

/* Fields of the table on top of the stack. */
static lua_Integer integer_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  const lua_Integer n = luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return n;
}

static bool flag_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  const bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

static bnn_real *matrix_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  bnn_real *x = lua_touserdata(L, -1);
  luaL_argcheck(L, x != NULL, 1, name);
  lua_pop(L, 1);
  return x;
}

/* products(list) -> a plan of OpenBLAS calls, each {c=, a=, b= (matrices, which the list is to keep
 * alive), m=, n=, k=, ta=, tb=, times=}: `times` times in a row. */
static int products(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Integer count = luaL_len(L, 1);
  plan *p = lua_newuserdatauv(L, sizeof *p + (size_t)count * sizeof *p->list, 1);
  p->count = count;
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    p->list[i] = (product){.c = matrix_field(L, "c"),
                           .a = matrix_field(L, "a"),
                           .b = matrix_field(L, "b"),
                           .ta = flag_field(L, "ta"),
                           .tb = flag_field(L, "tb"),
                           .m = (size_t)integer_field(L, "m"),
                           .n = (size_t)integer_field(L, "n"),
                           .k = (size_t)integer_field(L, "k"),
                           .times = integer_field(L, "times")};
    lua_pop(L, 1);
  }
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* run(plan): its products as whole OpenBLAS calls on this thread, in their order. */
static int run(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  const plan *all = lua_touserdata(L, 1);
  for (lua_Integer i = 0; i < all->count; i++) {
    const product *p = &all->list[i];
    for (lua_Integer t = 0; t < p->times; t++)
      __real_bnn_blas_mm(p->c, p->n, p->a, p->ta ? p->m : p->k, p->ta, p->b, p->tb ? p->k : p->n,
                         p->tb, p->m, p->n, p->k, false);
  }
  return 0;
}

/* ---- the rest ---- */

static int now(lua_State *L) {
  lua_pushnumber(L, 1e-9 * (double)now_ns());
  return 1;
}

/* normals(isa) -> normals a second on this thread; nothing where the processor has no such
 * instruction set.  Not while a program exists (isa.h). */
static int normals(lua_State *L) {
  enum { N = 1 << 14, TIMES = 500 };
  static bnn_real x[N];
  const char *before = bnn_isa_get()->name;
  if (bnn_isa_set(luaL_checkstring(L, 1), NULL) != BNN_OK) return 0;
  const uint64_t start = now_ns();
  for (int t = 0; t < TIMES; t++) bnn_rng_normal(x, bnn_key_new((uint64_t)t), 0, N);
  lua_pushnumber(L, 1e9 * N * TIMES / (double)(now_ns() - start));
  bnn_isa_set(before, NULL);
  return 1;
}

/* machine() -> names of OpenBLAS's core, of our kernels, and of the real type. */
static int machine(lua_State *L) {
  lua_pushstring(L, bnn_blas_core() ? bnn_blas_core() : "none");
  lua_pushstring(L, bnn_isa_get()->name);
  lua_pushstring(L, BNN_REAL_NAME);
  return 3;
}

/* peak() -> the most memory that any ended child had, in bytes. */
static int peak(lua_State *L) {
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  lua_pushinteger(L, (lua_Integer)usage.ru_maxrss * 1024);
  return 1;
}

int luaopen_stopwatch(lua_State *L);
int luaopen_stopwatch(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", now},   {"matrix", matrix},           {"products", products},
      {"run", run},   {"normals", normals},         {"machine", machine},
      {"peak", peak}, {"trace_start", trace_start}, {"trace_stop", trace_stop},
      {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
