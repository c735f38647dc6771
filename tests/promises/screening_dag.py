"""A program that migrates Airflow's database, or runs the screening DAG for a time, in a process of its own.

Called with `migrate`, or with a time; then it prints how the DAG run ended, as the last line.
"""

import json
import sys
from datetime import datetime

from wardround.demo.in_process import migrate, run_dag
from wardround.settings import PROJECT

if __name__ == "__main__":
    if sys.argv[1] == "migrate":
        migrate()
    else:
        end = run_dag("screen_icu__sepsis", PROJECT / "dags", datetime.fromisoformat(sys.argv[1]), {})
        sys.stdout.write(f"\n{json.dumps(end._asdict())}\n")
