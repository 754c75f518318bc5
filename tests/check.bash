# Shared by the bats files about --check-nginx.
#
#   site; edit FILE SED...             a site of the snippets, and what breaks it
#   run -2 check; finds LEVEL TEXT ... what it is found to lack
#   cured                              doing what the findings say helps

# check [FILE]: of the site, by nginx itself.
check() {
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        --check-nginx "${1:-$SITE/conf/nginx.conf}"
}

# Of its dump, as from a container.
check_dump() {
    nginx_dump | "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" --check-nginx -
}

nginx_dump() {
    "${NGINX:-/usr/sbin/nginx}" -T -c "$SITE/conf/nginx.conf" 2> "$BATS_TEST_TMPDIR/nginx-said"
}

site() {
    site_ports
    site_write
}

# edit FILE SED...: of the site's configuration.
edit() {
    local file=$SITE/conf/$1

    shift
    cp "$file" "$BATS_TEST_TMPDIR/before"
    sed -i "$@" "$file"
    ! cmp -s "$file" "$BATS_TEST_TMPDIR/before"
}

# line_of FILE TEXT: FILE:LINE of the first line with it, as findings name it.
line_of() {
    echo "$SITE/conf/$1:$(grep -nF -m 1 -- "$2" "$SITE/conf/$1" | cut -d: -f1)"
}

# finds LEVEL TEXT [PLACE [ADVICE]]: there is such a finding.
finds() {
    local line

    while read -r line; do
        [[ $line == "upload-progressd: [$1] "*"$2"* ]] || continue
        [ -z "${3:-}" ] || [[ $line == *" in $3; "* ]] || continue
        [ -z "${4:-}" ] || [[ $line == *"; $4" ]] || continue
        return 0
    done <<< "$output"
    printf 'no finding [%s] %s in %s; %s in:\n%s\n' "$1" "$2" "${3:-}" "${4:-}" "$output"
    return 1
}

# Does what the first finding with a line says.
apply() {
    local pattern=' in ([^ ]+):([0-9]+)(, *|); (add|change it to|take it out):? ?(.*)$' line

    while read -r line; do
        [[ $line == "upload-progressd: ["* && $line =~ $pattern ]] || continue
        echo "applying: $line"
        ADVICE=${BASH_REMATCH[5]} awk -v at="${BASH_REMATCH[2]}" -v how="${BASH_REMATCH[4]}" '
            NR != at { print; next }
            how == "add" { i = index($0, "{"); print substr($0, 1, i) " " ENVIRON["ADVICE"] substr($0, i + 1) }
            how == "change it to" { print ENVIRON["ADVICE"] }
        ' "${BASH_REMATCH[1]}" > "$BATS_TEST_TMPDIR/applied"
        cp "$BATS_TEST_TMPDIR/applied" "${BASH_REMATCH[1]}"
        return 0
    done <<< "$output"
    echo "nothing to apply in: $output"
    return 1
}

# cured [TIMES]: the advice is followed until there is no more, TIMES (1) it.
cured() {
    local i

    for ((i = 0; i < ${1:-1}; i++)); do
        apply
        run check
        echo "$output"
    done
    [ "$status" -eq 0 ]
}

# upload ID BYTES
upload() {
    curl -sS --max-time 60 -o /dev/null -H 'Expect:' --data-binary "@$(make_file "$2")" "$URL/upload?X-Progress-ID=$1"
}
