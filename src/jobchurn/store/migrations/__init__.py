"""The migrations: from nothing to the tables of this version, free of the domain."""
