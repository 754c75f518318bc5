/*
 * A property of the configuration, on generated texts: what -t accepts can be
 * dumped by -T and read again, and is the same configuration then. The texts
 * are drawn from the table of directives, so a new directive is in them; they
 * come from a fixed seed, and a failure prints its text.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "directives.h"
#include "unit.h"

enum {
    TEXTS = 2000,
    ACCEPTED_MIN = 800, /* of them, or the generator has gone astray */
    DEPTH_MAX = 3,
    URI_MAX = 64,
};

struct generator {
    uint64_t seed;
    struct buffer text;
    const char *included; /* a file that may be included, once */
    int port;             /* of the next listen */
    uint64_t used;        /* directives on the top level, by their index */
};

/* Every directive that was in an accepted text, by its index in the table. */
static bool covered[64];

/* splitmix64: https://prng.di.unimi.it/splitmix64.c. */
static unsigned
draw(struct generator *g, unsigned below)
{
    uint64_t z = g->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

/* Blanks, line ends and comments, at least one of them. */
static void
add_space(struct generator *g)
{
    static const char *const spaces[] = { " ", "\n", "\t", "  \r\n ",
                                          " # a \"comment; {\n" };

    buffer_append_string(&g->text, spaces[draw(g, 8) % COUNT(spaces)]);
}

/* A word in one of nginx's three notations. */
static void
add_word(struct generator *g, const char *word)
{
    static const char *const quotes[] = { "\"", "'", "" };
    const char *quote = quotes[draw(g, COUNT(quotes))];
    const char *escaped = *quote == '\0' ? " \t;{}\"'\\#$" : quote;

    if (*quote == '\0' && (*word == '\0' || strpbrk(word, "\n\r\t") != NULL)) {
        quote = escaped = "\"";
    }
    buffer_append_string(&g->text, quote);
    for (const char *p = word; *p != '\0'; p++) {
        if (*p == '\\' || (strchr(escaped, *p) != NULL && *p != '$')) {
            buffer_append_string(&g->text, "\\");
        }
        buffer_append(&g->text, p, 1);
    }
    buffer_append_string(&g->text, quote);
}

/* Any text, of the characters that matter to a parser. */
static void
add_noise(struct generator *g)
{
    static const char *const pieces[] = {
        "a",  "B7", " ", "\t", "\n", ";",   "{", "}",
        "\"", "'",  "#", "\\", "/",  "\\n", "é", "$uploadprogress_id",
    };
    char word[128] = "";

    for (unsigned i = draw(g, 6); i > 0; i--) {
        strcat(word, pieces[draw(g, COUNT(pieces))]);
    }
    add_space(g);
    add_word(g, word);
}

/* Arguments that a directive is likely to take. */
static const struct {
    const char *name;
    const char *choices[6];
} arguments[] = {
    { "error_log", { "stderr", "stderr debug", "/tmp/a%b warn", "e emerg" } },
    { "pid", { "/tmp/a%b", "p", "'" } },
    { "user", { "root", "root root", "nobody-of-that-name" } },
    { "daemon", { "on", "off" } },
    { "state_file", { "/tmp/a%b", "state" } },
    { "state_interval", { "10s", "1h" } },
    { "upload_progress_key", { "0123456789abcdeF", "0123456789ab", "short" } },
    { "worker_threads", { "1", "7", "256" } },
    { "gather_delay", { "off", "1ms", "20ms", "21ms" } },
    { "worker_connections", { "1", "99999" } },
    { "client_header_timeout", { "5s", "1m30s", "250ms" } },
    { "client_body_timeout", { "1h", "7" } },
    { "send_timeout", { "2m", "11" } },
    { "keepalive_timeout", { "1d", "2M" } },
    { "upload_progress", { "a 1m", "b 32k", "c-d 3g", "a 2m" } },
    { "track_uploads", { "a 1s", "b 2h", "a 3d", "c-d 4", "uploads 5" } },
    { "report_uploads", { "a", "b", "c-d", "uploads", "unknown" } },
    { "upload_progress_gauges", { "spool", "socket", "off", "socket spool" } },
    { "upload_progress_check_interval", { "1s", "99ms" } },
    { "upload_progress_inactive_timeout", { "1y", "1" } },
    { "upload_progress_piece_timeout", { "1h", "30" } },
    { "server_name", { "a b", "*.a .b c.*", "A.example" } },
    { "upload_progress_template",
      { "starting %", "up $uploadprogress_received", "do ${arg_x}%$http_y",
        "error $raw_arg_z", "er $nothing" } },
    { "upload_progress_header", { "X-Token", "x" } },
    { "upload_progress_content_type", { "text/plain", "text/x;%charset=a" } },
    { "upload_progress_unknown", { "starting", "404", "405" } },
    { "upload_progress_allow_origin",
      { "*", "off", "https://a.example http://b:8", "null" } },
};

/* The choice's words; "%" is a blank within one. */
static void
add_choice(struct generator *g, const char *choice)
{
    char words[128];
    char *save;

    snprintf(words, sizeof(words), "%s", choice);
    for (char *word = strtok_r(words, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        for (char *p = word; (p = strchr(p, '%')) != NULL;) {
            *p = ' ';
        }
        add_space(g);
        add_word(g, word);
    }
}

static void
add_listen(struct generator *g)
{
    static const char *const params[] = { "", " scgi", " fastcgi backlog=7",
                                          " syslog rcvbuf=1m",
                                          " scgi fastcgi" };
    char address[96];

    snprintf(address, sizeof(address),
             draw(g, 2) != 0 ? "unix:/tmp/a%%b%d.sock mode=0600 owner=1 group=2"
                             : "[::1]:%d%s",
             ++g->port, params[draw(g, COUNT(params))]);
    add_choice(g, address);
}

static void
add_arguments(struct generator *g, const struct directive *directive)
{
    if (draw(g, 40) == 0) { /* a mistake */
        for (unsigned i = draw(g, 4); i > 0; i--) {
            add_noise(g);
        }
        return;
    }
    if (strcmp(directive->name, "listen") == 0) {
        add_listen(g);
        return;
    }
    if (strcmp(directive->name, "include") == 0) {
        add_choice(g, g->included);
        return;
    }
    for (size_t i = 0; i < COUNT(arguments); i++) {
        size_t count = 0;

        if (strcmp(arguments[i].name, directive->name) != 0) {
            continue;
        }
        while (count < COUNT(arguments[i].choices) &&
               arguments[i].choices[count] != NULL) {
            count++;
        }
        add_choice(g, arguments[i].choices[draw(g, (unsigned)count)]);
        return;
    }
    for (int i = 0; i < directive->args_min; i++) {
        add_noise(g);
    }
}

static void add_block(struct generator *g, unsigned context, const char *uri,
                      int depth);

static void
add_location(struct generator *g, const char *uri, int depth)
{
    static const char *const modifiers[] = { "", "= ", "^~ " };
    const char *modifier = modifiers[draw(g, COUNT(modifiers))];
    char own[URI_MAX];

    snprintf(own, sizeof(own), "%s/%c%s", uri, (char)('a' + draw(g, 6)),
             draw(g, 4) == 0 ? " {\"" : "");
    buffer_append_string(&g->text, " ");
    buffer_append_string(&g->text, modifier);
    add_word(g, own);
    buffer_append_string(&g->text, "{");
    add_block(g, CONTEXT_LOCATION, own, depth + 1);
    buffer_append_string(&g->text, "}");
}

static void
add_directive(struct generator *g, const struct directive *directive,
              unsigned context, const char *uri, int depth)
{
    bool is_location = strcmp(directive->name, "location") == 0;

    if (directive->block != BLOCK_NONE && depth == DEPTH_MAX) {
        return;
    }
    buffer_append_string(&g->text, directive->name);
    if (is_location) {
        add_location(g, uri, depth);
    } else if (directive->block != BLOCK_NONE) {
        buffer_append_string(&g->text, " {");
        add_block(g,
                  strcmp(directive->name, "http") == 0 ? CONTEXT_HTTP
                                                       : CONTEXT_SERVER,
                  uri, depth + 1);
        buffer_append_string(&g->text, "}");
    } else {
        add_arguments(g, directive);
        buffer_append_string(&g->text, ";");
    }
    if (context == CONTEXT_MAIN) {
        g->used |= (uint64_t)1 << (directive - directives);
    }
    add_space(g);
}

/* Some directives of this context; few of them twice. */
static void
add_block(struct generator *g, unsigned context, const char *uri, int depth)
{
    uint64_t used = 0;
    size_t rows = 0;

    while (directives[rows].name != NULL) {
        rows++;
    }
    add_space(g);
    for (unsigned i = draw(g, 9); i > 0; i--) {
        unsigned row = draw(g, (unsigned)rows);
        const struct directive *directive = &directives[row];
        bool again = (used & ((uint64_t)1 << row)) != 0;

        if ((directive->contexts & context) != 0 &&
            (!again || directive->repeatable || draw(g, 60) == 0)) {
            used |= (uint64_t)1 << row;
            add_directive(g, directive, context, uri, depth);
        }
    }
}

static void
describe_texts(struct buffer *out, char *const *texts)
{
    for (; texts != NULL && *texts != NULL; texts++) {
        buffer_printf(out, " [%s]", *texts);
    }
}

#define OR_NONE(text) ((text) != NULL ? (text) : "(none)")

static void
describe_level(struct buffer *out, const struct location_config *level)
{
    buffer_printf(out, "level %d %s %d in %s:", (int)level->level,
                  OR_NONE(level->uri), level->exact,
                  level->parent != NULL ? OR_NONE(level->parent->uri) : "-");
    describe_texts(out, level->names);
    for (const struct track_config *t = level->tracks; t != NULL; t = t->next) {
        buffer_printf(out, " track %s %" PRId64, t->zone, t->ttl_ms);
    }
    buffer_printf(out, " report %s output %p type %s header %s jsonp %s",
                  OR_NONE(level->zone), (const void *)level->output,
                  OR_NONE(level->content_type), OR_NONE(level->header),
                  OR_NONE(level->jsonp_parameter));
    describe_texts(out, level->origins);
    buffer_printf(out, " unknown %d", (int)level->unknown);
    for (int state = 0; state < UPLOAD_STATES; state++) {
        buffer_printf(out, " {%s} %d", OR_NONE(level->texts[state]),
                      level->templates[state] != NULL);
    }
    buffer_append_string(out, "\n");
}

/* All that a configuration says, as text. */
static void
describe(struct buffer *out, const struct config *c)
{
    for (const struct listen_config *l = c->listens; l != NULL; l = l->next) {
        char address[ADDRESS_TEXT_MAX];

        address_format(&l->address, address, sizeof(address));
        buffer_printf(out, "listen %d %s %d %" PRId64 " %o %u %u\n",
                      (int)l->protocol, address, l->backlog, l->rcvbuf_bytes,
                      l->access.mode, l->access.uid, l->access.gid);
    }
    for (const struct zone_config *z = c->zones; z != NULL; z = z->next) {
        buffer_printf(out, "zone %s %" PRId64 " %" PRId64 "\n", z->name,
                      z->size_bytes, z->ttl_ms);
    }
    describe_level(out, &c->main);
    for (const struct location_config *l = c->locations; l; l = l->next) {
        describe_level(out, l);
    }
    buffer_printf(out, "%s %d %s %s", c->error_log, c->error_log_level, c->pid,
                  OR_NONE(c->key));
    buffer_printf(out, " %s %" PRId64 " %s %s %d", OR_NONE(c->state_file),
                  c->state_interval_ms, OR_NONE(c->user), OR_NONE(c->group),
                  c->daemon);
    buffer_printf(out, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                  c->worker_threads, c->worker_connections,
                  c->client_header_timeout_ms, c->client_body_timeout_ms);
    buffer_printf(out, "%" PRId64 " %" PRId64 " %" PRId64 "\n",
                  c->send_timeout_ms, c->piece_timeout_ms, c->gather_delay_ms);
    buffer_printf(out, " %" PRId64 " %" PRId64 " %" PRId64 " %d %d\n",
                  c->keepalive_timeout_ms, c->check_interval_ms,
                  c->inactive_timeout_ms, c->gauges[GAUGE_SPOOL],
                  c->gauges[GAUGE_SOCKET]);
}

static void
write_file(const char *path, const struct buffer *text)
{
    FILE *stream = fopen(path, "we");

    assert_non_null(stream);
    assert_int_equal(fwrite(text->data, 1, text->len, stream), text->len);
    fclose(stream);
}

/* Reads the text; false if it is refused. */
static bool
read_text(const char *path, const struct buffer *text, struct buffer *dump,
          struct buffer *description)
{
    char *message = NULL;
    struct config *c;

    write_file(path, text);
    c = config_load_dump(path, NULL, dump, &message);
    if (c == NULL) {
        assert_non_null(message);
        free(message);
        return false;
    }
    describe(description, c);
    config_free(c);
    return true;
}

/* The first line that differs, which is all of a long text that helps. */
static void
assert_same(const char *row, const struct buffer *got,
            const struct buffer *expected)
{
    size_t start = 0;
    size_t i = 0;

    while (i < got->len && i < expected->len &&
           got->data[i] == expected->data[i]) {
        i++;
        start = got->data[i - 1] == '\n' ? i : start;
    }
    ASSERT_BYTES(row, got->data + start, got->len - start,
                 expected->data + start, expected->len - start);
}

static void
note_coverage(const struct generator *g)
{
    for (int i = 0; directives[i].name != NULL; i++) {
        covered[i] |= (g->used & ((uint64_t)1 << i)) != 0;
    }
}

/* Returns whether the text was accepted. */
static bool
holds_for(struct generator *g, const char *path)
{
    struct buffer dumps[2] = { BUFFER_INIT, BUFFER_INIT };
    struct buffer descriptions[2] = { BUFFER_INIT, BUFFER_INIT };
    const char *row = unit_case("%.*s", (int)g->text.len, g->text.data);
    bool accepted = read_text(path, &g->text, &dumps[0], &descriptions[0]);

    if (accepted) {
        note_coverage(g);
        ASSERT_THAT(row,
                    read_text(path, &dumps[0], &dumps[1], &descriptions[1]));
        assert_same(row, &descriptions[1], &descriptions[0]);
        assert_same(row, &dumps[1], &dumps[0]);
    }
    for (int i = 0; i < 2; i++) {
        buffer_release(&dumps[i]);
        buffer_release(&descriptions[i]);
    }
    return accepted;
}

static void
dumped_and_read_again(void **state)
{
    char path[sizeof(UNIT_FILE)];
    char included[sizeof(UNIT_FILE)];
    int accepted = 0;

    (void)state;
    close(unit_file(path, ""));
    close(unit_file(included, ""));
    for (int i = 0; i < TEXTS; i++) {
        struct generator g = { .seed = (uint64_t)i * 1000,
                               .text = BUFFER_INIT,
                               .included = "/dev/null",
                               .port = 20000 };

        add_block(&g, CONTEXT_LOCATION, "/a", DEPTH_MAX);
        write_file(included, &g.text);
        buffer_release(&g.text);
        g.included = included;
        g.used = 0;
        /* Zones, most of the time, for what names them. */
        if (draw(&g, 8) != 0) {
            buffer_append_string(&g.text, "upload_progress a 1m;"
                                          "upload_progress b 1m;"
                                          "upload_progress c-d 1m;");
        }
        add_block(&g, CONTEXT_MAIN, "", 0);
        accepted += holds_for(&g, path);
        buffer_release(&g.text);
    }
    unlink(path);
    unlink(included);
    print_message("%d of %d texts were accepted\n", accepted, TEXTS);
    assert_true(accepted >= ACCEPTED_MIN);
    for (int i = 0; directives[i].name != NULL; i++) {
        ASSERT_THAT(directives[i].name,
                    covered[i] || (directives[i].contexts & CONTEXT_MAIN) == 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumped_and_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
