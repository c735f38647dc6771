"""`make bench`: prints all tables of benchmarks/README.md."""

from benchmarks import dag, features_mimic, labels_mimic, peer, screening

features_mimic.main()
labels_mimic.main(1, 20)
screening.main()
dag.main()
peer.main()
