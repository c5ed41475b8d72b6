"""Commands whose pictures are the frames of a film."""
