"""`make bench`: prints all tables of benchmarks/README.md."""

from benchmarks import (
    bedside,
    dag,
    features_mimic,
    judged,
    labels_mimic,
    one_stay,
    peer,
    screening,
    stream,
    stream_flag,
    stream_listen,
    stream_score,
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
peer.main()
stream_flag.main()
stream_listen.main()
stream_score.main()
