"""The serving side: one Flask app over a model bundle, for AWS Lambda and for any WSGI server."""
