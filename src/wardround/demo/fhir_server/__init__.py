"""The embedded FHIR R4 server: a real HTTP server on SQLite, for the demo, for load tests and for fault injection.

It supports what the screening, `wardround seed` and a curious user need: create, read, update, delete, versions,
conditional writes, batch and transaction, search, paging, includes. It can be told to misbehave (faults.py).

It is not a server for a hospital: it has no authorisation, no audit, no terminology and no profile validation, and
anyone who reaches its port can read, change and break everything in it. Optionally it requires a token (sign_in.py),
which is there to test clients, and uses TLS. It listens on the loopback interface unless another host is given. Its
resource types and search parameters are defined in one table (resource_types.py): a new parameter is one line there.
"""
