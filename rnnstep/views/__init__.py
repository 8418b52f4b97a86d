"""From a session to rows of styled text: everything that a screen shows, without a screen."""
