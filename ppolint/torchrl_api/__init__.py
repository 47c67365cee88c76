"""Every release of TorchRL and TensorDict: names, signatures, and what changed between them.

`database.load()` answers questions about the packaged data; `renames` and `arguments` hold what was
written by hand; `build` makes the data file from the published wheels. Importing this package loads
nothing.
"""
