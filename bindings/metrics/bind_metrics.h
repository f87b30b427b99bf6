/* bind_metrics.h - metrics of predictions, and their bootstrap. */
#ifndef BIND_METRICS_H
#define BIND_METRICS_H

#include <lua.h>

void bind_open_metrics(lua_State *L);

#endif
