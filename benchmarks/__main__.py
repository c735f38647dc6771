"""`make bench`: all tables of benchmarks/README.md."""

from benchmarks import dag, features_mimic, peer, screening

features_mimic.main()
screening.main()
dag.main()
peer.main()
