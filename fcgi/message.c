/* The neutral request and response. */
#include "message.h"

#include <string.h>

enum { LINES_BYTES = 100 }; /* of the status line, the length, an empty line */

void
request_init(struct request *request)
{
    request->param_count = 0; /* the parameters behind it are not looked at */
    request->body_bytes = 0;
    request->body_complete = false;
}

int
request_add_named(struct request *request, const char *name, size_t name_len,
                  const char *value)
{
    struct param *param;

    if (request->param_count == REQUEST_PARAMS_MAX) {
        return -1;
    }
    param = &request->params[request->param_count++];
    param->name = name;
    param->value = value;
    param->name_len = name_len;
    return 0;
}

int
request_add(struct request *request, const char *name, const char *value)
{
    return request_add_named(request, name, strlen(name), value);
}

const char *
request_param_named(const struct request *request, const char *name, size_t len)
{
    for (size_t i = 0; i < request->param_count; i++) {
        const struct param *param = &request->params[i];

        /* One byte tells most of the same length apart. */
        if (param->name_len == len && param->name[len / 2] == name[len / 2] &&
            memcmp(param->name, name, len) == 0) {
            return param->value;
        }
    }
    return "";
}

void
response_header(struct response *response, const char *name, const char *value)
{
    buffer_append_string(&response->header, name);
    buffer_append(&response->header, ": ", 2);
    buffer_append_string(&response->header, value);
    buffer_append(&response->header, "\r\n", 2);
}

void
response_header_lines(struct response *response, const char *lines)
{
    buffer_append_string(&response->header, lines);
}

static const char *
reason(int status)
{
    switch (status) {
    case 200:
        return " OK";
    case 204:
        return " No Content";
    case 304:
        return " Not Modified";
    case 400:
        return " Bad Request";
    case 404:
        return " Not Found";
    case 405:
        return " Method Not Allowed";
    default:
        return "";
    }
}

void
response_render(const struct response *response, struct buffer *out)
{
    buffer_reserve(out,
                   response->header.len + response->body.len + LINES_BYTES);
    buffer_append_string(out, "Status: ");
    buffer_append_number(out, response->status);
    buffer_append_string(out, reason(response->status));
    buffer_append(out, "\r\n", 2);
    buffer_append(out, response->header.data, response->header.len);
    if (response->status != 204 && response->status != 304) {
        buffer_append_string(out, "Content-Length: ");
        buffer_append_number(out, (int64_t)response->body.len);
        buffer_append(out, "\r\n", 2);
    }
    buffer_append(out, "\r\n", 2);
    if (!response->header_only) {
        buffer_append(out, response->body.data, response->body.len);
    }
}

void
response_release(struct response *response)
{
    buffer_release(&response->header);
    buffer_release(&response->body);
}
