"""The flags of all commands: their kinds, what several share, and what is made of them."""
