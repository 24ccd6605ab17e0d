# A real Cassandra behind the emulator: real reads and writes. Read by scripts/consumers.

# start_cassandra  Its address is in $cassandra.
start_cassandra() {
    scripts/cassandra >"$work/cassandra.ready" 2>"$work/cassandra.log" </dev/null &
    local pid=$!
    pids+=("$pid")
    started() { grep -qs ready "$work/cassandra.ready" || ! kill -0 "$pid" 2>/dev/null; }
    until_ok 600 started && cassandra=$(sed -n 's/.* cql=//p' "$work/cassandra.ready") && [ -n "$cassandra" ] || {
        cat "$work/cassandra.log" >&2
        return 1
    }
}

# shell PYTHON STATEMENTS  cqlsh with a leased credential.
shell() {
    "$1" "$clients/cqlsh_with_bundle.py" -b "$work/scb.zip" --username=token \
        --password="$(field token)" -e "$2" 2>"$work/driver.err" </dev/null
}

# real_table VERSION PYTHON  The table that all drivers read, written by one of them.
real_table() {
    local described
    lease app "$work/credential" && bundle "$work/credential" "$work/scb.zip" &&
        shell "$2" "CREATE TABLE app.t (k int PRIMARY KEY, v text)" >"$work/out" &&
        shell "$2" "INSERT INTO app.t (k, v) VALUES (1, 'one')" >"$work/out" || return 1
    described=$(shell "$2" 'DESCRIBE TABLE app.t')
    [[ $described == *'CREATE TABLE app.t'*'k int PRIMARY KEY'* ]]
    judge $? cqlsh "$1" 'table made, row written' ok "$described"
}

# bulk USER PASSWORD OPERATION OPTION…  DSBulk, its password in a file that only the caller reads.
bulk() {
    local user=$1 password=$2 operation=$3
    shift 3
    (umask 077 && jq -n --arg user "$user" --arg password "$password" \
        '{"datastax-java-driver": {advanced: {"auth-provider": {username: $user, password: $password}}}}' \
        >"$work/dsbulk.conf")
    timeout 300 java -cp "$home/jars/*" com.datastax.oss.dsbulk.runner.DataStaxBulkLoader "$operation" \
        -f "$work/dsbulk.conf" -b "$work/scb.zip" -k app -t t -logDir "$work/dsbulk" "$@" \
        >"$work/out" 2>"$work/driver.err" </dev/null
}

# dsbulk VERSION PYTHON  A row out, and one in.
dsbulk() {
    local version=$1 python=$2 id secret token
    lease app "$work/credential" && bundle "$work/credential" "$work/scb.zip" || return 1
    id=$(field client_id) secret=$(field client_secret) token=$(field token)
    bulk token "$token" unload && grep -qx '1,one' "$work/out"
    judge $? dsbulk "$version" 'token, unload' ok "$(tail -n 3 "$work/out")"
    printf 'k,v\n2,two\n' >"$work/rows.csv"
    bulk "$id" "$secret" load -url "$work/rows.csv" && [[ $(shell "$python" 'SELECT v FROM app.t WHERE k = 2') == *two* ]]
    judge $? dsbulk "$version" 'client id and secret, load' ok "$(tail -n 3 "$work/out")"
    revoke || return 1
    ! bulk token "$token" unload && grep -qF "$refusal" "$work/driver.err" "$work/out"
    judge $? dsbulk "$version" 'token, after revocation' 'refused, as it must be' "$(tail -n 3 "$work/out")"
}
