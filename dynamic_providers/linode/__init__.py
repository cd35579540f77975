"""Linode, as far as its own plugin leaves something to be found."""
