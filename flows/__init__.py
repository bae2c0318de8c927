"""WHEN: the runbooks, one per file. Order, concurrency and gates; no SSH, no parsing, no loops over time."""
