/* bind_holder.h - a userdata that owns one pointer of C's while a binding works. */
#ifndef BIND_HOLDER_H
#define BIND_HOLDER_H

#include <lua.h>

/* Pushes a holder, whose __gc and __close give *p, when it is not NULL, to `release`: for what C makes
 * that must outlive calls that may raise.  Returns p; *p is NULL. */
void **bind_push_holder(lua_State *L, void (*release)(void *p));

/* Releases what a holder has at once, rather than when it is collected. */
void bind_empty_holder(void **p);

#endif
