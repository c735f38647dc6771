"""Tests what docker-compose.yaml describes, run without containers: train, approve and screen through the REST API."""

import threading

import psutil
import pytest
from tests.loopback import Forward, Line, gateway_before
from tests.stack.conftest import STAYS
from tests.stack.container import Container
from tests.stack.rounds import SCREEN, ledger, present, scored, state, tasks, train, written
from tests.stack.stack import NOW, Stack

pytestmark = pytest.mark.long

CHUNK = 50


class Killing:
    """Kills a worker as soon as the server has done what it asks: to write RiskAssessments. It gets no answer."""

    def __init__(self, stack: Stack) -> None:
        self.killed: Container | None = None
        self._stack, self._lock = stack, threading.Lock()

    def meet(self, line: Line, forward: Forward) -> None:
        given = forward()
        with self._lock:
            amid = self.killed is None and line.command == "POST" and b"RiskAssessment?identifier=" in line.body
            if amid:
                self.killed = self._sender(line.client_address[1], line.connection.getsockname()[1])
                self.killed.kill()
        return line.hang_up() if amid else line.pass_on(given)

    def _sender(self, port: int, to: int) -> Container:
        """Returns the worker that has the connection between these two ports."""
        connections = [one for one in psutil.net_connections("tcp") if one.laddr and one.raddr and one.pid]
        [sender] = [one.pid for one in connections if (one.laddr.port, one.raddr.port) == (port, to)]
        above = {process.pid for process in psutil.Process(sender).parents()}
        return next(worker for worker in self._stack.workers if worker.pid in above)


def has_imported_xgboost(container: Container) -> bool:
    """Returns whether the service's own process has: it runs no task, but forks the processes that do."""
    started = psutil.Process(container.pid).children()
    return any("libxgboost" in one.path for process in started for one in process.memory_maps())


# One test, because pytest may give those of a module to several processes, and each would start the stack.
def test_an_approved_model_screens_and_a_worker_killed_amid_publishing_costs_no_stay_and_doubles_none(stack) -> None:
    # What tasks need is imported before they are forked, and not where none is.
    stack.wait_until(lambda: all(map(has_imported_xgboost, stack.workers)), "the workers have imported it")
    assert not has_imported_xgboost(stack.containers["airflow-scheduler"])

    assert train(stack) == "success"

    killing = Killing(stack)
    with gateway_before(stack.fhir_base_url, killing.meet) as gateway:
        stack.api.send(
            "PATCH",
            "connections/fhir_default?update_mask=host",
            {"connection_id": "fhir_default", "conn_type": "fhir", "host": gateway},
        )
        run_id = stack.api.trigger(SCREEN, {"as_of": NOW.isoformat(), "chunk_size": CHUNK})
        ended = stack.wait_until(lambda: state(stack, run_id), "the screening has ended")

    again = [task for task in tasks(stack, run_id) if task["try_number"] > 1]
    assert ended == "success"
    assert killing.killed is not None
    assert "publish" in {task["task_id"] for task in again}
    accounted, stays = ledger(stack, run_id), present(stack)
    assert len(stays) == STAYS
    assert stays <= set(accounted["stay_id"])
    assert written(stack, NOW) == scored(accounted) != []
