"""What a dry run says that a run would do: one page, with a hash of its own."""
