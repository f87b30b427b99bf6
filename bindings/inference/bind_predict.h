/* bind_predict.h - predictions: running sums over sampled networks. */
#ifndef BIND_PREDICT_H
#define BIND_PREDICT_H

#include <lua.h>

void bind_open_predict(lua_State *L);

#endif
