"""The embedded FHIR R4 server: a real HTTP server on SQLite, for the demo, for load tests and for fault injection.

It answers what the screening, `wardround seed` and a curious user ask: create, read, update, delete, versions,
conditional writes, batch and transaction, search, paging, includes. It can be told to misbehave (faults.py).

What it is not: a hospital's server. It has no authorisation, no audit, no terminology, no profile validation, and
anyone who reaches its port can read, change and break everything in it. On request it asks who comes for a token
(sign_in.py), which is there to test clients, and speaks TLS. It listens
on the loopback interface unless a host is named. Its resource types and search parameters are one table
(resource_types.py): a new parameter is a line there.
"""
