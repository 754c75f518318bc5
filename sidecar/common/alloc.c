/* Memory that is there or the program is not. */
#include "alloc.h"

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
alloc_array(size_t count, size_t size)
{
    return must(reallocarray(NULL, count, size));
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
alloc_vformat(const char *format, va_list args)
{
    char *text = NULL;

    return must(vasprintf(&text, format, args) < 0 ? NULL : text);
}

char *
alloc_format(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    text = alloc_vformat(format, args);
    va_end(args);
    return text;
}
