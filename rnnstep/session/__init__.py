"""A user's walk through a run: places, moves, breakpoints, edits. A state machine without a screen."""
