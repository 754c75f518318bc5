/*
 * What every transport hands to the application and takes back: a request as
 * a list of parameters, a response as status, header lines and body. FastCGI
 * and SCGI requests and syslog events all arrive in this one shape.
 */
#ifndef FCGI_MESSAGE_H
#define FCGI_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buffer.h"

/* A name and a value, both NUL-terminated and owned by the transport. */
struct param {
    const char *name;
    const char *value;
    size_t name_len;
};

enum {
    REQUEST_PARAMS_MAX = 256 /* parameters beyond this are refused */
};

struct request {
    struct param params[REQUEST_PARAMS_MAX];
    size_t param_count;
    uint64_t body_bytes; /* body bytes counted and thrown away so far */
    bool body_complete;  /* the peer has sent the whole body */
};

struct response {
    int status;           /* HTTP status code */
    struct buffer header; /* complete lines, each ending in CR LF */
    struct buffer body;
    bool header_only; /* answer to HEAD: send the length, not the body */
};

/*
 * The application. Its functions are called on I/O threads, concurrently for
 * different requests, and must not block; none may keep the pointers.
 */
struct handler {
    /*
     * Optional. A body announced by the parameters has begun (body_bytes 0)
     * or grown; respond() follows once it is complete. A request whose peer
     * goes away in mid-body is never responded to. To return true when it has
     * begun asks for respond() at once, where the protocol can: nginx
     * announces a body in SCGI also where it then sends none.
     */
    bool (*body)(void *context, const struct request *request);
    /* Fills the response, which arrives empty, with status 200. */
    void (*respond)(void *context, const struct request *request,
                    struct response *response);
    /*
     * Optional. These are what respond() is called for next on this thread, so
     * that what they have in common can be done at once; afterwards it is
     * called with a count of 0.
     */
    void (*together)(void *context, const struct request *const *requests,
                     size_t count);
    void *context;
};

/* Makes a request without parameters and without a body. */
void request_init(struct request *request);

/* Adds a parameter. Returns -1 when the request is full. */
int request_add(struct request *request, const char *name, const char *value)
    __attribute__((warn_unused_result));

/* The same where the length of the name is known. */
int request_add_named(struct request *request, const char *name,
                      size_t name_len, const char *value)
    __attribute__((warn_unused_result));

/* The value of a parameter, whose name is len bytes long, or "". */
const char *request_param_named(const struct request *request, const char *name,
                                size_t len);

/* The value of a parameter, or "" when it is missing. */
static inline const char *
request_param(const struct request *request, const char *name)
{
    return request_param_named(request, name, strlen(name));
}

/* Appends "name: value" CR LF to the header lines. */
void response_header(struct response *response, const char *name,
                     const char *value);

/* Appends header lines as they are, each ending in CR LF. */
void response_header_lines(struct response *response, const char *lines);

/* Writes the response in CGI form (RFC 3875, section 6) to out. */
void response_render(const struct response *response, struct buffer *out);

void response_release(struct response *response);

#endif
