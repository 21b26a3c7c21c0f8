"""An invented hospital's fortnight: ordinary traffic made from a seed, and the stories of single patients by hand."""
