"""The scenario file: its keys, reading it with every problem at its place, and saving it."""
