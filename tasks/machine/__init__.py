"""One machine: what it is like, whether it is fit, how it is prepared."""
