"""What is done every hour beside the stream: compare its census with the record, remove old bodies, report."""

from wardround.stream.upkeep.drained import drain_report, require_drained
from wardround.stream.upkeep.reconcile import Feeding, Reconciled, reconcile
from wardround.stream.upkeep.removal import prune

__all__ = ["Feeding", "Reconciled", "drain_report", "prune", "reconcile", "require_drained"]
