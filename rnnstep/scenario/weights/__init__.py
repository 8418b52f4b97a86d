"""A model's parameters: their names and shapes, and where their values come from."""
