"""What one training is made of, its one loop, and what it records."""
