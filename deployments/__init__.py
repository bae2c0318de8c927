"""WHERE: how the flows are served, and the lab to rehearse them in."""
