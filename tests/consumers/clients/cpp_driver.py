"""The C++ driver, as the Python package acsylla contains it (../README.md)."""
import asyncio
import sys

import acsylla


async def statement(session):
    rows = await session.execute(acsylla.create_statement("SELECT v FROM t"))
    assert rows.first().v == "one"


async def connected(bundle, user, password, keyspace):
    cluster = acsylla.create_cluster(
        cloud_secure_connection_bundle=bundle,
        username=user,
        password=password,
        log_level="disabled",
    )
    session = await cluster.create_session(keyspace=keyspace)
    await statement(session)
    return session


async def main():
    kept = None
    for line in sys.stdin:
        verb, *arguments = line.rstrip("\n").split("\t")
        try:
            if verb == "new":
                await (await connected(*arguments)).close()
            elif verb == "keep":
                kept = await connected(*arguments)
            elif verb == "ask":
                await statement(kept)
            else:
                raise ValueError(f"unknown request {verb}")
            print("ok", flush=True)
        except acsylla.errors.CassException as error:
            print("refused", type(error).__name__, " ".join(str(error).split()), flush=True)
        except Exception as error:
            print("failed", " ".join(repr(error).split()), flush=True)


asyncio.run(main())
