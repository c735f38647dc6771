"""HL7 v2 messages over TCP: the frames of MLLP, who listens and who sends."""
