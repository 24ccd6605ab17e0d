# Clients of Vault that keep a credential for an application: they renew its lease, and read another one before it
# ends. Read by scripts/consumers.

# kept_token  A token of Vault that may read what these clients keep.
kept_token() {
    post astra/roles/kept astra_roles='App Reader' ttl="${short_seconds}s" max_ttl="$((2 * short_seconds))s" require_reason="$1" &&
        post astra/static-roles/kept astra_roles='App Reader' rotation_period=24h &&
        post sys/policies/acl/kept policy='path "astra/creds/kept" { capabilities = ["read", "update"] }
            path "astra/static-creds/kept" { capabilities = ["read"] }
            path "sys/leases/revoke" { capabilities = ["update"] }' &&
        vault auth/token/create --data '{"policies": ["kept"], "period": "24h"}' | jq -er .auth.client_token
}

# keeps CONSUMER VERSION FOLDER COMMAND…  The command writes each token that it gets to FOLDER/lease and FOLDER/static.
keeps() {
    local consumer=$1 version=$2 folder=$3 pid first fixed
    shift 3
    "$@" >"$work/driver.err" 2>&1 </dev/null &
    pid=$!
    pids+=("$pid")
    id_in() { cut -d: -f2 "$folder/$1"; }
    has_both() { [ -s "$folder/lease" ] && [ -s "$folder/static" ]; }
    has_another() { [ "$(id_in lease)" != "$first" ]; }
    # A busy machine may take long, and what is waited for comes after the lease's end at the latest.
    until_ok 600 has_both && first=$(id_in lease) fixed=$(id_in static) && lives "$first" && lives "$fixed"
    judge $? "$consumer" "$version" 'a lease and a static role' ok 'no token, or none that lives'
    vault astra/rotate-role/kept --data '{}' >/dev/null || return 1
    until_ok $((600 + 4 * short_seconds)) has_another && lives "$(id_in lease)" && until_ok 300 gone "$first"
    judge $? "$consumer" "$version" 'a lease, after its max_ttl' 'another token' 'no other token'
    [ "$(id_in static)" = "$fixed" ]
    judge $? "$consumer" "$version" 'a static role, after a rotation' 'not read again before its time' 'it was read again'
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    vault astra/static-roles/kept --request DELETE
}

# consul_template VERSION PROGRAM  With a reason, as the role wants one.
consul_template() {
    local folder=$work/consul-template token
    mkdir "$folder" && token=$(kept_token true) || return 1
    cat >"$folder/config.hcl" <<END
kill_signal = "SIGTERM"
vault { renew_token = false }
template {
  contents    = "{{ with secret \"astra/creds/kept\" \"reason=OPS-1234\" }}{{ .Data.token }}{{ end }}"
  destination = "$folder/lease"
}
template {
  contents    = "{{ with secret \"astra/static-creds/kept\" }}{{ .Data.token }}{{ end }}"
  destination = "$folder/static"
}
END
    VAULT_ADDR=${vault_url%/v1} VAULT_TOKEN=$token keeps consul-template "$1" "$folder" "$2" -config "$folder/config.hcl"
}

# spring_vault VERSION HOME
spring_vault() {
    local folder=$work/spring-vault token
    mkdir "$folder" && token=$(kept_token false) || return 1
    VAULT_ADDR=${vault_url%/v1} VAULT_TOKEN=$token keeps spring-vault "$1" "$folder" java -cp "$2:$2/jars/*" Main "$folder"
}
