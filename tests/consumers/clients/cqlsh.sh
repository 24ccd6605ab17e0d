#!/usr/bin/env bash
# cqlsh of PyPI, for each request a process (README.md of the folder above). The first argument is the
# Python that has it. It keeps no session.
set -uo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
while IFS=$'\t' read -r verb bundle user password keyspace; do
    if [ "$verb" != new ]; then
        echo "failed: unknown request $verb"
        continue
    fi
    if said=$("$1" "$here/cqlsh_with_bundle.py" -b "$bundle" --username="$user" --password="$password" \
        -k "$keyspace" -e 'SELECT v FROM t' 2>&1 </dev/null); then
        case $said in
            *one*) echo ok ;;
            *) echo failed "${said//$'\n'/ }" ;;
        esac
    else
        echo refused "${said//$'\n'/ }"
    fi
done
