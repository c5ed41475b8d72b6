"""What `facezoo benchmark` measures, and how: in processes of their own, in alternation."""
