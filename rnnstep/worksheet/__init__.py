"""A sheet to work out by hand: what it asks for, its numbers, and how it is written."""
