"""Airflow imports this file when it starts, from the folder config/ on PYTHONPATH."""

import logging
import sys

# Importing great_expectations logs 214 lines at INFO into every task's log otherwise.
logging.getLogger("great_expectations._docs_decorators").setLevel(logging.WARNING)

# LocalExecutor forks its workers from the scheduler: what is imported here, no task has to import again, which cuts
# a task that scores from 15 s to 0.2 s. Import only: threads and models would not survive the fork.
if "scheduler" in sys.argv:
    import great_expectations  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import xgboost  # noqa: F401

    import wardround.adapters.expectations  # noqa: F401
    import wardround.workflows.screen  # noqa: F401
