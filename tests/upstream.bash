# Shared by the bats files about the snippets of nginx-snippets/upstream.
#
#   group_ports; add FILE ...; group_start   servers behind groups of servers
#   control PATH, counts_are WHAT COUNTS     what the servers were asked
#   get N PATH, get_at_once N PATH           requests to them

UPSTREAM=$ROOT/nginx-snippets/upstream
NGINX=${NGINX:-/usr/sbin/nginx}

teardown() {
    end_processes "${BACKENDS_PID:-}" "${SIDECAR_PIDS[@]}"
    site_stop
}

# has_version X.Y.Z: whether the installed nginx is that or newer.
has_version() {
    local installed

    installed=$("$NGINX" -v 2>&1 | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p')
    printf '%s\n' "$1" "$installed" | sort -C -V
}

# needed_version FILE: what its first line says.
needed_version() {
    head -n 1 "$1" | grep -oE 'nginx [0-9]+\.[0-9]+\.[0-9]+' | head -n 1 | cut -d ' ' -f 2
}

# snippet FILE [FIRST [SED...]]: prints it with the addresses of this test:
# 127.0.0.1:3001 and on become the ports from FIRST (BACKEND) on, 3011 the one
# of KEPT. SED is a change that a test makes for comparison.
snippet() {
    local first=${2:-$BACKEND}

    sed -e "s/127\.0\.0\.1:3011\b/127.0.0.1:$KEPT/" \
        -e "s/127\.0\.0\.1:3001\b/127.0.0.1:$first/" \
        -e "s/127\.0\.0\.1:3002\b/127.0.0.1:$((first + 1))/" \
        -e "s/127\.0\.0\.1:3003\b/127.0.0.1:$((first + 2))/" \
        -e "s/127\.0\.0\.1:3004\b/127.0.0.1:$((first + 3))/" "$UPSTREAM/$1" |
        sed "${@:3}" -e ''
}

# The ports of a test: five servers, and their control.
group_ports() {
    site_ports
    BACKEND=$((PORT + 7))
    KEPT=$((PORT + 11))
    CONTROL=http://127.0.0.1:$((PORT + 15))
    SITE=$BATS_TEST_TMPDIR/site
    mkdir -p "$SITE/run" "$SITE/log" "$SITE/temp" "$SITE/conf/upstream"
}

# add FILE [FIRST [SED...]]: into http { }. Each group NAME is at /NAME.
add() {
    local name=$1.$((++ADDED))

    snippet "$@" > "$SITE/conf/upstream/$name"
    GROUP_HTTP+="include upstream/$name;"$'\n'
    while read -r group; do
        case $group in
        fastcgi_*) ;;
        *) GROUP_SERVER+="location /$group { proxy_pass http://$group; ${GROUP_LOCATION:-} }"$'\n' ;;
        esac
    done < <(sed -n 's/^upstream \([a-z_]*\) {/\1/p' "$SITE/conf/upstream/$name")
}

group_write() {
    cat > "$SITE/conf/nginx.conf" <<CONF
worker_processes ${SITE_WORKERS:-1};
$([ "$(id -u)" -ne 0 ] || echo "user root;")
pid $SITE/nginx.pid;
error_log $SITE/log/error.log;
events { worker_connections 2048; }
http {
    $(site_temp_paths)
    access_log off;
    keepalive_requests 100000;
    add_header X-Upstream \$upstream_addr always;
    $GROUP_HTTP
    server {
        listen 127.0.0.1:$PORT ${GROUP_LISTEN:-};
        $GROUP_SERVER
    }
}
CONF
}

# backends_start N: HTTP servers from BACKEND on; further arguments as they are.
backends_start() {
    local ports=()

    for ((i = 0; i < $1; i++)); do
        ports+=($((BACKEND + i)))
    done
    node "$CLIENT/backends.mjs" "${CONTROL##*:}" "${ports[@]}" "${@:2}" 3>&- &
    BACKENDS_PID=$!
    wait_until is_listening "${CONTROL##*:}"
}

group_start() {
    backends_start "${BACKENDS:-4}"
    group_write
    nginx_start
}

# control PATH: of the servers, see client/backends.mjs.
control() {
    curl -sS --fail "$CONTROL/$1"
}

# get N PATH: that many requests, one after the other, on one connection.
get() {
    curl -sS --fail "$URL$2?[1-$1]"
}

# get_at_once N PATH: the same, all at the same time on connections of their own.
get_at_once() {
    curl -sS -Z --parallel-immediate --parallel-max "$1" "$URL$2?[1-$1]"
}

counts_are() {
    [ "$(control "$1")" = "$2" ]
}

# share OF: how many of the answers on standard input came from that server.
share() {
    grep -c " $1\$" || true
}
