# One consumer, from installation to the last line of the table. Read by scripts/consumers.

# install_of NAME  What it needs: the folder of its clients in $home, and its Python in $python.
install_of() {
    local name=$1
    case $name in
        python-driver | cpp-driver | cqlsh | astrapy* | leases | static-role)
            find_clients "$name" python pip_install python3 || return 1
            python=$home/venv/bin/python
            ;;
        node-driver | dse-driver | astra-db-ts | stargate)
            find_clients "$name" npm npm_install node npm || return 1
            export NODE_HOME=$home
            ;;
        java-driver-* | astra-db-java | astra-sdk-devops | spring-vault) find_clients "$name" "$name" maven_install java javac mvn || return 1 ;;
        gocql) find_clients "$name" go go_install go || return 1 ;;
        dsbulk)
            find_clients "$name" python pip_install python3 || return 1
            python=$home/venv/bin/python
            find_clients "$name" dsbulk maven_jars java mvn || return 1
            ;;
        astra-client-go) find_clients "$name" "$name" go_install go || return 1 ;;
        schemathesis) find_clients "$name" "$name" pip_install python3 || return 1 ;;
        grpcurl) find_clients "$name" grpcurl grpcurl_install go || return 1 ;;
        consul-template) find_clients "$name" "$name" consul_template_install go || return 1 ;;
    esac
}

# consume_cql NAME  A driver, with the name and version that it gives itself.
consume_cql() {
    local name=$1 version
    case $name in
        python-driver)
            version=$(python_version cassandra-driver)
            cql "$name" "$version" "Apache Cassandra Python Driver $version" "$refusal" "$python" "$clients/python_driver.py" &&
                python_recipe "$version" "$python"
            ;;
        cpp-driver)
            version=$(python_version acsylla)
            # It compares the name of the server with names only, not with addresses.
            knobs '{"bundle_host": "localhost"}' &&
                cql "$name" "$version" "Scylla Shard-Aware C/C++ Driver 2.16.2" "$refusal" "$python" "$clients/cpp_driver.py" &&
                knobs '{"bundle_host": "127.0.0.1"}'
            ;;
        cqlsh)
            version=$(python_version cqlsh)
            cql "$name" "$version" "Apache Cassandra Python Driver $(python_version cassandra-driver)" "$refusal" \
                "$clients/cqlsh.sh" "$python" && cqlsh_recipe "$version" "$python"
            ;;
        node-driver)
            version=$(node_version cassandra-driver)
            cql "$name" "$version" "Apache Cassandra Node.js Driver $version" "$refusal" node "$clients/node_driver.js" cassandra-driver &&
                node_recipe "$version"
            ;;
        dse-driver)
            version=$(node_version dse-driver)
            cql "$name" "$version" "DataStax Enterprise Node.js Driver $version" "$refusal" \
                node "$clients/node_driver.js" dse-driver
            ;;
        java-driver-4)
            version=$(maven_version "$name")
            cql "$name" "$version" "Apache Cassandra Java Driver $version" "$refusal" java -cp "$home:$home/jars/*" Main &&
                java_recipe "$version" "$home" "$name"
            ;;
        java-driver-4.17)
            # The same driver from the time when it had DataStax's name.
            version=$(maven_version "$name")
            cql "$name" "$version" "DataStax Java driver for Apache Cassandra(R) $version" "$refusal" \
                java -cp "$home:$home/jars/*" Main && java_recipe "$version" "$home" "$name"
            ;;
        java-driver-3)
            version=$(maven_version "$name")
            cql "$name" "$version" "DataStax Java Driver $version" "$refusal" java -cp "$home:$home/jars/*" Main &&
                java_3_recipe "$version" "$home"
            ;;
        gocql)
            version=$(go_version go gocql/gocql)
            cql "$name" "$version" "github.com/apache/cassandra-gocql-driver v$version" "$refusal" "$home/client"
            ;;
    esac
}

# consume_http NAME  A client of the other APIs.
consume_http() {
    local name=$1 version
    case $name in
        astrapy)
            version=$(python_version astrapy)
            data_api "$name" "$version" "$python" "$clients/astrapy_client.py" && astrapy_recipe "$version" "$python"
            ;;
        astrapy-admin)
            by_name refused_later "$name" "$(python_version astrapy)" token-admin 'token, databases and regions' 401 \
                "$python" "$clients/astrapy_admin.py" "$database" "https://$(host_name)"
            ;;
        astra-db-ts)
            version=$(node_version @datastax/astra-db-ts)
            data_api "$name" "$version" node "$clients/astra_db_ts.js" && typescript_recipe "$version"
            ;;
        astra-db-java)
            version=$(maven_version "$name")
            data_api "$name" "$version" java -cp "$home:$home/jars/*" Main && java_data_recipe "$version" "$home"
            ;;
        astra-sdk-devops)
            version=$(maven_version "$name")
            devops_api "$name" "$version" java -cp "$home:$home/jars/*" Main &&
                databases_by_sdk "$version" java -cp "$home:$home/jars/*" Main
            ;;
        astra-client-go)
            devops_api "$name" "$(go_version "$name" astra-client-go/v2)" "$home/client"
            ;;
        schemathesis)
            version=$(sed -n 's/^schemathesis==\([^ ]*\).*/\1/p' "tests/consumers/$name/requirements.txt")
            schema_cases "$version" "$home/venv/bin/schemathesis"
            ;;
        curl)
            version=$(curl --version | sed -n '1s/^curl \([^ ]*\).*/\1/p')
            command_recipe curl "$version" '"collections":[' findCollections &&
                command_recipe curl "$version" '"queryType":' schemas/keyspaces
            ;;
        grpcurl)
            # The program is found by the name that the recipe has.
            PATH=$home/bin:$PATH command_recipe grpcurl "$(go_version grpcurl fullstorydev/grpcurl)" 4.0.11 grpcurl
            ;;
        stargate)
            knobs '{"dataplane_cache_s": 0}' &&
                by_name refused_later "$name" "$(node_version @stargate-oss/stargate-grpc-node-client)" app 'token' \
                    'unknown, deleted or expired' node "$clients/stargate.js" "$(host_name):443"
            ;;
    esac
}

# consume NAME
consume() {
    local name=$1 home python
    install_of "$name" || return 0
    case $name in
        examples) start_examples ;;
        leases) leases "$(python_version cassandra-driver)" "$python" "$clients/python_driver.py" ;;
        static-role) static_role "$(python_version cassandra-driver)" "$python" "$clients/python_driver.py" ;;
        dsbulk) dsbulk "$(maven_version dsbulk)" "$python" ;;
        consul-template) consul_template "$(go_version "$name" hashicorp/consul-template)" "$home/bin/consul-template" ;;
        spring-vault) spring_vault "$(maven_version "$name")" "$home" ;;
        *-driver* | cqlsh | gocql) consume_cql "$name" ;;
        *) consume_http "$name" ;;
    esac
}
