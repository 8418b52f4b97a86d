"""The screen: a Textual application that paints what the views give and turns keys into moves."""
