"""Publication: what BI reads, switched at once. BI never opens the working file.

The marts are copied into a new database file, which is then renamed into place: readers see the publication before or
the one after, never a mixture, and never wait for the pipeline. `marts` says what is published, `shelf` where
publications stand and how one takes the place of another, `tables` what a publication tells of itself, and `publish`
what can be done: publish, hold back, restore, export.
"""
