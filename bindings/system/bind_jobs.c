/* bind_jobs.c - see bind_jobs.h.
 *
 * A job ends when its process does, which a pidfd tells of; where the system has none, it is asked
 * for now and then.  That its link is closed says nothing: a child may close it, or leave it to a
 * child of its own.  Whatever is left of a process's group when it has ended is killed with it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* waitid's WNOWAIT */
#endif
#include "bind_jobs.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_signal.h"
#include "../tensor/bind_argument.h"
#include "base/forks.h"
#include "base/mem.h"
#include "bind_system.h"

enum {
  TICK_MS = 100,    /* a signal that came just before poll is seen after this */
  NO_PIDFD_MS = 10, /* between two looks at a process that tells nothing */
  LARGEST_SIGNAL = 64,
  UNKNOWN_STATUS = 255 << 8 /* as waitpid gives 255 */
};

typedef struct job {
  pid_t pid;      /* 0: not started */
  int pidfd;      /* -1: none */
  bool has_ended; /* waited for */
  bool is_told;   /* its end is known to Lua */
  int status;     /* as waitpid gives it */
  bind_link link;
  bnn_bytes error;           /* the text that it ended with */
  unsigned owner;            /* bnn_forks of the process whose child it is */
  struct job *next, **place; /* in the list of all */
} job;

static job *jobs; /* all of this process */

/* ---- the process ---- */

static int open_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0);
#else
  (void)pid;
  return -1;
#endif
}

/* To all of its group, for a program that it runs is to end too. */
static bool send_signal(const job *j, int sig) {
  if (j->pid <= 0 || j->has_ended) return false;
  return kill(-j->pid, sig) == 0 || kill(j->pid, sig) == 0;
}

static void close_pidfd(job *j) {
  if (j->pidfd >= 0) close(j->pidfd);
  j->pidfd = -1;
}

/* Takes the end of a process that has ended; its group can still be named until then. */
static void take_end(job *j) {
  kill(-j->pid, SIGKILL);
  while (waitpid(j->pid, &j->status, 0) < 0 && errno == EINTR) continue;
  j->has_ended = true;
  close_pidfd(j);
}

/* Looks whether the process has ended, without waiting. */
static void look(job *j) {
  siginfo_t about = {.si_pid = 0};
  if (j->has_ended) return;
  int code = waitid(P_PID, (id_t)j->pid, &about, WEXITED | WNOHANG | WNOWAIT);
  if (code == 0 && about.si_pid != 0) take_end(j);
  if (code == 0 || errno != ECHILD) return;
  j->has_ended = true; /* somebody else has waited for it, such as a library */
  j->status = UNKNOWN_STATUS;
  close_pidfd(j);
}

/* ---- boxes ---- */

static void job_free(void *held) {
  job *j = *(job **)held;
  if (j->place) *j->place = j->next;
  if (j->next) j->next->place = j->place;
  if (j->owner == bnn_forks() && send_signal(j, SIGKILL)) take_end(j);
  close_pidfd(j);
  bind_link_close(&j->link);
  bnn_bytes_free(&j->error);
  bnn_mem_free(j);
}

static size_t job_bytes(const void *held) {
  (void)held;
  return 2 * BIND_DESCRIPTOR_BYTES;
}

static const bind_class job_class = {
    .name = "bnn.job",
    .noun = "job",
    .size = sizeof(job *),
    .release = job_free,
    .bytes = job_bytes,
};

static int job_release(lua_State *L) { return bind_release_box(L, &job_class); }

static job *check_job(lua_State *L, int arg) { return *(job **)bind_check_box(L, arg, &job_class); }

int bind_jobs_push(lua_State *L, bind_link *theirs) {
  bind_push_box(L, &job_class);
  job *j = bnn_mem_zalloc(1, sizeof *j);
  int reason = j ? bind_link_open(&j->link, theirs) : ENOMEM;
  if (reason != 0) {
    bnn_mem_free(j);
    lua_pop(L, 1);
    return reason;
  }
  j->pidfd = -1;
  j->owner = bnn_forks();
  j->next = jobs;
  j->place = &jobs;
  if (jobs) jobs->place = &j->next;
  jobs = j;
  bind_fill_box(L, &job_class, &j);
  return 0;
}

void bind_jobs_started(lua_State *L, pid_t pid) {
  job *j = check_job(L, -1);
  setpgid(pid, pid); /* as the child does: whoever comes first */
  j->pid = pid;
  j->pidfd = open_pidfd(pid);
}

void bind_jobs_forget_parent(void) {
  for (job *j = jobs, *next; j; j = next) {
    next = j->next;
    close_pidfd(j);
    bind_link_close(&j->link);
    j->next = NULL;
    j->place = NULL;
  }
  jobs = NULL;
}

/* ---- waiting ---- */

/* The jobs that are waited for; the boxes are in a table of its own, so that none is collected. */
typedef struct waiting {
  int boxes;  /* index of the table */
  int events; /* index of the list of what has happened */
  size_t n;
  job **job;          /* [n] */
  struct pollfd *fds; /* [2 n]: of each the link and the pidfd */
} waiting;

static void push_event(lua_State *L, const waiting *w, size_t i) {
  lua_createtable(L, 0, 3);
  lua_rawgeti(L, w->boxes, (lua_Integer)i + 1);
  lua_setfield(L, -2, "job");
}

static void add_event(lua_State *L, const waiting *w) {
  lua_rawseti(L, w->events, (lua_Integer)lua_rawlen(L, w->events) + 1);
}

static void set_bytes(lua_State *L, const char *name, const void *p, size_t n) {
  lua_pushlstring(L, n ? p : "", n);
  lua_setfield(L, -2, name);
}

static void add_end(lua_State *L, const waiting *w, size_t i) {
  job *j = w->job[i];
  push_event(L, w, i);
  bool was_killed = WIFSIGNALED(j->status);
  lua_pushinteger(L, was_killed ? WTERMSIG(j->status) : WEXITSTATUS(j->status));
  lua_setfield(L, -2, was_killed ? "signal" : "status");
  if (j->error.n > 0) set_bytes(L, "error", j->error.p, j->error.n);
  j->is_told = true;
  add_event(L, w);
}

/* Makes events of the messages that are there whole. */
static bnn_status add_messages(lua_State *L, const waiting *w, size_t i, bnn_err *err) {
  bind_link_message m;
  while (bind_link_next(&w->job[i]->link, &m)) {
    if (m.kind == BIND_LINK_ERROR) {
      BNN_TRY(bnn_bytes_add(&w->job[i]->error, m.text, m.length, err));
      continue;
    }
    push_event(L, w, i);
    set_bytes(L, "message", m.text, m.length);
    add_event(L, w);
  }
  return BNN_OK;
}

/* What has happened to a job.  Its end is the last event: the link is read out first. */
static bnn_status hear(lua_State *L, const waiting *w, size_t i, bnn_err *err) {
  bool more;
  job *j = w->job[i];
  if (j->is_told) return BNN_OK;
  look(j);
  BNN_TRY(bind_link_receive(&j->link, &more, err));
  BNN_TRY(add_messages(L, w, i, err));
  if (j->has_ended && !more) {
    bind_link_close(&j->link);
    add_end(L, w, i);
  }
  return BNN_OK;
}

/* Waits until something has happened, for up to `seconds`.  Gives the number of jobs that live; a list
 * of none is one of them as long as there is a time limit. */
static size_t wait_some(const waiting *w, double seconds) {
  size_t living = w->n == 0 && isfinite(seconds);
  int most = TICK_MS;
  for (size_t i = 0; i < w->n; i++) {
    const job *j = w->job[i];
    w->fds[2 * i] = (struct pollfd){.fd = j->is_told ? -1 : j->link.fd, .events = POLLIN};
    w->fds[2 * i + 1] = (struct pollfd){.fd = j->pidfd, .events = POLLIN};
    if (j->is_told) continue;
    living++;
    if (j->pidfd < 0) most = NO_PIDFD_MS;
  }
  double ms = fmin(ceil(fmax(seconds, 0) * 1000), most);
  if (living > 0) poll(w->fds, 2 * w->n, (int)ms);
  return living;
}

static size_t n_events(lua_State *L, const waiting *w) { return lua_rawlen(L, w->events); }

/* Until there is an event, no job lives, the time is over or a signal has come. */
static bnn_status wait_all(lua_State *L, const waiting *w, double seconds, bnn_err *err) {
  double end = bind_ticks() + seconds;
  for (bool is_first = true;; is_first = false) {
    double left = end - bind_ticks();
    size_t living = wait_some(w, is_first ? 0 : left);
    for (size_t i = 0; i < w->n; i++) BNN_TRY(hear(L, w, i, err));
    if (n_events(L, w) > 0 || living == 0 || left <= 0 || bind_signal_arrived()) return BNN_OK;
  }
}

/* The jobs in the list at argument 1. */
static waiting check_jobs(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n = lua_rawlen(L, 1);
  waiting w = {.n = n};
  w.job = lua_newuserdatauv(L, n * sizeof *w.job + 1, 0);
  w.fds = lua_newuserdatauv(L, 2 * n * sizeof *w.fds + 1, 0);
  lua_createtable(L, (int)n, 0);
  w.boxes = lua_gettop(L);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    w.job[i] = check_job(L, -1);
    bind_argcheck(L, w.job[i]->owner == bnn_forks(), 1, "a job of another process");
    lua_rawseti(L, w.boxes, (lua_Integer)i + 1);
  }
  lua_newtable(L);
  w.events = lua_gettop(L);
  return w;
}

/* wait_jobs(jobs [, seconds]) */
static int core_wait_jobs(lua_State *L) {
  bnn_err err;
  double seconds = luaL_optnumber(L, 2, (double)INFINITY);
  bind_argcheck(L, !isnan(seconds), 2, "expected seconds, got NaN");
  lua_settop(L, 2);
  waiting w = check_jobs(L);
  bind_check(L, wait_all(L, &w, seconds, &err), &err);
  int sig = bind_signal_take_held();
  if (n_events(L, &w) == 0) bind_signal_raise_if_pending(L);
  lua_settop(L, w.events);
  if (sig == 0) return 1;
  lua_pushinteger(L, sig);
  return 2;
}

/* ---- methods ---- */

/* pid() */
static int job_pid(lua_State *L) {
  lua_pushinteger(L, check_job(L, 1)->pid);
  return 1;
}

/* kill([signal]) */
static int job_kill(lua_State *L) {
  job *j = check_job(L, 1);
  int sig =
      lua_isnoneornil(L, 2) ? SIGTERM : (int)bind_check_range(L, 2, "signal", 1, LARGEST_SIGNAL);
  bind_argcheck(L, j->owner == bnn_forks(), 1, "a job of another process");
  look(j);
  lua_pushboolean(L, send_signal(j, sig));
  return 1;
}

static int job_tostring(lua_State *L) {
  job **box = luaL_checkudata(L, 1, job_class.name);
  if (*box)
    lua_pushfstring(L, "job (process %d)", (int)(*box)->pid);
  else
    lua_pushliteral(L, "job (closed)");
  return 1;
}

static const luaL_Reg job_meta[] = {
    {"__gc", job_release}, {"__close", job_release}, {"__tostring", job_tostring}, {NULL, NULL}};

static const bind_row job_methods[] = {
    {"pid", job_pid, "pid(): the number of its process"},
    {"kill", job_kill,
     "kill([signal]): sends a signal (SIGTERM) to its process and the programs that this runs\n"
     "Returns whether it still ran."},
    {"close", job_release,
     "close(): kills the process if it still runs, and waits for its end; twice is fine"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"wait_jobs", core_wait_jobs,
     "wait_jobs(jobs [, seconds]): waits until something has happened to one of the jobs\n"
     "jobs: a list of what core.fork gave; seconds: the time limit, 0 to only look\n"
     "Returns a list of events: {job=, message=} for each send of a child, in their order, and as a\n"
     "job's last {job=, status=} or {job=, signal=}, with error= if an error ended it. The list is\n"
     "empty if the time is over or no job lives; an empty list of jobs waits for the time. Under\n"
     "signal.hold also the number of the signal that came, else that is raised."},
    {NULL, NULL, NULL},
};

void bind_open_jobs(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, job_class.name, "job:", job_meta, job_methods);
  lua_pop(L, 1);
}
