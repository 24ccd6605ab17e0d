# Installs clients, once, from the pins in tests/consumers. Read by scripts/consumers.

sha256() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# installed FOLDER COMMAND…  The cache of FOLDER's pins; COMMAND fills it, once. Two callers at once share it.
installed() {
    local folder=$1 pins=tests/consumers/$1 home log=$work/install-$1.log
    home=${XDG_CACHE_HOME:-$HOME/.cache}/vault-plugin-secrets-astra/consumers-$folder-$(cat "$pins"/* | sha256 | cut -c1-16)
    shift
    if [ ! -e "$home/complete" ]; then
        mkdir -p "${home%/*}" || return 1
        (
            ! command -v flock >/dev/null 2>&1 || flock 9
            [ ! -e "$home/complete" ] || exit 0
            rm -rf "$home"
            mkdir "$home" && cp "$pins"/* "$home/" && (cd "$home" && "$@") >"$log" 2>&1 9>&- && touch "$home/complete"
        ) 9>"$home.lock" || {
            tail -n 20 "$log" >&2
            return 1
        }
    fi
    printf '%s\n' "$home"
}

# install_ahead NAME…  Installs those that are wanted, in the background, while others of another kind are installed, too.
# The table waits for each where it comes to it. Kinds are apart, as Maven's are not made to run at once.
install_ahead() {
    # Without a lock, two would fill one cache.
    command -v flock >/dev/null 2>&1 || return 0
    local name
    for name in "$@"; do
        case " ${wanted[*]} " in
            *" $name "*) install_of "$name" ;;
        esac
    done >/dev/null 2>&1 </dev/null &
    pids+=("$!")
}

# Without isolation, which would fetch what builds a package without a hash.
pip_install() {
    local file install=(venv/bin/pip install --quiet --require-hashes --no-build-isolation -r)
    python3 -m venv venv || return 1
    for file in build-requirements.txt requirements.txt; do
        [ ! -e "$file" ] || "${install[@]}" "$file" || return 1
    done
}
npm_install() { npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; }
go_install() { go build -o client .; }
consul_template_install() { mkdir bin && go build -o bin github.com/hashicorp/consul-template; }
grpcurl_install() { mkdir bin && go build -o bin github.com/fullstorydev/grpcurl/cmd/grpcurl; }
# Maven of Debian verifies no hashes of its own choice, so the jars are compared with the list.
maven_jars() {
    mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DoutputDirectory=jars -DincludeScope=runtime &&
        (cd jars && LC_ALL=C && sha256 -- *.jar) | diff - jars.sha256
}
maven_install() { maven_jars && javac -proc:none -cp 'jars/*' -d . ./*.java; }

# The version of a package that is pinned.
python_version() { sed -n "s/^$1==\([^ ]*\).*/\1/p" tests/consumers/python/requirements.txt; }
node_version() { jq -r --arg name "$1" '.dependencies[$name]' tests/consumers/npm/package.json; }
go_version() { sed -n "s|.*$2 v\([^ ]*\).*|\1|p" "tests/consumers/$1/go.mod"; }
maven_version() { sed -n 's|.*<version>\([1-9][^<]*\)</version>.*|\1|p' "tests/consumers/$1/pom.xml" | head -n 1; }
