"""From examples to a judged model version: searched, fitted, judged, refitted, recorded, and made once more."""
