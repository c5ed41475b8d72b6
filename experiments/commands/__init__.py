"""One file for each command: its flags, and what it does. Nothing but cli imports them."""
