"""torch in a process of its own, for the screen; `python -m rnnstep.reference.worker` is that process."""
