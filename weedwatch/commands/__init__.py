"""The commands: what each asks for, what it prints. Data goes to standard output, talk to standard error."""

from weedwatch.commands.program import main

__all__ = ["main"]
