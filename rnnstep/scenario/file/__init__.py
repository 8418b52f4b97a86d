"""A scenario's text: read with every problem at its place, changed without losing its look, and written."""
