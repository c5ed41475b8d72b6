"""Models of facezoo and of others, trained on the same faces for as long, by turns, and measured alike."""
