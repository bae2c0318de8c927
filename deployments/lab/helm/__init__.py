"""A small `helm`, in front of the real Helm library: no helm binary is to be had where the lab is built.

It runs on the lab's machines with Debian's python3 and the library that the Python package `helm-python-sdk` carries.
Charts, values, rendering, server-side apply, the releases kept in Secrets: all that is Helm's own. What is written here
is the command line: of Helm's flags those that are used on a platform like this one, and Helm's words for its answers. A
flag that Helm has and this has not is an error, as is one that Helm has not.
"""
