/*
 * The identity of an upload's resource: its path as the client sees it, without
 * query and host, normalised so that the Location of a response and the URL of
 * the requests that follow give the same. Pure, thread-safe.
 *
 * As RFC 3986, section 6.2.2 has it: an escape of a letter, a digit or one of
 * "-._~" is decoded; other escapes stay, with upper-case digits; "." and ".."
 * are resolved. What a path may not hold as it is, which browsers encode and
 * others do not, is encoded: spaces, quotes, '%' without two digits behind it,
 * bytes beyond ASCII. Slashes that follow each other stay.
 */
#ifndef SIDECAR_RESOURCE_H
#define SIDECAR_RESOURCE_H

#include <stdbool.h>

#include "upload.h"

enum {
    RESOURCE_PATH_MAX = 1023 /* bytes of a path that is looked at, normalised */
};

/*
 * The identity of the resource that a request with this $request_uri is for.
 * Returns false, and "", if there is no path or none that fits into an ID.
 */
bool resource_of_request(const char *uri, char id[UPLOAD_ID_MAX + 1]);

/*
 * That of an argument of the request: path, "?", name, "=" and the value,
 * normalised like the path. Returns false, and "", without that argument.
 */
bool resource_of_argument(const char *uri, const char *name,
                          char id[UPLOAD_ID_MAX + 1]);

/*
 * The identity of what a URI reference of the response, or in a header of the
 * request, refers to (RFC 3986, section 5). Returns false, and "", if that is
 * not of http or https, or differs from the request's URI by its query alone,
 * so that the path does not tell uploads apart.
 */
bool resource_of_reference(const char *uri, const char *reference,
                           char id[UPLOAD_ID_MAX + 1]);

#endif
