"""cqlsh of PyPI with the option -b, which DataStax's own cqlsh has.

The driver below it can use a secure connect bundle; the program has no option for one.
"""
import sys

import cassandra.cluster

arguments = sys.argv[1:]
at = arguments.index("-b")
bundle = arguments[at + 1]
del arguments[at : at + 2]


class Cluster(cassandra.cluster.Cluster):
    """One whose address is that of the bundle."""

    def __init__(self, *positional, **named):
        for name in ("contact_points", "port", "ssl_options", "ssl_context", "load_balancing_policy"):
            named.pop(name, None)
        super().__init__(*positional, cloud={"secure_connect_bundle": bundle}, **named)


cassandra.cluster.Cluster = Cluster

from cqlshlib import cqlshmain  # noqa: E402 (after the class is in place)

cqlshmain.main(arguments, "")
