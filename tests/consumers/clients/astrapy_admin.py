"""astrapy's administration of databases, at the names that Astra has (../README.md).

The proxy is in HTTPS_PROXY, its CA in CURL_CA_BUNDLE, which astrapy takes as an option. Arguments:
id and endpoint of a database.
"""
import os
import sys

from astrapy import DataAPIClient
from astrapy.api_options import APIOptions
from astrapy.exceptions import DevOpsAPIException

identifier, endpoint = sys.argv[1:3]
client = DataAPIClient(
    os.environ["ASTRA_PASSWORD"], api_options=APIOptions(ca_cert_path=os.environ["CURL_CA_BUNDLE"])
)
admin = client.get_admin()
try:
    databases = admin.list_databases()
except DevOpsAPIException as error:
    print(error)
    sys.exit(3)
assert identifier in [database.id for database in databases]
assert len(admin.list_databases(include="all", provider="GCP", page_size=1)) == len(databases)
found = admin.database_info(identifier)
assert found.status == "ACTIVE" and len(found.regions) == 2
assert found.regions[0].api_endpoint == endpoint
assert found.regions[0].name in [region.name for region in admin.find_available_regions()]
database = client.get_database(endpoint)
assert database.info().id == identifier
keyspaces = database.get_database_admin().list_keyspaces()
assert "app" in keyspaces, keyspaces
print("ok")
