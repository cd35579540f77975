"""Money and bills: pure values in and out."""
