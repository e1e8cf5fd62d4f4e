"""Reading, checking and writing silhouettes and partitions; from a video to silhouettes in `video`."""
