"""How a step or a check runs, whatever it is about: the run, its journal and record, waiting."""
