"""The stored queues between the stages of the stream, in Wardround's own database."""
