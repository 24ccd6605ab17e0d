"""DataStax's Python driver (../README.md)."""
import logging
import sys

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable

logging.disable(logging.CRITICAL)


def statement(session):
    assert session.execute("SELECT v FROM t").one().v == "one"


def connected(bundle, user, password, keyspace):
    cluster = Cluster(
        cloud={"secure_connect_bundle": bundle},
        auth_provider=PlainTextAuthProvider(user, password),
    )
    try:
        session = cluster.connect(keyspace)
        statement(session)
    except BaseException:
        cluster.shutdown()
        raise
    return session


def answer(verb, arguments):
    global kept
    if verb == "new":
        connected(*arguments).cluster.shutdown()
    elif verb == "keep":
        kept = connected(*arguments)
    elif verb == "ask":
        statement(kept)
    elif verb == "write":
        key, value = int(arguments[0]), arguments[1]
        kept.execute(kept.prepare("INSERT INTO written (k, v) VALUES (?, ?)"), (key, value))
        read = kept.execute(kept.prepare("SELECT v FROM written WHERE k = ?"), (key,)).one().v
        assert read == value, read
    else:
        raise ValueError(f"unknown request {verb}")


for line in sys.stdin:
    verb, *arguments = line.rstrip("\n").split("\t")
    try:
        answer(verb, arguments)
        print("ok", flush=True)
    except NoHostAvailable as error:
        print("refused", " ".join(str(error).split()), flush=True)
    except Exception as error:
        print("failed", " ".join(repr(error).split()), flush=True)
