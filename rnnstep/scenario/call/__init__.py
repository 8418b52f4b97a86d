"""One call of a live module, recorded: as arrays, as a scenario, in files."""
