"""The platform's own database: who the tenants are, who may do what for them, and what they have used."""
