# The emulator, and a Vault with the plugin that leases its tokens. Read by scripts/consumers.

# until_ok SECONDS COMMAND…  Repeats a command until it succeeds.
until_ok() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# seconds_on_this_machine N  N seconds, and more the busier the machine is.
seconds_on_this_machine() {
    local load
    load=$(uptime | sed 's/.*load average[s]*: *\([0-9]*\).*/\1/')
    echo $(($1 + 3 * load))
}

# Whether a text says that a program did not wait any longer, which on a busy machine says nothing of Astra.
ran_out_of_time() { grep -qiE 'timed ?out|time-?out' <<<"$1"; }

# free_port  Outside the range of the ports that the tests in Rust reserve.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((16000 + RANDOM % 4000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    return 1
}

# start_emulator PROGRAM OPTION…
start_emulator() {
    "$@" --cql --proxy --ca-file "$work/ca.pem" >"$work/ready" 2>"$work/emulator.log" </dev/null &
    local pid=$!
    pids+=("$pid")
    ready() { grep -qs ready "$work/ready" || ! kill -0 "$pid" 2>/dev/null; }
    until_ok 300 ready && grep -qs ready "$work/ready" || { cat "$work/emulator.log" >&2; return 1; }
    url=$(told url) control=$(told control)
    controlled seeds >"$work/seeds" || return 1
    database=$(seed .databases.vector_db.id) region=$(seed .databases.vector_db.region)
    second_region=$(seed '.databases.vector_db.regions[1]') other=$(seed .databases.classic_db.id)
    controlled "databases/$other" --data '{"status": "ACTIVE"}' >/dev/null
}
told() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" "$work/ready"; }
seed() { jq -er "$1" "$work/seeds"; }
# controlled PATH CURL-OPTION…  A request to the emulator's control API.
controlled() {
    local path=$1
    shift
    curl --silent --show-error --fail --max-time 150 --header 'Content-Type: application/json' "$@" \
        "$control/control/$path"
}
# knobs JSON
knobs() { controlled knobs --request PUT --data "$1" >/dev/null; }
# Whether Astra has a live token of this client id.
lives() { controlled 'tokens?state=active' | grep -qF "\"$1\""; }
gone() { ! lives "$1"; }

# start_vault PROGRAM PLUGIN
start_vault() {
    local pid address
    mkdir "$work/plugins" && cp "$2" "$work/plugins/" || return 1
    address=127.0.0.1:$(free_port)
    vault_url=http://$address/v1
    printf 'plugin_directory = "%s"\n' "$(cd "$work/plugins" && pwd -P)" >"$work/server.hcl"
    # Of the plugin: with its default url, it reaches the emulator by the proxy.
    HTTPS_PROXY=$(told proxy) HOME=$work TMPDIR=$work "$1" server -dev -dev-no-store-token -dev-root-token-id=consumers \
        -dev-listen-address="$address" -config="$work/server.hcl" >"$work/vault.log" 2>&1 </dev/null &
    pid=$!
    pids+=("$pid")
    answers() { vault sys/health >"$work/health" 2>"$work/err" || ! kill -0 "$pid" 2>/dev/null; }
    until_ok 300 answers && kill -0 "$pid" 2>/dev/null || { tail -n 20 "$work/vault.log" >&2; return 1; }
    post sys/plugins/catalog/secret/astra sha256="$(sha256 "$2" | cut -d' ' -f1)" command="${2##*/}" &&
        post sys/mounts/astra type=astra &&
        post astra/config allow_token_admin=true ca_cert="$(cat "$work/ca.pem")" token="$(told root_token)"
}
# vault PATH CURL-OPTION…  A request to Vault.
vault() {
    local path=$1
    shift
    curl --silent --show-error --fail-with-body --max-time 150 --header 'X-Vault-Token: consumers' "$@" "$vault_url/$path"
}
# post PATH NAME=VALUE…  A write to Vault.
post() {
    local path=$1 body
    shift
    body=$(jq -n '[$ARGS.positional[] | split("=") | {key: .[0], value: .[1:] | join("=")}] | from_entries' --args "$@")
    vault "$path" --data "$body" >"$work/posted" || { cat "$work/posted" >&2; return 1; }
}

# policy DATABASE KEYSPACE ACTION…  The policy of a custom role: one database and keyspace.
policy() {
    local resource=drn:astra:org:{{org_id}}:db:$1
    jq -nc --arg resource "$resource" --arg keyspace "$2" '{effect: "allow", actions: $ARGS.positional,
        resources: [$resource, "\($resource):keyspace:\($keyspace)"]}' --args "${@:3}"
}

make_roles() {
    short_seconds=$(seconds_on_this_machine 15)
    local common=(secure_connect_bundle=true max_ttl=24h)
    post astra/roles/app "${common[@]}" ttl=1h astra_roles='App Reader' database_id="$database" keyspace=app &&
        post astra/roles/second-region "${common[@]}" ttl=1h astra_roles='App Reader' database_id="$database" \
            region="$second_region" keyspace=app &&
        post astra/roles/no-bundle max_ttl=24h ttl=1h astra_roles='App Reader' database_id="$database" &&
        post astra/roles/no-cql max_ttl=24h database_id="$database" keyspace=app \
            policy="$(policy "$database" app db-rest)" &&
        post astra/roles/other "${common[@]}" database_id="$other" policy="$(policy "$other" transaction db-cql)" &&
        post astra/roles/example max_ttl="${example_seconds}s" ttl="${example_seconds}s" database_id="$other" \
            policy="$(policy "$other" transaction db-cql)" &&
        post astra/roles/token-admin max_ttl=24h ttl=1h astra_roles='Organization Administrator' &&
        post astra/roles/short max_ttl=24h ttl="${short_seconds}s" astra_roles='App Reader' &&
        post astra/static-roles/long-overlap astra_roles='App Reader' rotation_period=24h overlap=1h &&
        post astra/static-roles/short-overlap astra_roles='App Reader' rotation_period=24h overlap=20s
}

# lease ROLE FILE  A credential. The functions below read the file.
lease() { vault "astra/creds/$1" >"$2" || { cat "$2" >&2; return 1; }; }
field() { jq -er ".data.$1" "${2:-$work/credential}"; }
lease_id() { jq -er .lease_id "${1:-$work/credential}"; }
revoke() { post sys/leases/revoke lease_id="$(lease_id "$@")" sync=true; }
# bundle FILE OUTPUT  The secure connect bundle that the link of a credential leads to.
bundle() { curl --silent --show-error --fail --output "$2" "$(field secure_connect_bundle_url "$1")"; }
