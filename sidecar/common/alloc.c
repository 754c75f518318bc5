/* Memory that is there or the program is not. */
#include "alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *memory)
{
    if (memory == NULL) {
        fputs("upload-progressd: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *
alloc_zeroed(size_t count, size_t size)
{
    return must(calloc(count, size));
}

void *
alloc_again(void *memory, size_t count, size_t size)
{
    return must(reallocarray(memory, count, size));
}

char *
alloc_copy(const char *text, size_t len)
{
    return must(strndup(text, len));
}

char *
alloc_string(const char *text)
{
    return must(strdup(text));
}

char *
alloc_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    return must(len < 0 ? NULL : text);
}
