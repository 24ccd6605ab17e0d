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
        shell "$2" "CREATE TABLE app.written (k int PRIMARY KEY, v text)" >"$work/out" &&
        shell "$2" "INSERT INTO app.t (k, v) VALUES (1, 'one')" >"$work/out" || return 1
    described=$(shell "$2" 'DESCRIBE TABLE app.t')
    [[ $described == *'CREATE TABLE app.t'*'k int PRIMARY KEY'* ]]
    judge $? cqlsh "$1" 'table made, row written' ok "$described"
}

# written_rows  A driver writes rows, one by each form of the credential, and reads them; cqlsh reads them, too.
written_rows() {
    local shell_python row form user password said
    local consumer_home=$home
    home=$(installed python pip_install) || return 1
    shell_python=$home/venv/bin/python home=$consumer_home
    for form in token secret; do
        user=token password=$(field token)
        [ "$form" = token ] || { user=$(field client_id) && password=$(field client_secret); } || return 1
        rows_written=$((rows_written + 1)) row=$rows_written
        request keep "$work/scb.zip" "$user" "$password" app
        [ "$answer" = ok ] && request write "$row" "$consumer by $form" && [ "$answer" = ok ] &&
            said=$(shell "$shell_python" "SELECT v FROM app.written WHERE k = $row") && [[ $said == *"$consumer by $form"* ]]
        judge $? "$consumer" "$version" "row written and read, $form" ok "$answer; cqlsh read: $said"
    done
}
rows_written=0

# bulk COMMAND…  DSBulk, as the recipe has it, in the folder of the recipe.
bulk() {
    (
        cd "$work/recipe" || exit 1
        dsbulk() {
            timeout 300 java -cp "$home/jars/*" com.datastax.oss.dsbulk.runner.DataStaxBulkLoader "$@" -logDir "$work/dsbulk"
        }
        eval "$1"
    ) >"$work/out" 2>"$work/driver.err" </dev/null
}

# bulk_login USER PASSWORD  The file of the recipe.
bulk_login() {
    (umask 077 && block text datastax-java-driver |
        sed "s|username = token|username = \"$1\"|; s|AstraCS:[.]*|$2|" >"$work/recipe/dsbulk.conf")
}

# dsbulk VERSION PYTHON  Rows out, and one in.
dsbulk() {
    local version=$1 python=$2 unload id secret load='dsbulk load -f dsbulk.conf -b scb.zip -k app -t t -url rows.csv'
    prepare_recipe && unload=$(block '' 'dsbulk unload') && cp "$work/recipe/credential.json" "$work/credential" &&
        cp "$work/recipe/scb.zip" "$work/scb.zip" && bulk_login token "$ASTRA_DB_APPLICATION_TOKEN" || return 1
    bulk "$unload" && cat "$work"/recipe/rows/*.csv >"$work/rows" && grep -qx '1,one' "$work/rows"
    judge $? dsbulk "$version" 'the recipe, as it stands' ok "$(tail -n 3 "$work/out")"
    if [ "$rows_written" -gt 0 ]; then
        bulk 'dsbulk unload -f dsbulk.conf -b scb.zip -k app -t written -url written' &&
            [ "$(cat "$work"/recipe/written/*.csv | grep -c ' by ')" -eq "$rows_written" ]
        judge $? dsbulk "$version" "token, $rows_written rows of the drivers" ok "$(tail -n 3 "$work/out")"
    fi
    id=$(field client_id) secret=$(field client_secret)
    printf 'k,v\n2,two\n' >"$work/recipe/rows.csv"
    bulk_login "$id" "$secret" && bulk "$load" && [[ $(shell "$python" 'SELECT v FROM app.t WHERE k = 2') == *two* ]]
    judge $? dsbulk "$version" 'client id and secret, load' ok "$(tail -n 3 "$work/out")"
    revoke || return 1
    rm -r "$work/recipe/rows"
    bulk_login token "$ASTRA_DB_APPLICATION_TOKEN"
    ! bulk "$unload" && grep -qF "$refusal" "$work/driver.err" "$work/out"
    judge $? dsbulk "$version" 'token, after revocation' 'refused, as it must be' "$(tail -n 3 "$work/out")"
}
