/* bind_fingerprint.h - fingerprints of tensors and texts. */
#ifndef BIND_FINGERPRINT_H
#define BIND_FINGERPRINT_H

#include <lua.h>

void bind_open_fingerprint(lua_State *L);

#endif
