/* What a site has for nginx-upload-progress-module, for upload-progressd. */
#ifndef SIDECAR_IMPORT_H
#define SIDECAR_IMPORT_H

enum import_status {
    IMPORT_DONE = 0,    /* all was moved */
    IMPORT_FAILED = 1,  /* the file cannot be read, or has no such directives */
    IMPORT_PARTIAL = 2, /* something needs a person, and was named */
};

/*
 * Reads an nginx configuration and prints upload-progressd.conf and the changed
 * parts of nginx's files to standard output, what needs a person also to
 * standard error. Returns the exit status.
 */
enum import_status import_run(const char *file);

#endif
