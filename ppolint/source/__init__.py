"""A file as the linter sees it: its text, where that text came from, comments and edits."""
