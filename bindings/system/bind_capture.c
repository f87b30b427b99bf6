/* bind_capture.c - what this program writes to standard output or standard error, copied into a file.
 *
 * The C library's stream is replaced by one whose every write goes to the descriptor, as before, and
 * then to the file: no thread, no other process, and what was written before a kill is in the file.
 * A write to the descriptor that fails is the stream's error, as ever; a file that takes no more (a
 * full disk) ends the copy and nothing else.  Programs that this one starts are not copied. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fopencookie */
#endif
#include "bind_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"

typedef struct capture {
  int fd;       /* the stream's own */
  int copy;     /* the file; -1: not captured */
  int failed;   /* why the copy ended, as errno has it; 0: it did not */
  FILE *before; /* the stream that ours replaces */
} capture;

/* The streams are the process's, and so is what copies them. */
static capture captures[] = {{STDOUT_FILENO, -1, 0, NULL}, {STDERR_FILENO, -1, 0, NULL}};
static const char *const names[] = {"stdout", "stderr", NULL};

static FILE **stream_of(const capture *c) { return c->fd == STDOUT_FILENO ? &stdout : &stderr; }

static void copy_all(capture *c, const char *p, size_t n) {
  while (n > 0 && c->failed == 0) {
    ssize_t wrote = write(c->copy, p, n);
    if (wrote < 0 && errno != EINTR) c->failed = errno;
    if (wrote > 0) p += wrote, n -= (size_t)wrote;
  }
}

/* 0: an error, as fopencookie has it. */
static ssize_t write_both(void *cookie, const char *p, size_t n) {
  capture *c = cookie;
  ssize_t wrote = write(c->fd, p, n);
  int number = errno;
  if (wrote > 0) copy_all(c, p, (size_t)wrote);
  errno = number;
  return wrote > 0 ? wrote : 0;
}

/* io.stdout or io.stderr writes to f from now on. */
static void set_lua_stream(lua_State *L, const char *name, FILE *f) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_IOLIBNAME) == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    luaL_Stream *s = luaL_testudata(L, -1, LUA_FILEHANDLE);
    if (s && s->closef) s->f = f;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

static FILE *open_stream(capture *c) {
  cookie_io_functions_t io = {.write = write_both};
  FILE *f = fopencookie(c, "w", io);
  int mode = c->fd == STDERR_FILENO ? _IONBF : isatty(c->fd) ? _IOLBF : _IOFBF;
  if (f) setvbuf(f, NULL, mode, BUFSIZ);
  return f;
}

/* redirect(stream [, path]) */
static int core_redirect(lua_State *L) {
  int which = luaL_checkoption(L, 1, NULL, names);
  const char *path = lua_isnoneornil(L, 2) ? "/dev/null" : bind_check_path(L, 2);
  FILE *stream = *stream_of(&captures[which]);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return bind_refuse_path(L, path, errno);
  fflush(stream);
  int made = dup2(fd, captures[which].fd), number = errno;
  close(fd);
  if (made < 0) return bind_refuse_path(L, path, number);
  if (captures[which].fd == STDOUT_FILENO) setvbuf(stream, NULL, _IOLBF, BUFSIZ);
  lua_pushboolean(L, true);
  return 1;
}

/* capture(stream, path) */
static int core_capture(lua_State *L) {
  int which = luaL_checkoption(L, 1, NULL, names);
  capture *c = &captures[which];
  const char *path = bind_check_path(L, 2);
  bind_argcheck(L, c->copy < 0, 1, "is captured already");
  FILE **stream = stream_of(c);
  c->copy = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (c->copy < 0) return bind_refuse_path(L, path, errno);
  fflush(*stream);
  FILE *f = open_stream(c);
  if (!f) {
    close(c->copy);
    c->copy = -1;
    return bind_refuse_path(L, path, ENOMEM);
  }
  c->failed = 0;
  c->before = *stream;
  *stream = f;
  set_lua_stream(L, names[which], f);
  lua_pushboolean(L, true);
  return 1;
}

/* Puts the stream back that was there before. */
static void restore(lua_State *L, int which) {
  capture *c = &captures[which];
  FILE **stream = stream_of(c), *ours = *stream;
  set_lua_stream(L, names[which], c->before);
  *stream = c->before;
  fclose(ours);
  close(c->copy);
  c->copy = -1;
}

void bind_capture_forget_parent(lua_State *L) {
  for (int which = 0; names[which]; which++)
    if (captures[which].copy >= 0) restore(L, which);
}

/* capture_end(stream) */
static int core_capture_end(lua_State *L) {
  int which = luaL_checkoption(L, 1, NULL, names);
  capture *c = &captures[which];
  if (c->copy < 0) return lua_pushboolean(L, true), 1;
  FILE **stream = stream_of(c), *ours = *stream;
  bool could_write = fflush(ours) == 0 && !ferror(ours);
  restore(L, which);
  /* What our stream could not write must not be forgotten: the old one meets the same descriptor. */
  if (!could_write && c->fd == STDOUT_FILENO) fputc('\n', *stream);
  if (c->failed) return bind_refuse_with(L, "%s", strerror(c->failed));
  lua_pushboolean(L, true);
  return 1;
}

static const bind_row rows[] = {
    {"capture", core_capture,
     "capture(stream, path): copies what is written to \"stdout\" or \"stderr\" to the end of a file "
     "as well\n"
     "Returns true; or nil, message if the file cannot be opened. Raises if the stream is captured."},
    {"capture_end", core_capture_end,
     "capture_end(stream): ends the copy; true, or nil, message if the file took no more"},
    {"redirect", core_redirect,
     "redirect(stream [, path]): what is written to \"stdout\" or \"stderr\" goes to the end of a "
     "file, line by line,\n"
     "or nowhere, also that of programs which are started; true, or nil, message"},
    {NULL, NULL, NULL},
};

void bind_open_capture(lua_State *L) { bind_register(L, "bnn.core.", rows); }
