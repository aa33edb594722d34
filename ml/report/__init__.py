"""What a person reads about a model version: words, tables and pictures."""
