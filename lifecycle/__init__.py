"""What happens to tenants beside their declaration: proofs that they are apart."""
