"""Runs sekmet-fhir on a free loopback port, in its own environment: `python launch.py FOLDER`; prints its base URL.

Its table of search parameters lacks RiskAssessment, which the server otherwise stores as well as any other type.
"""

import os
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


def main(folder: str) -> None:
    import uvicorn
    from sekmet.config import Settings
    from sekmet.fhir.search_params import PARAMS, SearchParam
    from sekmet.main import create_app

    os.chdir(folder)
    PARAMS["RiskAssessment"] = {name: SearchParam(name, *rest) for name, rest in RISK_ASSESSMENT.items()}
    listener = socket.create_server(("127.0.0.1", 0))
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings(base_url=f"{root}/fhir", data_dir=folder, log_inbound=False, simulator={"enabled": False})
    sys.stdout.write(f"{settings.base_url}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
