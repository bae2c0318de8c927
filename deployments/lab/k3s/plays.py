"""Which k3s the stand-in plays. The packer writes the version that LAB_K3S_VERSION names into this file's place.

Up to v1.20.8 the bootstrap data is looked for under the token exactly as it was given, an empty one included; a server
that finds nothing there founds a cluster of its own, whatever else is in the datastore. v1.20.9 takes the password out
of the token first, and refuses a datastore that holds another one's data. Measured with both real versions; k3s-io/k3s#3675.
"""

VERSION = "1.20.8"


def takes_token_as_given(version: str = VERSION) -> bool:
    """Whether this version names the bootstrap data by the token's text instead of its password."""
    return tuple(int(part) for part in version.split(".")) < (1, 20, 9)
