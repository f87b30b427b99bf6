/* sql_text.h - what is read of texts before PostgreSQL's library sees them. */
#ifndef BNN_SQL_TEXT_H
#define BNN_SQL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a URL has a password in it: postgresql://user:password@host/, or a parameter such as
 * ?password=, ?sslpassword=.  What libpq could take for one counts, an empty one among it. */
bool bnn_sql_url_has_password(const char *url);

/* The first statement of a text. */
typedef struct bnn_sql_extent {
  size_t used;    /* bytes, the semicolon and blanks before it among them */
  bool is_empty;  /* nothing but blanks and comments */
  long parameter; /* the highest number of a $1, $2, ...; 0: none */
} bnn_sql_extent;

/* By PostgreSQL's rules: neither a semicolon nor a parameter counts in a string, a name in quotes, a
 * text between $$ or $tag$, or a comment.  What is not closed goes to the end. */
bnn_sql_extent bnn_sql_first_statement(const char *text, size_t n);

#endif
