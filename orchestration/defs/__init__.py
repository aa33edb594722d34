"""What exists, thinly; how it works stands beside this folder."""
