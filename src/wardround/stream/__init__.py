"""The stream door: an ADT message in, a risk in the record; stages that are joined by stored queues."""
