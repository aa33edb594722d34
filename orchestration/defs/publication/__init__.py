"""The file that BI opens, and how readers learn that a newer state was held back."""
