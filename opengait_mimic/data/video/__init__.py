"""From a video to silhouettes."""
