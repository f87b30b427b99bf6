/* bind_fork.c - a Lua function in a child process, with all that this one has loaded.
 *
 * The child has the parent's memory and open files, but nothing of the parent's ends with it: it ends
 * by _exit, so no finalizer and no exit handler runs; what the parent had buffered is written before
 * and dropped after the fork; guards, pending signals and jobs are forgotten.  Modules that hold more
 * (the record of a run) say by core.on_fork what a child must forget.
 *
 * It is the leader of a process group, so that a Ctrl-C is the parent's to answer, and gets a SIGTERM
 * when the parent dies. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* __fpurge */
#endif
#include "bind_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_signal.h"
#include "base/forks.h"
#include "bind_capture.h"
#include "bind_jobs.h"
#include "bind_streams.h"

enum { SEND_SECONDS = 30, LAST_SECONDS = 5 };

static const char hooks_key;             /* registry[&hooks_key]: the functions of on_fork */
static bind_link to_parent = {.fd = -1}; /* of a child */
static sigset_t program_mask;            /* the signals that were blocked before a fork */

/* ---- the child's end ---- */

/* Ends the process; the error is sent, if there is one. */
static _Noreturn void end(int status, const char *error, size_t length) {
  static const char unwritten[] = "cannot write to standard output";
  bool is_written = bind_streams_flush();
  if (!is_written && status == EXIT_SUCCESS)
    status = EXIT_FAILURE, error = unwritten, length = strlen(unwritten);
  fflush(NULL);
  if (error) bind_link_send(&to_parent, BIND_LINK_ERROR, error, length, LAST_SECONDS, NULL);
  _exit(status);
}

/* os.exit([code]) of a child: nothing of the parent's is closed. */
static int child_exit(lua_State *L) {
  int status = EXIT_SUCCESS;
  if (lua_isboolean(L, 1))
    status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
  else
    status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  end(status, NULL, 0);
}

/* By the outcome of the call, whose error is on top of the stack. */
static _Noreturn void end_by(lua_State *L, int outcome) {
  size_t length = 0;
  if (outcome == LUA_OK) end(EXIT_SUCCESS, NULL, 0);
  int status = bind_signal_error_status(L, -1);
  const char *text = lua_tolstring(L, -1, &length);
  if (!text) text = "(error object is not a string)", length = strlen(text);
  end(status ? status : EXIT_FAILURE, text, length);
}

/* ---- the child's beginning ---- */

static void read_nothing(void) {
  int fd = open("/dev/null", O_RDONLY);
  if (fd > STDIN_FILENO) {
    dup2(fd, STDIN_FILENO);
    close(fd);
  }
  __fpurge(stdin);
  clearerr(stdin);
}

/* What is left in the buffers could not be written and is the parent's to complain of. */
static void forget_output(lua_State *L) {
  __fpurge(stdout);
  __fpurge(stderr);
  bind_capture_forget_parent(L);
  clearerr(stdout);
  clearerr(stderr);
}

/* The parent may have died before the system knew that we want to be told. */
static void die_with(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(128 + SIGTERM);
}

static void become_child(lua_State *L, pid_t parent, const bind_link *link) {
  setpgid(0, 0);
  die_with(parent);
  bind_jobs_forget_parent();
  bind_link_close(&to_parent);
  to_parent = *link;
  read_nothing();
  forget_output(L);
  bind_signal_forget_parent(L);
}

static void run_hooks(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key) == LUA_TTABLE)
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
      lua_rawgeti(L, -1, i);
      lua_call(L, 0, 0);
    }
  lua_pop(L, 1);
}

static void replace_exit(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_OSLIBNAME) == LUA_TTABLE) {
    lua_pushcfunction(L, child_exit);
    lua_setfield(L, -2, "exit");
  }
  lua_pop(L, 2);
}

/* body(f, send), guarded and with the signals still blocked */
static int child_body(lua_State *L) {
  bnn_err err;
  bind_signal_restore(&program_mask);
  run_hooks(L);
  replace_exit(L);
  bind_check(L, bnn_context_set_threads(bind_context(L), 1, &err), &err);
  lua_call(L, 1, 0);
  return 0;
}

/* ---- sending ---- */

/* send(text [, seconds]); upvalue: the process that it was made for, as bnn_forks counts them */
static int child_send(lua_State *L) {
  bnn_err err;
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  double seconds = luaL_optnumber(L, 2, SEND_SECONDS);
  bind_argcheck(L, seconds >= 0, 2, "expected seconds from 0");
  if (lua_tointeger(L, lua_upvalueindex(1)) != (lua_Integer)bnn_forks())
    return bind_error(L, "send: only the child that it was made for may send");
  bnn_status status = bind_link_send(&to_parent, BIND_LINK_MESSAGE, text, length, seconds, &err);
  if (status != BNN_OK && status != BNN_EIO) bind_check(L, status, &err);
  if (status != BNN_OK) return bind_refuse_with(L, "send: %s", err.text);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- Lua ---- */

/* Pushes all that the child calls. */
static void push_call(lua_State *L) {
  lua_pushcfunction(L, bind_add_traceback);
  lua_pushcfunction(L, bind_signal_guard);
  lua_pushcfunction(L, child_body);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, (lua_Integer)bnn_forks() + 1);
  lua_pushcclosure(L, child_send, 1);
}

/* fork(f) */
static int core_fork(lua_State *L) {
  bind_link link;
  sigset_t before;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  push_call(L);
  int reason = bind_jobs_push(L, &link); /* from here on nothing raises: the link is a local's */
  if (reason != 0) return bind_refuse_with(L, "a process: %s", strerror(reason));
  fflush(NULL);
  pid_t parent = getpid();
  bind_signal_block(&before);
  program_mask = before;
  pid_t pid = fork();
  reason = errno;
  if (pid == 0) {
    become_child(L, parent, &link);
    lua_pop(L, 1);
    end_by(L, lua_pcall(L, 3, 0, 2));
  }
  if (pid > 0) bind_jobs_started(L, pid);
  bind_signal_restore(&before);
  bind_link_close(&link);
  if (pid > 0) return 1;
  return bind_refuse_with(L, "a process: %s", strerror(reason));
}

/* on_fork(f) */
static int core_on_fork(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
    lua_replace(L, 2);
  }
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
  return 0;
}

static const bind_row rows[] = {
    {"fork", core_fork,
     "fork(f): runs f(send) in a child process, which has all that this one has loaded\n"
     "The child has one thread unless it asks for more, reads nothing, leads a process group, and "
     "gets\n"
     "SIGTERM when this process ends. It ends when f does, with status 0; if f raises, with the "
     "error\n"
     "and status 1, or that of the interrupt. send(text [, seconds]) gives a text to "
     "core.wait_jobs;\n"
     "true, or nil, message if the parent is gone or has not read for so long (30).\n"
     "Returns a job at once, which kills its process when it is collected; or nil, message."},
    {"on_fork", core_on_fork,
     "on_fork(f): f() is called in each child that core.fork makes, before its function"},
    {NULL, NULL, NULL},
};

void bind_open_fork(lua_State *L) { bind_register(L, "bnn.core.", rows); }
