"""Why a message cannot be read: a rule and a place, never a value."""


class Hl7Error(Exception):
    """A message that breaks a rule of HL7 v2 that cannot be bent.

    Attributes:
        rule: the name of the rule, a single word.
        place: where the rule is broken, such as `MSH-2`; it never quotes the message.
    """

    def __init__(self, rule: str, place: str) -> None:
        super().__init__(f"{place}: {rule}")
        self.rule = rule
        self.place = place
