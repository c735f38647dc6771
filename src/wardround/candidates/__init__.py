"""Tables of known numbers in, fitted candidates out: one file per kind of model, all with the same five verbs."""
