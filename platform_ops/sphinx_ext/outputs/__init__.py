"""What a build writes beside its pages, for programs and for whoever searches."""
