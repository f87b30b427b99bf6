/* bind_print.c - tostring(x): type, shape and elements in columns; of a large tensor the corners.
 *
 * At most EDGE rows and columns at each end are shown of a matrix, and SLICES matrices of what has
 * more axes, so that no print floods a terminal. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/bind.h"
#include "base/number.h"
#include "bind_map.h"
#include "bind_tensor.h"
#include "bind_tracer.h"

enum { EDGE = 5, SLICES = 2, NUMBER_SIZE = 40 };
static const double LEAST = 1e-4; /* but 0: the least that four decimals show a digit of */

/* The tensor as matrices [rows, cols], and how its numbers are written. */
typedef struct page {
  const bnn_tensor *t;
  size_t slices, rows, cols;
  size_t edge;      /* columns shown at each end */
  bool exponential; /* some are too large or too small for four decimals, or all very small */
  int width;
} page;

static bool is_float(const bnn_tensor *t) { return t->dtype == BNN_F32 || t->dtype == BNN_F64; }

static int write_number(char text[NUMBER_SIZE], const page *p, size_t i) {
  double v = bnn_tensor_get(p->t, i);
  int width = p->width;
  if (p->t->dtype == BNN_U64)
    return snprintf(text, NUMBER_SIZE, "%*llu", width,
                    (unsigned long long)bnn_tensor_get_int(p->t, i));
  if (!is_float(p->t))
    return snprintf(text, NUMBER_SIZE, "%*lld", width, (long long)bnn_tensor_get_int(p->t, i));
  if (isnan(v)) return snprintf(text, NUMBER_SIZE, "%*s", width, "nan"); /* never "-nan" */
  return p->exponential ? bnn_format(text, NUMBER_SIZE, "%*.4e", width, v)
                        : bnn_format(text, NUMBER_SIZE, "%*.4f", width, v);
}

/* The position shown after k along an axis with n: behind the first `edge` come the last ones. */
static size_t next_shown(size_t k, size_t n, size_t edge) {
  return n > 2 * edge && k + 1 == edge ? n - edge : k + 1;
}

static bool jumps(size_t k, size_t n, size_t edge) { return next_shown(k, n, edge) != k + 1; }

static size_t slices_shown(const page *p) { return p->slices < SLICES ? p->slices : SLICES; }

typedef void visit(page *p, size_t i, void *data);

static void each_shown(page *p, visit *f, void *data) {
  for (size_t s = 0; s < slices_shown(p); s++)
    for (size_t r = 0; r < p->rows; r = next_shown(r, p->rows, EDGE))
      for (size_t c = 0; c < p->cols; c = next_shown(c, p->cols, p->edge))
        f(p, (s * p->rows + r) * p->cols + c, data);
}

static void find_extremes(page *p, size_t i, void *data) {
  double v = fabs(bnn_tensor_get(p->t, i)), *extreme = data;
  if (!isfinite(v) || v == 0) return;
  if (v < extreme[0]) extreme[0] = v;
  if (v > extreme[1]) extreme[1] = v;
}

static void find_width(page *p, size_t i, void *data) {
  char text[NUMBER_SIZE];
  int *width = data, n = write_number(text, p, i);
  if (n > *width) *width = n;
}

/* Columns at each end, such that a row with `before` characters in front of it fits the line. */
static size_t edge_of(const page *p, int width, size_t before, size_t line) {
  size_t edge = EDGE;
  const size_t each = (size_t)width + strlen("  ");
  if (before + p->cols * each <= line) return edge;
  const size_t rest = before + strlen("  ...");
  while (edge > 1 && rest + 2 * edge * each > line) edge--;
  return edge;
}

/* before: characters of the first line in front of the elements, where these are on it. */
static page make_page(const bnn_tensor *t, size_t before, size_t line) {
  page p = {.t = t, .slices = 1, .rows = 1, .cols = 1, .edge = EDGE};
  for (int k = 0; k < t->rank - 2; k++) p.slices *= t->dim[k];
  if (t->rank > 1) p.rows = t->dim[t->rank - 2];
  if (t->rank > 0) p.cols = t->dim[t->rank - 1];
  double extreme[2] = {DBL_MAX, 0};
  int width = 0;
  each_shown(&p, find_extremes, extreme);
  p.exponential = extreme[1] > 0 && (extreme[1] >= 1e5 || extreme[1] < 1e-3 || extreme[0] < LEAST);
  each_shown(&p, find_width, &width);
  p.edge = edge_of(&p, width, t->rank > 1 ? 0 : before, line);
  p.width = t->rank > 1 ? width : 0; /* columns only where there are rows */
  return p;
}

static void add_row(luaL_Buffer *b, const page *p, size_t row) {
  char text[NUMBER_SIZE];
  for (size_t c = 0; c < p->cols; c = next_shown(c, p->cols, p->edge)) {
    write_number(text, p, row * p->cols + c);
    luaL_addstring(b, c == 0 ? " " : "  ");
    luaL_addstring(b, text);
    if (jumps(c, p->cols, p->edge)) luaL_addstring(b, "  ...");
  }
}

static void add_slice(luaL_Buffer *b, const page *p, size_t slice) {
  for (size_t r = 0; r < p->rows; r = next_shown(r, p->rows, EDGE)) {
    luaL_addstring(b, "\n");
    add_row(b, p, slice * p->rows + r);
    if (jumps(r, p->rows, EDGE)) luaL_addstring(b, "\n  ...");
  }
}

/* "\n[2, 1, :, :]" */
static void add_slice_name(luaL_Buffer *b, const page *p, size_t slice) {
  char text[BNN_RANK_MAX * 24], place[24];
  text[0] = 0;
  for (int k = p->t->rank - 3; k >= 0; k--) {
    char rest[sizeof text];
    memcpy(rest, text, sizeof text);
    snprintf(place, sizeof place, "%zu, ", slice % p->t->dim[k] + 1);
    snprintf(text, sizeof text, "%.24s%.160s", place, rest);
    slice /= p->t->dim[k];
  }
  luaL_addstring(b, "\n[");
  luaL_addstring(b, text);
  luaL_addstring(b, ":, :]");
}

/* A scalar's digits are those that its type has. */
static void add_scalar(luaL_Buffer *b, const page *p) {
  char text[NUMBER_SIZE];
  if (is_float(p->t) && !isnan(bnn_tensor_get(p->t, 0)))
    bnn_format(text, sizeof text, "%.*g", p->t->dtype == BNN_F32 ? 7 : 15, bnn_tensor_get(p->t, 0));
  else
    write_number(text, p, 0);
  luaL_addstring(b, ": ");
  luaL_addstring(b, text);
}

static void add_elements(luaL_Buffer *b, const page *p) {
  char text[NUMBER_SIZE];
  if (p->t->rank == 1) {
    luaL_addstring(b, ":");
    add_row(b, p, 0);
    return;
  }
  for (size_t s = 0; s < slices_shown(p); s++) {
    if (p->t->rank > 2) add_slice_name(b, p, s);
    add_slice(b, p, s);
  }
  if (p->slices <= SLICES) return;
  snprintf(text, sizeof text, "\n... %zu more", p->slices - SLICES);
  luaL_addstring(b, text);
}

/* In lines of so many characters, as far as two columns fit them. */
static int print_tensor(lua_State *L, const bnn_tensor *t, size_t line) {
  luaL_Buffer b;
  char head[sizeof(bnn_shape_text) + 32];
  snprintf(head, sizeof head, "tensor %s %s", bnn_dtype_name(t->dtype), BNN_SHAPE(t));
  page p = make_page(t, strlen(head) + strlen(":"), line);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, head);
  if (t->rank == 0)
    add_scalar(&b, &p);
  else if (t->size > 0)
    add_elements(&b, &p);
  luaL_pushresult(&b);
  return 1;
}

/* Never raises for a tracer or a closed tensor, so that print can be used while looking for a
 * fault.  (For a mapped file that has changed it does: there is nothing to show.) */
int bind_tensor_print(lua_State *L) {
  bind_tensor *box = luaL_checkudata(L, 1, BIND_TENSOR);
  bind_check_map(L, box->t);
  if (box->t) return print_tensor(L, box->t, SIZE_MAX);
  lua_getiuservalue(L, 1, 1);
  const bind_recording *p = lua_touserdata(L, -1);
  if (!box->program) {
    lua_pushstring(L, "tensor (closed)");
  } else if (!p->is_open) {
    lua_pushstring(L, "tensor of a recording that has ended");
  } else {
    const bnn_shape *shape = bnn_program_shape(p->program, box->node);
    lua_pushfstring(L, "tensor %s %s, being recorded", bnn_dtype_name(shape->dtype),
                    bnn_shape_print(shape->rank, shape->dim).s);
  }
  return 1;
}

int bind_tensor_print_in(lua_State *L) {
  bind_tensor *box = luaL_checkudata(L, 1, BIND_TENSOR);
  const lua_Integer line = luaL_checkinteger(L, 2);
  luaL_argcheck(L, line > 0, 2, "expected a number of characters");
  if (!box->t) return bind_tensor_print(L);
  bind_check_map(L, box->t);
  return print_tensor(L, box->t, (size_t)line);
}
