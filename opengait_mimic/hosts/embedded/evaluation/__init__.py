"""From embeddings to metrics."""
