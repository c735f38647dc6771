"""`make bench`: prints all tables of benchmarks/README.md."""

from benchmarks import (
    bedside,
    dag,
    features_mimic,
    hapi,
    judged,
    labels_mimic,
    object_storage,
    one_stay,
    peer,
    screening,
    stream,
    time_alone,
    warm,
)

features_mimic.main()
labels_mimic.main(1, 20)
screening.main()
warm.main()
one_stay.main()
bedside.main()
time_alone.main()
judged.main()
stream.main()
dag.main()
object_storage.main()
peer.main()
hapi.main()
