"""The database: backed up, restored, asked."""
