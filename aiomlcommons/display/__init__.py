"""How values are shown: in one line, as a table in a notebook, and as plain JSON data."""
