"""Walks a page of the documentation: types its commands in terminals, and compares what they print.

Only the page's `console` blocks count, so a page in another language with the same blocks is the same walk.
The word after `console` names a terminal; without one the commands go to the first terminal:

* `$ command` is typed, and continues in the next line after a backslash.
* `> text`, and the text after MariaDB's prompt, is typed into the program that the command started.
* `^C` and `^D` are pressed. The last one of a block ends the program, and the walk waits for that.
* Every other line is output. `…` stands for any text, and on a line of its own for any lines.

A command without output may print anything, but must end with exit code 0. One that only reads is typed again
until its output is right.
A program may keep running at the end of a block of a named terminal: the walk goes on when all lines of its
output have come. A later block that begins with output looks at what the program has printed since. Each new
terminal first types the block `every`, unless its name begins with `new`.
"""

from .page import Block, blocks
from .walker import Difference, walk

__all__ = ["Block", "Difference", "blocks", "walk"]
