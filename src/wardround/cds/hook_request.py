"""Reads the body of a hook call: what every hook must say, and nothing that is not needed for an answer.

Unknown keys and `extension` are left alone wherever they stand. A message names the rule that was broken and never
quotes the request, which is about a patient. What the prefetch holds stays as bytes, to be read once by who needs it.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from wardround.cds.problems import Problem

_Text = Annotated[str, Meta(min_length=1)]
_Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
_Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]


class Authorization(Struct, frozen=True):
    """`fhirAuthorization`: a token for `fhirServer` that may be used until the answer, and is never kept or logged."""

    access_token: _Text
    token_type: Annotated[str, Meta(pattern=r"^[Bb]earer$")]
    expires_in: int
    scope: _Text
    subject: _Text
    patient: _Id | None = None

    def __repr__(self) -> str:
        return "Authorization(…)"


class Context(Struct, frozen=True, rename="camel"):
    """Who is asking about whom, on the hooks `patient-view` and `order-select`."""

    user_id: _Text
    patient_id: _Id
    encounter_id: _Id | None = None


class _EncounterContext(Struct, frozen=True, rename="camel"):
    user_id: _Text
    patient_id: _Id
    encounter_id: _Id


class _Bundle(Struct, frozen=True, rename="camel"):
    resource_type: Annotated[str, Meta(pattern=r"^Bundle$")]


class _OrderContext(Struct, frozen=True, rename="camel"):
    user_id: _Text
    patient_id: _Id
    # Nothing is read of these two, but a call of this hook without them is none.
    selections: list[str]
    draft_orders: _Bundle
    encounter_id: _Id | None = None


class HookRequest(Struct, frozen=True, rename="camel"):
    """A call of a service.

    Attributes:
        prefetch: what the EHR sent along, by the key of its template, unread, null included. An absent key is
            one that the EHR does not honour or could not have.
    """

    context: Context
    fhir_server: _Url | None = None
    fhir_authorization: Authorization | None = None
    prefetch: dict[str, Raw] = {}

    def __repr__(self) -> str:
        return "HookRequest(…)"


class _Call(Struct, frozen=True, rename="camel"):
    hook: _Text
    hook_instance: _Text
    context: Raw
    fhir_server: _Url | None = None
    fhir_authorization: Authorization | None = None
    prefetch: dict[str, Raw] | None = None


_CALL: Final = msgspec.json.Decoder(_Call)
_CONTEXTS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "patient-view": msgspec.json.Decoder(Context),
    "encounter-start": msgspec.json.Decoder(_EncounterContext),
    "encounter-discharge": msgspec.json.Decoder(_EncounterContext),
    "order-select": msgspec.json.Decoder(_OrderContext),
}


def hook_request(body: bytes, hook: str) -> HookRequest:
    """Returns the call in a body, for a service of this hook.

    Raises Problem (400) if it is not a call of this hook by the rules of CDS Hooks 2.0 and 3.0.
    """
    call: _Call = decoded(_CALL, body, "the body")
    if call.hook != hook:
        raise Problem(400, f"hook: is not the hook of this service, which is {hook}; call the service of that hook")
    context = decoded(_CONTEXTS[hook], call.context, "context")
    if call.fhir_authorization and not call.fhir_server:
        raise Problem(400, "fhirServer: is missing; it is required where fhirAuthorization is given")
    about = Context(context.user_id, context.patient_id, context.encounter_id)
    return HookRequest(about, call.fhir_server, call.fhir_authorization, call.prefetch or {})


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes | Raw, where: str) -> Any:
    """Returns what a decoder makes of JSON. Raises Problem (400), which says which rule the JSON breaks, and where."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # These messages name types, keys of ours and places; values only of enumerations, and there is none here.
        raise Problem(400, f"{where}: {error}; send it as CDS Hooks defines it") from None
    except msgspec.DecodeError:
        raise Problem(400, f"{where}: is not JSON; send it as CDS Hooks defines it") from None
    except UnicodeDecodeError:
        raise Problem(400, f"{where}: is not UTF-8; send it as CDS Hooks defines it") from None
    except RecursionError:
        raise Problem(400, f"{where}: is nested too deeply; send it as CDS Hooks defines it") from None
