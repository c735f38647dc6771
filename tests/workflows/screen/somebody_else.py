"""Changes resources of a server as somebody else would, whom a screening does not expect."""

from typing import Any

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint


def change(server: str, resource: dict[str, Any], **content: Any) -> None:
    """Replaces elements of a resource on the server with the given base URL."""
    changed = {**resource, **content}
    request = {"method": "PUT", "url": f"{changed['resourceType']}/{changed['id']}"}
    with FhirClient(FhirEndpoint(server)) as client:
        (answer,) = client.batch([{"resource": changed, "request": request}])
    assert answer["response"]["status"].startswith("2")
