"""When the stream raises an alarm, and whom it tells."""

from datetime import timedelta

from pydantic import Field

from wardround.spec.base import Duration, SpecModel
from wardround.spec.channels import Webhook


class Alarms(SpecModel):
    """What `wardround stream watch` looks at, and where it says so."""

    webhook: Webhook | None = Field(
        default=None,
        description="Where alarms are sent, signed. Default: they are logged and listed, and sent nowhere.",
    )
    waiting: int = Field(default=1_000, ge=1, description="Messages of a stage that are due and wait.")
    oldest: Duration = Field(default=timedelta(minutes=10), description="How long a message may wait before a stage.")
    stuck: Duration = Field(
        default=timedelta(hours=1),
        description="How long after its receipt a message that was tried before may still be open: a visit that is"
        " stuck, such as one that the FHIR server does not know yet.",
    )
    silent: Duration = Field(default=timedelta(hours=6), description="How long a source may send nothing.")
    free: int = Field(
        default=2_000, ge=1, description="Megabytes that should be free on the disk of the database, if it is SQLite."
    )
    repeat: Duration = Field(
        default=timedelta(hours=4), description="An alarm that nobody acknowledges is sent again after this time."
    )
