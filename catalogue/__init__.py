"""The catalogue: who is served, on which plan, at which price and where; pure values, read from four files."""
