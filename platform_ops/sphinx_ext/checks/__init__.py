"""A site held against its rules: links, spelling, and what its pages show."""
