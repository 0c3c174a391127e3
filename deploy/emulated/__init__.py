"""What stands in for Lambda on this machine, for tests and benchmarks: its Runtime API and API Gateway's events."""
