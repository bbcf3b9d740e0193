"""ZIP and TAR files of strangers, of which nothing is believed."""
