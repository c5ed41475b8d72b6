"""Who finds the landmarks of a face: a file each, and the table of them in `readers`."""
