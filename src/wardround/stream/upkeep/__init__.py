"""What is done every hour beside the stream: compare it with the record, remove what is old, report, keep figures."""

from wardround.stream.upkeep.drained import drain_report, require_drained
from wardround.stream.upkeep.reconcile import Feeding, Reconciled, reconcile
from wardround.stream.upkeep.removal import prune
from wardround.stream.upkeep.series import keep_series

__all__ = ["Feeding", "Reconciled", "drain_report", "keep_series", "prune", "reconcile", "require_drained"]
