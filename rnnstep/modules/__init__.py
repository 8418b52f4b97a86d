"""torch's modules, a file each: of which blocks one is made, and the wires inside it."""
