"""What this machine has, and what of facezoo will run on it."""
