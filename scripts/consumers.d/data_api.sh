# Credentials in clients of the Data API and of the DevOps API. Read by scripts/consumers.

# call FORM EXPECTED COMMAND…  A run of the program; EXPECTED is `ok`, or what the refusal contains.
call() {
    local form=$1 expected=$2 outcome=ok status
    shift 2
    timeout 120 "$@" >"$work/out" 2>"$work/driver.err" </dev/null
    status=$?
    if [ "$expected" = ok ]; then
        [ "$status" -eq 0 ] && [ "$(cat "$work/out")" = ok ]
    else
        outcome='refused, as it must be'
        [ "$status" -eq 3 ] && grep -qF "$expected" "$work/out"
    fi
    judge $? "$consumer" "$version" "$form" "$outcome" "status $status, not $expected: $(tail -n 1 "$work/out")"
}

# data_api CONSUMER VERSION COMMAND…  The command gets endpoint and keyspace, and $ASTRA_PASSWORD.
data_api() {
    local consumer=$1 version=$2 endpoint=$url/_data/$database-$region token
    shift 2
    knobs '{"dataplane_cache_s": 0}' && lease app "$work/credential" || return 1
    token=$(field token)
    export ASTRA_PASSWORD=$token
    call token ok "$@" "$endpoint" app
    call 'a keyspace that its role lacks' 'roles do not cover' "$@" "$endpoint" default_keyspace
    revoke || return 1
    call 'token, after revocation' 'unknown, deleted or expired' "$@" "$endpoint" app
}

# devops_api CONSUMER VERSION COMMAND…  The command gets URL and organization, and $ASTRA_PASSWORD.
devops_api() {
    local consumer=$1 version=$2
    shift 2
    lease token-admin "$work/credential" || return 1
    ASTRA_PASSWORD=$(field token) || return 1
    export ASTRA_PASSWORD
    call 'token, roles and tokens' ok "$@" "$url" "$(told org)"
    revoke || return 1
    call 'token, after revocation' 401 "$@" "$url" "$(told org)"
}
