# The recipes of docs/recipes.md, as they stand there. Read by scripts/consumers.

# block LANGUAGE WORDS  The block of code in that language that has the words.
block() {
    awk -v language="$1" -v words="$2" '
        !inside && /^```/ { inside = 1; own = substr($0, 4); text = ""; next }
        inside && $0 == "```" {
            inside = 0
            if (own == language && index(text, words)) { printf "%s", text; found = 1; exit }
            next
        }
        inside { text = text $0 "\n" }
        END { exit !found }' docs/recipes.md
}

# recipe NAME VERSION COMMAND…  Runs in a folder with the bundle, and prints `ok`.
recipe() {
    local name=$1 version=$2 said
    shift 2
    for _ in {1..10}; do
        said=$(cd "$work/recipe" && timeout 600 "$@" 2>"$work/driver.err" </dev/null | tail -n 1)
        [ "$said" != ok ] && ran_out_of_time "$said $(cat "$work/driver.err")" || break
    done
    [ "$said" = ok ]
    judge $? "$name" "$version" 'the recipe, as it stands' ok "${said:-nothing}"
}

prepare_recipe() {
    mkdir -p "$work/recipe" && lease app "$work/recipe/credential.json" &&
        bundle "$work/recipe/credential.json" "$work/recipe/scb.zip" || return 1
    export ASTRA_DB_API_ENDPOINT=$url/_data/$database-$region
    ASTRA_DB_APPLICATION_TOKEN=$(field token "$work/recipe/credential.json") || return 1
    ASTRA_DB_KEYSPACE=$(field keyspace "$work/recipe/credential.json") || return 1
    export ASTRA_DB_APPLICATION_TOKEN ASTRA_DB_KEYSPACE
}

python_recipe() {
    prepare_recipe && {
        block python cassandra.cluster &&
            printf '%s\n' 'assert session.execute("SELECT v FROM t").one().v == "one"' 'print("ok", flush=True)'
    } >"$work/recipe/driver.py" && recipe python-driver "$1" "$2" driver.py
}

astrapy_recipe() {
    prepare_recipe && {
        block python astrapy && printf '%s\n' 'database.list_collection_names()' 'print("ok")'
    } >"$work/recipe/data.py" && recipe astrapy "$1" "$2" data.py
}

node_recipe() {
    prepare_recipe && {
        block js cassandra.Client && cat <<'JS'
client.connect().then(() => client.execute('SELECT v FROM t')).then((result) => {
  console.log(result.rows[0].v === 'one' ? 'ok' : result.rows);
  return client.shutdown();
});
JS
    } >"$work/recipe/driver.js" && NODE_PATH=$NODE_HOME/node_modules recipe node-driver "$1" node driver.js
}

typescript_recipe() {
    prepare_recipe && {
        printf '%s\n' "const { DataAPIClient } = require('@datastax/astra-db-ts');" && block ts DataAPIClient &&
            printf '%s\n' "database.listCollections().then(() => console.log('ok'));"
    } >"$work/recipe/data.js" && NODE_PATH=$NODE_HOME/node_modules recipe astra-db-ts "$1" node data.js
}

# java_class BLOCK IMPORTS STATEMENTS  A program around a block.
java_class() {
    printf '%s\n' "$2" 'public class Recipe {' 'public static void main(String[] arguments) {' "$1" "$3" '}' '}'
}

java_recipe() {
    prepare_recipe && java_class "$(block java CqlSession)" \
        'import com.datastax.oss.driver.api.core.CqlSession; import java.nio.file.Path;' \
        'System.out.println(session.execute("SELECT v FROM t").one().getString("v").equals("one") ? "ok" : "no");
        session.close();' >"$work/recipe/Recipe.java" && recipe "$3" "$1" java -cp "$2/jars/*" Recipe.java
}

java_3_recipe() {
    prepare_recipe && java_class "$(block java Cluster.builder)" \
        'import com.datastax.driver.core.Cluster; import com.datastax.driver.core.Session; import java.io.File;' \
        'System.out.println(session.execute("SELECT v FROM t").one().getString("v").equals("one") ? "ok" : "no");
        session.getCluster().close();' >"$work/recipe/Recipe.java" &&
        recipe java-driver-3 "$1" java -cp "$2/jars/*" Recipe.java
}

java_data_recipe() {
    prepare_recipe && java_class "$(block java DataAPIClient)" \
        'import com.datastax.astra.client.DataAPIClient; import com.datastax.astra.client.databases.Database;' \
        'database.listCollectionNames(); System.out.println("ok"); System.exit(0);' >"$work/recipe/Recipe.java" &&
        java_by_name recipe astra-db-java "$1" java -cp "$2/jars/*" Recipe.java
}

host_name() { printf '%s\n' "$database-$region.apps.astra.datastax.com"; }

# by_name COMMAND…  With Astra's own host names, by the proxy.
by_name() {
    ASTRA_DB_API_ENDPOINT=https://$(host_name) HTTPS_PROXY=$(told proxy) CURL_CA_BUNDLE=$work/ca.pem \
        SSL_CERT_FILE=$work/ca.pem grpc_proxy=$(told proxy) GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=$work/ca.pem "$@"
}

# java_by_name COMMAND…  The same for Java, which takes its proxy and its trust from properties.
java_by_name() {
    local proxy trust=$work/ca.p12
    proxy=$(told proxy) proxy=${proxy#http://}
    [ -e "$trust" ] || keytool -importcert -noprompt -alias ca -file "$work/ca.pem" -keystore "$trust" \
        -storetype PKCS12 -storepass trusted 2>"$work/driver.err" || return 1
    JAVA_TOOL_OPTIONS="-Dhttps.proxyHost=${proxy%:*} -Dhttps.proxyPort=${proxy#*:}
        -Djavax.net.ssl.trustStore=$trust -Djavax.net.ssl.trustStorePassword=trusted" by_name "$@"
}

# command_recipe CONSUMER VERSION EXPECTED WORDS  The block with the words, which answers what is expected.
command_recipe() {
    local consumer=$1 version=$2 expected=$3 commands said
    prepare_recipe && commands=$(block '' "$4") || return 1
    knobs '{"dataplane_cache_s": 0}'
    said=$(cd docs/examples && by_name bash -c "$commands" 2>&1 </dev/null)
    [[ $said == *"$expected"* ]]
    judge $? "$consumer" "$version" 'the recipe, as it stands' ok "$said"
    revoke "$work/recipe/credential.json" || return 1
    said=$(cd docs/examples && by_name bash -c "$commands" 2>&1 </dev/null)
    [[ $said == *'unknown, deleted or expired'* ]]
    judge $? "$consumer" "$version" 'the same, after revocation' 'refused, as it must be' "$said"
}

# cqlsh_line PYTHON LINE  A line of the page, run by the cqlsh of PyPI, with a statement to run.
cqlsh_line() {
    local python=$1
    cd "$work/recipe" || return 1
    cqlsh() {
        HOME=$work/recipe "$python" "$clients/cqlsh_with_bundle.py" "$@" -e "SELECT v FROM $ASTRA_DB_KEYSPACE.t"
    }
    field() { jq -r ".data.$1" credential.json; }
    eval "$2" 2>"$work/driver.err" </dev/null
}

# cqlsh_recipe VERSION PYTHON  Each line of the block, and the files that keep a password out of the arguments.
cqlsh_recipe() {
    local version=$1 python=$2 line said
    prepare_recipe || return 1
    while IFS= read -r line; do
        said=$(cqlsh_line "$python" "$line")
        [[ $said == *one* ]]
        judge $? cqlsh "$version" 'the recipe, as it stands' ok "$line: $said"
    done < <(block '' 'cqlsh -b scb.zip')
    mkdir -p "$work/recipe/.cassandra" && block '' '[auth_provider]' >"$work/recipe/.cassandra/cqlshrc" &&
        (umask 077 && block '' '[PlainTextAuthProvider]' | sed "s/AstraCS:[.]*/$ASTRA_DB_APPLICATION_TOKEN/" \
            >"$work/recipe/credentials") || return 1
    said=$(cqlsh_line "$python" 'cqlsh -b scb.zip --credentials credentials')
    [[ $said == *one* ]]
    judge $? cqlsh "$version" 'the recipe with --credentials' ok "$said"
}
