/* The output of "nginx -T". */
#include "nginx_dump.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config_parser.h"

static const char marker[] = "# configuration file ";

enum { ATTEMPTS_MAX = 200 };

/* What stands between two lines that look like the start of a file. */
struct part {
    char *name;       /* of the file */
    const char *text; /* in the dump */
    size_t len;
};

struct dump {
    char *folder; /* that relative names start from */
    struct part *parts;
    size_t count;
    size_t next;  /* the first part that was not read */
    bool missing; /* a file is not in the dump */
};

/* The name in a line that starts a file, or NULL; to be freed. */
static char *
read_marker(const char *line, size_t len)
{
    size_t marker_len = sizeof(marker) - 1;

    len -= len > 0 && line[len - 1] == '\r'; /* docker exec -t */
    if (len < marker_len + 2 || memcmp(line, marker, marker_len) != 0 ||
        line[marker_len] != '/' || line[len - 1] != ':') {
        return NULL;
    }
    return alloc_copy(line + marker_len, len - marker_len - 1);
}

static void
split(struct dump *dump, const char *text, size_t len)
{
    const char *end = text + len;

    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *next = newline ? newline + 1 : end;
        char *name =
            read_marker(line, (size_t)((newline ? newline : end) - line));

        if (name != NULL) {
            if ((dump->count & (dump->count - 1)) == 0) {
                dump->parts = alloc_again(dump->parts, dump->count * 2 + 1,
                                          sizeof(struct part));
            }
            dump->parts[dump->count++] = (struct part){ name, next, 0 };
        } else if (dump->count > 0) {
            struct part *part = &dump->parts[dump->count - 1];

            part->len = (size_t)(next - part->text);
        }
        line = next;
    }
}

/* The next part is no file: it goes on with what the part before it has. */
static void
merge_next(struct dump *dump)
{
    struct part *next = &dump->parts[dump->next];
    struct part *part = next - 1;

    part->len = (size_t)(next->text + next->len - part->text);
    free(next->name);
    dump->count--;
    memmove(next, next + 1, (dump->count - dump->next) * sizeof(*next));
}

/* nginx puts a file into its output when it opens it: so the next one is it. */
static char *
read_part(void *context, const char *file, const struct statement *from,
          char **message)
{
    struct dump *dump = context;
    const struct part *part = &dump->parts[dump->next];

    for (size_t i = dump->next; i < dump->count; i++) {
        if (strcmp(dump->parts[i].name, file) != 0) {
            continue;
        }
        if (i > dump->next) {
            *message = alloc_string("");
            return NULL;
        }
        dump->next++;
        return alloc_copy(part->text, part->len);
    }
    dump->missing = true;
    *message = config_message(
        from, "\"%s\" is not in the output of nginx -T, but included", file);
    return NULL;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *
include_matches(struct dump *dump, const char *pattern,
                const struct statement *statement, config_file_fn take,
                void *taker)
{
    char **names = alloc_zeroed(dump->count, sizeof(char *));
    char *message = NULL;
    size_t count = 0;

    for (size_t i = 0; i < dump->count; i++) {
        if (fnmatch(pattern, dump->parts[i].name, FNM_PATHNAME | FNM_PERIOD) ==
            0) {
            names[count++] = dump->parts[i].name;
        }
    }
    qsort(names, count, sizeof(char *), compare_names);
    for (size_t i = 0; i < count && message == NULL; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) {
            message = take(taker, names[i], statement);
        }
    }
    free(names);
    return message;
}

static char *
include_parts(void *context, const struct statement *statement,
              config_file_fn take, void *taker)
{
    struct dump *dump = context;
    const char *name = statement->args[1];
    char *path =
        name[0] == '/'
            ? alloc_string(name)
            : alloc_format("%s/%s",
                           strcmp(dump->folder, "/") != 0 ? dump->folder : "",
                           name);
    char *message = strpbrk(path, "*?[") != NULL
                        ? include_matches(dump, path, statement, take, taker)
                        : take(taker, path, statement);

    free(path);
    return message;
}

/*
 * Reads until every part is either a file that was included or part of the one
 * before it: of a wrong division something is left over, or out of order, or
 * cut off.
 */
static struct nginx_tree *
load_parts(struct dump *dump, char **message)
{
    struct nginx_files files = { read_part, include_parts, dump };
    struct nginx_tree *tree = NULL;

    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        dump->next = 0;
        free(*message);
        *message = NULL;
        tree = nginx_load_from(&files, dump->parts[0].name, message);
        if (dump->next == dump->count || dump->missing) {
            return tree;
        }
        nginx_free(tree);
        merge_next(dump);
    }
    free(*message);
    *message = alloc_string("too many lines of the configuration look like "
                            "the start of a file in the output of nginx -T");
    return NULL;
}

struct nginx_tree *
nginx_dump_load(const char *text, size_t len, char **message)
{
    struct dump dump = { .count = 0 };
    struct nginx_tree *tree = NULL;

    *message = NULL;
    if (len > 0 && memchr(text, '\0', len) != NULL) {
        *message = alloc_string("the output of nginx -T is not text");
        return NULL;
    }
    split(&dump, text, len);
    if (dump.count == 0) {
        *message = alloc_string(
            "no output of nginx -T: no line \"# configuration file ...:\"");
        return NULL;
    }
    dump.folder = config_folder(dump.parts[0].name);
    tree = load_parts(&dump, message);
    for (size_t i = 0; i < dump.count; i++) {
        free(dump.parts[i].name);
    }
    free(dump.parts);
    free(dump.folder);
    return tree;
}
