"""astrapy: what an application does first.

Arguments: endpoint, keyspace; the token is in ASTRA_PASSWORD. Exit 0 and "ok", or exit 3 and the
refusal.
"""
import os
import sys

from astrapy import DataAPIClient
from astrapy.exceptions import DataAPIException

endpoint, keyspace = sys.argv[1:3]
database = DataAPIClient(os.environ["ASTRA_PASSWORD"]).get_database(endpoint, keyspace=keyspace)
try:
    database.list_collection_names()
except DataAPIException as error:
    print(error)
    sys.exit(3)
name = "from_python"
collection = database.create_collection(name)
assert name in database.list_collection_names()
assert database.list_table_names() == []
collection.insert_one({"_id": "a", "n": 1})
collection.insert_many([{"_id": "b", "n": 2}, {"n": 2}])
assert collection.find_one({"_id": "a"})["n"] == 1
assert collection.find_one({"_id": "z"}) is None
assert len(list(collection.find({"n": 2}))) == 2
assert collection.count_documents({}, upper_bound=10) == 3
assert collection.delete_one({"_id": "a"}).deleted_count == 1
assert collection.delete_many({"n": 2}).deleted_count == 2
assert collection.count_documents({}, upper_bound=10) == 0
print("ok")
