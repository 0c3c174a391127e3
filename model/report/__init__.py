"""What a run leaves for people: figures, films and one page."""
