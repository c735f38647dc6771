"""A program that preloads as a Celery worker does, and forks: the fork trains all candidates and screens.

Writes one JSON object to its output: how the fork ended, and which packages and modules of Wardround it had to import.
"""

import faulthandler
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from wardround.adapters.database.database import opened
from wardround.airflow.preload import preload
from wardround.settings import Settings, settings_from

PATIENCE = 400.0
"""Seconds; the fork takes ten on an idle machine. One that hangs says where."""


def work(mimic: Path, server: str, now: str, settings: Settings) -> None:
    """Imports as tasks do: after the fork."""
    import pandas as pd

    from wardround.fhir.endpoint import FhirEndpoint
    from wardround.workflows.screen import Means, ScreeningRequest, screen, servers_in
    from wardround.workflows.train import TrainingRequest, train

    as_of, source = pd.Timestamp(now), FhirEndpoint(server)
    train(TrainingRequest(condition="sepsis", mimic=mimic, created=as_of, budget=1), settings, "tests", lambda *_: None)
    request = ScreeningRequest(condition="sepsis", **servers_in(source), as_of=as_of)
    screen(request, Means(source, settings, lambda *_: None))


def is_noticed(module: str) -> bool:
    """Returns whether it is a package or of Wardround. What a library loads of itself later takes milliseconds."""
    return "." not in module or module.startswith("wardround.")


def main(mimic: str, server: str, now: str, folder: str) -> None:
    preload(["airflow", "celery", "worker"], "CeleryExecutor")
    settings = replace(settings_from(), runs=f"{folder}/runs", models=Path(folder) / "models")
    with opened(settings.database):  # made anew once per release, with libraries that nothing else needs
        pass
    before, out = set(sys.modules), Path(folder) / "imported.json"
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        work(Path(mimic), server, now, settings)
        out.write_text(json.dumps([name for name in sorted(set(sys.modules) - before) if is_noticed(name)]))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    imported = json.loads(out.read_text()) if out.exists() else None
    sys.stdout.write(json.dumps({"status": status, "imported": imported}))


if __name__ == "__main__":
    main(*sys.argv[1:])
