/* The configuration: loading, includes, defaults. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config_routes.h"
#include "directives.h"
#include "paths.h"

const char config_default_listens[] =
    "listen unix:" RUNDIR "/fastcgi.sock fastcgi;\n"
    "listen unix:" RUNDIR "/scgi.sock scgi;\n"
    "listen " EVENT_ADDRESS " syslog;\n";

const char config_default_zone[] = "upload_progress uploads 16m;\n";
const char config_default_track[] = "track_uploads uploads 60s;\n";

/* Each output under a URI of its own, for the first zone. */
const char config_default_locations[] =
    "location / { upload_progress_json_output; }\n"
    "location = /progress/jsonp { upload_progress_jsonp_output; }\n"
    "location = /progress/java { upload_progress_java_output; }\n"
    "location = /progress/xml { upload_progress_xml_output; }\n"
    "location = /progress/detail { upload_progress_detail_output; }\n";

enum {
    FILE_BYTES_MAX = 16 << 20,
    FILE_BYTES_STEP = 16384, /* that are read at a time */
    TTL_DEFAULT_MS = 60000,
};

enum {
    BLOCKS_MAX = 16,   /* blocks within blocks */
    INCLUDES_MAX = 16, /* files within files */
};

/* A block that is open. */
struct open_block {
    enum directive_context context;
    struct location_config *level;
};

/* A zone that was named before it may have been defined. */
struct zone_use {
    char *zone;
    char *message; /* what to say if it is never defined */
    struct zone_use *next;
};

struct loading {
    struct config *config;
    struct open_block blocks[BLOCKS_MAX];
    int depth;             /* of the innermost block */
    int include_depth;     /* of the file that is read */
    const char *folder;    /* that relative file names start from */
    bool seen[64];         /* by index in the table of directives */
    struct zone_use *uses; /* the latest first */
    struct buffer *dump;   /* NULL: not wanted */
};

static char *
refuse(const struct statement *statement, const char *what, char *detail)
{
    char *message = config_message(statement, "\"%s\" directive %s",
                                   statement->args[0], what);

    free(detail);
    return message;
}

static char *
check_form(const struct loading *loading, const struct statement *statement,
           const struct directive *directive)
{
    bool wants_block = directive->block != BLOCK_NONE;
    int args = statement->count - 1;

    if ((directive->contexts & loading->blocks[loading->depth].context) == 0) {
        return refuse(statement, "is not allowed here", NULL);
    }
    if (statement->block && !wants_block) {
        return config_message(statement,
                              "directive \"%s\" is not terminated by \";\"",
                              statement->args[0]);
    }
    if (!statement->block && wants_block) {
        return config_message(statement,
                              "directive \"%s\" has no opening \"{\"",
                              statement->args[0]);
    }
    if (args < directive->args_min || args > directive->args_max) {
        return config_message(statement,
                              "invalid number of arguments in \"%s\" directive",
                              statement->args[0]);
    }
    if (statement->block && loading->depth + 1 == BLOCKS_MAX) {
        return refuse(statement, "is nested too deep", NULL);
    }
    return NULL;
}

/* Zones may be defined after they are named, as in nginx. */
static void
note_zone_use(struct loading *loading, const struct statement *statement)
{
    struct zone_use *use;

    if (strcmp(statement->args[0], "report_uploads") != 0 &&
        strcmp(statement->args[0], "track_uploads") != 0) {
        return;
    }
    use = alloc_zeroed(1, sizeof(*use));
    use->zone = alloc_string(statement->args[1]);
    use->message = config_message(
        statement, "\"%s\" directive names the unknown zone \"%s\"",
        statement->args[0], statement->args[1]);
    use->next = loading->uses;
    loading->uses = use;
}

/* The level that a directive with a block has just added is the last one. */
static void
open_block(struct loading *loading, const struct directive *directive)
{
    const struct open_block *outer = &loading->blocks[loading->depth++];
    struct open_block *inner = &loading->blocks[loading->depth];

    inner->context = CONTEXT_HTTP;
    inner->level = outer->level;
    if (directive->block == BLOCK_LEVEL) {
        inner->level = loading->config->locations;
        while (inner->level->next != NULL) {
            inner->level = inner->level->next;
        }
        inner->context = inner->level->level == LEVEL_SERVER ? CONTEXT_SERVER
                                                             : CONTEXT_LOCATION;
    }
}

/* A word as the parser reads it back. */
static void
dump_word(struct buffer *dump, const char *word)
{
    buffer_append_string(dump, " \"");
    for (const char *p = word; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            buffer_append_string(dump, "\\");
        }
        buffer_append(dump, p, 1);
    }
    buffer_append_string(dump, "\"");
}

static void
dump_statement(const struct loading *loading, const struct statement *statement)
{
    if (loading->dump == NULL) {
        return;
    }
    buffer_printf(loading->dump, "%*s%s", 4 * loading->depth, "",
                  statement->args[0]);
    for (int i = 1; i < statement->count; i++) {
        dump_word(loading->dump, statement->args[i]);
    }
    buffer_append_string(loading->dump, statement->block ? " {\n" : ";\n");
}

static char *include(struct loading *loading,
                     const struct statement *statement);

static char *
take_directive(void *context, const struct statement *statement)
{
    struct loading *loading = context;
    const struct directive *directive = directive_find(statement->args[0]);
    const char *error;
    char *detail = NULL;
    char *message;

    if (directive == NULL) {
        return config_message(statement, "unknown directive \"%s\"",
                              statement->args[0]);
    }
    message = check_form(loading, statement, directive);
    if (message != NULL) {
        return message;
    }
    if (strcmp(directive->name, "include") == 0) {
        return include(loading, statement);
    }
    if (!directive->repeatable && directive->contexts == CONTEXT_MAIN) {
        bool *seen = &loading->seen[directive - directives];

        if (*seen) {
            return refuse(statement, "is duplicate", NULL);
        }
        *seen = true;
    }
    error =
        directive->set(loading->config, loading->blocks[loading->depth].level,
                       directive, statement, &detail);
    if (error != NULL) {
        return refuse(statement, error, detail);
    }
    note_zone_use(loading, statement);
    dump_statement(loading, statement);
    if (statement->block) {
        open_block(loading, directive);
    }
    return NULL;
}

static char *
close_block(void *context)
{
    struct loading *loading = context;

    loading->depth--;
    if (loading->dump != NULL) {
        buffer_printf(loading->dump, "%*s}\n", 4 * loading->depth, "");
    }
    return NULL;
}

static char *
parse_text(struct loading *loading, const char *file, const char *text)
{
    struct config_visitor visitor = { take_directive, close_block, loading };

    return config_parse(file, text, &visitor);
}

/* Our own text: an error in it is a bug. */
static void
parse_builtin(struct loading *loading, const char *text)
{
    char *message = parse_text(loading, "built-in configuration", text);

    if (message != NULL) {
        fprintf(stderr, "%s\n", message);
        abort();
    }
}

/* Gives every directive that was not there its default, by its own setter. */
static void
set_defaults(struct loading *loading)
{
    for (const struct directive *d = directives; d->name != NULL; d++) {
        bool wanted =
            d->default_value != NULL && !loading->seen[d - directives] &&
            (d->contexts == CONTEXT_MAIN ||
             *(char **)((char *)&loading->config->main + d->offset) == NULL);
        char *text;

        if (!wanted) {
            continue;
        }
        text = alloc_format("%s %s;", d->name, d->default_value);
        parse_builtin(loading, text);
        free(text);
    }
}

/* Returns the message of the first use of an unknown zone, or NULL. */
static char *
check_zone_uses(struct loading *loading)
{
    char *message = NULL;

    for (struct zone_use *use = loading->uses, *next; use; use = next) {
        next = use->next;
        if (config_zone(loading->config, use->zone) == NULL) {
            free(message); /* an earlier one is the one to tell */
            message = use->message;
        } else {
            free(use->message);
        }
        free(use->zone);
        free(use);
    }
    loading->uses = NULL;
    return message;
}

/* Of log lines from other hosts the key alone tells whose they are. */
static char *
check_unkeyed(const struct config *config)
{
    for (const struct listen_config *l = config->listens; l; l = l->next) {
        if (l->unkeyed != NULL && config->key == NULL) {
            return alloc_string(l->unkeyed);
        }
    }
    return NULL;
}

/* How long a zone keeps what is tracked in it by default: its first track. */
static void
set_ttl(struct config *config, const struct location_config *level)
{
    for (const struct track_config *t = level->tracks; t; t = t->next) {
        struct zone_config *zone = config_zone(config, t->zone);

        if (zone != NULL && zone->ttl_ms == 0) {
            zone->ttl_ms = t->ttl_ms;
        }
    }
}

static void
set_ttls(struct config *config)
{
    set_ttl(config, &config->main);
    for (struct location_config *l = config->locations; l; l = l->next) {
        set_ttl(config, l);
    }
    for (struct zone_config *z = config->zones; z != NULL; z = z->next) {
        z->ttl_ms = z->ttl_ms ? z->ttl_ms : TTL_DEFAULT_MS;
    }
}

/* As a directive, so that -T prints it, too. */
static void
report_first_zone(struct loading *loading)
{
    struct buffer text = BUFFER_INIT;

    buffer_append_string(&text, "report_uploads");
    dump_word(&text, loading->config->zones->name);
    buffer_append(&text, ";", 2); /* and its NUL */
    parse_builtin(loading, text.data);
    buffer_release(&text);
}

/* What the built-in configuration adds where the file has nothing. */
static char *
finish(struct loading *loading)
{
    struct config *config = loading->config;
    char *message;

    if (config->listens == NULL) {
        parse_builtin(loading, config_default_listens);
    }
    if (config->zones == NULL) {
        parse_builtin(loading, config_default_zone);
        if (config->main.tracks == NULL) {
            parse_builtin(loading, config_default_track);
        }
    }
    assert(config->zones != NULL);
    message = check_zone_uses(loading);
    if (message == NULL) {
        message = check_unkeyed(config);
    }
    if (message != NULL) {
        return message;
    }
    if (config->locations == NULL) {
        if (config->main.zone == NULL) {
            report_first_zone(loading);
        }
        parse_builtin(loading, config_default_locations);
    }
    set_defaults(loading);
    if (config->main.output == NULL) {
        config->main.output = &output_default;
    }
    set_ttls(config);
    config_inherit(config);
    config->routes = config_routes_new(config);
    return NULL;
}

/* Reads a whole file, to be freed. Returns NULL with errno set. */
static char *
read_file(const char *file)
{
    FILE *stream = fopen(file, "re");
    struct buffer text = BUFFER_INIT;
    size_t got;
    int error;

    if (stream == NULL) {
        return NULL;
    }
    errno = 0;
    do {
        buffer_reserve(&text, FILE_BYTES_STEP + 1);
        got = fread(text.data + text.len, 1, FILE_BYTES_STEP, stream);
        text.len += got;
    } while (got == FILE_BYTES_STEP && text.len <= FILE_BYTES_MAX);
    error = ferror(stream) ? errno : 0;
    if (error == 0 && text.len > FILE_BYTES_MAX) {
        error = EFBIG;
    }
    if (error == 0 && memchr(text.data, '\0', text.len) != NULL) {
        error = EILSEQ;
    }
    fclose(stream);
    if (error != 0) {
        buffer_release(&text);
        errno = error;
        return NULL;
    }
    text.data[text.len] = '\0';
    return text.data;
}

char *
config_read(const char *file, const struct statement *from, char **message)
{
    char *text = read_file(file);
    char *plain;

    if (text != NULL) {
        return text;
    }
    *message = alloc_format("open() \"%s\" failed (%d: %s)", file, errno,
                            strerrordesc_np(errno));
    if (from != NULL) {
        plain = *message;
        *message = config_message(from, "%s", plain);
        free(plain);
    }
    return NULL;
}

static char *
parse_file(void *context, const char *file, const struct statement *from)
{
    char *message = NULL;
    char *text = config_read(file, from, &message);

    if (text != NULL) {
        message = parse_text(context, file, text);
        free(text);
    }
    return message;
}

/* A pattern may match nothing; a plain name must be there. */
char *
config_include(const char *folder, const struct statement *statement,
               config_file_fn take, void *context)
{
    const char *pattern = statement->args[1];
    char *path = pattern[0] == '/' ? alloc_string(pattern)
                                   : alloc_format("%s/%s", folder, pattern);
    glob_t found = { .gl_pathc = 0 };
    char *message = NULL;

    if (strpbrk(path, "*?[") == NULL) {
        message = take(context, path, statement);
        /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    } else if (glob(path, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && message == NULL; i++) {
            message = take(context, found.gl_pathv[i], statement);
        }
    }
    globfree(&found);
    free(path);
    return message;
}

static char *
include(struct loading *loading, const struct statement *statement)
{
    char *message;

    if (loading->include_depth == INCLUDES_MAX) {
        return refuse(statement, "is nested too deep", NULL);
    }
    loading->include_depth++;
    message = config_include(loading->folder, statement, parse_file, loading);
    loading->include_depth--;
    return message;
}

char *
config_folder(const char *file)
{
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;

    if (slash == NULL) {
        return alloc_string(".");
    }
    return slash == file ? alloc_string("/")
                         : alloc_copy(file, (size_t)(slash - file));
}

struct config *
config_load_dump(const char *file, const char *globals, struct buffer *dump,
                 char **message)
{
    struct config *config = alloc_zeroed(1, sizeof(*config));
    char *folder = config_folder(file);
    struct loading loading = { .config = config,
                               .folder = folder,
                               .dump = dump };

    loading.blocks[0].context = CONTEXT_MAIN;
    loading.blocks[0].level = &config->main;
    *message = NULL;
    if (globals != NULL) {
        *message = parse_text(&loading, "command line", globals);
    }
    if (*message == NULL && file != NULL) {
        *message = parse_file(&loading, file, NULL);
    }
    if (*message == NULL) {
        *message = finish(&loading);
    }
    free(check_zone_uses(&loading));
    free(folder);
    if (*message != NULL) {
        config_free(config);
        return NULL;
    }
    return config;
}

struct config *
config_load(const char *file, const char *globals, char **message)
{
    return config_load_dump(file, globals, NULL, message);
}

void
config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (struct listen_config *l = config->listens, *next; l; l = next) {
        next = l->next;
        free(l->unkeyed);
        free(l);
    }
    for (struct zone_config *z = config->zones, *next; z; z = next) {
        next = z->next;
        free(z->name);
        free(z);
    }
    for (struct location_config *l = config->locations, *next; l; l = next) {
        next = l->next;
        config_release_location(l);
        free(l);
    }
    config_release_location(&config->main);
    config_routes_free(config->routes);
    free(config->error_log);
    free(config->pid);
    free(config->state_file);
    free(config->user);
    free(config->group);
    free(config->key);
    free(config);
}
