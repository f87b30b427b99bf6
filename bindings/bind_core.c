/* bind_core.c - see bind_core.h. */
#include "bind_core.h"

#include "base/bind.h"
#include "base/bind_context.h"
#include "base/bind_display.h"
#include "base/bind_error.h"
#include "base/bind_number.h"
#include "base/bind_signal.h"
#include "files/bind_fetch.h"
#include "files/bind_files.h"
#include "files/bind_lock.h"
#include "formats/bind_arrays.h"
#include "formats/bind_idx.h"
#include "formats/bind_json.h"
#include "formats/bind_safetensors.h"
#include "formats/bind_tfevents.h"
#include "gp/bind_gp.h"
#include "images/bind_glyphs.h"
#include "images/bind_images.h"
#include "images/bind_shift.h"
#include "inference/bind_augment.h"
#include "inference/bind_batch.h"
#include "inference/bind_lanes.h"
#include "inference/bind_objective.h"
#include "inference/bind_posterior.h"
#include "inference/bind_predict.h"
#include "inference/bind_rule.h"
#include "metrics/bind_metrics.h"
#include "ops/bind_density.h"
#include "ops/bind_op.h"
#include "program/bind_program.h"
#include "program/bind_scope.h"
#include "program/bind_vmap.h"
#include "store/bind_sql.h"
#include "system/bind_capture.h"
#include "system/bind_fork.h"
#include "system/bind_jobs.h"
#include "system/bind_process.h"
#include "system/bind_settings.h"
#include "system/bind_system.h"
#include "system/bind_terminal.h"
#include "tables/bind_columns.h"
#include "tables/bind_csv.h"
#include "tables/bind_csv_typed.h"
#include "tensor/bind_fingerprint.h"
#include "tensor/bind_key.h"
#include "tensor/bind_make.h"
#include "tensor/bind_map.h"
#include "tensor/bind_tensor.h"

int luaopen_bnn_core(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  bind_open(L);         /* first: the list of docs */
  bind_open_context(L); /* next: the others count their memory in it */
  bind_open_error(L);
  bind_open_display(L);
  bind_open_number(L);
  bind_open_map();
  bind_open_tensor(L);
  bind_open_make(L);
  bind_open_key(L);
  bind_open_fingerprint(L);
  bind_open_system(L);
  bind_open_terminal(L);
  bind_open_settings(L);
  bind_open_process(L);
  bind_open_capture(L);
  bind_open_fork(L);
  bind_open_jobs(L);
  bind_open_sql(L);
  bind_open_fetch(L);
  bind_open_lock(L);
  bind_open_files(L);
  bind_open_glyphs(L);
  bind_open_shift(L);
  bind_open_images(L);
  bind_open_idx(L);
  bind_open_arrays(L);
  bind_open_safetensors(L);
  bind_open_json(L);
  bind_open_tfevents(L);
  bind_open_columns(L);
  bind_open_csv(L);
  bind_open_csv_typed(L);
  bind_open_metrics(L);
  bind_open_gp(L);
  bind_open_op(L);
  bind_open_scope(L);
  bind_open_program(L);
  bind_open_vmap(L);
  bind_open_augment(L);
  bind_open_batch(L);
  bind_open_density(L);
  bind_open_posterior(L);
  bind_open_rule(L);
  bind_open_lanes(L);
  bind_open_objective(L);
  bind_open_predict(L);
  return 1;
}

void bind_preload(lua_State *L, bind_host host, bool env) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_bnn_core);
  lua_setfield(L, -2, "bnn.core");
  lua_pushcfunction(L, luaopen_bnn_signal);
  lua_setfield(L, -2, "bnn.signal");
  lua_pop(L, 1);
  bind_loader_open(L, host, env);
  bind_signal_init(L);
}
