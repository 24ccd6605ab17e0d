"""Reads paths with a client that openapi-python-client made from the server's OpenAPI document.

    read.py FOLDER PATH…    FOLDER has the generated package `client`; each PATH is read

$VAULT_ADDR and $VAULT_TOKEN are those of the server. Prints a JSON object: for each path the types that the
client declares for the fields of `data`, and the values that it read. Fails where a value is not of its
declared type, and where the server sends a field that the client does not know.
"""

import importlib
import inspect
import json
import os
import pkgutil
import sys
import types
import typing
import urllib.parse


def modules(package):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.ispkg:
            yield importlib.import_module(found.name)


def reader(package, path):
    """The module that reads `path`, and the values of the parameters in it."""
    for module in modules(package):
        required = [
            parameter
            for parameter in inspect.signature(module._get_kwargs).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        if any(parameter.kind is parameter.KEYWORD_ONLY for parameter in required):
            continue
        parts = path.split("/")
        values = parts[len(parts) - len(required) :]
        request = module._get_kwargs(*values)
        if request["method"] == "get" and urllib.parse.unquote(request["url"]) == "/" + path:
            return module, values
    sys.exit(f"the generated client has nothing that reads {path}")


def conforms(value, declared, where):
    """Exits unless `value` is of the type that the client declares."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if declared is typing.Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, one, where) for one in arguments)
    if origin is dict:
        return isinstance(value, dict)
    if origin is list:
        return isinstance(value, list) and all(conforms(one, arguments[0], where) for one in value)
    if declared is float:
        return type(value) in (int, float)
    if not hasattr(declared, "__attrs_attrs__"):
        return type(value) is declared
    return isinstance(value, declared) and check(value, where)


def check(model, where):
    """Exits unless every field of `model` is of its type, and there is no other field."""
    for name, declared in fields(type(model)).items():
        value = getattr(model, name)
        if not conforms(value, declared, f"{where}.{name}"):
            sys.exit(f"{where}.{name} is {value!r}, which is not of type {declared}")
    return True


def fields(model):
    module = sys.modules[model.__module__]
    # Models name each other in strings, and import them for type checkers only.
    names = {name: found for one in modules(importlib.import_module("client.models")) for name, found in vars(one).items()}
    hints = typing.get_type_hints(model, {**names, **vars(module)})
    return {one.name: hints[one.name] for one in model.__attrs_attrs__ if one.name != "additional_properties"}


def text(declared):
    arguments = [one for one in typing.get_args(declared) if getattr(one, "__name__", "") != "Unset"]
    if typing.get_origin(declared) in (typing.Union, types.UnionType) and len(arguments) == 1:
        return text(arguments[0])
    return declared.__name__ if isinstance(declared, type) and not arguments else str(declared)


def main(folder, paths):
    sys.path.insert(0, folder)
    package = importlib.import_module("client")
    api = importlib.import_module("client.api")
    client = package.AuthenticatedClient(
        base_url=os.environ["VAULT_ADDR"] + "/v1",
        token=os.environ["VAULT_TOKEN"],
        auth_header_name="X-Vault-Token",
        prefix="",
    )
    found = {}
    for path in paths:
        module, values = reader(api, path)
        answer = module.sync_detailed(*values, client=client)
        if answer.status_code != 200 or answer.parsed is None:
            sys.exit(f"{path}: {answer.status_code} {answer.content!r}")
        body, data = answer.parsed, answer.parsed.data
        body.warnings = body.warnings or []
        check(body, path)
        unknown = sorted(data.additional_properties)
        if unknown:
            sys.exit(f"{path}: the document does not describe {unknown}")
        found[path] = {
            "types": {name: text(declared) for name, declared in fields(type(data)).items()},
            "lease_id": body.lease_id,
            "lease_duration": body.lease_duration,
            "data": data.to_dict(),
        }
    print(json.dumps(found))


main(sys.argv[1], sys.argv[2:])
