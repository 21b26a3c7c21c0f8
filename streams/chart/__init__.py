"""The fold: facts to views, one view a file."""
