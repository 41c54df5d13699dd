"""Sections on what a study may ask beyond real or generated: ratings, pairs, reasons, exposures that vary."""
