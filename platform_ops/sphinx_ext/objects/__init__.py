"""The page of each kind of object, and what stands on several of them."""
