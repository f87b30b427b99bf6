/* bind_tracer.c - see bind_tracer.h. */
#include "bind_tracer.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "bind_tensor.h"

void bind_push_tracer(lua_State *L, int program_index, int node) {
  program_index = lua_absindex(L, program_index);
  const bind_recording *p = lua_touserdata(L, program_index);
  bind_push_tensor(L);
  bind_tensor *box = lua_touserdata(L, -1);
  lua_pushvalue(L, program_index);
  lua_setiuservalue(L, -2, 1);
  box->program = p->program;
  box->node = node;
}

bind_recording *bind_push_recording(lua_State *L, int index) {
  lua_getiuservalue(L, index, 1);
  bind_recording *p = lua_touserdata(L, -1);
  if (!p || !p->is_open) bind_error(L, "this value belongs to a recording that has ended");
  return p;
}

int bind_record_nodes(lua_State *L, int program_index, bnn_op_id id, const int *nodes, int n,
                      const bnn_attr *attr) {
  const bind_recording *p = lua_touserdata(L, program_index);
  bnn_err err;
  int node = -1;
  bind_check(L, bnn_program_op(p->program, &node, id, nodes, n, attr, &err), &err);
  return node;
}

int bind_record(lua_State *L, int arg, bnn_op_id id, const bnn_attr *attr) {
  const bind_tensor *box = bind_test_box(L, arg);
  bind_push_recording(L, arg);
  bind_push_tracer(L, -1, bind_record_nodes(L, -1, id, &box->node, 1, attr));
  lua_remove(L, -2);
  return 1;
}

int bind_fail_reading(lua_State *L, const char *what, const char *instead) {
  return bind_error(L,
                    "a value is read while recording: %s needs a number that is only known when "
                    "the program runs; %s",
                    what, instead);
}

/* Raises that the running function reads the tracer at arg. */
static void fail_tracer(lua_State *L, int arg) {
  lua_Debug call;
  bind_push_recording(L, arg); /* a dead tracer has another message */
  bool known = lua_getstack(L, 0, &call) && lua_getinfo(L, "n", &call) && call.name;
  bind_fail_reading(L, lua_pushfstring(L, "'%s'", known ? call.name : "?"),
                    "keep it a tensor (bnn.where(c, a, b) chooses by value), or return it and read "
                    "it outside");
}

void bind_refuse_tracer(lua_State *L, int index) {
  const bind_tensor *box = bind_test_box(L, index);
  if (box && box->program) fail_tracer(L, lua_absindex(L, index));
}
