"""Two rows on the same images."""
