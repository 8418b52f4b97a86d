"""Answers: how people write them, what they are about, and in which shapes."""
