"""From result files to the paper's tables and figures and one page with all of it. Nothing here knows a host."""
