# Credentials in CQL drivers. Read by scripts/consumers.

refusal='and/or password are incorrect'

# What the Java driver waits for an answer: two seconds by default, in which a busy machine may not have run it.
java_driver_limits=
for limit in basic.request.timeout advanced.connection.connect-timeout advanced.connection.init-query-timeout \
    advanced.control-connection.timeout; do
    java_driver_limits+="-Ddatastax-java-driver.$limit=60s "
done

# start_driver COMMAND…  Starts the program of a driver (tests/consumers/README.md).
start_driver() {
    coproc DRIVER { exec timeout 3600 env JAVA_TOOL_OPTIONS="$java_driver_limits" "$@" 2>"$work/driver.err"; }
    driver_pid=$DRIVER_PID driver_in=${DRIVER[1]} driver_out=${DRIVER[0]}
    pids+=("$driver_pid")
}
stop_driver() {
    kill "$driver_pid" 2>/dev/null
    wait "$driver_pid" 2>/dev/null
    return 0
}
# request VERB ARGUMENT…  What the program answers, in $answer.
request() {
    local IFS=$'\t'
    answer='no answer'
    printf '%s\n' "$*" >&"$driver_in" 2>/dev/null && read -r -t 600 -u "$driver_out" answer
}

# attempt FORM EXPECTED USER PASSWORD [BUNDLE]  A session; EXPECTED is `ok`, or what the refusal contains.
attempt() {
    local form=$1 expected=$2 outcome=ok
    for _ in {1..10}; do
        request new "${5:-$work/scb.zip}" "$3" "$4" app
        ran_out_of_time "$answer" || break
    done
    if [ "$expected" = ok ]; then
        [ "$answer" = ok ]
    else
        outcome='refused, as it must be'
        [ "${answer%% *}" = refused ] && grep -qiF "$expected" <<<"$answer"
    fi
    judge $? "$consumer" "$version" "$form" "$outcome" "not $expected: $answer"
}

# What the emulator saw of the connections with a client id.
connections() { controlled cql | jq --arg id "$1" "[.[] | select(.client_id == \$id and ($2))] | length"; }

# seen FORM ID  The emulator saw this driver with this form of the credential.
seen() {
    local found
    found=$(controlled cql | jq -r --arg id "$2" '[.[] | select(.client_id == $id)] | last | "\(.driver) \(.driver_version) \(.form)"')
    [ "$found" = "$known_as $1" ] && return
    judge 1 "$consumer" "$version" 'what the emulator saw' '' "$found, not $known_as $1"
}

# A token that differs in its last digit.
flipped() { case $1 in *0) printf '%s1' "${1%?}" ;; *) printf '%s0' "${1%?}" ;; esac; }

# cql CONSUMER VERSION KNOWN_AS REFUSAL COMMAND…  KNOWN_AS is the name and version that the driver gives
# itself, REFUSAL what it says of a refused credential.
cql() {
    local consumer=$1 version=$2 known_as=$3 wrong=$4 id secret token
    shift 4
    start_driver "$@"
    lease app "$work/credential" && bundle "$work/credential" "$work/scb.zip" &&
        lease other "$work/other" && bundle "$work/other" "$work/other.zip" || return 1
    id=$(field client_id) secret=$(field client_secret) token=$(field token)
    attempt token ok token "$token"
    seen token "$id"
    attempt 'client id and secret' ok "$id" "$secret"
    seen secret "$id"
    case ${cassandra:+$consumer} in
        python-driver | node-driver | dse-driver | java-driver-4*) written_rows || return 1 ;;
    esac
    attempt 'wrong token' "$wrong" token "$(flipped "$token")"
    attempt 'wrong secret' "$wrong" "$id" "${secret%?}"
    attempt "another database's bundle" "$wrong" token "$token" "$work/other.zip"
    lease no-cql "$work/no-cql" && attempt 'token of a role without db-cql' "$wrong" token "$(field token "$work/no-cql")"
    second_region || return 1
    [ "$consumer" = cqlsh ] || open_session || return 1
    if [ "$consumer" = cqlsh ]; then
        awkward_secret "$work/awkward" || return 1
        attempt 'secret that begins with -' ok "$(field client_id "$work/awkward")" "$(field client_secret "$work/awkward")"
    fi
    revoke || return 1
    attempt 'token, after revocation' "$wrong" token "$token"
    attempt 'id and secret, after revocation' "$wrong" "$id" "$secret"
    stop_driver
}

# second_region  The bundle of a role with the database's second region leads to a node of that region.
second_region() {
    local own=$work/second found
    lease second-region "$own" && bundle "$own" "$own.zip" || return 1
    attempt 'token, second region' ok token "$(field token "$own")" "$own.zip"
    found=$(controlled cql | jq -r --arg id "$(field client_id "$own")" \
        '[.[] | select(.client_id == $id) | .region] | unique | join(" ")')
    [ "$found" = "$second_region" ] && return
    judge 1 "$consumer" "$version" 'region of the node' '' "$found, not $second_region"
}

# awkward_secret FILE  A credential whose secret is hard to pass as an argument: it begins with `-`, and has each of the
# signs that secrets have. One in some 130 is so.
awkward_secret() {
    local signs='.data.client_secret | startswith("-") and contains(".") and contains(",") and contains("+") and contains("_")'
    for _ in {1..40}; do
        # What follows # is for curl alone, which repeats the request.
        vault 'astra/creds/no-bundle#[1-50]' | jq -sce "[.[] | select($signs)][0] // empty" >"$1" && return
    done
    return 1
}

# The other database is that of the examples, which run meanwhile.
cut_connections() { controlled cql/cut --data "{\"database\": \"$database\"}" >/dev/null; }
asks() { request ask; [ "$answer" = ok ]; }
# in_time COMMAND…  Runs a command; whether its answer is about something else than time.
in_time() { "$@" || ! ran_out_of_time "$answer"; }
# keep_session CREDENTIAL  The program opens a session with its token and keeps it.
keep_session() {
    for _ in {1..10}; do
        request keep "$work/scb.zip" token "$(field token "$1")" app
        ran_out_of_time "$answer" || return 0
    done
}
reconnected() { asks && [ "$(connections "$kept_id" '.outcome == "open"')" -gt 0 ]; }
is_refused() {
    request ask
    [ "${answer%% *}" = refused ] && [ "$(connections "$kept_id" '.outcome == "refused"')" -gt 0 ]
}

# A session that is open while its lease is renewed, then revoked, and its connections are cut each time.
open_session() {
    local kept=$work/kept kept_id
    lease app "$kept" || return 1
    kept_id=$(field client_id "$kept")
    keep_session "$kept"
    post sys/leases/renew lease_id="$(lease_id "$kept")" increment=2h && cut_connections
    [ "$answer" = ok ] && until_ok 300 reconnected
    judge $? "$consumer" "$version" 'open session, renewed and cut' 'connects again' "$answer"
    revoke "$kept" || return 1
    until_ok 300 in_time asks
    [ "$answer" = ok ]
    judge $? "$consumer" "$version" 'open session, after revocation' 'goes on' "$answer"
    cut_connections
    until_ok 300 is_refused
    judge $? "$consumer" "$version" 'the same, its connections cut' 'refused, as it must be' "$answer"
}

# leases VERSION COMMAND…  A lease that is renewed beyond the end that it had, and one that is not; with the Python driver.
leases() {
    local consumer=leases version=$1 kept=$work/renewed kept_id lapsed=$work/lapsed end
    shift
    start_driver "$@"
    lease app "$work/credential" && bundle "$work/credential" "$work/scb.zip" || return 1
    lease short "$kept" && lease short "$lapsed" || return 1
    end=$(($(date +%s) + short_seconds))
    kept_id=$(field client_id "$kept")
    # At once, as a busy machine may take longer for a session than the lease lasts.
    post sys/leases/renew lease_id="$(lease_id "$kept")" increment=2h || return 1
    attempt 'token, before its lease ends' ok token "$(field token "$lapsed")"
    keep_session "$kept"
    past() { [ "$(date +%s)" -gt "$end" ] && gone "$(field client_id "$lapsed")"; }
    until_ok $((300 + short_seconds)) past || return 1
    attempt 'token, its lease has ended' "$refusal" token "$(field token "$lapsed")"
    cut_connections
    until_ok 300 reconnected
    judge $? "$consumer" "$version" 'open session of a renewed lease' 'connects again' "$answer"
    attempt 'new session of a renewed lease' ok token "$(field token "$kept")"
    stop_driver
}

# The tokens of two static roles are replaced: one has a long overlap, the other's ends while the drivers
# are tried.
rotate_static() {
    local role
    for role in long-overlap short-overlap; do
        vault "astra/static-creds/$role" >"$work/$role" && post "astra/rotate-role/$role" || return 1
    done
}

# static_role VERSION COMMAND…  The tokens of static roles after a rotation, with the Python driver.
static_role() {
    local consumer=static-role version=$1
    shift
    start_driver "$@"
    lease app "$work/credential" && bundle "$work/credential" "$work/scb.zip" || return 1
    attempt 'token, rotated, in the overlap' ok token "$(field token "$work/long-overlap")"
    vault astra/static-creds/long-overlap >"$work/rotated" || return 1
    attempt 'token that replaced it' ok token "$(field token "$work/rotated")"
    until_ok 600 gone "$(field client_id "$work/short-overlap")" || return 1
    attempt 'token, rotated, after the overlap' "$refusal" token "$(field token "$work/short-overlap")"
    vault astra/static-creds/short-overlap >"$work/rotated" || return 1
    attempt 'token that replaced it' ok token "$(field token "$work/rotated")"
    stop_driver
}
