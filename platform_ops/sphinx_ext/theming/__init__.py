"""What is mended of a theme and its writer: navigation, access, weight and time."""
