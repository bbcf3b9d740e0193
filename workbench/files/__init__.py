"""What visitors take home, and the folder it is given out from."""
