"""What to do with codes: NumPy in, NumPy out; nothing here sees a model."""
