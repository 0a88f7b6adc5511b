"""Many inputs through one call: read lazily, packed, sent together, given back in order, kept in a checkpoint."""
