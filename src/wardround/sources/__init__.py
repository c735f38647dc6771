"""Where events come from, one package per kind of source; each turns what it reads into stays and readings."""
