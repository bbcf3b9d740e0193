"""Arrays as pictures and figures as HTML, for a card."""
