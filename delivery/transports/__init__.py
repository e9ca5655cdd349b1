"""The ways out. Nothing else in the product speaks SMTP."""
