/* The configuration: loading, defaults, inheritance, locations. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "directives.h"
#include "paths.h"

const char config_default_listens[] =
    "listen unix:" RUNDIR "/fastcgi.sock fastcgi;\n"
    "listen unix:" RUNDIR "/scgi.sock scgi;\n"
    "listen " EVENT_ADDRESS " syslog;\n";

const char config_default_zones[] = "upload_progress uploads 16m;\n"
                                    "track_uploads uploads 60s;\n";

/* Each output under a URI of its own, for the first zone. */
const char config_default_locations[] =
    "location / { }\n"
    "location = /progress/jsonp { upload_progress_jsonp_output; }\n"
    "location = /progress/java { upload_progress_java_output; }\n"
    "location = /progress/xml { upload_progress_xml_output; }\n"
    "location = /progress/detail { upload_progress_detail_output; }\n";

enum {
    FILE_BYTES_MAX = 16 << 20,
    TTL_DEFAULT_MS = 60000,
};

struct loading {
    struct config *config;
    struct location_config *location; /* whose block is open, or main */
    bool seen[64];                    /* by index in the table of directives */
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
    unsigned context = loading->location == &loading->config->main
                           ? CONTEXT_MAIN
                           : CONTEXT_LOCATION;
    int args = statement->count - 1;

    if ((directive->contexts & context) == 0) {
        return refuse(statement, "is not allowed here", NULL);
    }
    if (statement->block && !directive->block) {
        return config_message(statement,
                              "directive \"%s\" is not terminated "
                              "by \";\"",
                              statement->args[0]);
    }
    if (!statement->block && directive->block) {
        return config_message(statement,
                              "directive \"%s\" has no opening \"{\"",
                              statement->args[0]);
    }
    if (args < directive->args_min || args > directive->args_max) {
        return config_message(statement,
                              "invalid number of arguments in \"%s\" directive",
                              statement->args[0]);
    }
    return NULL;
}

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
    if (!directive->repeatable && directive->contexts == CONTEXT_MAIN) {
        bool *seen = &loading->seen[directive - directives];

        if (*seen) {
            return refuse(statement, "is duplicate", NULL);
        }
        *seen = true;
    }
    error = directive->set(loading->config, loading->location, directive,
                           statement, &detail);
    if (error != NULL) {
        return refuse(statement, error, detail);
    }
    if (statement->block) {
        loading->location = loading->config->locations;
        while (loading->location->next != NULL) {
            loading->location = loading->location->next;
        }
    }
    return NULL;
}

static char *
close_block(void *context)
{
    struct loading *loading = context;

    loading->location = &loading->config->main;
    return NULL;
}

static char *
parse_text(struct loading *loading, const char *file, const char *text)
{
    struct config_visitor visitor = { take_directive, close_block, loading };

    loading->location = &loading->config->main;
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

static void
inherit_text(char **own, const char *from)
{
    if (*own == NULL) {
        *own = alloc_string(from);
    }
}

/* A location's own text, else that of its output, else what it inherits. */
static void
complete_template(struct location_config *location,
                  const struct location_config *from, int state)
{
    const struct output *output =
        location->output != NULL ? location->output : from->output;
    const char *text;
    char *unknown = NULL;

    assert(output != NULL); /* the top level has one at least */
    text = output->templates[state];
    if (location->output == NULL && from->texts[state] != NULL) {
        text = from->texts[state];
    }
    if (location->texts[state] != NULL) {
        text = location->texts[state];
    }
    if (text != NULL) {
        location->templates[state] = template_compile(text, &unknown);
    }
}

static void
complete(struct location_config *location, const struct location_config *from)
{
    inherit_text(&location->zone, from->zone);
    inherit_text(&location->header, from->header);
    inherit_text(&location->jsonp_parameter, from->jsonp_parameter);
    for (int state = 0; state < UPLOAD_STATES; state++) {
        complete_template(location, from, state);
    }
    if (location->output != NULL) {
        inherit_text(&location->content_type, location->output->content_type);
    } else if (from->content_type != NULL) {
        inherit_text(&location->content_type, from->content_type);
    }
    if (location->output == NULL) {
        location->output = from->output;
    }
    inherit_text(&location->content_type, location->output->content_type);
}

static void
finish(struct loading *loading)
{
    struct config *config = loading->config;

    if (config->listens == NULL) {
        parse_builtin(loading, config_default_listens);
    }
    if (config->zones == NULL) {
        parse_builtin(loading, config_default_zones);
    }
    if (config->locations == NULL) {
        parse_builtin(loading, config_default_locations);
    }
    set_defaults(loading);
    assert(config->zones != NULL); /* the built-in one at least */
    inherit_text(&config->main.zone, config->zones->name);
    if (config->main.output == NULL) {
        config->main.output = output_find("upload_progress_json_output");
    }
    for (struct zone_config *z = config->zones; z != NULL; z = z->next) {
        z->ttl_ms = z->ttl_ms ? z->ttl_ms : TTL_DEFAULT_MS;
    }
    for (struct location_config *l = config->locations; l; l = l->next) {
        complete(l, &config->main);
    }
    /* Where no location matches, the top level answers. */
    complete(&config->main, &config->main);
}

/* Reads a whole file. Returns NULL with errno set. */
static char *
read_file(const char *file)
{
    FILE *stream = fopen(file, "re");
    char *text = NULL;
    size_t len;
    int error;

    if (stream == NULL) {
        return NULL;
    }
    /* Pages are touched only when used. */
    text = alloc_zeroed(1, FILE_BYTES_MAX + 1);
    errno = 0;
    len = fread(text, 1, FILE_BYTES_MAX + 1, stream);
    error = ferror(stream) ? errno : 0;
    if (error == 0 && len > FILE_BYTES_MAX) {
        error = EFBIG;
    }
    if (error == 0 && memchr(text, '\0', len) != NULL) {
        error = EILSEQ;
    }
    fclose(stream);
    if (error != 0) {
        free(text);
        errno = error;
        return NULL;
    }
    text[len] = '\0';
    return text;
}

struct config *
config_load(const char *file, char **message)
{
    struct config *config = alloc_zeroed(1, sizeof(*config));
    struct loading loading = { .config = config };
    char *text = NULL;

    *message = NULL;
    if (file != NULL) {
        text = read_file(file);
        if (text == NULL) {
            *message = alloc_format("open() \"%s\" failed (%d: %s)", file,
                                    errno, strerrordesc_np(errno));
            config_free(config);
            return NULL;
        }
        *message = parse_text(&loading, file, text);
        free(text);
    }
    if (*message != NULL) {
        config_free(config);
        return NULL;
    }
    finish(&loading);
    return config;
}

static void
release_location(struct location_config *location)
{
    for (int state = 0; state < UPLOAD_STATES; state++) {
        template_free(location->templates[state]);
        free(location->texts[state]);
    }
    free(location->uri);
    free(location->zone);
    free(location->content_type);
    free(location->header);
    free(location->jsonp_parameter);
}

void
config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (struct listen_config *l = config->listens, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    for (struct zone_config *z = config->zones, *next; z; z = next) {
        next = z->next;
        free(z->name);
        free(z);
    }
    for (struct location_config *l = config->locations, *next; l; l = next) {
        next = l->next;
        release_location(l);
        free(l);
    }
    release_location(&config->main);
    free(config->error_log);
    free(config->pid);
    free(config);
}

const struct location_config *
config_location(const struct config *config, const char *uri)
{
    const struct location_config *best = &config->main;
    size_t best_len = 0;

    for (const struct location_config *l = config->locations; l; l = l->next) {
        size_t len = strlen(l->uri);

        if (l->exact && strcmp(l->uri, uri) == 0) {
            return l;
        }
        if (!l->exact && len > best_len && strncmp(l->uri, uri, len) == 0) {
            best = l;
            best_len = len;
        }
    }
    return best;
}
