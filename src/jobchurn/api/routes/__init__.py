"""The endpoints, one module for each noun; each only translates."""
