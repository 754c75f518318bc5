/*
 * An nginx configuration as a tree of directives and blocks, with the files it
 * is made of and where in them each stands. Knows only "include". Not
 * thread-safe.
 */
#ifndef SIDECAR_NGINX_BLOCKS_H
#define SIDECAR_NGINX_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "config.h"

struct nginx_node;

/* A change of a file's text. */
struct nginx_edit {
    size_t start; /* offsets; the bytes that are replaced */
    size_t end;
    char *text; /* owned */
    size_t order;
};

/* A file; read once, however often it is included. */
struct nginx_source {
    char *file;
    char *text; /* as it is in the file */
    size_t len;
    int loads;                /* how often it is included */
    struct nginx_node **tops; /* those outside of all blocks of the file */
    size_t top_count;
    struct nginx_edit *edits;
    size_t edit_count;
    struct nginx_source *next; /* in the order of reading */
};

/* A directive. Those of an included file follow the include as siblings. */
struct nginx_node {
    char **args; /* args[0] is the name; without quotes and escapes */
    int count;
    bool block;
    struct nginx_source *source; /* NULL for the root */
    size_t start;                /* offset of its name */
    size_t end;                  /* behind its ';' or '{' */
    size_t close;                /* behind its block's '}', or end */
    int line;                    /* of its name */
    int last_line;               /* of its end, with the block */
    struct nginx_node *parent;   /* NULL for the root */
    struct nginx_node *children;
    struct nginx_node *last_child;
    struct nginx_node *next; /* in the same block */
    /* What import finds out; nothing of it is set here. */
    struct nginx_node *track;      /* the track_uploads that holds here */
    struct nginx_node *access_log; /* the first of those that hold here */
    struct nginx_node *error_log;
    struct nginx_node *dav; /* the dav_methods that holds here */
    bool passes;            /* its requests are passed on, or written by dav */
    bool tracked;           /* uploads to this location are tracked */
    bool reports;  /* this location answers probes, and will go on to */
    bool dropped;  /* server.conf has the same location */
    bool involved; /* this server has tracked or reporting locations */
    bool used;     /* this track_uploads tracks; this log line was told of */
    bool edited;   /* its text was replaced */
};

struct nginx_tree {
    struct nginx_node root; /* has no name */
    struct nginx_source *sources;
    size_t count; /* of directives */
};

/* Where the files of a configuration come from. */
struct nginx_files {
    /* The text of a file, read once for each; as config_read(). */
    char *(*read)(void *context, const char *file, const struct statement *from,
                  char **message);
    /* Calls take for the files that an include names; as config_include(). */
    char *(*include)(void *context, const struct statement *statement,
                     config_file_fn take, void *taker);
    void *context;
};

/*
 * Reads a configuration and its includes; relative ones start from its folder.
 * Lua blocks are there, without what is in them. On failure returns NULL and
 * sets *message, which the caller frees, in nginx's form.
 */
struct nginx_tree *nginx_load(const char *file, char **message);

/* The same with files from elsewhere. */
struct nginx_tree *nginx_load_from(const struct nginx_files *files,
                                   const char *file, char **message);

void nginx_free(struct nginx_tree *tree);

/* The first directive of that name in the block, or NULL. */
struct nginx_node *nginx_child(const struct nginx_node *node, const char *name);

bool nginx_is(const struct nginx_node *node, const char *name);

/* Whether it is the block of a Lua script. */
bool nginx_is_lua(const struct nginx_node *node);

/* Appends a word, with quotes and escapes only where it needs them. */
void nginx_print_word(struct buffer *out, const char *word);

/* Appends name and arguments, without ';' or '{'. */
void nginx_print(struct buffer *out, const struct nginx_node *node);

#endif
