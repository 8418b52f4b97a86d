"""The mistakes that people make by hand: rewrites of equations, of the run around them, and of the answer itself."""
