"""What the browser shows, without a screen: grids, statistics, pictures, matches."""
