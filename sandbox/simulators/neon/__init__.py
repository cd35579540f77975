"""The Neon simulator: projects, branches, computes, databases and roles as the vendor's document has them."""
