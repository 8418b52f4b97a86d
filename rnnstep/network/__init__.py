"""A network as data: blocks, the wires between them, and the steps that they run along. Everything else reads it."""
