"""Queries an Astra database without a pause, with credentials that end.

When two thirds of a lease are over, a new session is made from a new credential. The old session is
closed while its lease still lives, and late enough for statements that still run in it.

    VAULT_ADDR=… VAULT_TOKEN=… python outlive_lease.py scb.zip astra/creds/app

Needs cassandra-driver. Ends with SIGTERM or Ctrl-C.
"""
import json
import os
import signal
import sys
import threading
import time
import urllib.request

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster

bundle, path = sys.argv[1:3]


def connect():
    """A session from a new credential, and the seconds that its lease lasts."""
    request = urllib.request.Request(
        f"{os.environ['VAULT_ADDR']}/v1/{path}",
        headers={"X-Vault-Token": os.environ["VAULT_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        credential = json.load(answer)
    cluster = Cluster(
        cloud={"secure_connect_bundle": bundle},
        auth_provider=PlainTextAuthProvider("token", credential["data"]["token"]),
    )
    return cluster.connect(credential["data"]["keyspace"]), credential["lease_duration"]


class Database:
    """`session` is always that of the newest credential."""

    def __init__(self):
        self.session, seconds = connect()
        threading.Thread(target=self._renew, args=(seconds,), daemon=True).start()

    def _renew(self, seconds):
        wait = seconds * 2 / 3
        while True:
            time.sleep(wait)
            try:
                new, seconds = connect()
            except Exception as error:
                print(f"no new session yet: {error}", file=sys.stderr)
                wait = 1
                continue
            old, self.session = self.session, new
            closing = threading.Timer(seconds / 6, old.cluster.shutdown)
            closing.daemon = True
            closing.start()
            wait = seconds * 2 / 3


stopped = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopped.set())
database = Database()
good = failed = 0
while not stopped.wait(0.1):
    try:
        database.session.execute("SELECT release_version FROM system.local").one()
        good += 1
    except Exception as error:
        failed += 1
        print(f"a statement failed: {error}", file=sys.stderr)
print(f"{good} statements went well, {failed} failed")
