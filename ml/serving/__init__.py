"""Who is champion, and the scores that it gives."""
