# Programs that outlive their leases: docs/examples. Read by scripts/consumers.
#
# They run beside the drivers, on a database of their own.

# Their leases are short, but long enough for a busy machine to start a program in.
example_seconds=$(seconds_on_this_machine 30)
example_names=()
example_pids=()

# start_example NAME VERSION DRIVER COMMAND…  DRIVER is the name that its driver gives itself.
start_example() {
    local name=$1
    printf '%s\n%s\n' "$2" "$3" >"$work/example-$name.about"
    shift 3
    VAULT_ADDR=${vault_url%/v1} VAULT_TOKEN=consumers JAVA_TOOL_OPTIONS=$java_driver_limits "$@" "$work/other.zip" astra/creds/example \
        >"$work/example-$name.out" 2>"$work/example-$name.err" </dev/null &
    example_names+=("$name")
    example_pids+=($!)
    pids+=($!)
}

# start_examples  All whose runtime is there. The names of the drivers are those of the table.
start_examples() {
    local home
    lease other "$work/other" && bundle "$work/other" "$work/other.zip" || return 1
    examples_began=$(date +%s)
    if find_clients example-python python pip_install python3; then
        start_example python "$(python_version cassandra-driver)" 'Apache Cassandra Python Driver' \
            "$home/venv/bin/python" docs/examples/outlive_lease.py
    fi
    if find_clients example-node npm npm_install node npm; then
        NODE_PATH=$home/node_modules start_example node "$(node_version cassandra-driver)" \
            'Apache Cassandra Node.js Driver' node docs/examples/outlive_lease.js
    fi
    if find_clients example-java java-driver-4 maven_install java javac mvn; then
        start_example java "$(maven_version java-driver-4)" 'Apache Cassandra Java Driver' \
            java -cp "$home/jars/*" docs/examples/OutliveLease.java
    fi
}

# ended_leases DRIVER  How many of its credentials are gone, and how many of those have an open connection.
ended_leases() {
    controlled 'tokens?state=active' | jq '[.. | .client_id? // empty]' >"$work/live"
    controlled cql | jq -r --slurpfile live "$work/live" --arg driver "$1" --arg database "$other" '
        [.[] | select(.database == $database and .driver == $driver and .client_id)
             | select(.client_id as $id | $live[0] | index($id) | not)]
        | "\(map(.client_id) | unique | length) \(map(select(.outcome == "open")) | length)"'
}

# outlived DRIVER  It has lived for three leases, three of its leases have ended, and no session of one is open.
outlived() {
    local ended open
    read -r ended open < <(ended_leases "$1")
    [ "$(date +%s)" -ge $((examples_began + 3 * example_seconds)) ] && [ "$ended" -ge 3 ] && [ "$open" -eq 0 ]
}

finish_examples() {
    local index name version driver pid said status
    for index in "${!example_names[@]}"; do
        name=${example_names[$index]} pid=${example_pids[$index]}
        { read -r version; read -r driver; } <"$work/example-$name.about"
        until_ok $((10 * example_seconds)) outlived "$driver"
        status=$?
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        said=$(cat "$work/example-$name.out")
        [ "$status" -eq 0 ] && [[ $said =~ ^[1-9][0-9]*\ statements\ went\ well,\ 0\ failed$ ]]
        status=$?
        cp "$work/example-$name.err" "$work/driver.err"
        judge "$status" "example-$name" "$version" "three leases of $example_seconds s in a row" "${said:-nothing}" \
            "leases that ended, open sessions of them: $(ended_leases "$driver"); ${said:-no words}"
    done
}
