"""The local server: the page's files in front of the app, and bounds for its connections."""
