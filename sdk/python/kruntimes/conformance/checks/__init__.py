"""The checks, one module per group of the catalogue; importing this registers all of them."""
