"""What a catalogue knows, as frozen values with one JSON form."""
