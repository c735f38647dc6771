"""Messages made for tests, in pieces: an MSH with what a test needs, and segments after it."""

PATIENT = "PID|1||4711^^^HOSP^MR~99^^^OTHER^SS||DOE^JANE"
VISIT = "PV1|1|I|MICU^1^2^HOSP||||||||||||||||V123^^^VISITS"


def msh(
    *,
    sender="APP|FAC",
    receiver="WARD|UNIT",
    event="ADT^A01^ADT_A01",
    control_id="C1",
    processing="P",
    version="2.5.1",
    accept="",
    application="",
    charset="",
    encoding="^~\\&",
):
    fields = [encoding, sender, receiver, "20260101120000", "", event, control_id, processing, version, "", ""]
    return "|".join(["MSH", *fields, accept, application, "", charset])


def message(*segments, end="\r", codec="utf_8", **header):
    """Returns the bytes of a message; without segments, one with a patient and a visit."""
    return "".join(f"{one}{end}" for one in (msh(**header), *(segments or (PATIENT, VISIT)))).encode(codec)
