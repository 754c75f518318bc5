/* The configuration: defaults, every setter, inheritance, dumps. */
#include <sys/stat.h>

#include "config_unit.h"
#include "directives.h"

static void
defaults(void **state)
{
    char *message;
    struct config *c = config_load(NULL, NULL, &message);
    static const enum listen_protocol protocols[] = { LISTEN_FASTCGI,
                                                      LISTEN_SCGI,
                                                      LISTEN_SYSLOG };
    size_t listens = 0;

    (void)state;
    assert_non_null(c);
    for (const struct listen_config *l = c->listens; l; l = l->next) {
        assert_true(listens < COUNT(protocols));
        assert_int_equal(l->protocol, protocols[listens++]);
    }
    assert_int_equal(listens, COUNT(protocols));
    assert_string_equal(c->zones->name, "uploads");
    assert_int_equal(c->zones->size_bytes, 16 << 20);
    assert_int_equal(c->zones->ttl_ms, 60000);
    assert_null(c->zones->next);
    assert_int_equal(c->worker_threads, 2);
    assert_int_equal(c->gather_delay_ms, 2);
    assert_true(c->gauges[GAUGE_SPOOL] && c->gauges[GAUGE_SOCKET]);
    assert_string_equal(config_location(c, "", "/progress")->content_type,
                        "application/json");
    assert_string_equal(config_location(c, "", "/progress/jsonp")->content_type,
                        "application/javascript");
    assert_null(config_location(c, "", "/progress/detail")->templates[0]);
    config_free(c);
}

static void
sizes_and_times(void **state)
{
    struct config *c = must_load("upload_progress a 64k;"
                                 "upload_progress b 2M;"
                                 "upload_progress c 1g;"
                                 "upload_progress d 65536;"
                                 "track_uploads a 90;"
                                 "track_uploads b 1h30m;"
                                 "track_uploads c 250ms;"
                                 "track_uploads d \"1d 2s\";");
    static const int64_t sizes[] = { 65536, 2 << 20, 1 << 30, 65536 };
    static const int64_t times[] = { 90000, 5400000, 250, 86402000 };
    int i = 0;

    (void)state;
    for (const struct zone_config *z = c->zones; z; z = z->next, i++) {
        ASSERT_INT(z->name, z->size_bytes, sizes[i]);
        ASSERT_INT(z->name, z->ttl_ms, times[i]);
    }
    assert_int_equal(i, 4);
    config_free(c);
}

static void
listen_parameters(void **state)
{
    struct config *c =
        must_load("listen unix:/tmp/a.sock scgi backlog=7 mode=0600;"
                  "listen [::1]:9001 syslog rcvbuf=1m;"
                  "listen 9001 scgi;"
                  "listen 127.0.0.1:9001 syslog;"
                  "listen 9002 fastcgi backlog=3 scgi;"
                  "listen 9003;"
                  "listen unix:/tmp/b.sock owner=root group=12;"
                  "listen unix:/tmp/c.sock syslog owner=7 group=root;"
                  "listen 127.99.0.1:9004 syslog;");
    const struct listen_config *l = c->listens;

    (void)state;
    assert_int_equal(l->protocol, LISTEN_SCGI);
    assert_int_equal(l->backlog, 7);
    assert_int_equal(l->access.mode, 0600);
    assert_true(l->access.uid == UNIX_SOCKET_SAME_USER);
    assert_true(l->access.gid == UNIX_SOCKET_SAME_GROUP);
    assert_string_equal(address_path(&l->address), "/tmp/a.sock");
    l = l->next;
    assert_int_equal(l->protocol, LISTEN_SYSLOG);
    assert_int_equal(l->rcvbuf_bytes, 1 << 20);
    l = l->next->next->next;
    assert_int_equal(l->protocol, LISTEN_EITHER);
    assert_int_equal(l->backlog, 3);
    assert_int_equal(l->next->protocol, LISTEN_FASTCGI);
    l = l->next->next;
    assert_int_equal(l->access.uid, 0);
    assert_int_equal(l->access.gid, 12);
    assert_int_equal(l->access.mode, 0660);
    assert_int_equal(l->next->access.uid, 7);
    assert_int_equal(l->next->access.gid, 0);
    config_free(c);
}

/* Log lines of other hosts are taken in with a key alone, wherever it stands.
 */
static void
a_key_lets_other_hosts_in(void **state)
{
    static const char *const addresses[] = { "0.0.0.0:9001", "[::]:9001",
                                             "192.0.2.1:9001" };
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct config *c;

        snprintf(text, sizeof(text),
                 "listen %s syslog; upload_progress_key 0123456789aB;",
                 addresses[i]);
        c = must_load(text);
        assert_string_equal(c->key, "0123456789aB");
        assert_false(c->key_is_public); /* mkstemp(3) makes it 0600 */
        config_free(c);
    }
    config_free(must_load("listen 0.0.0.0:9001 fastcgi;"));
}

static void
locations(void **state)
{
    struct config *c = must_load("upload_progress one 1m;"
                                 "upload_progress two 1m;"
                                 "upload_progress_java_output;"
                                 "report_uploads two;"
                                 "upload_progress_header X-Up;"
                                 "upload_progress_template done 'finished';"
                                 "location /a { }"
                                 "location /a/b { report_uploads one;"
                                 " upload_progress_json_output; }"
                                 "location = /a/b/c {"
                                 " upload_progress_content_type text/x;"
                                 " upload_progress_template error 'E'; }"
                                 "location ^~ /d {"
                                 " upload_progress_detail_output;"
                                 " upload_progress_header X-D; }");
    static const struct {
        const char *uri;
        const char *zone;
        const char *type;
        const char *header;
        const char *done; /* rendered; NULL: in code */
    } rows[] = {
        { "/", "two", "text/javascript", "X-Up", "finished" },
        { "/a", "two", "text/javascript", "X-Up", "finished" },
        { "/ab", "two", "text/javascript", "X-Up", "finished" },
        { "/a/b", "one", "application/json", "X-Up",
          "{ \"state\" : \"done\" }\r\n" },
        { "/a/b/c", "two", "text/x", "X-Up", "finished" },
        { "/a/b/cd", "one", "application/json", "X-Up",
          "{ \"state\" : \"done\" }\r\n" },
        { "/d/e", "two", "application/json", "X-D", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct location_config *l = config_location(c, "", rows[i].uri);
        struct progress progress = { .state = UPLOAD_DONE };
        struct template_values values = { &progress, "one", "", NULL };
        struct buffer out = BUFFER_INIT;

        ASSERT_TEXT(rows[i].uri, l->zone, rows[i].zone);
        ASSERT_TEXT(rows[i].uri, l->content_type, rows[i].type);
        ASSERT_TEXT(rows[i].uri, l->header, rows[i].header);
        ASSERT_THAT(rows[i].uri, (l->templates[UPLOAD_DONE] == NULL) ==
                                     (rows[i].done == NULL));
        if (rows[i].done != NULL) {
            template_render(l->templates[UPLOAD_DONE], &values, &out);
            buffer_append(&out, "", 1);
            ASSERT_TEXT(rows[i].uri, out.data, rows[i].done);
            buffer_release(&out);
        }
    }
    config_free(c);
}

/* Zones defined last, levels within levels, the names of servers. */
static void
levels(void **state)
{
    struct config *c = must_load(
        "http { report_uploads one; upload_progress_java_output;"
        " track_uploads one 10s;"
        " server { server_name a.org *.a.org; location /p {"
        "  upload_progress_json_output; location /p/x { report_uploads two; }"
        "  location = /p/y { upload_progress_template done Y; } }"
        "  location /up { track_uploads two 20s; } }"
        " server { server_name b.org; location /p { } }"
        " upload_progress one 1m; upload_progress two 1m; }"
        "location /top { upload_progress_xml_output; }");
    static const struct {
        const char *host;
        const char *uri;
        const char *zone;
        const char *type;
        const char *track;
        int64_t ttl_ms;
    } rows[] = {
        { "a.org", "/", "one", "text/javascript", "one", 10000 },
        { "a.org", "/p", "one", "application/json", "one", 10000 },
        { "A.ORG:8080", "/p/x/z", "two", "application/json", "one", 10000 },
        { "w.a.org", "/p/y", "one", "application/json", "one", 10000 },
        { "a.org", "/up/load", "one", "text/javascript", "two", 20000 },
        { "b.org", "/p/x", "one", "text/javascript", "one", 10000 },
        { "b.org", "/up", "one", "text/javascript", "one", 10000 },
        { "nobody", "/up", "one", "text/javascript", "two", 20000 },
        { "b.org", "/top", "one", "text/xml", "one", 10000 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = unit_case("%s%s", rows[i].host, rows[i].uri);
        const struct location_config *l =
            config_location(c, rows[i].host, rows[i].uri);

        ASSERT_TEXT(name, l->zone, rows[i].zone);
        ASSERT_TEXT(name, l->content_type, rows[i].type);
        ASSERT_TEXT(name, config_track(l)->zone, rows[i].track);
        ASSERT_INT(name, config_track(l)->ttl_ms, rows[i].ttl_ms);
    }
    config_free(c);
}

static void
own_time_for_the_default_zone(void **state)
{
    struct config *c = must_load("track_uploads uploads 10m;");

    (void)state;
    assert_string_equal(c->zones->name, "uploads");
    assert_int_equal(c->zones->ttl_ms, 600000);
    config_free(c);
}

/* A file with locations answers nowhere else; no output is the module's. */
static void
as_the_module(void **state)
{
    struct config *c = must_load("upload_progress a 1m;"
                                 "location /p { report_uploads a; }");

    (void)state;
    assert_null(config_location(c, "", "/q")->zone);
    assert_string_equal(config_location(c, "", "/p")->content_type,
                        "text/javascript");
    assert_string_equal(config_location(c, "", "/p")->texts[UPLOAD_DONE],
                        "$uploadprogress_callback({ \"state\" : \"done\" "
                        "});\r\n");
    config_free(c);
}

/* What -T prints is the same configuration, and prints the same again. */
static void
dumped_and_read_again(void **state)
{
    static const char *const texts[] = {
        "",
        "worker_threads 3; listen 9000 backlog=5;",
        "upload_progress a 1m; location ^~ /p { report_uploads a;"
        " upload_progress_template done 'it\\'s \"$uploadprogress_status\"';"
        " upload_progress_template error \"a\\tb\\\\c\\nd # ; { }\"; }",
        "http { server { server_name a b; location /x { location = /x/y { }"
        " upload_progress_detail_output; } } }",
        "include /dev/null; pid '/tmp/a b';",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buffer dumps[2] = { BUFFER_INIT, BUFFER_INIT };
        char path[sizeof(UNIT_FILE)];
        int fd = unit_file(path, "");
        const char *text = texts[i];
        size_t len = strlen(text);

        for (int round = 0; round < 2; round++) {
            struct config *c;
            char *message;

            assert_int_equal(ftruncate(fd, 0), 0);
            assert_int_equal(pwrite(fd, text, len, 0), len);
            c = config_load_dump(path, NULL, &dumps[round], &message);
            ASSERT_THAT(texts[i], c != NULL);
            config_free(c);
            text = dumps[round].data;
            len = dumps[round].len;
        }
        close(fd);
        unlink(path);
        ASSERT_BYTES(texts[i], dumps[1].data, dumps[1].len, dumps[0].data,
                     dumps[0].len);
        buffer_release(&dumps[0]);
        buffer_release(&dumps[1]);
    }
}

static void
includes(void **state)
{
    char folder[] = UNIT_FILE;
    static const struct {
        const char *name;
        const char *text;
    } files[] = {
        { "main.conf", "include zones.d/*.conf; include none.d/*;"
                       "location /p { include p.inc; }" },
        { "zones.d/1.conf", "upload_progress first 1m;" },
        { "zones.d/2.conf", "upload_progress second 1m;" },
        { "p.inc", "report_uploads second;" },
        { "loop.conf", "include loop.conf;" },
        { "bad.conf", "\n\ninclude p.bad;" },
        { "p.bad", "\nnonsense;" },
    };
    char path[256];
    char *message;
    struct config *c;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/zones.d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        FILE *stream;

        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        stream = fopen(path, "we");
        assert_non_null(stream);
        fputs(files[i].text, stream);
        fclose(stream);
    }
    snprintf(path, sizeof(path), "%s/main.conf", folder);
    c = config_load(path, "worker_threads 9;", &message);
    assert_non_null(c);
    assert_string_equal(c->zones->name, "first");
    assert_string_equal(config_location(c, "", "/p")->zone, "second");
    assert_int_equal(c->worker_threads, 9);
    config_free(c);
    snprintf(path, sizeof(path), "%s/loop.conf", folder);
    assert_null(config_load(path, NULL, &message));
    assert_non_null(strstr(message, "is nested too deep"));
    free(message);
    snprintf(path, sizeof(path), "%s/bad.conf", folder);
    assert_null(config_load(path, NULL, &message));
    assert_non_null(strstr(message, "/p.bad:2"));
    free(message);
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/zones.d", folder);
    rmdir(path);
    rmdir(folder);
}

static void
gauges(void **state)
{
    struct config *c = must_load("upload_progress_gauges off;");

    (void)state;
    assert_false(c->gauges[GAUGE_SPOOL] || c->gauges[GAUGE_SOCKET]);
    config_free(c);
    c = must_load("upload_progress_gauges socket;");
    assert_false(c->gauges[GAUGE_SPOOL]);
    assert_true(c->gauges[GAUGE_SOCKET]);
    config_free(c);
}

/* A row of the table that cannot be reached or has no help is a mistake. */
static void
the_table_is_sound(void **state)
{
    (void)state;
    for (const struct directive *d = directives; d->name != NULL; d++) {
        ASSERT_THAT(d->name, directive_find(d->name) == d);
        ASSERT_THAT(d->name, d->set != NULL);
        ASSERT_THAT(d->name, d->contexts != 0);
        ASSERT_THAT(d->name, d->args_min <= d->args_max);
        ASSERT_THAT(d->name, d->help != NULL && d->help[0] != '\0');
        ASSERT_THAT(d->name, d->syntax != NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(sizes_and_times),
        cmocka_unit_test(listen_parameters),
        cmocka_unit_test(a_key_lets_other_hosts_in),
        cmocka_unit_test(locations),
        cmocka_unit_test(levels),
        cmocka_unit_test(own_time_for_the_default_zone),
        cmocka_unit_test(as_the_module),
        cmocka_unit_test(dumped_and_read_again),
        cmocka_unit_test(includes),
        cmocka_unit_test(gauges),
        cmocka_unit_test(the_table_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
