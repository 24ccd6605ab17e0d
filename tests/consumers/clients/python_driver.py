"""DataStax's Python driver: one statement with the credential.

Arguments: bundle, user name, keyspace; the password is in ASTRA_PASSWORD. Exit 0 and "ok", or exit 3
and the driver's refusal.
"""
import logging
import os
import sys

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable

logging.disable(logging.CRITICAL)
bundle, user, keyspace = sys.argv[1:4]
cluster = Cluster(
    cloud={"secure_connect_bundle": bundle},
    auth_provider=PlainTextAuthProvider(user, os.environ["ASTRA_PASSWORD"]),
)
try:
    session = cluster.connect(keyspace)
except NoHostAvailable as error:
    print(error)
    sys.exit(3)
session.execute("INSERT INTO t (k, v) VALUES (1, 'one')")
assert session.execute("SELECT v FROM t").one().v == "one"
print("ok", flush=True)

# A session that stays open: one statement for each line of the input.
for line in sys.stdin:
    try:
        print(session.execute(line).one()[0], flush=True)
    except NoHostAvailable as error:
        print("refused", str(error).replace("\n", " "), flush=True)
    except Exception as error:
        print("failed", type(error).__name__, flush=True)
cluster.shutdown()
