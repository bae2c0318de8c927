"""The networks between the machines: ports and pods that reach each other."""
