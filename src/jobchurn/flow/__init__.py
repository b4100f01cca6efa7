"""The whole way of the data, in verbs; each is given its services and fetches none."""
