/*
 * FastCGI's parameters and records in memory (FastCGI specification 1.0,
 * sections 3.3 and 3.4). Pure, thread-safe.
 */
#ifndef FCGI_FASTCGI_RECORDS_H
#define FCGI_FASTCGI_RECORDS_H

#include "buffer.h"
#include "message.h"

/*
 * Reads the parameters out of len bytes of a parameter stream, which
 * fastcgi_scan() has passed. The text is appended to text, which has to outlive
 * the request. As libfcgi's users see them: a name ends at its first "=", and
 * what has a NUL in front of that is no parameter.
 */
void fastcgi_read_params(const char *params, size_t len, struct buffer *text,
                         struct request *request);

/* Appends a whole stream: records with that content, and its end. */
void fastcgi_put_stream(struct buffer *out, unsigned type, unsigned id,
                        const char *content, size_t len);

/* Appends one record of at most 65535 bytes. */
void fastcgi_put_record(struct buffer *out, unsigned type, unsigned id,
                        const void *content, size_t len);

#endif
