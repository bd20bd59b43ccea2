"""One of each: what a package can add to membatch."""
