"""WHEN: the runbooks, one per file. Order, concurrency and gates; no SSH, no parsing, no loops over time."""

import logging

# Prefect shows the loggers that PREFECT_LOGGING_EXTRA_LOGGERS names, but leaves their level, and so drops INFO.
for room in ("flows", "tasks", "blocks"):
    logging.getLogger(room).setLevel(logging.INFO)
