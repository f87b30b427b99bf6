/* bind_signal.c - see bind_signal.h.
 *
 * A handler may only touch flags of its own and call lua_sethook, which Lua documents as safe
 * there. Lua has no way to ask which coroutine is running, so the handler hooks every state that
 * called guard plus the main one; a coroutine made inside a guard is stopped when control comes
 * back to one of those, or when C code called by it asks bind_signal_raise_if_pending.  A signal is marked as
 * pending before the stop function is called: C code that ended early finds it. */
#include "bind_signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "bind.h"
#include "bind_line.h"

/* One call of signal.guard that has not ended. Lives in a userdata whose user value is the calling
 * thread, so the thread cannot be collected before its guard left the list. */
typedef struct guard {
  struct guard *next;
  lua_State *state;
  bool active, holds;
} guard;

/* The signals that ask for an end.  Slurm's --signal=USR1@90 and its relatives warn of one; nohup,
 * and whoever has a handler of his own for one of the later ones, keeps it. */
typedef struct stop_signal {
  int number;
  const char *name;
  bool always; /* taken over even where it is ignored or handled, as the interpreter does */
} stop_signal;

static const stop_signal stops[] = {
    {SIGINT, "SIGINT", true},    {SIGTERM, "SIGTERM", true},  {SIGHUP, "SIGHUP", false},
    {SIGXCPU, "SIGXCPU", false}, {SIGUSR1, "SIGUSR1", false}, {SIGUSR2, "SIGUSR2", false},
    {SIGPIPE, "SIGPIPE", false},
};

enum {
  STOPS = sizeof stops / sizeof *stops,
  SAME_MS = 500, /* signals within this time are one request: who stops a job often sends two */
  ANSWERS = 2    /* interrupts that are raised before the next request ends the program */
};

static lua_State *main_state;
static pthread_t main_thread;
static guard *guards;                       /* changed only with all of `stops` blocked */
static volatile sig_atomic_t pending;       /* the signal that has not been raised yet, or 0 */
static volatile sig_atomic_t pending_plain; /* it came to a plain script */
static volatile sig_atomic_t finishing;     /* calls of signal.finish that have not ended */
static volatile sig_atomic_t holding;       /* calls of signal.hold that have not ended */
static volatile sig_atomic_t answered;      /* interrupts raised since the outermost guard began */
static volatile int64_t asked_ms;           /* when the last request came to a guard, or NEVER */
static bool warns;                          /* before a later SIGINT ends the program */
static void (*volatile soon)(lua_State *L); /* what bind_signal_raise_soon is to raise */
static void (*stop_hook)(void);
static void (*clear_hook)(void);
static struct sigaction before[STOPS]; /* what the outermost guard found */
static bool is_taken[STOPS];           /* whether it has put its handler there */

#define NEVER INT64_MIN

/* Hooks on return, line and count, not on call: a call hook would raise on entry to a __close
 * method, which would then never run. */
enum { HOOK_EVENTS = LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

static sigset_t all_stops(void) {
  sigset_t all;
  sigemptyset(&all);
  for (int i = 0; i < STOPS; i++) sigaddset(&all, stops[i].number);
  return all;
}

static void set_action(int sig, void (*handler)(int), struct sigaction *old) {
  struct sigaction action = {.sa_handler = handler, .sa_mask = all_stops()};
  sigaction(sig, &action, old); /* no SA_RESTART: a blocking read has to end */
}

void bind_signal_block(sigset_t *old) {
  sigset_t all = all_stops();
  pthread_sigmask(SIG_BLOCK, &all, old);
}

void bind_signal_restore(const sigset_t *old) { pthread_sigmask(SIG_SETMASK, old, NULL); }

/* lua_sethook changes a state that only the main thread may touch, so a signal that the kernel
 * gave to a worker thread is passed on. */
static bool passed_to_main_thread(int sig) {
  if (pthread_equal(pthread_self(), main_thread)) return false;
  pthread_kill(main_thread, sig);
  return true;
}

/* Hooks outlive their signal on every state but the one that raised: those only remove
 * themselves. */
static void raise_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  void (*raise)(lua_State *) = soon;
  lua_sethook(L, NULL, 0, 0);
  bind_signal_raise_if_pending(L);
  soon = NULL;
  if (raise) raise(L);
}

bool bind_signal_raise_soon(void (*raise)(lua_State *L)) {
  if (!pthread_equal(pthread_self(), main_thread)) return false;
  soon = raise;
  lua_sethook(main_state, raise_hook, HOOK_EVENTS, 1);
  for (guard *g = guards; g; g = g->next) lua_sethook(g->state, raise_hook, HOOK_EVENTS, 1);
  return true;
}

pthread_t bind_signal_thread(void) { return main_thread; }

/* Marks the signal as arrived and asks long C calls to end, unless it is held. */
static void set_pending(int sig, bool plain) {
  pending = sig;
  pending_plain = plain;
  if (stop_hook && !holding) stop_hook();
}

static void clear_pending(void) {
  pending = 0;
  pending_plain = 0;
  if (clear_hook) clear_hook();
}

/* ---- plain scripts: as the stand-alone interpreter ---- */

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A second signal, which a user may give twice by the way: a warning, before the third one ends the
 * program. */
static void on_second_signal(int sig) {
  static const char warning[] = "\n(not interrupted yet; Ctrl-C again ends the program)\n";
  int saved = errno;
  if (!passed_to_main_thread(sig) && now_ms() - asked_ms >= SAME_MS) {
    set_action(sig, bind_line_end, NULL);
    const ssize_t wrote = write(STDERR_FILENO, warning, sizeof warning - 1);
    (void)wrote; /* a terminal that is gone needs none */
  }
  errno = saved;
}

static void on_plain_signal(int sig) {
  int saved = errno;
  if (!passed_to_main_thread(sig)) {
    asked_ms = now_ms();
    /* the next one kills, should Lua not come to the hook */
    set_action(sig, warns ? on_second_signal : bind_line_end, NULL);
    if (!pending) set_pending(sig, true);
    lua_sethook(main_state, raise_hook, HOOK_EVENTS, 1);
  }
  errno = saved;
}

/* A signal that came too late for the call must not strike the next one. */
static void drop_plain(lua_State *L) {
  if (pending_plain) clear_pending();
  if (!pending && lua_gethook(L) == raise_hook) lua_sethook(L, NULL, 0, 0);
}

void bind_signal_warn(bool warn) { warns = warn; }

int bind_signal_pcall(lua_State *L, int nargs, int nresults, int msgh) {
  set_action(SIGINT, on_plain_signal, NULL);
  int status = lua_pcall(L, nargs, nresults, msgh);
  set_action(SIGINT, SIG_DFL, NULL);
  drop_plain(L);
  return status;
}

/* ---- interrupt and refusal objects ---- */

static int object_tostring(lua_State *L) {
  lua_settop(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "message");
  if (lua_rawget(L, 1) == LUA_TSTRING) return 1;
  lua_pushliteral(L, "name");
  if (lua_rawget(L, 1) != LUA_TSTRING) return luaL_error(L, "error object without a message");
  lua_pushfstring(L, "interrupted by %s", lua_tostring(L, -1));
  return 1;
}

static void set_metatable(lua_State *L, const char *name) {
  static const luaL_Reg meta[] = {{"__tostring", object_tostring}, {NULL, NULL}};
  bind_set_metatable(L, name, meta);
}

static bool is_object(lua_State *L, int index, const char *name) {
  if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, name);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

static const char *name_of(int sig) {
  for (int i = 0; i < STOPS; i++)
    if (stops[i].number == sig) return stops[i].name;
  return "signal";
}

static void push_interrupt(lua_State *L, int sig) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, sig);
  lua_setfield(L, -2, "signal");
  lua_pushstring(L, name_of(sig));
  lua_setfield(L, -2, "name");
  set_metatable(L, BIND_INTERRUPT);
}

void bind_signal_push_refusal(lua_State *L, const char *message, int status) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, status);
  lua_setfield(L, -2, "status");
  set_metatable(L, BIND_REFUSAL);
}

/* Pushes t[name] without metamethods: this runs while an error is being reported. */
static int raw_field(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  lua_pushstring(L, name);
  return lua_rawget(L, index);
}

/* An integer field within lo..hi, else `otherwise`: scripts can write to these tables. */
static int small_field(lua_State *L, int index, const char *name, int lo, int hi, int otherwise) {
  raw_field(L, index, name);
  lua_Integer value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value >= lo && value <= hi ? (int)value : otherwise;
}

int bind_signal_of(lua_State *L, int index) {
  if (!is_object(L, index, BIND_INTERRUPT)) return 0;
  return small_field(L, index, "signal", 1, 64, SIGINT);
}

bool bind_signal_is_quiet(lua_State *L, int index) {
  if (bind_signal_of(L, index) != SIGPIPE) return false;
  bool quiet = raw_field(L, index, "checkpoint") == LUA_TNIL;
  lua_pop(L, 1);
  return quiet;
}

int bind_signal_error_status(lua_State *L, int index) {
  int sig = bind_signal_of(L, index);
  if (sig == 0 && !is_object(L, index, BIND_REFUSAL)) return 0;
  int status = sig != 0 ? 128 + sig : small_field(L, index, "status", 1, 255, 1);
  if (raw_field(L, index, "message") == LUA_TSTRING) return status;
  lua_pop(L, 1);
  if (sig == 0)
    lua_pushliteral(L, "refused");
  else
    lua_pushfstring(L, "interrupted (%s)", name_of(sig));
  return status;
}

/* ---- guards ---- */

/* The first request. */
static void ask_to_stop(int sig) {
  asked_ms = now_ms();
  set_pending(sig, false);
  if (holding) return;
  lua_sethook(main_state, raise_hook, HOOK_EVENTS, 1);
  for (guard *g = guards; g; g = g->next) lua_sethook(g->state, raise_hook, HOOK_EVENTS, 1);
}

/* A user who asks again does not want to wait: for C code that does not return, for the last
 * checkpoint, or for a script whose pcall takes every interrupt for an error like any other (the
 * third ends it: one that means to go on after the first may be interrupted again).  The other
 * signals may repeat themselves, as SIGXCPU and SIGPIPE do. */
static void on_guarded_signal(int sig) {
  int saved = errno;
  if (!passed_to_main_thread(sig) && (asked_ms == NEVER || now_ms() - asked_ms >= SAME_MS)) {
    const bool stopping = pending || finishing;
    if ((sig == SIGINT || sig == SIGTERM) && (stopping || answered >= ANSWERS))
      bind_line_end(sig);
    else if (!stopping)
      ask_to_stop(sig);
  }
  errno = saved;
}

/* Puts the handler where it belongs; `outermost`: after remembering what was there. */
static void take_signals(bool outermost) {
  for (int i = 0; i < STOPS; i++) {
    if (outermost) {
      sigaction(stops[i].number, NULL, &before[i]);
      bool is_default = !(before[i].sa_flags & SA_SIGINFO) && before[i].sa_handler == SIG_DFL;
      is_taken[i] = stops[i].always || is_default;
    }
    if (is_taken[i]) set_action(stops[i].number, on_guarded_signal, NULL);
  }
}

static void give_signals_back(void) {
  for (int i = 0; i < STOPS; i++)
    if (is_taken[i]) sigaction(stops[i].number, &before[i], NULL);
}

/* The pending signal, which is answered herewith. */
static int take_pending(void) {
  sigset_t old;
  bind_signal_block(&old);
  int sig = pending;
  if (sig && !pending_plain) answered++;
  clear_pending();
  bind_signal_restore(&old);
  return sig;
}

static void raise_pending(lua_State *L) {
  bool plain = pending_plain;
  int sig = take_pending();
  if (plain) luaL_error(L, "interrupted!");
  push_interrupt(L, sig);
  lua_error(L);
}

void bind_signal_raise_if_pending(lua_State *L) {
  if (pending && !holding) raise_pending(L);
}

int bind_signal_take_held(void) { return holding && pending ? take_pending() : 0; }

/* Signals go to the state of L, whose main thread is hooked; in the thread that runs it now. */
static void take_over(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main_state = lua_tothread(L, -1);
  lua_pop(L, 1);
  main_thread = pthread_self();
}

static void enter(guard *g) {
  sigset_t old;
  bind_signal_block(&old);
  if (!guards) {
    take_over(g->state); /* a host of the module may have several */
    asked_ms = NEVER, answered = 0;
  }
  /* Always armed again: a guard left behind by a coroutine that yielded may have been overruled. */
  take_signals(guards == NULL);
  g->active = true;
  g->next = guards;
  guards = g;
  holding += g->holds;
  bind_signal_restore(&old);
}

/* Takes g off the list, wherever it is: guards in coroutines need not end in order. */
static void leave(guard *g) {
  if (!g->active) return;
  sigset_t old;
  bind_signal_block(&old);
  guard **link = &guards;
  while (*link != g) link = &(*link)->next;
  *link = g->next;
  g->active = false;
  holding -= g->holds;
  if (!guards) give_signals_back();
  bind_signal_restore(&old);
}

/* The outermost guard answers a signal that came too late for its hook, as does one that held it. */
static void leave_and_raise(lua_State *L, guard *g) {
  bool was_active = g->active;
  leave(g);
  if (was_active && (!guards || g->holds)) bind_signal_raise_if_pending(L);
}

static int guard_close(lua_State *L) {
  leave_and_raise(L, luaL_checkudata(L, 1, "bnn.guard"));
  return 0;
}

/* For a coroutine dropped while it was suspended inside a guard. A signal still pending is raised
 * by the main state's hook: a finalizer cannot. */
static int guard_gc(lua_State *L) {
  leave(luaL_checkudata(L, 1, "bnn.guard"));
  return 0;
}

static guard *push_guard(lua_State *L) {
  guard *g = lua_newuserdatauv(L, sizeof *g, 1);
  *g = (guard){.state = L};
  lua_pushthread(L);
  lua_setiuservalue(L, -2, 1);
  static const luaL_Reg meta[] = {{"__close", guard_close}, {"__gc", guard_gc}, {NULL, NULL}};
  bind_set_metatable(L, "bnn.guard", meta);
  return g;
}

static int guard_finish(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  leave_and_raise(L, lua_touserdata(L, 1));
  return lua_gettop(L) - 1;
}

/* A to-be-closed slot rather than a protected call: the message handler of the caller sees the stack
 * of the error itself. */
static int call_guarded(lua_State *L, bool holds) {
  luaL_checkany(L, 1);
  guard *g = push_guard(L);
  g->holds = holds;
  lua_insert(L, 1);
  lua_toclose(L, 1);
  enter(g);
  lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, guard_finish);
  return guard_finish(L, LUA_OK, 0);
}

/* guard(f, ...) -> f's results. */
int bind_signal_guard(lua_State *L) { return call_guarded(L, false); }

/* hold(f, ...) -> f's results. */
static int signal_hold(lua_State *L) { return call_guarded(L, true); }

/* take() -> the number of the signal that is held, or nil. */
static int signal_take(lua_State *L) {
  int sig = bind_signal_take_held();
  if (sig)
    lua_pushinteger(L, sig);
  else
    lua_pushnil(L);
  return 1;
}

/* finish(f, ...) -> f's results. */
static int signal_finish(lua_State *L) {
  luaL_checkany(L, 1);
  finishing++;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  finishing--;
  if (status != LUA_OK) return lua_error(L);
  return lua_gettop(L);
}

static int signal_pending(lua_State *L) {
  if (pending)
    lua_pushinteger(L, pending);
  else
    lua_pushnil(L);
  return 1;
}

static int signal_raise_if_pending(lua_State *L) {
  bind_signal_raise_if_pending(L);
  return 0;
}

/* raise(number): as the signal itself would. */
static int signal_raise(lua_State *L) {
  int sig = (int)luaL_checkinteger(L, 1);
  luaL_argcheck(L, sig >= 1 && sig <= 127, 1, "no signal's number");
  push_interrupt(L, sig);
  return lua_error(L);
}

static int signal_refusal(lua_State *L) {
  const char *message = luaL_checkstring(L, 1);
  lua_Integer status = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, status >= 1 && status <= 255, 2, "exit status is not within 1..255");
  bind_signal_push_refusal(L, message, (int)status);
  return 1;
}

static int signal_is_interrupt(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, is_object(L, 1, BIND_INTERRUPT));
  return 1;
}

static int signal_is_refusal(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, is_object(L, 1, BIND_REFUSAL));
  return 1;
}

void bind_signal_init(lua_State *L) {
  if (!guards) take_over(L);
}

void bind_signal_on_interrupt(void (*stop)(void)) { stop_hook = stop; }

void bind_signal_on_clear(void (*clear)(void)) { clear_hook = clear; }

int bind_signal_pending(void) { return holding ? 0 : pending; }
int bind_signal_arrived(void) { return pending; }

static void drop_hook(lua_State *L) {
  if (lua_gethook(L) == raise_hook) lua_sethook(L, NULL, 0, 0);
}

void bind_signal_forget_parent(lua_State *L) {
  take_over(L);
  drop_hook(main_state);
  drop_hook(L);
  if (guards) give_signals_back();
  for (guard *g = guards; g; g = g->next) {
    drop_hook(g->state);
    g->active = false;
  }
  guards = NULL;
  finishing = holding = 0;
  soon = NULL;
  clear_pending();
}

int luaopen_bnn_signal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"guard", bind_signal_guard},
      {"hold", signal_hold},
      {"take", signal_take},
      {"finish", signal_finish},
      {"pending", signal_pending},
      {"raise_if_pending", signal_raise_if_pending},
      {"raise", signal_raise},
      {"refusal", signal_refusal},
      {"is_interrupt", signal_is_interrupt},
      {"is_refusal", signal_is_refusal},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}
