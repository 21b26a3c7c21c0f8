"""What codes mean: packaged rows, their index, and a site's own."""
