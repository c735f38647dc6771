"""Runs sekmet-fhir on a free loopback port, in its own environment: `python launch.py FOLDER [ROOT]`; prints where.

Where the folder holds server.crt and server.key it speaks TLS, and where it holds client.pem, the public key of the
client `ward`, it serves only who signs in with SMART Backend Services. It adds a line to the file `requests` for each
request. ROOT is the address that it gives in links, if clients do not reach it at its own.

Its table of search parameters lacks RiskAssessment, which the server otherwise stores as well as any other type.
"""

import os
import pathlib
import socket
import sys

RISK_ASSESSMENT = {
    "identifier": ("token", ("identifier",), None),
    "status": ("token", ("status",), None),
    "subject": ("reference", ("subject",), None),
    "patient": ("reference", ("subject",), "Patient"),
    "encounter": ("reference", ("encounter",), None),
    "date": ("date", ("occurrenceDateTime", "occurrencePeriod"), None),
    "method": ("token", ("method",), None),
}


def main(folder: str, seen_at: str | None = None) -> None:
    import uvicorn
    from sekmet.config import Settings
    from sekmet.fhir.search_params import PARAMS, SearchParam
    from sekmet.main import create_app

    os.chdir(folder)
    PARAMS["RiskAssessment"] = {name: SearchParam(name, *rest) for name, rest in RISK_ASSESSMENT.items()}
    listener = socket.create_server(("127.0.0.1", 0))
    tls, smart = pathlib.Path("server.crt").exists(), pathlib.Path("client.pem").exists()
    root = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    client = {"client_id": "ward", "public_key_path": "client.pem", "scopes": "system/*.*"}
    settings = Settings(
        base_url=f"{seen_at or root}/fhir",
        data_dir=folder,
        log_inbound=False,
        simulator={"enabled": False},
        server_auth={"types": ["smart"], "smart_clients": [client], "token_lifetime": 300} if smart else {},
    )
    app = counting(create_app(settings))
    sys.stdout.write(f"{root}/fhir\n")
    sys.stdout.flush()
    files = {"ssl_certfile": "server.crt", "ssl_keyfile": "server.key"} if tls else {}
    uvicorn.Server(uvicorn.Config(app, log_level="warning", **files)).run(sockets=[listener])


def counting(app):
    """Adds a line to the file `requests` for each request."""

    async def counted(scope, receive, send):
        if scope["type"] == "http":
            with pathlib.Path("requests").open("a") as requests:
                requests.write(f"{scope['method']} {scope['path']}\n")
        await app(scope, receive, send)

    return counted


if __name__ == "__main__":
    main(*sys.argv[1:])
