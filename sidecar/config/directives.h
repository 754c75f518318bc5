/* The table of all configuration directives. */
#ifndef SIDECAR_DIRECTIVES_H
#define SIDECAR_DIRECTIVES_H

#include "config.h"
#include "config_parser.h"

/* Where a directive may stand; http { } counts as main, for all it takes. */
enum directive_context {
    CONTEXT_MAIN = 1,
    CONTEXT_HTTP = 2,
    CONTEXT_SERVER = 4,
    CONTEXT_LOCATION = 8,
};

struct directive;

/*
 * Takes the arguments over into the configuration. location is the level of
 * the block, or &config->main. Returns NULL, or a static text that completes
 * 'directive "x" ...'; in *detail it may put a text to be freed instead.
 */
typedef const char *(*directive_set_fn)(struct config *config,
                                        struct location_config *location,
                                        const struct directive *directive,
                                        const struct statement *statement,
                                        char **detail);

/* What a directive with a block opens. */
enum directive_block {
    BLOCK_NONE,
    BLOCK_HTTP,
    BLOCK_LEVEL, /* the level that set() has just added */
};

struct directive {
    const char *name;
    unsigned contexts;
    int args_min; /* without the name */
    int args_max;
    enum directive_block block;
    bool repeatable;
    directive_set_fn set;
    size_t offset;             /* of the field that set() writes */
    const char *default_value; /* as text, read by set(); NULL for none */
    const char *syntax;        /* of the arguments, for the documentation */
    const char *help;
};

/* All directives; ends with a NULL name. */
extern const struct directive directives[];

const struct directive *directive_find(const char *name);

#endif
