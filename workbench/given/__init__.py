"""What visitors give: uploads, addresses, points and boxes, each opened with no trust in it."""
