# Shared by the bats files about odd places of the tracked location.
#
#   $TRACKED  the shipped snippet      $APP  the application, by HTTP
#   odd_start                          a site with all backends
#   stages PLACE...                    uploads there, see client/stages.mjs

site_ports
TRACKED="include upload-progress/location.conf; client_max_body_size 64m;"
APP=http://127.0.0.1:$APP_PORT

# The ports of the other backends.
FASTCGI_APP=127.0.0.1:$((PORT + 7))
SCGI_APP=127.0.0.1:$((PORT + 8))
UWSGI_APP=127.0.0.1:$((PORT + 9))
GRPC_APP=127.0.0.1:$((PORT + 10))
OTHER_PORT=$((PORT + 11)) # a second port of the site

app_start() {
    node "$CLIENT/app-protocols.mjs" "$APP_PORT" "${FASTCGI_APP##*:}" "${SCGI_APP##*:}" \
        "${UWSGI_APP##*:}" "${GRPC_APP##*:}" 3>&- &
    APP_PID=$!
    wait_until is_listening "$APP_PORT"
}

# site_start without new ports, as the site's directives name them already.
odd_start() {
    site_write
    app_start
    daemon_start
    nginx_start
}

# stages PLACE...; nothing may be logged as an error but what matches ALLOWED.
stages() {
    node "$CLIENT/stages.mjs" "$URL" "$APP" "$@" || return
    if grep -E '\[(error|crit|alert|emerg)\]' "$SITE/log/error.log" |
        grep -vE "${ALLOWED:-^$}"; then
        return 1
    fi
}
