"""Records to Arrow: plans, and the tables built after them."""
