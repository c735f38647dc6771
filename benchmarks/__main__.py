"""`make bench`: all tables of benchmarks/README.md."""

from benchmarks import features_mimic, screening

features_mimic.main()
screening.main()
