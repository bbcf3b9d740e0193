"""Dataset x pipeline → records → leaderboard: measures which pipeline to ship."""
