# Credentials in clients of the Data API and of the DevOps API. Read by scripts/consumers.

# call FORM EXPECTED COMMAND…  A run of the program; EXPECTED is `ok`, or what the refusal contains.
call() {
    local form=$1 expected=$2 outcome=ok status
    shift 2
    for _ in {1..10}; do
        timeout 600 "$@" >"$work/out" 2>"$work/driver.err" </dev/null
        status=$?
        ran_out_of_time "$(cat "$work/out" "$work/driver.err")" || break
    done
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
    knobs '{"dataplane_cache_s": 3600}' && lease app "$work/credential" || return 1
    token=$(field token)
    export ASTRA_PASSWORD=$token
    call token ok "$@" "$endpoint" app
    call 'a keyspace that its role lacks' 'roles do not cover' "$@" "$endpoint" default_keyspace
    revoke || return 1
    call 'token, after revocation, in the cache' ok "$@" "$endpoint" app
    knobs '{"dataplane_cache_s": 0}' || return 1
    call 'token, after revocation' 'unknown, deleted or expired' "$@" "$endpoint" app
}

# refused_later CONSUMER VERSION ROLE FORM REFUSAL COMMAND…  The command gets $ASTRA_PASSWORD, a token of the role, and
# goes well until the token is revoked.
refused_later() {
    local consumer=$1 version=$2 role=$3 form=$4 refusal=$5
    shift 5
    lease "$role" "$work/credential" || return 1
    ASTRA_PASSWORD=$(field token) || return 1
    export ASTRA_PASSWORD
    call "$form" ok "$@"
    revoke || return 1
    call "${form%%,*}, after revocation" "$refusal" "$@"
}

# devops_api CONSUMER VERSION COMMAND…  The command gets URL and organization.
devops_api() {
    refused_later "$1" "$2" token-admin 'token, roles and tokens' 401 "${@:3}" "$url" "$(told org)"
}

# own_emulator OPTION…  An emulator of its own, with its address in $own_url, token in $own_token and id in $own_pid.
own_emulator() {
    local ready=$work/own.ready
    # The one before may have left it, and it is emptied only once this one begins.
    rm -f "$ready"
    "$emulator" "$@" >"$ready" 2>"$work/own.log" </dev/null &
    own_pid=$!
    pids+=("$own_pid")
    serves() { grep -qs ready "$ready" || ! kill -0 "$own_pid" 2>/dev/null; }
    until_ok 300 serves || return 1
    own_url=$(sed -n 's/.* url=\([^ ]*\).*/\1/p' "$ready") own_token=$(sed -n 's/.* root_token=\([^ ]*\).*/\1/p' "$ready")
    [ -n "$own_url" ]
}

# databases_by_sdk VERSION COMMAND…  What the SDK sends by default about databases, which the field profile takes.
databases_by_sdk() {
    local consumer=astra-sdk-devops version=$1
    shift
    own_emulator --profile field || return 1
    ASTRA_PASSWORD=$own_token call 'databases, field profile' ok "$@" "$own_url" databases
    kill "$own_pid" 2>/dev/null
}

# schema_cases VERSION PROGRAM  Right and wrong requests that schemathesis makes of what is published of the DevOps API, on
# an emulator of their own: no server error, and each answer has a published form.
schema_cases() {
    local version=$1 program=$2 said
    own_emulator || return 1
    said=$(cd "$work" && timeout 3600 "$program" run "$root_folder/tests/consumers/schemathesis/openapi.json" \
        --url "$own_url" --header "Authorization: Bearer $own_token" \
        --header 'Accept: application/json' --max-examples 5 --seed 1 --no-shrink --phases coverage,fuzzing \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        2>&1 </dev/null)
    set -- $?
    kill "$own_pid" 2>/dev/null
    printf '%s\n' "$said" >"$work/driver.err"
    judge "$1" schemathesis "$version" 'cases of 13 operations' "$(sed -n 's/^ *\([0-9]* generated\).*/\1/p' "$work/driver.err")" \
        'see below'
}
