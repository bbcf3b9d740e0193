"""Stored runs as the tab Leaderboard shows them: found, filtered, charted, compared, advised on."""
