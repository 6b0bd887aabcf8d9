"""The browser: a Textual application over the tree of a file."""
