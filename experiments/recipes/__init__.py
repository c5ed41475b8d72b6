"""One absl flag file per published result; `facezoo train --recipe=NAME` reads it."""
