"""Families of estimators, what is asked of a fitted one, why it says what it says, and models as files."""
