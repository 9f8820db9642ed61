"""The commands that do one thing and end, and `run`: one file or package for each command."""
