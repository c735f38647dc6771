"""HL7 v2 messages: bytes in, segments and fields out, and the acknowledgements that answer them; no network."""
