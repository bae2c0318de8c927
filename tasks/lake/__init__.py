"""The file lake: its GlusterFS pool, where its bricks are, and how they move to targets."""
